"""A pause with four eyes: whoever works on a case asks, a superior approves or refuses on a login of his own.

Until then, and when nobody decides within `HOLDS`, the clocks go on. All requests are kept (`suspension_requests`).
"""

from datetime import datetime
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_dispatch import rota
from watchkeep_dispatch.acting import PAUSE_HOLDS, act, asked_pause, roles_of, standing
from watchkeep_dispatch.actions import Asked, Done, LeadOrder, Request
from watchkeep_dispatch.errors import GuardFailed, KeyReused, NotAllowed
from watchkeep_dispatch.granting import case_facts, lead_order
from watchkeep_dispatch.lifecycle import GUARDS, HANDLERS, next_state, rank, transition
from watchkeep_dispatch.notify.outbox import announce
from watchkeep_dispatch.orders import Case, note, tell


def suspend(conn: Connection, case_id: int, request: Request) -> Done:
    """暂停: a handler asks with `reason`, and may name a superior (`approver_id`), who approves by the same act.

    Raises NoSuchCase, StaleVersion, NotAllowed, GuardFailed, KeyReused.
    """
    case, roles = standing(conn, case_id, request)
    if _repeated(conn, case_id, request.key, ("ask_pause", "suspend")):
        return Done(case_id, case.state, case.version, repeated=True)
    if next_state("suspend", case.state) is None:
        raise NotAllowed("suspend", case.state, role_missing=False)
    if not roles & set(transition("suspend").actors):
        raise NotAllowed("suspend", case.state, role_missing=True)
    order = lead_order(conn, case_id)
    asked = asked_pause(conn, case, order)
    if asked is None:
        return _ask(conn, case, order, roles, request)
    done, step = act(conn, "suspend", case_id, request)
    if step and step.order:
        _decide(conn, case, asked, "approved", request)
        pause = {
            "case_id": case_id,
            "order_id": step.order.order_id,
            "kind": "pause",
            "from_due": step.order.finish_due,
            "to_due": step.order.finish_due,
            "reason": asked.reason,
            "person": asked.asked_by,
            "approver": request.person_id,
            "now": case.now,
        }
        conn.execute(queries("watchkeep_dispatch", "sql/cases.sql")["change_deadline"], pause)
        _answer(conn, case, step.order, "pause_approved", asked, request)
    return done


def approve_pause(conn: Connection, case_id: int, request: Request) -> Done:
    """准予暂停: what was asked, never a request of one's own. Raises what `suspend` does."""
    case, _ = standing(conn, case_id, request)
    if asked_pause(conn, case, lead_order(conn, case_id)) is None:
        raise _unmet("pause_asked")
    return suspend(conn, case_id, request)


def refuse_pause(conn: Connection, case_id: int, request: Request) -> Done:
    """不予暂停: a superior refuses what was asked, with `reason`; the case stays as it is.

    Raises NoSuchCase, StaleVersion, NotAllowed, GuardFailed, KeyReused.
    """
    case, roles = standing(conn, case_id, request)
    if _repeated(conn, case_id, request.key, ("refuse_pause",)):
        return Done(case_id, case.state, case.version, repeated=True)
    order = lead_order(conn, case_id)
    if order is None or next_state("suspend", case.state) is None:
        raise NotAllowed("refuse_pause", case.state, role_missing=False)
    if rank(roles) <= 1:
        raise NotAllowed("refuse_pause", case.state, role_missing=True)
    asked = asked_pause(conn, case, order)
    if asked is None:
        raise _unmet("pause_asked")
    if not request.reason.strip():
        raise _unmet("reason")
    if not asked.decidable_by(request.person_id, roles, case_facts(conn, case_id).handlers):
        raise _unmet("superior")
    _decide(conn, case, asked, "refused", request)
    _note(conn, case, "refuse_pause", order, request, {"request": asked.request_id, "asked_by": asked.asked_by})
    _answer(conn, case, order, "pause_refused", asked, request)
    return Done(case_id, case.state, case.version)


def listing(conn: Connection, now: datetime, case_id: int | None = None) -> list[dict[str, Any]]:
    """Requests, newest first; `state` is asked, approved, refused or lapsed."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_sql("list"), {"since": now - PAUSE_HOLDS, "case": case_id}).fetchall()


def _ask(conn: Connection, case: Case, order: LeadOrder | None, roles: frozenset[str], request: Request) -> Done:
    if not roles & set(HANDLERS):
        raise _unmet("pause_asked")
    if order is None or not rota.works_for(conn, request.person_id, order.org_id):
        raise _unmet("own_order")
    if not request.reason.strip():
        raise _unmet("reason")
    chosen = request.approver_id
    if chosen is not None:
        wish = Asked(0, request.person_id, case.now, request.reason, roles)
        if not wish.decidable_by(
            chosen, roles_of(conn, case, chosen, order)[0], case_facts(conn, case.case_id).handlers
        ):
            raise GuardFailed("approver", f"cannot approve it: {GUARDS['superior']}")
    row = {"case_id": case.case_id, "order_id": order.order_id, "person": request.person_id, "now": case.now}
    conn.execute(_sql("lapse"), row)
    ((number,),) = conn.execute(_sql("ask"), row | {"reason": request.reason}).fetchall()
    _note(conn, case, "ask_pause", order, request, {"request": number, "approver": chosen})
    if not case.replay:
        announce(
            conn,
            "pause_asked",
            [order.org_id, case.supervising_org_id],
            case.words() | {"reason": request.reason},
            key=f"case/{case.case_id}/pause/{number}",
            now=request.now,
            case_id=case.case_id,
            order_id=order.order_id,
            urgent=case.life_safety,
            people=[chosen] if chosen else (),
        )
    return Done(case.case_id, case.state, case.version)


def _decide(conn: Connection, case: Case, asked: Asked, decision: str, request: Request) -> None:
    row = {"request_id": asked.request_id, "decision": decision, "person": request.person_id}
    conn.execute(_sql("decide"), row | {"now": case.now, "remark": request.reason})


def _answer(conn: Connection, case: Case, order: LeadOrder, kind: str, asked: Asked, request: Request) -> None:
    key = f"pause/{asked.request_id}/{kind}"
    tell(conn, case, kind, [order.org_id], key, wall=request.now, values={"reason": request.reason})


def _note(
    conn: Connection, case: Case, action: str, order: LeadOrder, request: Request, detail: dict[str, object]
) -> None:
    note(
        conn,
        case,
        action,
        case.state,
        from_state=case.state,
        order_id=order.order_id,
        person_id=request.person_id,
        text=request.reason,
        key=request.key,
    )
    audit.record(conn, f"case.{action}", "case", str(case.case_id), person_id=request.person_id, detail=detail)


def _repeated(conn: Connection, case_id: int, key: str | None, actions: tuple[str, ...]) -> bool:
    query = queries("watchkeep_dispatch", "sql/cases.sql")["done_with_key"]
    found = conn.execute(query, [key]).fetchone() if key else None
    if found is not None and found not in [(case_id, action) for action in actions]:
        raise KeyReused(f"key {key!r} was used for {found[1]} of case {found[0]}")
    return found is not None


def _unmet(guard: str) -> GuardFailed:
    return GuardFailed(guard, f"not met: {GUARDS[guard]}")


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/pausing.sql")[name]
