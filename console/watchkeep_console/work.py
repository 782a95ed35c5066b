"""What people do to warnings, cases and orders: checks, one transaction, then dispatch decides (its life cycle)."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from psycopg import Connection
from psycopg.types.json import Jsonb

from watchkeep_console import models as m
from watchkeep_console import once, reads
from watchkeep_console.errors import Conflict, ConsoleError, Forbidden, Invalid, NotFound
from watchkeep_console.identity import Session
from watchkeep_console.permissions import Person
from watchkeep_console.services import Services
from watchkeep_core.database import queries
from watchkeep_dispatch import filing, intake, joint, pausing, work_order
from watchkeep_dispatch.actions import Done, Evidence, Request
from watchkeep_dispatch.errors import (
    DispatchError,
    GuardFailed,
    KeyReused,
    NoSuchCase,
    NotAllowed,
    NotWaiting,
    StaleVersion,
    Suppressed,
)
from watchkeep_dispatch.granting import BY_PEOPLE, EXTENDABLE
from watchkeep_dispatch.lifecycle import CALLERS, DESK, HANDLERS, TRANSITIONS, next_state, rank
from watchkeep_dispatch.notify.outbox import announce_test
from watchkeep_dispatch.notify.receipts import note_seen

KEY = once.HEADER
_SQL = queries("watchkeep_console", "sql/identity.sql")
RAISE, REFUSE_PAUSE = "raise_class", "refuse_pause"
"""No transitions: the case stays in its state."""
_WITH_EVIDENCE: Mapping[str, Callable[..., Done]] = {
    "arrive": work_order.arrive,
    "finish": work_order.finish,
    "verify": work_order.verify,
}
_PLAIN: Mapping[str, Callable[[Connection, int, Request], Done]] = {
    "accept": work_order.accept,
    "return": work_order.return_order,
    "redispatch": work_order.redispatch,
    "suspend": work_order.suspend,
    REFUSE_PAUSE: work_order.refuse_pause,
    "resume": work_order.resume,
    "rework": work_order.rework,
    "close": work_order.close,
    "dismiss": work_order.dismiss,
    "merge": work_order.merge,
    RAISE: work_order.raise_class,
    "extend": work_order.extend,
    "assign": work_order.assign,
    "assist": joint.assist,
    "enter_ledger": work_order.enter_ledger,
    "strike": work_order.strike,
}
CALL_BACK = "call_back"
ACTIONS = frozenset({*_WITH_EVIDENCE, *_PLAIN, CALL_BACK})
_GUARD_FIELDS = {
    "reason": "note",
    "proposed_party": "org_id",
    "another_party": "org_id",
    "evidence": "evidence",
    "approver": "approver",
    "into_open_case": "into_case_id",
    "class": "to_class",
}


@dataclass(frozen=True, slots=True)
class Act:
    """One act as it was asked for. `version` None = whatever the case is now."""

    action: str
    version: int | None = None
    note: str = ""
    org_id: str | None = None
    approver: str | None = None
    """Login of the second person."""
    into_case_id: int | None = None
    to_class: str = ""
    evidence: tuple[Evidence, ...] = ()
    assignee: str | None = None
    """Login of the person an order is given to."""
    due: datetime | None = None
    """The new finish deadline of an extension."""
    reached: bool = True
    satisfied: bool | None = None

    def digest(self, case_id: int) -> bytes:
        """What an idempotency key stands for."""
        return hashlib.sha256(msgspec.json.encode([case_id, self], order="sorted")).digest()


def actions(person: Person, case: m.Case) -> list[str]:
    """What the person may try in this state, by dispatch's table; its guards are checked when they do."""
    roles = person.roles(case.community_id, _concerned(case))
    if person.scopes is not None and "case:act" not in person.scopes:
        return []
    raises = [RAISE] if case.closed_at is None and case.case_class > "A" and roles & set(DESK) else []
    return (
        raises
        + _beside(person, case, roles)
        + [
            row.action
            for row in TRANSITIONS
            if row.action in ACTIONS
            and next_state(row.action, case.state)
            and roles & set(row.actors)
            and ("own_order" not in row.guards or case.order_org_id in person.organisations)
        ]
    )


def _beside(person: Person, case: m.Case, roles: frozenset[str]) -> list[str]:
    """What moves no case: more time, a person for the order, help, the call to the reporter."""
    manages = bool(roles & set(HANDLERS) - {"technician"}) and case.order_org_id in person.organisations
    possible = {
        "extend": case.state in EXTENDABLE and rank(roles) > 1,
        "assign": case.state in EXTENDABLE and bool(manages or roles & set(DESK)),
        "assist": case.state in joint.JOINABLE and bool(roles & set(joint.ASKING)),
        CALL_BACK: case.state == "closed" and case.source in BY_PEOPLE and bool(roles & set(CALLERS)),
    }
    return [action for action, allowed in possible.items() if allowed]


def _may_refuse_pause(conn: Connection, person: Person, case: m.Case, possible: Sequence[str], now: datetime) -> bool:
    """A superior may, while a pause is asked for; to grant it is `suspend`, as to ask."""
    if "suspend" not in possible or rank(person.roles(case.community_id, _concerned(case))) <= 1:
        return False
    return any(row["state"] == "asked" for row in pausing.listing(conn, now, case.case_id))


def open_case(conn: Connection, person: Person, case_id: int, now: datetime) -> m.CaseDetail:
    """A case with what the person may do; what told them of it counts as read. Raises NotFound."""
    found = reads.case_detail(conn, case_id, lambda case: actions(person, case))
    if _may_refuse_pause(conn, person, found, found.actions, now):
        found = found.model_copy(update={"actions": [*found.actions, REFUSE_PAUSE]})
    note_seen(conn, case_id, person.person_id, now)
    return found


def order_actions(person: Person, conn: Connection, order: m.Order) -> list[str]:
    """As `actions`, through an order; none when it is over. Who helps takes the steps of its own order."""
    if order.closed_at is not None:
        return []
    if not order.lead:
        mine = order.org_id in person.organisations and person.roles("", [order.org_id]) & set(HANDLERS)
        return [action for action, (states, _) in joint.STEPS.items() if mine and order.state in states]
    return actions(person, reads.case(conn, order.case_id))


def act(house: Services, session: Session, case_id: int, wanted: Act, key: str | None = None) -> m.Done:
    """Take one step of a case. A repeated key gets the first answer.

    Raises NotFound, Forbidden, Conflict (stale, or not possible in this state), Invalid that names the field.
    """
    if wanted.action not in ACTIONS:
        raise NotFound("action", wanted.action)
    if session.person.scopes is not None and "case:act" not in session.person.scopes:
        raise Forbidden("case:act")

    def step(conn: Connection) -> m.Done:
        reads.case(conn, case_id)
        request = Request(
            person_id=session.person.person_id,
            now=house.clock.now(),
            version=wanted.version,
            key=f"{session.person.person_id}:{key}" if key else None,
            reason=wanted.note,
            org_id=wanted.org_id,
            approver_id=person_id(conn, wanted.approver),
            into_case_id=wanted.into_case_id,
            to_class=wanted.to_class,
            assignee_id=person_id(conn, wanted.assignee, "assignee"),
            due=wanted.due,
            calendar=house.rules.calendar,
        )
        with_evidence = _WITH_EVIDENCE.get(wanted.action)
        if with_evidence:
            done = with_evidence(conn, case_id, request, wanted.evidence)
        elif wanted.action == CALL_BACK:
            reached, satisfied = wanted.reached, wanted.satisfied
            done = work_order.call_back(conn, case_id, request, reached=reached, satisfied=satisfied)
        else:
            done = _PLAIN[wanted.action](conn, case_id, request)
        return m.Done(kind="case", id=case_id, state=done.state, version=done.version, case_id=case_id)

    return _once(house, session, key, wanted.digest(case_id), step)


def act_on_order(house: Services, session: Session, order_id: int, wanted: Act, key: str | None = None) -> m.Done:
    """As `act`, for whoever knows the order only: its case moves. Refuses an order that is no longer the open one."""
    with house.identity.acting(session) as conn:
        order = reads.order(conn, order_id)
    if order.closed_at is None and not order.lead:
        return _help(house, session, order, wanted, key)
    if order.closed_at is not None:
        raise Conflict("order_closed", f"order {order_id} is over; look at its case", version=order.version)
    done = act(house, session, order.case_id, wanted, key)
    return done.model_copy(update={"kind": "order", "id": order_id})


def happened(action: str, done: m.Done) -> str:
    """What to tell of an act: a `suspend` that waits for a superior is only asked for, the clocks go on."""
    return "ask_pause" if action == "suspend" and done.state != "suspended" else action


def _help(house: Services, session: Session, order: m.Order, wanted: Act, key: str | None) -> m.Done:
    """A step of an organisation that helps: accept, arrive, finish, or end by who called it in."""
    if session.person.scopes is not None and "case:act" not in session.person.scopes:
        raise Forbidden("case:act")

    def step(conn: Connection) -> m.Done:
        request = Request(
            person_id=session.person.person_id,
            now=house.clock.now(),
            key=f"{session.person.person_id}:{key}" if key else None,
            reason=wanted.note,
            calendar=house.rules.calendar,
        )
        done = joint.step(conn, order.order_id, wanted.action, request, wanted.evidence)
        return m.Done(kind="order", id=order.order_id, state=done.state, version=done.version, case_id=done.case_id)

    return _once(house, session, key, wanted.digest(order.order_id), step)


def dismiss(house: Services, session: Session, warning_id: int, reason: str, key: str | None = None) -> m.Done:
    """Judge a warning that waits as a false alarm. Raises NotFound, Forbidden, Conflict(`judged`), Invalid(`note`)."""
    if not reason.strip():
        raise Invalid("note", "a reason must be given")

    def step(conn: Connection) -> m.Done:
        _judgeable(conn, session, warning_id)
        now = house.clock.now()
        who = session.person.person_id
        work_order.dismiss_warning(conn, warning_id, person_id=who, reason=reason, now=now)
        return m.Done(kind="warning", id=warning_id, state="dismissed")

    digest = hashlib.sha256(f"dismiss {warning_id} {reason}".encode()).digest()
    return _once(house, session, key, digest, step)


def confirm(house: Services, session: Session, warning_id: int, key: str | None = None) -> m.Done:
    """File a warning that waits now. Raises NotFound, Forbidden, Conflict(`judged`)."""

    def step(conn: Connection) -> m.Done:
        _judgeable(conn, session, warning_id)
        who = session.person.person_id
        case_id = filing.confirm(conn, warning_id, house.clock.now(), house.rules, person_id=who)
        return m.Done(kind="warning", id=warning_id, state="filed", case_id=case_id)

    return _once(house, session, key, hashlib.sha256(f"confirm {warning_id}".encode()).digest(), step)


def send_test_alarm(house: Services, session: Session, community: str, gateway: str, key: str | None = None) -> m.Done:
    """File a test case for a gateway. Raises NotFound, Forbidden."""

    def step(conn: Connection) -> m.Done:
        reads.gateway(conn, community, gateway)
        session.person.require("gateway:enrol", community)
        who = session.person.person_id
        case_id = intake.file_test(conn, community, gateway, house.clock.now(), house.rules, person_id=who)
        case = reads.case(conn, case_id)
        return m.Done(kind="case", id=case_id, state=case.state, version=case.version, case_id=case_id)

    return _once(house, session, key, hashlib.sha256(f"test {community}/{gateway}".encode()).digest(), step)


def send_test_notification(house: Services, session: Session, org_id: str | None) -> None:
    """To every channel of one of my organisations. Raises Forbidden, Invalid(`org_id`)."""
    mine = sorted(session.person.organisations)
    target = org_id or session.person.org_id or (mine[0] if mine else None)
    if target is None or target not in mine:
        raise Invalid("org_id", "is not an organisation you belong to")
    if not session.person.may_somewhere("gateway:enrol"):
        raise Forbidden("gateway:enrol")
    with house.identity.acting(session) as conn:
        announce_test(conn, target, house.clock.now(), "en" if session.person.language == "en" else "zh")


def _judgeable(conn: Connection, session: Session, warning_id: int) -> m.WarningDetail:
    found = reads.warning(conn, warning_id)
    session.person.require("warning:judge", found.community_id)
    if found.case_id is not None or found.verdict in ("dismissed", "merged", "filed"):
        raise Conflict("judged", f"warning {warning_id} has been judged already")
    return found


def _once(
    house: Services, session: Session, key: str | None, digest: bytes, step: Callable[[Connection], m.Done]
) -> m.Done:
    """One transaction for the act and the answer that its key will get again."""
    try:
        with house.identity.acting(session) as conn:
            if key is None:
                return step(conn)
            conn.execute(_SQL["lock_key"], {"key": key})
            found = conn.execute(_SQL["recall_answer"], {"key": key}).fetchone()
            if found is not None:
                if bytes(found[0]) != digest:
                    raise Invalid(KEY, "was used for another request")
                return m.Done.model_validate(found[2])
            done = step(conn)
            answer = {"key": key, "request_hash": digest, "status": 200, "response": Jsonb(done.model_dump())}
            conn.execute(_SQL["keep_answer"], answer)
            return done
    except DispatchError as error:
        raise refusal(error) from error


def refusal(error: DispatchError) -> ConsoleError:
    match error:
        case NoSuchCase():
            return NotFound("case", error.id)
        case NotWaiting():
            return Conflict("judged", str(error))
        case Suppressed():
            return Conflict("suppressed", str(error))
        case NotAllowed(role_missing=True):
            return Forbidden(f"case:{error.action}")
        case NotAllowed():
            return Conflict("not_possible", str(error))
        case StaleVersion():
            return Conflict("stale", str(error), "version", error.found)
        case GuardFailed():
            return Invalid(_GUARD_FIELDS.get(error.guard, error.guard), str(error))
        case KeyReused():
            return Invalid(KEY, "was used for another request")
    return Conflict("refused", str(error))


def person_id(conn: Connection, login: str | None, field: str = "approver") -> str | None:
    """Raises Invalid(`field`) for somebody this person does not know."""
    if not login:
        return None
    row = conn.execute("SELECT person_id::text FROM people WHERE login = lower(%s) AND active", [login]).fetchone()
    if row is None:
        raise Invalid(field, f"no person {login!r}")
    found: str = row[0]
    return found


def _concerned(case: m.Case) -> tuple[str | None, ...]:
    return (case.first_responder_id, case.responsible_org_id, case.supervising_org_id, case.order_org_id)
