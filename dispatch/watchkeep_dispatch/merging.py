"""并案: one case goes into another; its warnings go with it, its order ends, its people are told."""

from datetime import datetime

from psycopg import Connection, sql

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_dispatch.errors import GuardFailed
from watchkeep_dispatch.lifecycle import FINAL, next_state
from watchkeep_dispatch.orders import Case, load_case, note, tell

MERGED = "merged"


def target(conn: Connection, case: Case, into_case_id: int, now: datetime) -> Case:
    """The case to merge into, locked. Raises GuardFailed when it is not an open one that may take this case in."""
    found = load_case(conn, into_case_id, now)
    if found is None or found.state in FINAL or found.closed_at is not None or found.community_id != case.community_id:
        raise GuardFailed("into_open_case", f"case {into_case_id} is no open case of this community")
    if case.life_safety and not (found.life_safety and found.equipment_id == case.equipment_id):
        raise GuardFailed("into_open_case", "life safety goes only into life safety of the same equipment")
    return found


def merge_by_system(conn: Connection, case: Case, into: Case, reason: str, now: datetime) -> None:
    """As a duty officer's `merge`, for a case that nobody has accepted; the caller holds both rows' locks."""
    to = next_state("merge", case.state)
    if to is None:
        return
    row = {"case_id": case.case_id, "version": case.version, "to": to, "final": True, "now": case.now}
    conn.execute(_cases("step_case"), row)
    order = conn.execute(_cases("end_orders"), {"case_id": case.case_id, "to": to, "now": case.now}).fetchone()
    order_id = order[0] if order else None
    note(conn, case, "merge", to, from_state=case.state, order_id=order_id, text=f"case {into.case_id}: {reason}")
    audit.record(conn, "case.merge", "case", str(case.case_id), detail={"into": into.case_id})
    follow(conn, case, into, now)


def follow(conn: Connection, case: Case, into: Case, now: datetime) -> None:
    """What a merge brings with it, once the case itself has ended."""
    conn.execute(_cases("merge_into"), {"case_id": case.case_id, "into": into.case_id})
    conn.execute(_cases("move_warnings"), {"case_id": case.case_id, "into": into.case_id})
    note(conn, into, "fold", into.state, from_state=into.state, text=f"case {case.case_id}: {case.title_zh}")
    values = {"into": str(into.case_id), "cause": into.title_zh}
    told = (case.responsible_org_id, case.first_responder_id)
    tell(conn, case, "merged", told, f"merged/{into.case_id}", wall=now, values=values)


def _cases(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/cases.sql")[name]
