"""Login, lock-out, logout, CSRF, tokens, problems."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.console.conftest import Login
from tests.console.world import PASSWORD, World
from watchkeep_console.services import LOGINS_PER_MINUTE, Services


def log_in(client: httpx.Client, who: str, password: str = PASSWORD) -> int:
    return client.post("/api/v1/session", json={"login": who, "password": password}).status_code


def test_login_me_logout_is_over_at_once(as_: Login) -> None:
    duty = as_("duty")
    me = duty.get("/api/v1/me").json()
    assert (me["login"], me["permissions"]) == ("duty", ["warning:judge", "case:act", "case:file"])
    assert "password_hash" not in me
    assert duty.delete("/api/v1/session").status_code == 204
    assert duty.get("/api/v1/me").status_code == 401


def test_the_cookie_is_lax_and_out_of_reach_of_scripts(client: httpx.Client) -> None:
    cookie = client.post("/api/v1/session", json={"login": "duty", "password": PASSWORD}).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_five_failures_lock_the_account_even_for_the_right_password(client: httpx.Client, world: World) -> None:
    assert [log_in(client, "duty", "wrong-password-1") for _ in range(5)] == [401] * 5
    assert log_in(client, "duty") == 401
    assert log_in(client, "manager") == 201
    with world.admin() as conn:
        conn.execute("UPDATE people SET locked_until = now() - interval '1 s' WHERE login = 'duty'")
    assert log_in(client, "duty") == 201


def test_unknown_and_wrong_are_told_apart_by_nobody(client: httpx.Client) -> None:
    answers = [
        client.post("/api/v1/session", json={"login": who, "password": "wrong-password-1"}).json()
        for who in ("duty", "nobody")
    ]
    assert answers[0] == answers[1]


def test_attempts_are_limited(client: httpx.Client, house: Services) -> None:
    assert log_in(client, "nobody", "x") == 401
    for _ in range(LOGINS_PER_MINUTE - 1):  # at once: a slow machine checks fewer in a minute than are allowed
        house.logins.hit(account="127.0.0.1 nobody")
    assert log_in(client, "nobody", "x") == 429
    assert log_in(client, "somebody", "x") == 401


def test_without_the_csrf_token_nothing_changes(as_: Login) -> None:
    duty = as_("duty")
    del duty.headers["X-CSRF-Token"]
    refused = duty.delete("/api/v1/session")
    assert (refused.status_code, refused.json()["field"]) == (403, "X-CSRF-Token")
    assert duty.get("/api/v1/me").status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE sessions SET revoked_at = now()",
        "UPDATE sessions SET expires_at = now()",
        "UPDATE sessions SET last_seen_at = now() - interval '31 min'",
        "UPDATE people SET active = false",
    ],
)
def test_a_session_ends(as_: Login, world: World, change: str) -> None:
    duty = as_("duty")
    with world.admin() as conn:
        conn.execute(change)
    assert duty.get("/api/v1/me").status_code == 401


def test_connections_that_the_server_has_ended_are_not_felt(as_: Login, world: World) -> None:
    duty = as_("duty")
    with world.admin() as conn:
        ended = conn.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'watchkeep-console'"
        ).fetchall()
    assert ended
    assert duty.get("/api/v1/cases").status_code == 200


def test_a_token_has_its_scopes_only(client: httpx.Client, house: Services, world: World) -> None:
    digest = house.identity.digest("secret-token")
    with world.admin() as conn:
        conn.execute(
            "INSERT INTO api_tokens (token_hash, person_id, name, scopes, expires_at)"
            " VALUES (%s, %s, 'test', '{}', %s)",
            [digest, world.people["manager"], datetime.now(UTC) + timedelta(hours=1)],
        )
    bearer = {"Authorization": "Bearer secret-token"}
    assert client.get("/api/v1/me", headers=bearer).json()["login"] == "manager"
    body = {"community_id": "sunshine", "gateway_id": "gw-9"}
    assert client.post("/api/v1/gateways", headers=bearer, json=body).status_code == 403
    assert client.get("/api/v1/me", headers={"Authorization": "Bearer other"}).status_code == 401


def test_logins_are_audited_by_id(client: httpx.Client, world: World) -> None:
    log_in(client, "duty", "wrong-password-1")
    log_in(client, "duty")
    last = world.rows("SELECT action, object_id FROM audit_entries ORDER BY audit_id DESC LIMIT 2")
    assert last == [("login", world.people["duty"]), ("login_failed", world.people["duty"])]


def test_problems_name_the_field(as_: Login) -> None:
    duty = as_("duty")
    for path, field in (
        ("/api/v1/warnings?class=X", "class"),
        ("/api/v1/warnings?cursor=nonsense", "cursor"),
        ("/api/v1/equipment?limit=100000", "limit"),
        ("/api/v1/series/99999999999999/readings?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z", "series_id"),
        ("/api/v1/series/1/readings?from=2026-01-01T00:00:00&to=2026-01-02T00:00:00Z", "from"),
        ("/api/v1/series/1/readings?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
    ):
        answer = duty.get(path)
        assert (answer.status_code, answer.json().get("field")) == (422, field), path
        assert answer.headers["content-type"] == "application/problem+json"
    assert duty.get("/api/v1/equipment?q=%00").status_code == 422


def test_headers_and_size(client: httpx.Client) -> None:
    answer = client.get("/login")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    big = client.post("/api/v1/session", content=b"x" * (1024 * 1024 + 1))
    assert big.status_code == 413


def test_nothing_is_open_without_a_login(client: httpx.Client) -> None:
    paths = [route for route in client.get("/api/v1/openapi.json").json()["paths"] if route != "/api/v1/session"]
    assert len(paths) > 20
    for path in paths:
        sample = path.replace("{community}", "sunshine").replace("{gateway_id}", "gw-1").replace("{action}", "accept")
        for name in ("equipment_id", "series_id", "warning_id", "case_id", "order_id"):
            sample = sample.replace(f"{{{name}}}", "1")
        assert client.get(sample).status_code in (401, 405), path
        assert client.post(sample, json={}).status_code in (401, 405, 422), path


def test_health_and_metrics(client: httpx.Client) -> None:
    assert client.get("/health/live").json() == {"status": "ok"}
    assert "watchkeep_console_requests" in client.get("/metrics").text
