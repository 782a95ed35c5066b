"""What superiors and the desk do to a case without moving it: more time, an assignee, the call-back after closing."""

from datetime import datetime, timedelta

from psycopg import Connection
from psycopg.rows import class_row

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_dispatch import rota
from watchkeep_dispatch.acting import standing
from watchkeep_dispatch.actions import CaseFacts, Done, LeadOrder, Request
from watchkeep_dispatch.errors import GuardFailed, KeyReused, NotAllowed
from watchkeep_dispatch.lifecycle import CALLERS, DESK, HANDLERS, rank
from watchkeep_dispatch.orders import Case, note, shown, tell

EXTENDABLE = ("dispatched", "accepted", "on_site", "rework")
LONGEST_EXTENSION = (timedelta(days=10), "working_days")
"""Beyond the first deadline, however often it is extended (Shandong hotline rules, DOMAIN §5.3)."""
BY_PEOPLE = ("hotline_12345", "minxin", "minsheng_110", "smart_community", "walk_in", "qr_code")
"""Sources with a reporter who wants to hear the result."""
CALL_BACK_WITHIN = (timedelta(days=1), "working_days")
"""From closing to the call-back (DOMAIN §6, CP)."""


def extend(conn: Connection, case_id: int, request: Request) -> Done:
    """延期: somebody above whoever has the order grants the finish deadline `due`, with a `reason`; on his own login.

    Raises NoSuchCase, StaleVersion, NotAllowed, GuardFailed, KeyReused.
    """
    case, roles = standing(conn, case_id, request)
    if repeated(conn, "extend", case_id, request.key):
        return Done(case_id, case.state, case.version, repeated=True)
    order, facts = lead_order(conn, case_id), case_facts(conn, case_id)
    if order is None or case.state not in EXTENDABLE:
        raise NotAllowed("extend", case.state, role_missing=False)
    if rank(roles) <= 1:
        raise NotAllowed("extend", case.state, role_missing=True)
    if not request.reason.strip():
        raise GuardFailed("reason", "not met: a reason is given")
    if request.person_id in (*facts.handlers, order.assignee_id):
        raise GuardFailed("approver", "nobody extends the deadline of his own work")
    statements = queries("watchkeep_dispatch", "sql/cases.sql")
    first = conn.execute(statements["first_finish_due"], [order.order_id]).fetchone()
    _check_due(request, case, order, first[0] if first else order.finish_due)
    change = {
        "case_id": case_id,
        "order_id": order.order_id,
        "kind": "extension",
        "from_due": order.finish_due,
        "to_due": request.due,
        "reason": request.reason,
        "person": order.assignee_id,
        "approver": request.person_id,
        "now": case.now,
    }
    conn.execute(statements["change_deadline"], change)
    conn.execute(statements["extend_order"], {"order_id": order.order_id, "due": request.due})
    text = f"{shown(order.finish_due, request.calendar)} → {shown(request.due, request.calendar)}: {request.reason}"
    _note(conn, case, "extend", order.order_id, text, request)
    told = (order.org_id, case.supervising_org_id)
    values = {"finish": shown(request.due, request.calendar), "reason": request.reason}
    tell(conn, case, "extended", told, f"extended/{order.order_id}/{request.due}", wall=request.now, values=values)
    return Done(case_id, case.state, case.version)


def assign(conn: Connection, case_id: int, request: Request) -> Done:
    """指派: a manager of the organisation that has the order, or the desk, gives it to `assignee_id` of its people.

    Raises NoSuchCase, StaleVersion, NotAllowed, GuardFailed, KeyReused.
    """
    case, roles = standing(conn, case_id, request)
    if repeated(conn, "assign", case_id, request.key):
        return Done(case_id, case.state, case.version, repeated=True)
    order = lead_order(conn, case_id)
    if order is None or case.state not in EXTENDABLE:
        raise NotAllowed("assign", case.state, role_missing=False)
    manages = roles & set(HANDLERS) - {"technician"} and rota.works_for(conn, request.person_id, order.org_id)
    if not (manages or roles & set(DESK)):
        raise NotAllowed("assign", case.state, role_missing=True)
    chosen = request.assignee_id
    if chosen is None or not rota.works_for(conn, chosen, order.org_id):
        raise GuardFailed("assignee", "must be one of the people of the organisation that has the order")
    if not rota.licensed(conn, chosen, order.org_id, case.community_id, case.equipment_id):
        raise GuardFailed("licensed", "does not hold the certificate that this equipment asks for")
    rota.give(conn, order.order_id, chosen)
    _note(conn, case, "assign", order.order_id, chosen, request)
    words = {
        "respond": shown(order.respond_due, request.calendar),
        "finish": shown(order.finish_due, request.calendar),
    }
    key = f"assigned/{order.order_id}/{chosen}"
    tell(conn, case, "order_dispatched", [order.org_id], key, order_id=order.order_id, wall=request.now, values=words)
    return Done(case_id, case.state, case.version)


def call_back(conn: Connection, case_id: int, request: Request, *, reached: bool, satisfied: bool | None) -> Done:
    """回访: whether the reporter could be reached, and is satisfied; `reason` holds what was said.

    Raises NoSuchCase, StaleVersion, NotAllowed, GuardFailed, KeyReused.
    """
    case, roles = standing(conn, case_id, request)
    if repeated(conn, "call_back", case_id, request.key):
        return Done(case_id, case.state, case.version, repeated=True)
    if case.state != "closed":
        raise NotAllowed("call_back", case.state, role_missing=False)
    if not roles & set(CALLERS):
        raise NotAllowed("call_back", case.state, role_missing=True)
    if request.person_id in case_facts(conn, case_id).handlers:
        raise GuardFailed("not_handler", "not met: the person has not worked on this case")
    if not reached and satisfied is not None:
        raise GuardFailed("satisfied", "nobody was reached who could say so")
    row = {
        "case_id": case_id,
        "person": request.person_id,
        "now": case.now,
        "reached": reached,
        "satisfied": satisfied,
        "note": request.reason,
    }
    conn.execute(queries("watchkeep_dispatch", "sql/cases.sql")["call_back"], row)
    said = {None: "no opinion", True: "satisfied", False: "not satisfied"}[satisfied] if reached else "not reached"
    _note(conn, case, "call_back", None, f"{said}. {request.reason}".strip(), request)
    return Done(case_id, case.state, case.version)


def repeated(conn: Connection, action: str, case_id: int, key: str | None) -> bool:
    """Whether this very request was served before. Raises KeyReused."""
    query = queries("watchkeep_dispatch", "sql/cases.sql")["done_with_key"]
    found = conn.execute(query, [key]).fetchone() if key else None
    if found is not None and found != (case_id, action):
        raise KeyReused(f"key {key!r} was used for {found[1]} of case {found[0]}")
    return found is not None


def _check_due(request: Request, case: Case, order: LeadOrder, first: datetime | None) -> None:
    if order.finish_due is None or first is None:
        raise GuardFailed("due", "this order has no deadline to finish")
    if request.due is None or request.due <= max(order.finish_due, case.now):
        raise GuardFailed("due", "the new deadline must be later than the present one, and not over")
    latest = request.calendar.deadline(first, *LONGEST_EXTENSION)
    if request.due > latest:
        raise GuardFailed("due", f"at most ten working days beyond the first deadline: {latest.isoformat()}")


def _note(conn: Connection, case: Case, action: str, order_id: int | None, text: str, request: Request) -> None:
    note(
        conn,
        case,
        action,
        case.state,
        from_state=case.state,
        order_id=order_id,
        person_id=request.person_id,
        text=text,
        key=request.key,
    )
    detail = {"order": order_id, "text": text}
    audit.record(conn, f"case.{action}", "case", str(case.case_id), person_id=request.person_id, detail=detail)


def lead_order(conn: Connection, case_id: int) -> LeadOrder | None:
    """The open lead order, locked."""
    with conn.cursor(row_factory=class_row(LeadOrder)) as cursor:
        return cursor.execute(queries("watchkeep_dispatch", "sql/cases.sql")["lead_order"], [case_id]).fetchone()


def case_facts(conn: Connection, case_id: int) -> CaseFacts:
    """What the guards ask; the case must be locked."""
    with conn.cursor(row_factory=class_row(CaseFacts)) as cursor:
        found = cursor.execute(queries("watchkeep_dispatch", "sql/cases.sql")["case_facts"], [case_id]).fetchone()
    assert found is not None  # noqa: S101  the case is locked, so it is there
    return found
