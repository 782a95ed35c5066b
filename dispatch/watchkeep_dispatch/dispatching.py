"""Giving a case to an organisation (智慧派单), and finding somebody for what was returned or has nobody."""

from datetime import datetime

from psycopg import Connection

from watchkeep_core.database import queries
from watchkeep_dispatch import duties
from watchkeep_dispatch.clocks import WorkCalendar
from watchkeep_dispatch.lifecycle import next_state
from watchkeep_dispatch.notify.outbox import announce_all
from watchkeep_dispatch.orders import Case, NewOrder, due_times, load_case, note, open_orders, order_news
from watchkeep_dispatch.parties import read_site


def dispatch(
    conn: Connection,
    case: Case,
    org_id: str | None,
    action: str,
    calendar: WorkCalendar,
    *,
    wall: datetime,
) -> int | None:
    """Open the next lead order of a case (`dispatch`, `redispatch` or `reopen`) and move the case with it.

    With no organisation to be found the case stays where it is, for `assign_waiting` to try again; returns None then.
    """
    to = next_state(action, case.state)
    if org_id is None or to is None:
        return None
    duty = duties.duty(conn, case.duty_id) if case.duty_id is not None else None
    due = due_times(duty, case.now, calendar)
    order_id = open_orders(conn, [NewOrder(case, org_id, to, due)])[0]
    step_case(conn, case, to, final=False)
    if action != "dispatch" and org_id != case.responsible_org_id:
        conn.execute(queries("watchkeep_dispatch", "sql/cases.sql")["redirect_case"], [org_id, case.case_id])
    note(conn, case, action, to, from_state=case.state, order_id=order_id)
    announce_all(conn, order_news(case, org_id, order_id, due, calendar), wall)
    return order_id


def step_case(conn: Connection, case: Case, to: str, *, final: bool) -> bool:
    """Compare and set; false when somebody else was faster (impossible while we hold the row's lock)."""
    query = queries("watchkeep_dispatch", "sql/cases.sql")["step_case"]
    row = {"case_id": case.case_id, "version": case.version, "to": to, "final": final, "now": case.now}
    return conn.execute(query, row).fetchone() is not None


def assign_waiting(conn: Connection, now: datetime, calendar: WorkCalendar) -> int:
    """Give every returned or never assigned case to a stand-in (兜底); returns how many found one.

    The first responder goes first, unless it returned the order itself; then supervising party and subdistrict.
    """
    statements = queries("watchkeep_dispatch", "sql/cases.sql")
    found = 0
    for (case_id,) in conn.execute(statements["waiting_cases"]).fetchall():
        case = load_case(conn, case_id, now)
        if case is None:
            continue
        refused = {org_id for (org_id,) in conn.execute(statements["returned_by"], [case_id])}
        site = read_site(conn, case.community_id, case.equipment_id, case.event_at, now)
        stand_ins = (
            case.first_responder_id,
            site.property_org_id,
            case.supervising_org_id,
            site.by_area.get("subdistrict"),
            site.by_area.get("command_centre"),
        )
        org_id = next((org for org in stand_ins if org and org not in refused), None)
        action = "dispatch" if case.state == "filed" else "redispatch"
        found += dispatch(conn, case, org_id, action, calendar, wall=now) is not None
    return found
