"""The duty officer's desk: file a waiting warning now; a test case and a test notification for a new gateway.

Each joins dispatch's own functions in one transaction of the caller; what party and which clocks follow is their doing.
"""

from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from watchkeep_console.errors import Conflict
from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import filing, parties
from watchkeep_dispatch.clocks import DEFAULT_CALENDAR
from watchkeep_dispatch.dispatching import dispatch
from watchkeep_dispatch.duties import Lists
from watchkeep_dispatch.notify.outbox import announce_test
from watchkeep_dispatch.orders import load_case, note
from watchkeep_dispatch.routing import choose

TEST_CONDITION = "gateway_offline"
"""Class C and about the gateway itself: the order goes where a real one of this gateway would."""
_SQL = queries("watchkeep_console", "sql/desk.sql")
_LISTS = Lists()


def confirm_warning(conn: Connection, warning_id: int, *, person_id: str, now: datetime) -> int:
    """File a warning that waits for its timer now; returns the case. Raises Conflict(`judged`, `suppressed`)."""
    row = conn.execute(_SQL["waiting_warning"], {"id": warning_id}).fetchone()
    if row is None:
        raise Conflict("judged", f"warning {warning_id} does not wait for a verdict")
    names = ("warning_id", "first_look", "community_id", "equipment_id", "condition", "proposed_class", "life_safety",
             "status", "event_at", "detected_at")  # fmt: skip
    waiting = filing.Waiting(**dict(zip(names, row, strict=True)))
    outcome = filing.judge(conn, waiting, now, filing.Rules(load(), _LISTS, {}))
    if outcome.case_id is None:
        raise Conflict("suppressed", f"warning {warning_id} is suppressed by {outcome.rule}")
    audit.record(
        conn, "warning.confirm", "warning", str(warning_id), person_id=person_id, detail={"case": outcome.case_id}
    )
    return outcome.case_id


def file_test(conn: Connection, community: str, gateway: str, *, person_id: str, now: datetime) -> int:
    """A class C case with source `test`, its order and notifications, as a warning of this gateway would cause."""
    site = parties.read_site(conn, community, None, now, now)
    facts = parties.facts_of(site, TEST_CONDITION, load())
    listed = _LISTS.in_force(conn, now)
    choice = choose(listed.rows if listed else (), facts)
    assignment = parties.assign(choice.winner, site, facts)
    row: dict[str, Any] = {
        "community": community,
        "condition": TEST_CONDITION,
        "title_zh": f"测试：网关 {gateway}",
        "title_en": f"Test: gateway {gateway}",
        "duty": choice.winner.duty_id if choice.winner else None,
        "first": assignment.first_responder.org_id,
        "responsible": assignment.lead.org_id,
        "supervising": assignment.supervising.org_id,
        "snapshot": Jsonb({"test": True, "why": choice.why}),
        "now": now,
    }
    found = conn.execute(_SQL["file_test"], row).fetchone()
    assert found is not None  # noqa: S101  # INSERT … RETURNING
    case_id = int(found[0])
    case = load_case(conn, case_id, now)
    assert case is not None  # noqa: S101  # just inserted
    note(conn, case, "file", "filed", from_state=None, person_id=person_id, text=f"test of gateway {gateway}")
    dispatch(conn, case, assignment.lead.org_id, "dispatch", DEFAULT_CALENDAR, wall=now, person_id=person_id)
    audit.record(conn, "case.test", "case", str(case_id), person_id=person_id, detail={"gateway": gateway})
    return case_id


def notify_test(conn: Connection, org_id: str, now: datetime, language: str) -> bool:
    """A test notification through every channel of the person's organisation; false when one is on its way already."""
    return announce_test(conn, org_id, now, "en" if language == "en" else "zh") is not None
