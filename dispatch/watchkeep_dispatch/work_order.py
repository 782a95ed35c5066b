"""What people do with a case: accept, arrive, finish, return, verify, rework, close, dismiss …

Every function takes the caller's connection and never commits, so that the console can join them with its own answer in
one transaction, under its own login and row-level security. What is allowed stands in lifecycle.TRANSITIONS alone.
All raise NoSuchCase, NotAllowed, StaleVersion, GuardFailed or KeyReused; the caller rolls back then.
"""

from collections.abc import Iterable
from datetime import datetime

from psycopg import Connection

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_dispatch import casework, duties
from watchkeep_dispatch.acting import act, standing
from watchkeep_dispatch.actions import Done, Evidence, Request, Step
from watchkeep_dispatch.errors import GuardFailed, NotAllowed, NotWaiting
from watchkeep_dispatch.granting import assign, call_back, extend
from watchkeep_dispatch.lifecycle import DESK
from watchkeep_dispatch.merging import follow, target
from watchkeep_dispatch.orders import Due, NewOrder, due_times, open_orders, org_name, shown, tell
from watchkeep_dispatch.pausing import refuse_pause, suspend
from watchkeep_dispatch.routing import Duty

CLASSES = ("A", "B", "C")

__all__ = [
    "Done",
    "Evidence",
    "Request",
    "accept",
    "arrive",
    "assign",
    "call_back",
    "close",
    "dismiss",
    "dismiss_warning",
    "enter_ledger",
    "extend",
    "finish",
    "merge",
    "raise_class",
    "redispatch",
    "refuse_pause",
    "resume",
    "return_order",
    "rework",
    "strike",
    "suspend",
    "verify",
]


def accept(conn: Connection, case_id: int, request: Request) -> Done:
    """响应: a handler of the order's organisation takes it."""
    return act(conn, "accept", case_id, request)[0]


def arrive(conn: Connection, case_id: int, request: Request, evidence: Iterable[Evidence] = ()) -> Done:
    """到场: a handler is on site."""
    return act(conn, "arrive", case_id, request, evidence)[0]


def finish(conn: Connection, case_id: int, request: Request, evidence: Iterable[Evidence] = ()) -> Done:
    """反馈: the handler reports it done; with these pieces all evidence that the duty asks for must be there."""
    done, step = act(conn, "finish", case_id, request, evidence)
    if step:
        told = (step.case.first_responder_id, step.case.supervising_org_id)
        tell(conn, step.case, "to_verify", told, f"resolved/{done.version}", wall=request.now)
    return done


def return_order(conn: Connection, case_id: int, request: Request) -> Done:
    """退回: with `reason` and the proposed `org_id`; the service finds a stand-in if no person is faster."""
    done, step = act(conn, "return", case_id, request)
    if step:
        told = (step.case.first_responder_id, step.case.supervising_org_id)
        values = {"reason": request.reason, "proposed": org_name(conn, request.org_id)}
        tell(conn, step.case, "order_returned", told, f"returned/{done.version}", wall=request.now, values=values)
    return done


def redispatch(conn: Connection, case_id: int, request: Request) -> Done:
    """改派: a duty officer gives a returned case to `org_id`, with fresh clocks."""
    done, step = act(conn, "redispatch", case_id, request)
    if step and request.org_id:
        query = queries("watchkeep_dispatch", "sql/cases.sql")["redirect_case"]
        conn.execute(query, [request.org_id, case_id])
        due = due_times(_duty(conn, step), step.case.now, request.calendar)
        _next_order(conn, step, request.org_id, due, "order_dispatched")
    return done


def resume(conn: Connection, case_id: int, request: Request) -> Done:
    """恢复: the finish deadline moves by the time of the pause."""
    done, step = act(conn, "resume", case_id, request)
    if step and step.order:
        query = queries("watchkeep_dispatch", "sql/cases.sql")["resume_order"]
        moved = conn.execute(query, {"order_id": step.order.order_id, "now": step.case.now}).fetchone()
        from_due, to_due = moved or (None, None)
        change = {
            "case_id": case_id,
            "order_id": step.order.order_id,
            "kind": "resume",
            "from_due": from_due,
            "to_due": to_due,
            "reason": request.reason,
            "person": request.person_id,
            "approver": None,
            "now": step.case.now,
        }
        conn.execute(queries("watchkeep_dispatch", "sql/cases.sql")["change_deadline"], change)
    return done


def rework(conn: Connection, case_id: int, request: Request) -> Done:
    """返工: the check failed (`reason`); a new order with a new finish deadline goes to the same organisation."""
    done, step = act(conn, "rework", case_id, request)
    if step and step.order:
        due = due_times(_duty(conn, step), step.case.now, request.calendar)
        _next_order(conn, step, step.order.org_id, Due(None, None, due.finish), "rework")
    return done


def verify(conn: Connection, case_id: int, request: Request, evidence: Iterable[Evidence] = ()) -> Done:
    """核查: by somebody who has not worked on it, with the sensor back to normal and the evidence there."""
    return act(conn, "verify", case_id, request, evidence)[0]


def close(conn: Connection, case_id: int, request: Request) -> Done:
    """结案: the case is over; it opens again when its condition comes back soon."""
    done, step = act(conn, "close", case_id, request)
    if step:
        told = (step.case.responsible_org_id, step.case.first_responder_id)
        tell(conn, step.case, "closed", told, f"closed/{done.version}", wall=request.now)
    return done


def dismiss(conn: Connection, case_id: int, request: Request) -> Done:
    """不予立案: a false alarm, with its `reason`; life safety only after somebody was on site."""
    done, step = act(conn, "dismiss", case_id, request)
    if step:
        statements = queries("watchkeep_dispatch", "sql/cases.sql")
        for (warning_id,) in conn.execute(statements["warnings_of_case"], [case_id]).fetchall():
            verdict = [warning_id, "dismissed", "person", request.reason, request.person_id, step.case.now]
            conn.execute(statements["verdict"], verdict)
        told = (step.case.responsible_org_id, step.case.first_responder_id)
        values = {"reason": request.reason}
        tell(conn, step.case, "dismissed", told, f"dismissed/{done.version}", wall=request.now, values=values)
    return done


def merge(conn: Connection, case_id: int, request: Request) -> Done:
    """并案: a duty officer finds that this case is part of `into_case_id`; the `reason` is kept."""
    done, step = act(conn, "merge", case_id, request)
    if step and request.into_case_id is not None:
        follow(conn, step.case, target(conn, step.case, request.into_case_id, request.now), request.now)
    return done


def raise_class(conn: Connection, case_id: int, request: Request) -> Done:
    """升级: a duty officer raises the class to `to_class`, with a `reason`; it never falls."""
    case, roles = standing(conn, case_id, request)
    if case.closed_at is not None:
        raise NotAllowed("raise_class", case.state, role_missing=False)
    if not roles & set(DESK):
        raise NotAllowed("raise_class", case.state, role_missing=True)
    if not request.reason.strip():
        raise GuardFailed("reason", "not met: a reason is given")
    to = request.to_class
    if to not in CLASSES or not casework.raise_class(conn, case, to, request.now):
        raise GuardFailed("class", f"{to!r} is not above class {case.case_class}")
    detail = {"from": case.case_class, "to": to, "reason": request.reason}
    audit.record(conn, "case.raise_class", "case", str(case_id), person_id=request.person_id, detail=detail)
    return Done(case_id, case.state, case.version + 1)


def dismiss_warning(conn: Connection, warning_id: int, *, person_id: str, reason: str, now: datetime) -> None:
    """误报: judge a warning that still waits for its timer as false; never life safety, which does not wait.

    Roles are the caller's to check. Raises NotWaiting, NotAllowed, GuardFailed.
    """
    if not reason.strip():
        raise GuardFailed("reason", "not met: a reason is given")
    statements = queries("watchkeep_dispatch", "sql/cases.sql")
    found = conn.execute(statements["dismiss_waiting"], [warning_id]).fetchone()
    if found is None:
        raise NotWaiting(warning_id)
    if found[0]:
        raise NotAllowed("dismiss", "warning", role_missing=False)
    conn.execute(statements["verdict"], [warning_id, "dismissed", "person", reason, person_id, now])
    audit.record(conn, "warning.dismiss", "warning", str(warning_id), person_id=person_id, detail={"reason": reason})


def enter_ledger(conn: Connection, case_id: int, request: Request) -> Done:
    """挂账: what cannot be solved here, with its `reason`; it stays open in the ledger until it is struck off."""
    done, step = act(conn, "enter_ledger", case_id, request)
    if step:
        query = queries("watchkeep_dispatch", "sql/cases.sql")["enter_ledger"]
        conn.execute(query, [case_id, step.case.responsible_org_id, step.case.now, request.reason])
        told = (step.case.responsible_org_id, step.case.supervising_org_id)
        values = {"reason": request.reason}
        tell(conn, step.case, "ledger", told, f"ledger/{done.version}", wall=request.now, values=values)
    return done


def strike(conn: Connection, case_id: int, request: Request) -> Done:
    """销号: a ledger case is solved after all."""
    done, step = act(conn, "strike", case_id, request)
    if step:
        conn.execute(queries("watchkeep_dispatch", "sql/cases.sql")["strike_ledger"], [step.case.now, case_id])
    return done


def _duty(conn: Connection, step: Step) -> Duty | None:
    return duties.duty(conn, step.case.duty_id) if step.case.duty_id else None


def _next_order(conn: Connection, step: Step, org_id: str, due: Due, kind: str) -> None:
    """The old order has ended with the step; this one carries the case on in its new state."""
    request = step.request
    assignee = step.order.assignee_id if step.order and step.row.to == "rework" else None
    order_id = open_orders(conn, [NewOrder(step.case, org_id, step.row.to, due, assignee)])[0]
    values = {
        "respond": shown(due.respond, request.calendar),
        "finish": shown(due.finish, request.calendar),
        "reason": request.reason,
    }
    tell(conn, step.case, kind, [org_id], f"order/{order_id}", order_id=order_id, wall=request.now, values=values)
