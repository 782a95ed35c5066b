"""Posts from a phone's queue are answered in JSON: what became of each, and what its person has to do."""

from pathlib import Path

import httpx
import pytest

from tests.console import world as w
from tests.console.conftest import Login

QUEUED = {"X-Queued": "1"}


def post(client: httpx.Client, action: str, **fields: str) -> httpx.Response:
    csrf = client.get("/m/session").json().get("csrf", "")
    return client.post(f"/m/orders/1/{action}", data={"csrf": csrf} | fields, headers=QUEUED)


@pytest.fixture
def tech(as_: Login, world: w.World) -> httpx.Client:
    w.warning(world, "lift-2", "door_close_fail")
    w.judge_all(world)
    return as_("tech")


def test_each_answer_names_the_version_that_the_next_post_expects(tech: httpx.Client) -> None:
    version = str(tech.get("/api/v1/cases/1").json()["version"])
    first = post(tech, "accept", key="k1", version=version).json()
    assert first["state"] == "accepted"
    assert post(tech, "accept", key="k1", version=version).json() == first  # sent twice over a bad line: done once
    assert post(tech, "arrive", key="k2", version=str(first["version"])).json()["state"] == "on_site"


def test_somebody_was_faster(tech: httpx.Client) -> None:
    version = post(tech, "accept", key="k1").json()["version"]
    stale = post(tech, "arrive", key="k2", version=str(version + 5))
    assert (stale.status_code, stale.json()["text"]) == (409, "q_conflict")
    again = post(tech, "accept", key="k3")
    assert (again.status_code, again.json()["text"]) == (409, "q_conflict")


def test_a_refusal_says_why(tech: httpx.Client) -> None:
    refused = post(tech, "return", key="k1", note="不归我们")
    assert refused.status_code == 422
    assert refused.json()["text"] == "q_refused"
    assert "请指定另一家单位" in refused.json()["reason"]


def test_a_photo_that_is_none(tech: httpx.Client, tmp_path: Path) -> None:
    csrf = tech.get("/m/session").json()["csrf"]
    files = {"photo_after": ("a.jpg", b"<svg/>", "image/jpeg")}
    answer = tech.post("/m/orders/1/finish", data={"csrf": csrf}, files=files, headers=QUEUED)
    assert (answer.status_code, answer.json()["text"]) == (422, "photo_bad")


def test_nobody_is_logged_in_or_it_is_not_theirs(tech: httpx.Client, client: httpx.Client, as_: Login) -> None:
    assert client.get("/m/session").status_code == 401
    answer = client.post("/m/orders/1/accept", headers=QUEUED)
    assert (answer.status_code, answer.json()["text"]) == (401, "q_login")
    foreign = post(as_("other"), "accept")
    assert (foreign.status_code, foreign.json()["text"]) == (404, "q_gone")
    assert tech.post("/m/orders/1/accept", data={"csrf": "wrong"}, headers=QUEUED).status_code == 403


def test_who_helps_takes_the_steps_of_its_own_order(tech: httpx.Client, as_: Login, world: w.World) -> None:
    """Help is called in from another organisation; its people see what they may do."""
    manager = as_("manager")
    done = manager.post("/api/v1/cases/1/actions/assist", json={"org_id": "prop", "note": "看护现场"})
    assert done.status_code == 200, done.text
    assert manager.get("/api/v1/orders/2").json()["actions"] == ["accept", "arrive"]
    assert tech.get("/api/v1/orders/2").status_code == 404
