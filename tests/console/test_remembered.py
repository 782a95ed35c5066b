"""Who looks is remembered for some seconds; who acts is not, and what ends in this process ends at once."""

import httpx
import pytest

from tests.console.conftest import Login
from tests.console.world import World
from watchkeep_console import remembered
from watchkeep_console.remembered import AT_MOST, KEPT_S, Remembered
from watchkeep_console.services import Services


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_for_some_seconds_from_the_look_on() -> None:
    clock = Clock()
    lately: Remembered[str] = Remembered(clock)
    look = lately.look()
    clock.now += 1
    lately.keep(b"k", look, "wang")
    assert lately.find(b"k") == "wang"
    clock.now += KEPT_S - 1
    assert lately.find(b"k") is None
    assert lately.find(b"other") is None


def test_what_was_found_before_an_end_is_not_kept_after_it() -> None:
    lately: Remembered[str] = Remembered()
    look = lately.look()
    lately.forget()
    lately.keep(b"k", look, "wang")
    assert lately.find(b"k") is None


def test_it_stays_small() -> None:
    lately: Remembered[int] = Remembered()
    for number in range(AT_MOST + 1):
        lately.keep(number.to_bytes(4, "big"), lately.look(), number)
    assert lately.find((0).to_bytes(4, "big")) is None
    assert lately.find((1).to_bytes(4, "big")) == 1


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine needs more than some seconds from one request to the next."""
    monkeypatch.setattr(remembered, "KEPT_S", 3600.0)


@pytest.fixture
def revoked(as_: Login, world: World, long: None) -> httpx.Client:
    """A person who has just looked, and whose session another process has ended."""
    duty = as_("duty")
    assert duty.get("/api/v1/me").status_code == 200
    with world.admin() as conn:
        conn.execute("UPDATE sessions SET revoked_at = now()")
    return duty


def test_whoever_acts_is_looked_up(revoked: httpx.Client, world: World) -> None:
    assert revoked.post("/api/v1/me/tokens", json={"name": "x", "scopes": ["read"], "days": 1}).status_code == 401


def test_what_another_process_ends_ends_soon(revoked: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert revoked.get("/api/v1/me").status_code == 200
    monkeypatch.setattr(remembered, "KEPT_S", 0.0)
    assert revoked.get("/api/v1/me").status_code == 401


def test_a_token_in_a_cookie_is_no_session(as_: Login, client: httpx.Client, house: Services, long: None) -> None:
    made = as_("manager").post("/api/v1/me/tokens", json={"name": "x", "scopes": ["read"], "days": 1}).json()
    bearer = {"Authorization": f"Bearer {made['token']}"}
    assert client.get("/api/v1/me", headers=bearer).status_code == 200
    assert house.identity.lately(made["token"], bearer=True) is not None
    assert house.identity.lately(made["token"]) is None
    manager = as_("manager")
    assert manager.get("/api/v1/me").status_code == 200
    assert manager.get("/api/v1/me", headers={"Authorization": "Bearer"}).status_code == 401, "not by the cookie then"


def test_a_logout_ends_it_at_once(as_: Login, long: None) -> None:
    duty = as_("duty")
    token = dict(duty.cookies)
    assert duty.get("/api/v1/me").status_code == 200
    assert duty.delete("/api/v1/session").status_code == 204
    duty.cookies.update(token)
    assert duty.get("/api/v1/me").status_code == 401
