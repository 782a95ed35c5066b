"""Opening an order: its deadlines, its row, its place in the history, and the word to those who must act or know."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from psycopg import Connection
from psycopg.rows import class_row

from watchkeep_core.database import queries
from watchkeep_dispatch import rota
from watchkeep_dispatch.clocks import WorkCalendar
from watchkeep_dispatch.notify.outbox import announce
from watchkeep_dispatch.routing import Deadline, Duty

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


def open_order(conn: Connection, case: Case, org_id: str, state: str, due: Due, *, assignee: str | None = None) -> int:
    """Insert the lead order and give it to somebody, where the organisation assigns (rota.py).

    Rework starts with a person who has responded already, the `assignee`.
    """
    query = queries("watchkeep_dispatch", "sql/cases.sql")["open_order"]
    row = {
        "case_id": case.case_id,
        "community": case.community_id,
        "equipment": case.equipment_id,
        "org": org_id,
        "state": state,
        "now": case.now,
        "responded": case.now if state == "rework" else None,
        "respond": due.respond,
        "arrive": due.arrive,
        "finish": due.finish,
    }
    found = conn.execute(query, row).fetchone()
    assert found is not None  # noqa: S101  INSERT … RETURNING without ON CONFLICT
    chosen = assignee or rota.pick(conn, org_id, case.community_id, case.equipment_id, case.now)
    if chosen:
        rota.give(conn, found[0], chosen)
    return int(found[0])


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
    conn.execute(
        queries("watchkeep_dispatch", "sql/cases.sql")["note"],
        [case.case_id, order_id, action, from_state, to_state, person_id, case.now, text, key],
    )


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
    if case.replay:
        return []
    return announce(
        conn,
        kind,
        org_ids,
        case.words() | dict(values),
        key=f"case/{case.case_id}/{key}",
        now=wall,
        case_id=case.case_id,
        order_id=order_id,
        urgent=case.life_safety,
    )


def org_name(conn: Connection, org_id: str | None) -> str:
    """How people call an organisation; a dash for none."""
    found = conn.execute(queries("watchkeep_dispatch", "sql/cases.sql")["org_name"], [org_id]).fetchone()
    return str(found[0]) if found else "—"


def shown(moment: datetime | None, calendar: WorkCalendar) -> str:
    """A deadline as people read it, local time."""
    return "—" if moment is None else moment.astimezone(calendar.zone).strftime(_SHOWN)
