"""Opening an order: its deadlines, its row, its place in the history, and the word to those who must act or know."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from psycopg import Connection
from psycopg.rows import class_row

from watchkeep_core.database import queries
from watchkeep_dispatch import rota
from watchkeep_dispatch.clocks import WorkCalendar
from watchkeep_dispatch.notify.outbox import News, announce_all
from watchkeep_dispatch.routing import Deadline, Duty
from watchkeep_dispatch.rowset import rowset

_SHOWN = "%m-%d %H:%M"


@dataclass(frozen=True, slots=True)
class Case:
    """A case as its row holds it; `now` is wall time, in a replay community its watermark."""

    case_id: int
    community_id: str
    community: str
    equipment_id: str | None
    condition: str
    case_class: str
    life_safety: bool
    state: str
    title_zh: str
    duty_id: int | None
    first_responder_id: str | None
    responsible_org_id: str | None
    supervising_org_id: str | None
    event_at: datetime
    closed_at: datetime | None
    replay: bool
    version: int
    now: datetime

    def words(self) -> dict[str, str]:
        """The values that every notification about this case may use."""
        return {
            "case": str(self.case_id),
            "class": self.case_class,
            "title": self.title_zh,
            "community": self.community,
        }


@dataclass(frozen=True, slots=True)
class Due:
    """Deadlines of one order, UTC; None = no such clock."""

    respond: datetime | None
    arrive: datetime | None
    finish: datetime | None


def due_times(duty: Duty | None, start: datetime, calendar: WorkCalendar) -> Due:
    """All three clocks count from dispatch."""

    def at(deadline: Deadline | None) -> datetime | None:
        return None if deadline is None else calendar.deadline(start, deadline.amount, deadline.kind)

    return Due(at(duty.respond), at(duty.arrive), at(duty.finish)) if duty else Due(None, None, None)


def load_case(conn: Connection, case_id: int, now: datetime) -> Case | None:
    """The case, locked until the end of the transaction; None when it is not there or not visible."""
    with conn.cursor(row_factory=class_row(Case)) as cursor:
        query = queries("watchkeep_dispatch", "sql/cases.sql")["case_for_update"]
        return cursor.execute(query, {"case_id": case_id, "now": now}).fetchone()


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A lead order to be opened. Rework starts with a person who has responded already, the `assignee`."""

    case: Case
    org_id: str
    state: str
    due: Due
    assignee: str | None = None


def open_orders(conn: Connection, orders: Sequence[NewOrder]) -> list[int]:
    """Insert lead orders of different cases, given to somebody where the organisation assigns (rota.py)."""
    free = [order for order in orders if order.assignee is None]
    asked = [(order.org_id, order.case.community_id, order.case.equipment_id, order.case.now) for order in free]
    chosen = dict(zip((order.case.case_id for order in free), rota.pick_all(conn, asked), strict=True)) if free else {}
    rows = [
        {
            "case_id": order.case.case_id,
            "community_id": order.case.community_id,
            "equipment_id": order.case.equipment_id,
            "org_id": order.org_id,
            "assignee_id": order.assignee or chosen[order.case.case_id],
            "state": order.state,
            "dispatched_at": order.case.now,
            "responded_at": order.case.now if order.state == "rework" else None,
            "respond_due": order.due.respond,
            "arrive_due": order.due.arrive,
            "finish_due": order.due.finish,
        }
        for order in orders
    ]
    query = queries("watchkeep_dispatch", "sql/cases.sql")["open_orders"]
    made: dict[int, int] = dict(conn.execute(query, [rowset(rows)]).fetchall())
    return [made[order.case.case_id] for order in orders]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One step in the history of a case."""

    case: Case
    action: str
    to_state: str
    from_state: str | None
    order_id: int | None = None
    person_id: str | None = None
    text: str = ""
    key: str | None = None
    """The request's idempotency key."""


def note(
    conn: Connection,
    case: Case,
    action: str,
    to_state: str,
    *,
    from_state: str | None,
    order_id: int | None = None,
    person_id: str | None = None,
    text: str = "",
    key: str | None = None,
) -> None:
    """Append one step to the history."""
    entry = Entry(
        case=case, action=action, to_state=to_state, from_state=from_state, order_id=order_id, person_id=person_id,
        text=text, key=key,
    )  # fmt: skip
    note_all(conn, [entry])


def note_all(conn: Connection, entries: Iterable[Entry]) -> None:
    """Append steps to the histories of their cases, in this order."""
    rows = [
        {
            "case_id": entry.case.case_id,
            "order_id": entry.order_id,
            "action": entry.action,
            "from_state": entry.from_state,
            "to_state": entry.to_state,
            "person_id": entry.person_id,
            "at": entry.case.now,
            "note": entry.text,
            "idempotency_key": entry.key,
        }
        for entry in entries
    ]
    conn.execute(queries("watchkeep_dispatch", "sql/cases.sql")["note"], [rowset(rows)])


def tell(
    conn: Connection,
    case: Case,
    kind: str,
    org_ids: Iterable[str | None],
    key: str,
    *,
    order_id: int | None = None,
    wall: datetime,
    values: Mapping[str, str] = MappingProxyType({}),
) -> list[int]:
    """Announce something about a case; a replay community notifies nobody."""
    return announce_all(conn, news(case, kind, org_ids, key, order_id=order_id, values=values), wall)


def news(
    case: Case,
    kind: str,
    org_ids: Iterable[str | None],
    key: str,
    *,
    order_id: int | None = None,
    values: Mapping[str, str] = MappingProxyType({}),
) -> list[News]:
    """What there is to announce; nothing in a replay community. Pure."""
    if case.replay:
        return []
    words = case.words() | dict(values)
    return [
        News(
            kind=kind, org_ids=org_ids, values=words, key=f"case/{case.case_id}/{key}", case_id=case.case_id,
            order_id=order_id, urgent=case.life_safety,
        )
    ]  # fmt: skip


def order_news(case: Case, org_id: str, order_id: int, due: Due, calendar: WorkCalendar) -> list[News]:
    """The word to an organisation that it has a new order. Pure."""
    values = {"respond": shown(due.respond, calendar), "finish": shown(due.finish, calendar)}
    return news(case, "order_dispatched", [org_id], f"order/{order_id}", order_id=order_id, values=values)


def org_names(conn: Connection, org_ids: Iterable[str]) -> dict[str, str]:
    """How people call organisations."""
    wanted = sorted(org_ids)
    query = queries("watchkeep_dispatch", "sql/cases.sql")["org_names"]
    return dict(conn.execute(query, [wanted]).fetchall()) if wanted else {}


def org_name(conn: Connection, org_id: str | None) -> str:
    """How people call an organisation; a dash for none."""
    return org_names(conn, [org_id]).get(org_id, "—") if org_id else "—"


def shown(moment: datetime | None, calendar: WorkCalendar) -> str:
    """A deadline as people read it, local time."""
    return "—" if moment is None else moment.astimezone(calendar.zone).strftime(_SHOWN)
