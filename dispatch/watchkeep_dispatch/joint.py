"""Joint handling (联合处置): several organisations work on a case, one leads. Helpers have orders of their own.

The case goes by its lead order alone; it cannot be reported as done while a helper has an open order.
"""

from collections.abc import Iterable
from typing import Any

from psycopg import Connection, sql
from psycopg.errors import InsufficientPrivilege, UniqueViolation
from psycopg.rows import dict_row

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_dispatch import duties, rota
from watchkeep_dispatch.acting import add_evidence, standing
from watchkeep_dispatch.actions import Done, Evidence, Request
from watchkeep_dispatch.errors import GuardFailed, NoSuchCase, NotAllowed
from watchkeep_dispatch.granting import repeated
from watchkeep_dispatch.lifecycle import DESK, HANDLERS
from watchkeep_dispatch.orders import Case, due_times, note, org_names, shown, tell

ASKING = (*DESK, "property_manager", "safety_manager", "maintainer_manager", "supervisor")
"""Roles that may call in another organisation."""
JOINABLE = ("dispatched", "accepted", "on_site", "suspended", "rework")
STEPS = {
    "accept": (("dispatched",), "accepted"),
    "arrive": (("dispatched", "accepted"), "on_site"),
    "finish": (("accepted", "on_site"), "resolved"),
}
"""What a helper does: from which states of its order, to which."""


def assist(conn: Connection, case_id: int, request: Request) -> Done:
    """协办: call in `org_id` with a `reason`; it gets an order with the duty's deadlines, counted from now.

    Raises NoSuchCase, StaleVersion, NotAllowed, GuardFailed, KeyReused.
    """
    case, roles = standing(conn, case_id, request)
    if repeated(conn, "assist", case_id, request.key):
        return Done(case_id, case.state, case.version, repeated=True)
    if case.state not in JOINABLE:
        raise NotAllowed("assist", case.state, role_missing=False)
    if not roles & set(ASKING):
        raise NotAllowed("assist", case.state, role_missing=True)
    if not request.reason.strip():
        raise GuardFailed("reason", "not met: a reason is given")
    org_id = request.org_id
    if org_id is None or not org_names(conn, [org_id]):
        raise GuardFailed("proposed_party", "an organisation is named")
    if conn.execute(_sql("helps_already"), [case_id, org_id]).fetchone():
        raise GuardFailed("proposed_party", f"{org_id} works on this case already")
    due = due_times(duties.duty(conn, case.duty_id) if case.duty_id else None, case.now, request.calendar)
    row = {
        "case_id": case_id,
        "community": case.community_id,
        "equipment": case.equipment_id,
        "org": org_id,
        "now": case.now,
        "respond": due.respond,
        "arrive": due.arrive,
        "finish": due.finish,
    }
    try:
        found = conn.execute(_sql("open_helper"), row).fetchone()
    except UniqueViolation:  # its order is not to be seen by who asks
        raise GuardFailed("proposed_party", f"{org_id} works on this case already") from None
    except InsufficientPrivilege:  # the database lets nobody give work outside the communities of his roles
        raise NotAllowed("assist", case.state, role_missing=True) from None
    order_id = int(found[0]) if found else 0
    if chosen := rota.pick(conn, org_id, case.community_id, case.equipment_id, case.now):
        rota.give(conn, order_id, chosen)
    _note(conn, case, "assist", order_id, f"{org_id}: {request.reason}", request)
    words = {"respond": shown(due.respond, request.calendar), "finish": shown(due.finish, request.calendar)}
    tell(
        conn, case, "order_dispatched", [org_id], f"order/{order_id}", order_id=order_id, wall=request.now, values=words
    )
    return Done(case_id, case.state, case.version)


def step(conn: Connection, order_id: int, action: str, request: Request, evidence: Iterable[Evidence] = ()) -> Done:
    """A helper accepts, arrives or finishes (`STEPS`); or whoever called it in `end`s its order, with a `reason`.

    Raises NoSuchCase, StaleVersion, NotAllowed, GuardFailed, KeyReused.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        order = cursor.execute(_sql("helper"), [order_id]).fetchone()
    if order is None:
        raise NoSuchCase("order", order_id)
    case, roles = standing(conn, order["case_id"], request)
    if repeated(conn, f"help_{action}", case.case_id, request.key):
        return Done(case.case_id, case.state, case.version, repeated=True)
    if action == "end":
        _may_end(roles, order, request)
        to, person = "returned", None
    else:
        to, person = _next(conn, action, order, request), request.person_id
    if person and not rota.licensed(conn, person, order["org_id"], case.community_id, case.equipment_id):
        raise GuardFailed("licensed", "the person holds no certificate that this equipment asks for")
    add_evidence(conn, case, order_id, request.person_id, evidence)
    row = {"order_id": order_id, "to": to, "now": case.now, "person": person, "ends": to in ("resolved", "returned")}
    conn.execute(_sql("step_helper"), row)
    _note(conn, case, f"help_{action}", order_id, request.reason, request)
    return Done(case.case_id, to, case.version)


def _may_end(roles: frozenset[str], order: dict[str, Any], request: Request) -> None:
    if not roles & set(ASKING):
        raise NotAllowed("end", order["state"], role_missing=True)
    if not request.reason.strip():
        raise GuardFailed("reason", "not met: a reason is given")


def _next(conn: Connection, action: str, order: dict[str, Any], request: Request) -> str:
    """Where a helper's step leads. Raises NotAllowed, GuardFailed."""
    states, to = STEPS.get(action, ((), ""))
    if order["state"] not in states:
        raise NotAllowed(action, order["state"], role_missing=False)
    if not rota.works_for(conn, request.person_id, order["org_id"]):
        raise GuardFailed("own_order", "not met: the person belongs to the organisation that has the order")
    found = conn.execute(
        _sql("roles"), {"person": request.person_id, "community": "", "organisations": [order["org_id"]]}
    ).fetchone()
    if not found or not set(found[0]) & set(HANDLERS):
        raise NotAllowed(action, order["state"], role_missing=True)
    return to


def _note(conn: Connection, case: Case, action: str, order_id: int, text: str, request: Request) -> None:
    who = request.person_id
    state = case.state
    note(conn, case, action, state, from_state=state, order_id=order_id, person_id=who, text=text, key=request.key)
    detail = {"order": order_id, "text": text}
    audit.record(conn, f"case.{action}", "case", str(case.case_id), person_id=who, detail=detail)


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/cases.sql")[name]
