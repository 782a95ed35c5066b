"""Nobody reads or changes what is not theirs: the catalogue of the database, and every route × role × foreign id."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.console import world as w
from tests.console.conftest import Login
from tests.console.world import World
from watchkeep_console.api import permits
from watchkeep_console.api.app import create_app
from watchkeep_console.permissions import HOLDERS, PERMISSIONS, READ

SHARED = {"batches", "replay_watermarks", "rollup_levels", "storage_levels", "detection_rules"}
"""Facts about the installation or of no person and no community, which the console may read without a policy."""
ROLES = {
    "w.tech": "technician@organisation:lift",
    "w.manager": "property_manager@organisation:prop",
    "w.officer": "duty_officer@community:sunshine",
    "w.supervisor": "supervisor@area:street-1",
    "w.admin": "sys_admin@organisation:prop",
    "w.auditor": "auditor@area:street-1",
    "w.owner": "owners_representative@community:sunshine",
}
"""Each within 阳光花园 or its street; nothing of 滨河家园 may come to them."""


def test_every_table_the_console_reaches_has_forced_row_security(world: World) -> None:
    reached = world.rows(
        """
        SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
               EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid
                       AND (p.polroles = '{0}' OR 'watchkeep_console'::regrole = ANY (p.polroles))),
               EXISTS (SELECT FROM pg_attribute a
                       WHERE a.attrelid = c.oid AND a.attname IN ('community_id', 'person_id'))
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND (has_table_privilege('watchkeep_console', c.oid, 'SELECT, INSERT, UPDATE, DELETE')
               OR has_any_column_privilege('watchkeep_console', c.oid, 'SELECT, INSERT, UPDATE'))
          AND c.relname !~ '^procrastinate_'
        """
    )
    assert len(reached) > 40
    bare = {name for name, on, forced, policy, _ in reached if not (on and forced and policy)}
    assert bare <= SHARED, bare - SHARED
    assert {name for name, *_, personal in reached if personal} & bare <= {"replay_watermarks", "detection_rules"}


def test_the_console_s_login_can_go_around_nothing(world: World) -> None:
    around = (
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = 'watchkeep_console'"
    )
    assert world.rows(around) == [(False, False, False, False)]
    owned = "SELECT count(*) FROM pg_class WHERE relowner = 'watchkeep_console'::regrole"
    assert world.rows(owned) == [(0,)]
    loose = """
        SELECT proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = 'public' AND prosecdef AND NOT coalesce(proconfig::text, '') LIKE '%search_path%'"""
    assert world.rows(loose) == [], "a SECURITY DEFINER function without a search_path of its own"
    public = """
        SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = 'public' AND p.prosecdef AND has_function_privilege('public', p.oid, 'EXECUTE')
          AND p.prorettype <> 'trigger'::regtype AND p.proname !~ '^procrastinate_'"""
    assert world.rows(public) == []


def test_without_a_person_the_database_shows_nothing(world: World) -> None:
    import psycopg

    with psycopg.connect(world.database.url("watchkeep_console"), autocommit=True) as conn:
        for table in ("communities", "equipment", "cases", "orders", "warnings", "people", "complaints", "evidence"):
            assert conn.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


def operations() -> Iterator[tuple[str, str]]:
    for path, methods in create_app(None).openapi()["paths"].items():
        for method in methods:
            yield method.upper(), path


def test_every_route_has_declared_what_it_needs() -> None:
    there = {f"{method} {path.removeprefix('/api/v1')}" for method, path in operations()}
    assert there - set(permits.PERMITS) == set(), "declare it in console/watchkeep_console/api/permits.py"
    assert set(permits.PERMITS) - there == set(), "no longer there"
    assert set(permits.PERMITS.values()) <= {*PERMISSIONS, READ, permits.OWN, permits.PUBLIC}
    assert [name for name, needed in permits.PERMITS.items() if needed == permits.PUBLIC] == ["POST /session"]
    writes = [name for name, needed in permits.PERMITS.items() if needed == READ and not name.startswith("GET ")]
    assert writes == []


@pytest.fixture
def foreign(world: World) -> dict[str, str]:
    """Ids of 滨河家园, where something of everything has happened."""
    people = {name: _person(world, name, membership) for name, membership in ROLES.items()}
    warning = w.warning(world, "lift-1", community="riverside")
    w.judge_all(world)
    with world.admin() as conn:
        conn.execute(
            "INSERT INTO gateways (community_id, gateway_id, name) VALUES ('riverside', 'gw-r', '')"
            " ON CONFLICT DO NOTHING"
        )
        token = conn.execute(
            "INSERT INTO complaints (source, community_id, condition, description, received_at)"
            " VALUES ('walk_in', 'riverside', 'resident_repair', '电话 13812345678', now()) RETURNING complaint_id"
        ).fetchone()
        own = {
            table: conn.execute(
                f"INSERT INTO {table} ({columns}) VALUES (%s, {values}) RETURNING {table[:-1].removeprefix('api_')}_id",
                [world.people["other"]],
            ).fetchone()
            for table, columns, values in (
                ("sessions", "person_id, token_hash, csrf_token, expires_at", "'x', 'x', now() + interval '1 h'"),
                (
                    "api_tokens",
                    "person_id, token_hash, name, scopes, expires_at",
                    "'y', 'y', '{}', now() + interval '1 h'",
                ),
                ("webhooks", "person_id, url, secret, events", "'https://prop2.test/', 'x', '{case.filed}'"),
            )
        }
        said = conn.execute(
            "INSERT INTO detection_feedback (community_id, equipment_id, condition, detector, said, warning_id,"
            " reason, said_by) VALUES ('riverside', 'lift-1', 'x', 'baseline', 'normal', %s, '滨河', 'x')"
            " RETURNING feedback_id",
            [warning],
        ).fetchone()
        conn.execute(
            "INSERT INTO warning_explanations (warning_id, community_id, made_at, explanation)"
            """ VALUES (%s, 'riverside', now(), '{"summary_zh": "滨河"}')""",
            [warning],
        )
        conn.execute(
            "INSERT INTO visit_plans (plan_id, community_id, title_zh, title_en, kinds, party, every, ahead, items,"
            " basis, since) VALUES ('own_r', 'riverside', '滨河', '', '{elevator}', 'x', '9 d', '1 d', '[]', '', now())"
        )
    assert token is not None
    assert said is not None
    return {
        "community": "riverside",
        "equipment_id": "lift-1",
        "gateway_id": "gw-r",
        "area": "street-2",
        "series_id": str(world.series["riverside", "lift-1", "door_status"]),
        "warning_id": str(warning),
        "feedback_id": str(said[0]),
        "case_id": "1",
        "order_id": "1",
        "complaint_id": str(token[0]),
        "person_id": world.people["other"],
        "visit_id": "1",
        "plan_id": "own_r",
        "handover_id": "1",
        "request_id": "1",
        "ranking_id": "1",
        "appeal_id": "1",
        "session_id": str((own["sessions"] or (0,))[0]),
        "token_id": str((own["api_tokens"] or (0,))[0]),
        "webhook_id": str((own["webhooks"] or (0,))[0]),
        "section": "fee",
        "action": "accept",
        "dataset": "cases",
        "_people": ",".join(people.values()),
    }


def _person(world: World, login: str, membership: str) -> str:
    from watchkeep_console.people import NewMembership, create_person
    from watchkeep_core.database import OWNER, connect

    org = membership.partition("organisation:")[2] or None
    with connect(world.database.admin_url, "test", role=OWNER) as conn:
        return create_person(conn, login, login, w.PASSWORD, org, [NewMembership.parse(membership)])


PLAN = {
    "title_zh": "x", "kinds": ["elevator"], "party": "property_company", "every": "5 d", "ahead": "1 d", "basis": "x",
    "items": [{"zh": "x", "condition": "brake_fault"}],
}  # fmt: skip
BODIES: dict[str, Any] = {
    "POST /cases/{case_id}/actions/{action}": {"note": "x"},
    "POST /orders/{order_id}/actions/{action}": {"note": "x"},
    "POST /warnings/{warning_id}/dismiss": {"note": "x"},
    "POST /warnings/{warning_id}/feedback": {"said": "normal", "reason": "x"},
    "POST /warnings/{warning_id}/feedback/{feedback_id}/revocation": {"reason": "x"},
    "POST /gateways": {"community_id": "riverside", "gateway_id": "gw-x"},
    "POST /complaints": {"source": "walk_in", "community_id": "riverside", "description": "x"},
    "POST /ledger/{case_id}/studies": {"finding": "x", "org_id": "prop", "due_on": "2027-01-01"},
    "POST /cases/{case_id}/fund": {"trigger": "elevator", "estimate": 10, "reason": "x"},
    "POST /fund/{request_id}/actions/{action}": {"note": "x"},
    "POST /communities/{community}/handovers": {"to": "duty", "note": "x"},
    "POST /visits/{visit_id}": {"results": {"a": "ok"}, "signature": "x"},
    "POST /communities/{community}/visit-plans": PLAN,
    "PUT /visit-plans/{plan_id}": PLAN,
    "PUT /communities/{community}/notices/{section}": [{"title": "x"}],
    "POST /people/{person_id}/erasure": {"reason": "x"},
    "POST /rankings": {"scheme": "property_quality", "period": "2026-10", "area_id": "street-2"},
    "POST /rankings/{ranking_id}/appeals": {"subject_id": "prop2", "reason": "x"},
    "POST /rankings/{ranking_id}/appeals/{appeal_id}/decision": {"upheld": True, "decision": "x"},
}
SPAN = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "period": "2026-10", "month": "2026-10",
        "date": "2026-10-31", "flag": "dispatched", "pool": "1"}  # fmt: skip
CHANGED = ("cases", "orders", "verdicts", "transitions", "evidence", "gateways", "complaints", "notices", "people",
           "memberships", "sessions", "api_tokens", "ledger_entries", "visits", "visit_plans", "duty_handovers",
           "erasures", "rankings", "credit_events", "webhooks", "detection_feedback")  # fmt: skip


def state_of(world: World) -> dict[str, str]:
    """A digest of everything outside one's own account that a request could have changed."""
    query = "SELECT coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {} t WHERE {}"
    own = {"sessions": "token_hash = 'x'", "people": "login = 'other'"}  # not the callers' own
    return {table: world.rows(query.format(table, own.get(table, "true")))[0][0] for table in CHANGED}


NAMED = {"case_id", "order_id", "warning_id", "complaint_id", "gateway_id", "equipment_id", "series_id", "plan_id"}
FOREIGN_WORDS = ("滨河", "riverside", "13812345678", "prop2")


@pytest.mark.slow
@pytest.mark.parametrize("who", ROLES)
def test_no_route_shows_or_changes_what_is_foreign(who: str, foreign: dict[str, str], as_: Login, world: World) -> None:
    client = as_(who)
    before = state_of(world)
    nothing = {name: ("999999" if value.isdecimal() else value) for name, value in foreign.items()}
    nothing |= {"person_id": "00000000-0000-0000-0000-000000000000", "community": "nowhere", "area": "nowhere"}
    junk = dict.fromkeys(foreign, "%27%22%3B--%00") | {"action": "accept"}
    for method, path in operations():
        short = path.removeprefix("/api/v1")
        if short in ("/events", "/session"):
            continue
        needed = permits.PERMITS[f"{method} {short}"]
        named = set(re.findall(r"{(\w+)}", path))
        answers = []
        for ids in (foreign, nothing, junk):
            url = path.format_map(ids)
            body = BODIES.get(f"{method} {short}", {})
            answers.append(client.request(method, url, params=SPAN, json=body if method != "GET" else None))
        told = f"{who} {method} {short}: {[(one.status_code, one.text[:200]) for one in answers]}"
        assert all(one.status_code < 500 for one in answers), told
        for answer in answers:
            assert not any(word in answer.text for word in FOREIGN_WORDS if word not in f"{answer.url} {body}"), told
        holders = HOLDERS.get(needed)  # type: ignore[call-overload]  # READ and OWN are held by everybody
        if holders is not None and ROLES[who].partition("@")[0] not in holders:
            assert {one.status_code for one in answers} == {403}, told
        elif named & NAMED:
            assert {one.status_code for one in answers[:2]} <= {404, 422, 403}, told
            assert answers[0].status_code == answers[1].status_code, f"one can tell foreign from nonexistent: {told}"
    assert state_of(world) == before


@pytest.mark.slow
def test_without_a_login_every_route_is_shut(client: httpx.Client, foreign: dict[str, str]) -> None:
    for method, path in operations():
        if permits.PERMITS[f"{method} {path.removeprefix('/api/v1')}"] == permits.PUBLIC:
            continue
        url = path.format_map(foreign)
        for headers in ({}, {"Authorization": "Bearer wk_nobody"}, {"Cookie": "watchkeep_session=x"}):
            assert client.request(method, url, params=SPAN, headers=headers).status_code in (401, 422), (method, path)
