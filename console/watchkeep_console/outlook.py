"""What will happen next and when: deadlines, rungs of the escalation, warnings that file themselves."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg import Connection
from psycopg.rows import class_row

from watchkeep_core.database import queries
from watchkeep_dispatch.clocks import WorkCalendar
from watchkeep_dispatch.escalation import fires_at, rungs_of

_SQL = queries("watchkeep_console", "sql/board.sql")
Kind = Literal["yellow", "deadline", "escalation", "auto_file"]


@dataclass(frozen=True, slots=True)
class Running:
    """The clock that runs on a case's lead order; `fired` are the rungs that it has passed."""

    order_id: int
    case_id: int
    community_id: str
    case_class: str
    condition: str
    equipment: str
    equipment_en: str
    clock: str
    due_at: datetime
    started: datetime
    fired: list[int]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A warning that files itself `at` a moment, unless somebody judges it before."""

    warning_id: int
    at: datetime
    community_id: str
    proposed_class: str
    condition: str
    equipment: str
    equipment_en: str


@dataclass(frozen=True, slots=True)
class Coming:
    """One thing that will happen by itself; `party` is who is told then, '' for nobody new."""

    at: datetime
    kind: Kind
    of_class: str
    condition: str
    equipment: str
    equipment_en: str
    href: str
    clock: str = ""
    level: int = 0
    party: str = ""


def running(conn: Connection, community: str | None = None, case_id: int | None = None) -> list[Running]:
    """Clocks by their deadline; replay communities have none that anybody acts on."""
    with conn.cursor(row_factory=class_row(Running)) as cursor:
        return cursor.execute(_SQL["running"], {"community": community, "case": case_id}).fetchall()


def waiting(conn: Connection, now: datetime, community: str | None = None) -> list[Waiting]:
    with conn.cursor(row_factory=class_row(Waiting)) as cursor:
        return cursor.execute(_SQL["waiting"], {"community": community, "now": now}).fetchall()


def coming(
    clocks: Iterable[Running], waits: Iterable[Waiting], now: datetime, calendar: WorkCalendar, each: int = 1
) -> list[Coming]:
    """The next `each` things per case and the filing of each waiting warning, soonest first. Pure."""
    found = [
        Coming(
            w.at, "auto_file", w.proposed_class, w.condition, w.equipment, w.equipment_en, f"/warnings/{w.warning_id}"
        )
        for w in waits
    ]
    for clock in clocks:
        found += _rungs(clock, now, calendar)[:each]
    return sorted(found, key=lambda item: item.at)


def _rungs(clock: Running, now: datetime, calendar: WorkCalendar) -> list[Coming]:
    """Rungs still ahead; the first red one is the deadline itself."""
    ahead = [
        (fires_at(rung, clock.started, clock.due_at, calendar), rung)
        for rung in rungs_of(clock.clock)
        if rung.level not in clock.fired
    ]
    return [
        Coming(
            at,
            "yellow" if rung.level == 0 else "deadline" if rung.after == 0 else "escalation",
            clock.case_class,
            clock.condition,
            clock.equipment,
            clock.equipment_en,
            f"/cases/{clock.case_id}",
            clock.clock,
            rung.level,
            rung.to_party,
        )
        for at, rung in ahead
        if at > now
    ]
