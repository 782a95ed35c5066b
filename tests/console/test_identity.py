"""The own account: second factor, password, sessions, tokens; resets and erasure by administrators; login by OpenID."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pyotp
import pytest
from joserfc.jwk import RSAKey

from tests.console.conftest import Login
from tests.console.provider import CLIENT, SECRET, Provider
from tests.console.test_isolation import _person
from tests.console.world import PASSWORD, World
from watchkeep_console import oidc, totp
from watchkeep_console.errors import TooMany
from watchkeep_console.limiter import SharedLimiter
from watchkeep_console.plain import LANGUAGE_COOKIE
from watchkeep_console.services import Services

NEW = "another-horse-battery-7"


def log_in(client: httpx.Client, who: str, password: str = PASSWORD, code: str = "") -> httpx.Response:
    return client.post("/api/v1/session", json={"login": who, "password": password, "code": code})


@pytest.fixture
def factor(as_: Login) -> tuple[httpx.Client, pyotp.TOTP, list[str]]:
    """A person with an authenticator app: the client, the app, the recovery codes. The app's clock is a step ahead."""
    client = as_("duty")
    offer = client.post("/api/v1/me/totp").json()
    assert offer["qr"].startswith("data:image/svg+xml")
    app = pyotp.TOTP(offer["secret"])
    assert client.put("/api/v1/me/totp", json={"code": "000000"}).status_code in (422,)
    answer = client.put("/api/v1/me/totp", json={"code": app.at(time.time() - 30)})
    assert answer.status_code == 200, answer.text
    return client, app, answer.json()["recovery_codes"]


def test_a_code_opens_once(factor: tuple[httpx.Client, pyotp.TOTP, list[str]], client: httpx.Client) -> None:
    _, app, _ = factor
    needed = log_in(client, "duty")
    assert (needed.status_code, needed.json()["code"], needed.json()["field"]) == (401, "code_needed", "code")
    code = app.at(time.time() + 30)
    assert log_in(client, "duty", code=code).status_code == 201
    assert log_in(client, "duty", code=code).status_code == 401, "a replay"
    assert log_in(client, "duty", "wrong-password-1", code=code).json()["code"] == "not_logged_in"


def test_recovery_codes_open_once_and_are_hashed(
    factor: tuple[httpx.Client, pyotp.TOTP, list[str]], client: httpx.Client, world: World
) -> None:
    code = factor[2][0]
    assert log_in(client, "duty", code=code.upper()).status_code == 201
    assert log_in(client, "duty", code=code).status_code == 401
    kept = world.rows("SELECT code_hash, used_at IS NOT NULL FROM recovery_codes")
    assert (len(kept), sum(used for _, used in kept)) == (10, 1)
    assert code.encode() not in b"".join(bytes(row[0]) for row in kept)
    secret = world.rows("SELECT secret FROM person_totp")[0][0]
    assert factor[1].secret.encode() not in bytes(secret), "encrypted at rest"


def test_wrong_codes_lock_even_when_the_password_is_known(
    factor: tuple[httpx.Client, pyotp.TOTP, list[str]], client: httpx.Client, house: Services
) -> None:
    for number in range(5):
        assert log_in(client, "duty").json()["code"] == "code_needed", "does not reset the count"
        assert log_in(client, "duty", code=f"00000{number}").status_code == 401
        house.logins.forget()
    assert log_in(client, "duty", code=factor[1].at(time.time() + 30)).status_code == 401, "locked"


def test_processes_share_a_limit(house: Services, world: World) -> None:
    """Two of them, each with a part of the hits; what is kept of an address is a hash."""
    here, there = (SharedLimiter(house.pool, 60, {"address": 4, "account": 3}) for _ in range(2))
    for limiter in (here, there, here):
        limiter.hit(address="192.0.2.1", account="192.0.2.1 duty")
    with pytest.raises(TooMany) as refused:
        there.hit(address="192.0.2.1", account="192.0.2.1 duty")
    assert 0 < refused.value.retry_after_s <= 60
    here.hit(address="192.0.2.2", account="192.0.2.2 duty")
    assert world.rows("SELECT DISTINCT octet_length(key) FROM rate_hits") == [(32,)]
    with world.admin() as conn:
        conn.execute("UPDATE rate_hits SET hits = ARRAY(SELECT h - interval '61 s' FROM unnest(hits) h)")
    there.hit(account="192.0.2.1 duty")


def test_the_form_asks_for_the_code_after_the_password(
    factor: tuple[httpx.Client, pyotp.TOTP, list[str]], client: httpx.Client
) -> None:
    def csrf(page: httpx.Response) -> str:
        return str(re.findall(r'name="csrf" value="([^"]+)"', page.text)[0])

    first = client.get("/login?next=/m")
    form = {"csrf": csrf(first), "next": "/m", "login": "duty", "password": PASSWORD}
    second = client.post("/login", data=form)
    ticket = re.findall(r'name="ticket" value="([^"]+)"', second.text)[0]
    assert PASSWORD not in second.text
    form = {"csrf": csrf(second), "next": "/m", "ticket": ticket}
    forged = client.post("/login/code", data=form | {"ticket": "x" + ticket[1:], "code": factor[1].now()})
    assert forged.status_code == 401
    form["csrf"] = csrf(forged)
    done = client.post("/login/code", data=form | {"code": factor[1].at(time.time() + 30)})
    assert (done.status_code, done.headers["location"]) == (303, "/m")
    assert client.get("/m").status_code == 200


def test_the_factor_is_removed_with_a_code_only(
    factor: tuple[httpx.Client, pyotp.TOTP, list[str]], client: httpx.Client
) -> None:
    own, _, codes = factor
    assert own.post("/api/v1/me/totp").status_code == 409, "no second one beside it"
    assert own.request("DELETE", "/api/v1/me/totp", json={"code": "000000"}).json()["field"] == "code"
    assert own.request("DELETE", "/api/v1/me/totp", json={"code": codes[3]}).status_code == 204
    assert log_in(client, "duty").status_code == 201


def test_steps_around_now_only() -> None:
    secret, now = pyotp.random_base32(), datetime(2026, 11, 22, 8, 0, 15, tzinfo=UTC)
    app = pyotp.TOTP(secret)
    here = int(now.timestamp()) // 30
    for shift, found in ((-2, None), (-1, here - 1), (0, here), (1, here + 1), (2, None)):
        assert totp.step_of(secret, app.at(now + timedelta(seconds=30 * shift)), now) == found


def test_a_role_may_have_to_have_a_second_factor(house: Services, client: httpx.Client, as_: Login) -> None:
    house.identity._totp_roles = frozenset({"property_manager"})
    try:
        manager = as_("manager")
        refused = manager.get("/api/v1/cases")
        assert (refused.status_code, refused.json()["code"]) == (403, "totp_due")
        assert manager.get("/m").headers["location"] == "/login?next=/m"
        assert manager.get("/login?next=/m").headers["location"] == "/account"
        assert "动态口令" in manager.get("/account").text
        assert as_("duty").get("/api/v1/cases").status_code == 200
        app = pyotp.TOTP(manager.post("/api/v1/me/totp").json()["secret"])
        assert manager.put("/api/v1/me/totp", json={"code": app.now()}).status_code == 200
        assert manager.get("/api/v1/cases").status_code == 200
    finally:
        house.identity._totp_roles = frozenset()


def test_a_new_password_ends_the_other_sessions(as_: Login, world: World, client: httpx.Client) -> None:
    _person(world, "w.changing", "duty_officer@community:sunshine")
    one, other = as_("w.changing"), as_("w.changing")
    url = "/api/v1/me/password"
    for body, field in (
        ({"old": "wrong-password-1", "password": NEW}, "old"),
        ({"old": PASSWORD, "password": "w.changing-12345"}, "password"),
        ({"old": PASSWORD, "password": PASSWORD}, "password"),
        ({"old": PASSWORD, "password": "short"}, "password"),
    ):
        refused = one.post(url, json=body)
        assert (refused.status_code, refused.json()["field"]) == (422, field)
    assert one.post(url, json={"old": PASSWORD, "password": NEW}).status_code == 204
    assert one.get("/api/v1/me").status_code == 200
    assert other.get("/api/v1/me").status_code == 401
    assert log_in(client, "w.changing").status_code == 401
    assert log_in(client, "w.changing", NEW).status_code == 201


def test_i_see_and_end_my_sessions(as_: Login) -> None:
    here, there, foreign = as_("duty"), as_("duty"), as_("manager")
    found = here.get("/api/v1/me/sessions").json()
    assert [one["current"] for one in found].count(True) == 1
    assert len(found) == 2
    other = next(one["session_id"] for one in found if not one["current"])
    assert foreign.delete(f"/api/v1/me/sessions/{other}").status_code == 404
    assert here.delete(f"/api/v1/me/sessions/{other}").status_code == 204
    assert there.get("/api/v1/me").status_code == 401
    assert here.delete(f"/api/v1/me/sessions/{other}").status_code == 404


def test_tokens_are_shown_once_scoped_and_revoked(as_: Login, client: httpx.Client, world: World) -> None:
    manager = as_("manager")
    wrong = manager.post("/api/v1/me/tokens", json={"name": "x", "scopes": ["people:edit"]})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "scopes")
    made = manager.post("/api/v1/me/tokens", json={"name": "centre", "scopes": ["read"], "days": 7}).json()
    assert made["token"].startswith("wk_")
    assert made["token"].encode() not in b"".join(
        bytes(row[0]) for row in world.rows("SELECT token_hash FROM api_tokens")
    )
    bearer = {"Authorization": f"Bearer {made['token']}"}
    assert client.get("/api/v1/equipment", headers=bearer).status_code == 200
    for method, path, body in (
        ("POST", "/api/v1/gateways", {"community_id": "sunshine", "gateway_id": "gw-9"}),
        ("POST", "/api/v1/me/tokens", {"name": "more", "scopes": ["gateway:enrol"]}),
        ("POST", "/api/v1/me/password", {"old": PASSWORD, "password": NEW}),
        ("GET", "/api/v1/me/sessions", None),
    ):
        assert client.request(method, path, headers=bearer, json=body).status_code == 403, path
    listed = manager.get("/api/v1/me/tokens").json()
    assert "token" not in listed[0]
    assert listed[0]["last_used_at"] is not None
    assert as_("duty").delete(f"/api/v1/me/tokens/{made['token_id']}").status_code == 404
    assert manager.delete(f"/api/v1/me/tokens/{made['token_id']}").status_code == 204
    assert client.get("/api/v1/equipment", headers=bearer).status_code == 401


def test_the_account_page_does_all_of_it_without_a_script(as_: Login, client: httpx.Client) -> None:
    duty = as_("duty")
    csrf = duty.headers["X-CSRF-Token"]
    assert "script" not in duty.get("/account").headers["content-security-policy"].replace("script-src 'self'", "")
    offered = duty.post("/account/totp", data={"csrf": csrf})
    secret = re.findall(r"<code>([A-Z2-7]{32})</code>", offered.text)[0]
    assert duty.post("/account/totp/confirm", data={"csrf": csrf, "code": "000000"}).status_code == 422
    shown = duty.post("/account/totp/confirm", data={"csrf": csrf, "code": pyotp.TOTP(secret).now()})
    assert len(re.findall(r"<code>[0-9a-f-]{14}</code>", shown.text)) == 10
    token = duty.post("/account/tokens", data={"csrf": csrf, "name": "x", "scopes": ["read"], "days": "3"})
    bearer = re.findall(r"<code>(wk_[^<]+)</code>", token.text)[0]
    assert client.get("/api/v1/cases", headers={"Authorization": f"Bearer {bearer}"}).status_code == 200
    assert duty.post("/account/password", data={"csrf": "x", "old": "x", "new": "x", "again": "x"}).status_code == 403
    unlike = duty.post("/account/password", data={"csrf": csrf, "old": PASSWORD, "new": NEW, "again": NEW + "x"})
    assert unlike.status_code == 400
    assert client.get("/account").headers["location"] == "/login?next=/account"


def test_a_person_says_how_to_be_told(as_: Login, world: World) -> None:
    """By the plain page: two ways in order, one switched off, one taken away; others' are out of reach."""
    duty, manager = as_("duty"), as_("manager")
    csrf = {"csrf": duty.headers["X-CSRF-Token"]}
    assert "派单和升级都不会通知到您本人" in duty.get("/account").text
    for kind, since, until in (("sms", "", ""), ("voice", "22:00", "07:00")):
        made = duty.post("/account/channels", data=csrf | {"kind": kind, "since": since, "until": until})
        assert made.status_code == 303, made.text
    kept = "SELECT kind, rank, url, quiet_hours, enabled FROM notification_channels ORDER BY rank"
    assert world.rows(kept) == [("sms", 1, "", None, True), ("voice", 2, "", "22:00-07:00", True)]
    ((sms,), (voice,)) = world.rows("SELECT channel_id FROM notification_channels ORDER BY rank")
    own = {"csrf": manager.headers["X-CSRF-Token"], "channel_id": str(sms), "to": "gone"}
    assert manager.post("/account/channels/switch", data=own).status_code == 404
    assert duty.post("/account/channels/switch", data=csrf | {"channel_id": str(voice), "to": "off"}).status_code == 303
    assert duty.post("/account/channels/switch", data=csrf | {"channel_id": str(sms), "to": "gone"}).status_code == 303
    assert world.rows(kept) == [("voice", 2, "", "22:00-07:00", False)]


@pytest.mark.parametrize(
    ("path", "data", "zh", "en"),
    [
        ("channels", {"kind": "pigeon"}, "该通知方式已添加", "It is there already"),
        ("channels", {"kind": "sms", "since": "22:00"}, "免打扰时段须填写", "Quiet hours need"),
        ("tokens", {"name": "x", "scopes": "all"}, "请从列出的权限范围中选择", "Choose among the scopes"),
        ("tokens/revoke", {"token_id": "9"}, "没有找到", "Not there"),
        ("totp/confirm", {"code": "1"}, "没有待确认的动态口令", "No second factor waits"),
        ("sessions/end", {"session_id": "999"}, "没有找到", "Not there"),
    ],
)
def test_the_account_page_refuses_in_the_reader_s_language(
    as_: Login, path: str, data: dict[str, str], zh: str, en: str
) -> None:
    duty = as_("duty")
    given = data | {"csrf": duty.headers["X-CSRF-Token"]}
    for language, said in (("zh", zh), ("en", en)):
        duty.cookies.set(LANGUAGE_COOKIE, language)
        assert said in duty.post(f"/account/{path}", data=given).text, language


def test_who_is_logged_in_is_not_asked_again(as_: Login) -> None:
    duty = as_("duty")
    assert duty.get("/login?next=/cases/7").headers["location"] == "/cases/7"
    assert duty.get("/login?next=//evil.test").headers["location"] == "/"


@pytest.fixture
def administrators(world: World) -> None:
    _person(world, "w.admin", "sys_admin@organisation:prop")
    _person(world, "w.admin2", "sec_admin@area:city")
    _person(world, "w.worker", "property_manager@organisation:prop")


def test_an_administrator_resets_what_they_answer_for(
    administrators: None, as_: Login, client: httpx.Client, world: World
) -> None:
    admin, worker = as_("w.admin"), as_("w.worker")
    who = worker.get("/api/v1/me").json()["person_id"]
    for foreign in (world.people["other"], world.people["tech"], admin.get("/api/v1/me").json()["person_id"]):
        assert admin.post(f"/api/v1/people/{foreign}/reset").status_code == 404
    with world.admin() as conn:  # somebody who also works for the city is not taken over by a company's administrator
        conn.execute(
            "INSERT INTO memberships (person_id, role, scope_kind, scope_id) VALUES (%s, 'auditor', 'area', 'city')",
            [who],
        )
    assert admin.post(f"/api/v1/people/{who}/reset").status_code == 404
    with world.admin() as conn:
        conn.execute("DELETE FROM memberships WHERE person_id = %s AND role = 'auditor'", [who])
    once = admin.post(f"/api/v1/people/{who}/reset").json()["password"]
    assert worker.get("/api/v1/me").status_code == 401, "sessions have ended"
    opened = log_in(client, "w.worker", once)
    client.headers["X-CSRF-Token"] = opened.json()["csrf_token"]
    due = client.get("/api/v1/cases")
    assert (due.status_code, due.json()["code"]) == (403, "password_due")
    assert client.post("/api/v1/me/password", json={"old": once, "password": NEW}).status_code == 204
    assert client.get("/api/v1/cases").status_code == 200


def test_a_password_that_another_has_set_is_for_once(administrators: None, house: Services, world: World) -> None:
    admin = world.rows("SELECT person_id::text FROM people WHERE login = 'w.admin'")[0][0]
    save = "SELECT save_person(%s, 'w.fresh', '新人', 'prop', '', '', 'zh', 'hash', true)::text"
    with house.acting(admin) as conn:
        row = conn.execute(save, [None]).fetchone()
    assert world.rows("SELECT password_due FROM people WHERE login = 'w.fresh'") == [(True,)]
    with house.acting(str(row[0]) if row else "") as conn:
        conn.execute("UPDATE people SET password_hash = 'own', password_due = false WHERE person_id = my_person()")
    assert world.rows("SELECT password_due FROM people WHERE login = 'w.fresh'") == [(False,)]


def test_a_person_is_exported_and_anonymised_by_two(administrators: None, as_: Login, world: World) -> None:
    worker, first, second = as_("w.worker"), as_("w.admin"), as_("w.admin2")
    who = worker.get("/api/v1/me").json()["person_id"]
    mine = worker.get("/api/v1/me/data").json()
    assert mine["person"]["login"] == "w.worker"
    assert "password_hash" not in mine["person"]
    assert "token_hash" not in str(mine)
    assert first.get(f"/api/v1/people/{who}/data").json()["person"]["person_id"] == who
    assert as_("duty").get(f"/api/v1/people/{who}/data").status_code == 403
    assert first.get(f"/api/v1/people/{world.people['other']}/data").status_code == 404
    path = f"/api/v1/people/{who}/erasure"
    assert second.post(f"{path}/approval").status_code == 409, "nobody has asked"
    assert first.post(path, json={"reason": "离职"}).status_code == 202
    assert first.post(f"{path}/approval").status_code == 409, "not by the one who asked"
    assert second.post(f"{path}/approval").status_code == 204
    left = world.rows(f"SELECT login, name, phone, email, password_hash, active FROM people WHERE person_id = '{who}'")
    assert left == [(f"gone-{who[:8]}", "已注销", "", "", None, False)]
    assert worker.get("/api/v1/me").status_code == 401
    seen = {row[0] for row in world.rows("SELECT action FROM audit_entries")}
    assert {"person_data_exported", "erasure_requested", "person_anonymised"} <= seen


def test_nobody_changes_a_colleague_by_sql(world: World, house: Services) -> None:
    with house.acting(world.people["duty"]) as conn:
        assert conn.execute("SELECT count(*) FROM people WHERE login = 'manager'").fetchone() == (1,)
        assert conn.execute("UPDATE people SET password_hash = 'x' WHERE login = 'manager'").rowcount == 0
        assert conn.execute("SELECT count(*) FROM sessions WHERE person_id <> my_person()").fetchone() == (0,)


# ---------------------------------------------------------------- OpenID


@pytest.fixture
def provider(house: Services) -> Iterator[Provider]:
    found = Provider().start()
    secret = house.settings.session_secret.get_secret_value()
    object.__setattr__(house, "oidc", oidc.Provider(found.issuer, CLIENT, SECRET, secret))
    yield found
    object.__setattr__(house, "oidc", None)
    found.stop()


def by_provider(client: httpx.Client) -> httpx.Response:
    """The way a browser goes: to the provider, and back."""
    there = client.get("/login/oidc?next=/m")
    assert there.status_code == 303, there.text
    back = httpx.get(there.headers["location"], timeout=60)
    return client.get(back.headers["location"])


def link(world: World, login: str, subject: str, issuer: str) -> None:
    with world.admin() as conn:
        conn.execute("INSERT INTO person_logins VALUES (%s, %s, %s)", [issuer, subject, world.people[login]])


def test_the_linked_account_is_opened_with_pkce_and_nonce(
    provider: Provider, client: httpx.Client, world: World
) -> None:
    link(world, "tech", "sub-1", provider.issuer)
    assert "OpenID" in client.get("/login").text
    done = by_provider(client)
    assert (done.status_code, done.headers["location"]) == (303, "/m")
    assert client.get("/api/v1/me").json()["login"] == "tech"
    asked = provider.asked[0]
    assert (asked["code_challenge_method"], asked["response_type"]) == ("S256", "code")
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 32


def test_a_verified_address_links_once_and_nobody_is_made(
    provider: Provider, client: httpx.Client, world: World
) -> None:
    people = world.rows("SELECT count(*) FROM people")
    with world.admin() as conn:
        conn.execute("UPDATE people SET email = 'Wang@example.org' WHERE login = 'duty'")
    provider.claims = {"email": "wang@example.org", "email_verified": False}
    assert by_provider(client).status_code == 401, "an address that anybody could claim"
    provider.claims = {"email": "somebody@example.org", "email_verified": True}
    assert by_provider(client).status_code == 401
    provider.claims = {"email": "wang@example.org", "email_verified": True}
    assert by_provider(client).status_code == 303
    provider.claims = {}
    assert by_provider(client).status_code == 303, "linked by subject from now on"
    with world.admin() as conn:
        conn.execute("UPDATE people SET email = '' WHERE login = 'duty'")
    assert world.rows("SELECT count(*) FROM people") == people


def test_keys_rotate(provider: Provider, client: httpx.Client, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "MIN_REFRESH_S", 0)
    link(world, "tech", "sub-1", provider.issuer)
    assert by_provider(client).status_code == 303
    provider.rotate()
    assert by_provider(client).status_code == 303


@pytest.mark.parametrize(
    "lie",
    [
        {"nonce": "another"},
        {"aud": "another-client"},
        {"aud": [CLIENT, "another-client"]},
        {"iss": "https://evil.test"},
        {"exp": 1_700_000_000},
        {"sub": None},
        "key",
        "code",
        "state",
        "browser",
    ],
)
def test_a_provider_that_lies_is_not_believed(
    lie: dict[str, object] | str, provider: Provider, client: httpx.Client, world: World
) -> None:
    link(world, "tech", "sub-1", provider.issuer)
    if isinstance(lie, dict):
        provider.claims = lie
    elif lie == "key":
        provider.signs_with = RSAKey.generate_key(2048, {"kid": str(provider.key.kid)})
    there = client.get("/login/oidc")
    back = httpx.get(there.headers["location"], timeout=60).headers["location"]
    if lie == "code":
        provider.codes.clear()
    if lie == "state":
        back = back.replace("state=", "state=x")
    if lie == "browser":
        client.cookies.clear()
    answer = client.get(back)
    assert answer.status_code == 401
    assert client.get("/api/v1/me").status_code == 401


def test_the_second_factor_is_asked_after_the_provider_too(
    factor: tuple[httpx.Client, pyotp.TOTP, list[str]], provider: Provider, client: httpx.Client, world: World
) -> None:
    link(world, "duty", "sub-1", provider.issuer)
    asked = by_provider(client)
    assert (asked.status_code, 'name="ticket"' in asked.text) == (200, True)
    assert client.get("/api/v1/me").status_code == 401


def test_a_provider_that_is_away_is_said(house: Services, client: httpx.Client) -> None:
    away = oidc.Provider("http://127.0.0.1:1", CLIENT, None, "s" * 32)
    object.__setattr__(house, "oidc", away)
    try:
        assert client.get("/login/oidc").status_code == 502
    finally:
        object.__setattr__(house, "oidc", None)
