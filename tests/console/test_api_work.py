"""Acts on warnings, cases and orders: rights, versions, idempotency, refusals that name the field."""

import json
import threading
from pathlib import Path

import httpx

from tests.console import world as w
from tests.console.conftest import Login
from tests.console.world import World
from watchkeep_console.services import Services
from watchkeep_gateway.config_file import read as read_configuration

ACT = "/api/v1/cases/1/actions/"


def filed(world: World) -> int:
    """Case 1 at the lift maintainer; returns the warning."""
    warning = w.warning(world, "lift-1")
    w.judge_all(world)
    return warning


def test_a_case_from_dispatch_to_closed(as_: Login, world: World) -> None:
    warning = filed(world)
    tech, verifier, manager = as_("tech"), as_("verifier"), as_("manager")
    assert tech.get("/api/v1/cases/1").json()["actions"] == ["accept", "arrive", "return"]
    for action in ("accept", "arrive"):
        assert tech.post(ACT + action, json={}).status_code == 200
    needed = tech.get("/api/v1/orders/1").json()["evidence_needed"]
    done = tech.post(ACT + "finish", json={"note": "皮带更换"})
    assert (done.status_code, done.json()["field"]) == (422, "evidence")
    with world.admin() as conn:  # photos come through the technician's page
        for kind in needed:
            conn.execute("INSERT INTO evidence (case_id, order_id, kind, at) VALUES (1, 1, %s, now())", [kind])
    assert tech.post(ACT + "finish", json={"note": "皮带更换"}).json()["state"] == "resolved"
    assert tech.post(ACT + "verify", json={}).status_code == 403
    assert verifier.post(ACT + "verify", json={}).status_code == 422, "the warning is still open"
    w.clear(world, warning)
    assert verifier.post(ACT + "verify", json={}).json()["state"] == "verified"
    assert manager.post(ACT + "close", json={}).json()["state"] == "closed"
    case = manager.get("/api/v1/cases/1").json()
    assert case["closed_at"] is not None
    assert [step["action"] for step in case["transitions"]][-3:] == ["finish", "verify", "close"]
    assert case["actions"] == []


def test_a_stale_version_is_409_with_the_present_one(as_: Login, world: World) -> None:
    filed(world)
    tech = as_("tech")
    version = tech.get("/api/v1/cases/1").json()["version"]
    assert tech.post(ACT + "accept", json={"version": version}).status_code == 200
    stale = tech.post(ACT + "arrive", json={"version": version})
    assert (stale.status_code, stale.json()["field"], stale.json()["version"]) == (409, "version", version + 1)
    again = tech.post(ACT + "accept", json={})
    assert (again.status_code, again.json()["code"]) == (409, "not_possible")


def test_a_repeated_key_gets_the_first_answer(as_: Login, world: World) -> None:
    filed(world)
    tech = as_("tech")
    key = {"Idempotency-Key": "tap-1"}
    first = tech.post("/api/v1/orders/1/actions/accept", json={}, headers=key)
    again = tech.post("/api/v1/orders/1/actions/accept", json={}, headers=key)
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (200, first.json())
    other = tech.post("/api/v1/orders/1/actions/accept", json={"note": "something else"}, headers=key)
    assert (other.status_code, other.json()["field"]) == (422, "Idempotency-Key")
    with world.admin() as conn:
        assert conn.execute("SELECT count(*) FROM transitions WHERE action = 'accept'").fetchone() == (1,)


def test_two_at_once_with_one_key_act_once(as_: Login, world: World) -> None:
    filed(world)
    tech = as_("tech")
    answers: list[int] = []

    def post() -> None:
        answers.append(tech.post(ACT + "accept", json={}, headers={"Idempotency-Key": "k"}).status_code)

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 4


def test_returning_needs_a_reason_and_another_organisation(as_: Login, world: World) -> None:
    filed(world)
    tech = as_("tech")
    assert tech.post(ACT + "return", json={}).json()["field"] == "note"
    assert tech.post(ACT + "return", json={"note": "不属于维保范围"}).json()["field"] == "org_id"
    done = tech.post(ACT + "return", json={"note": "不属于维保范围", "org_id": "prop"})
    assert done.json()["state"] == "returned"


def test_who_may_look_may_not_act(as_: Login, world: World) -> None:
    filed(world)
    auditor = as_("auditor")
    assert auditor.get("/api/v1/cases/1").json()["actions"] == []
    assert auditor.post(ACT + "accept", json={}).status_code == 403
    assert as_("manager").post(ACT + "accept", json={}).status_code in (403, 422), "another organisation's order"
    assert auditor.post(ACT + "explode", json={}).status_code == 403
    assert as_("manager").post(ACT + "explode", json={}).status_code == 404
    assert as_("manager").post(ACT + "accept", json={"version": 0}).json()["field"] == "version"
    assert as_("manager").post(ACT + "accept", json={"role": "sys_admin"}).json()["field"] == "role"


def test_confirm_files_a_waiting_warning_once(as_: Login, world: World) -> None:
    warning = w.warning(world, "lift-1")
    duty = as_("duty")
    done = duty.post(f"/api/v1/warnings/{warning}/confirm")
    assert (done.status_code, done.json()["state"]) == (200, "filed"), done.text
    assert duty.get(f"/api/v1/cases/{done.json()['case_id']}").json()["responsible_org_id"] == "lift"
    assert duty.post(f"/api/v1/warnings/{warning}/confirm").json()["code"] == "judged"
    w.judge_all(world)
    assert len(duty.get("/api/v1/cases").json()["items"]) == 1


def test_dismiss_needs_a_reason_and_the_right(as_: Login, world: World) -> None:
    warning = w.warning(world, "lift-1")
    duty, tech = as_("duty"), as_("tech")
    path = f"/api/v1/warnings/{warning}/dismiss"
    assert tech.post(path, json={"note": "误报"}).status_code == 403
    assert duty.post(path, json={}).json()["field"] == "note"
    assert duty.post(path, json={"note": "保洁误碰"}).json()["state"] == "dismissed"
    w.judge_all(world)
    assert duty.get("/api/v1/cases").json()["items"] == []
    assert duty.get(f"/api/v1/warnings/{warning}").json()["verdicts"][0]["reason"] == "保洁误碰"


def test_a_gateway_is_created_with_credentials_once(as_: Login, house: Services, tmp_path: Path) -> None:
    manager = as_("manager")
    body = {"community_id": "sunshine", "gateway_id": "gw-9", "name": "新网关"}
    made = manager.post("/api/v1/gateways", json=body)
    assert made.status_code == 201, made.text
    found = made.json()
    assert house.enroller.users == {"sunshine/gw-9": found["mqtt_password"]}  # type: ignore[attr-defined]  # the twin
    assert (found["mqtt_user"], found["broker_user"]) == ("sunshine/gw-9", "added")
    (tmp_path / "gateway.toml").write_text(found["configuration"], encoding="utf-8")
    assert read_configuration(tmp_path / "gateway.toml").ref.user == "sunshine/gw-9"
    assert found["mqtt_password"] not in manager.get("/api/v1/communities/sunshine/gateways/gw-9").text
    again = manager.post("/api/v1/gateways", json=body)
    assert (again.status_code, again.json()["field"]) == (409, "gateway_id")
    assert as_("duty").post("/api/v1/gateways", json=body | {"gateway_id": "gw-8"}).status_code == 403
    assert manager.post("/api/v1/gateways", json=body | {"gateway_id": "a/b"}).json()["field"] == "gateway_id"


def test_a_test_alarm_is_a_marked_case_with_an_order(as_: Login) -> None:
    manager = as_("manager")
    done = manager.post("/api/v1/communities/sunshine/gateways/gw-1/test-alarm")
    assert done.status_code == 200, done.text
    case = manager.get(f"/api/v1/cases/{done.json()['id']}").json()
    assert (case["source"], case["class"], case["state"]) == ("test", "C", "dispatched")
    assert case["orders"][0]["org_id"] == "prop"
    assert manager.post("/api/v1/test-notification").status_code == 202
    assert manager.post("/api/v1/test-notification?org_id=prop2").json()["field"] == "org_id"


def test_who_opens_a_case_has_read_what_told_of_it(as_: Login, world: World) -> None:
    with world.admin() as conn:
        conn.execute(
            "INSERT INTO notification_channels (person_id, kind, name)"
            " SELECT person_id, 'sms', 'phone' FROM people WHERE login IN ('tech', 'manager')"
        )
    filed(world)
    read = "SELECT p.login FROM notifications JOIN people p USING (person_id) WHERE read_at IS NOT NULL AND case_id = 1"
    assert as_("manager").get("/api/v1/cases").status_code == 200
    with world.admin() as conn:
        assert conn.execute(read).fetchall() == []
    assert as_("tech").get("/api/v1/cases/1").status_code == 200
    with world.admin() as conn:
        assert conn.execute(read).fetchall() == [("tech",)]


def test_changes_arrive_as_events_for_those_who_may_see_them(as_: Login, world: World, house: Services) -> None:
    heard: dict[str, list[dict[str, object]]] = {"tech": [], "other": []}
    ready = threading.Barrier(3)
    wanted = {"tech": ("warnings", "sunshine"), "other": ("warnings", "riverside")}

    def listen(client: httpx.Client, who: str) -> None:
        with client.stream("GET", "/api/v1/events", timeout=60) as stream:
            ready.wait(60)
            for line in stream.iter_lines():
                if line.startswith('data: {"table'):
                    heard[who].append(json.loads(line[6:]))
                    if any((c["table"], c["community"]) == wanted[who] for c in heard[who]):
                        return

    threads = [threading.Thread(target=listen, args=(as_(who), who)) for who in heard]
    for thread in threads:
        thread.start()
    ready.wait(60)
    w.warning(world, "pump-1", "supply_pressure_loss")
    mine = w.warning(world, "lift-1")
    theirs = w.warning(world, "lift-1", community="riverside")
    for thread in threads:
        thread.join(60)
    assert heard == {
        "tech": [{"table": "warnings", "id": mine, "community": "sunshine"}],
        "other": [{"table": "warnings", "id": theirs, "community": "riverside"}],
    }


def test_a_duty_officer_merges_cases_and_raises_a_class(as_: Login, world: World) -> None:
    w.warning(world, "lift-1", condition="vibration_high", of_class="C", life_safety=False)
    w.warning(world, "lift-1", condition="levelling_poor", of_class="C", life_safety=False)
    w.judge_all(world)
    officer = as_("duty")
    assert {"merge", "raise_class"} <= set(officer.get("/api/v1/cases/1").json()["actions"])
    raised = officer.post("/api/v1/cases/2/actions/raise_class", json={"to_class": "B", "note": "老人多"})
    assert raised.status_code == 200, raised.text
    assert officer.get("/api/v1/cases/2").json()["class"] == "B"
    lower = officer.post("/api/v1/cases/2/actions/raise_class", json={"to_class": "C", "note": "x"})
    assert (lower.status_code, lower.json()["field"]) == (422, "to_class")
    nowhere = officer.post(ACT + "merge", json={"into_case_id": 1, "note": "同一原因"})
    assert (nowhere.status_code, nowhere.json()["field"]) == (422, "into_case_id")
    merged = officer.post(ACT + "merge", json={"into_case_id": 2, "note": "同一原因"})
    assert (merged.status_code, merged.json()["state"]) == (200, "merged")
    assert as_("tech").get("/api/v1/cases/2").json()["actions"] == ["accept", "arrive", "return"]
