"""督办: a yellow card before a deadline, red cards up the chain after it, to people by name. Each rung fires once.

The primary keys decide, so restarts, jumps of the clock and a second scheduler do no harm.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row

from watchkeep_core.database import queries
from watchkeep_dispatch.clocks import WorkCalendar
from watchkeep_dispatch.escalation_words import Chains, Running, tell_rung
from watchkeep_dispatch.granting import BY_PEOPLE, CALL_BACK_WITHIN
from watchkeep_dispatch.notify.outbox import gathering

PER_CALL = 200
"""After so many the transaction ends (well below a second); the rest follows in the next call."""
DISPATCH_WITHIN = timedelta(minutes=15)
"""From filed (or returned) to dispatched (DOMAIN §6, CP)."""
CALL_BACK_FOR = timedelta(days=14)
"""A call-back that nobody made in this time after closing is reminded of no more."""


@dataclass(frozen=True, slots=True)
class Level:
    """One rung; `after` is the share of the allotted time that must have passed since the deadline (CP).

    `to_party` names the organisation, `roles` the people in it who are told by name.
    """

    level: int
    card: str
    to_party: str
    after: float
    roles: tuple[str, ...]


HEADS = ("maintainer_manager", "property_manager")
LEVELS = (
    Level(0, "yellow", "responsible", -1.0, ("technician",)),  # before the deadline; WorkCalendar.yellow says when
    Level(1, "red", "responsible", 0.0, ("technician",)),
    Level(2, "red", "first_responder", 0.25, ("property_manager", "safety_manager")),
    Level(3, "red", "responsible", 0.5, HEADS),
    Level(4, "red", "subdistrict", 0.75, ("subdistrict_office",)),
    Level(5, "red", "housing_bureau", 1.0, ("city_office",)),
)
"""Technician → manager → head of who has the order → subdistrict → city office (镇街吹哨、部门报到)."""
VERIFY_LEVELS = (
    Level(0, "yellow", "first_responder", -1.0, ("verifier", "property_manager")),
    Level(1, "red", "supervising", 0.0, ("verifier", "supervisor")),
    Level(4, "red", "subdistrict", 0.5, ("subdistrict_office",)),
    Level(5, "red", "housing_bureau", 1.0, ("city_office",)),
)
"""Who must check what the handler reports as done."""
CASE_LEVELS = (
    Level(1, "red", "supervising", 0.0, ("duty_officer", "supervisor")),
    Level(4, "red", "subdistrict", 1.0, ("subdistrict_office",)),
    Level(5, "red", "housing_bureau", 3.0, ("city_office",)),
)
"""A case that nobody has, or whose reporter still waits for a call."""


@dataclass(frozen=True, slots=True)
class Escalation:
    """One that has just fired; `order_id` None = of the case itself."""

    order_id: int | None
    clock: str
    level: int
    to_party: str
    case_id: int
    persons: tuple[str, ...]


def due_levels(
    started: datetime, due: datetime, now: datetime, calendar: WorkCalendar, rungs: tuple[Level, ...] = LEVELS
) -> tuple[Level, ...]:
    """All rungs whose moment has come. Pure."""
    return tuple(rung for rung in rungs if now >= fires_at(rung, started, due, calendar))


def fires_at(rung: Level, started: datetime, due: datetime, calendar: WorkCalendar) -> datetime:
    """The moment of a rung. Pure."""
    return calendar.yellow(started, due) if rung.after < 0 else due + (due - started) * rung.after


def escalate(conn: Connection, now: datetime, calendar: WorkCalendar) -> list[Escalation]:
    """Fire what is due, at most `PER_CALL`; replay communities go by their watermark and tell nobody."""
    fired: list[Escalation] = []
    chains = Chains(conn)
    with gathering(conn):
        for clock, rung in _due(conn, now, calendar):
            if found := _fire(conn, chains, clock, rung, now, calendar):
                fired.append(found)
            if len(fired) >= PER_CALL:
                break
    return fired


def _due(conn: Connection, now: datetime, calendar: WorkCalendar) -> Iterator[tuple[Running, Level]]:
    for clock in (*_order_clocks(conn, now), *_case_clocks(conn, now, calendar)):
        for rung in due_levels(clock.started, clock.due, clock.now, calendar, rungs_of(clock.clock)):
            if f"{clock.clock}/{rung.level}" not in clock.fired:
                yield clock, rung


_RUNGS = {"verify": VERIFY_LEVELS, "dispatch": CASE_LEVELS, "callback": CASE_LEVELS}


def rungs_of(clock: str) -> tuple[Level, ...]:
    """The rungs above a clock, lowest first."""
    return _RUNGS.get(clock, LEVELS)


def _order_clocks(conn: Connection, now: datetime) -> Iterator[Running]:
    with conn.cursor(row_factory=dict_row) as cursor:
        orders: list[dict[str, Any]] = cursor.execute(_sql("running"), {"now": now}).fetchall()
    for order in orders:
        started = {"verify": order["finished_at"]}
        for clock in ("verify",) if order["finished_at"] else ("respond", "arrive", "finish"):
            due = order[f"{clock}_due"]
            if due is not None and not order.get(f"{clock}_done"):
                start = started.get(clock, order["dispatched_at"])
                yield Running(order["order_id"], order["case_id"], clock, start, due, order["now"], order["fired"])


def _case_clocks(conn: Connection, now: datetime, calendar: WorkCalendar) -> Iterator[Running]:
    with conn.cursor(row_factory=dict_row) as cursor:
        asked = {"now": now, "sources": list(BY_PEOPLE), "since": now - CALL_BACK_FOR}
        cases: list[dict[str, Any]] = cursor.execute(_sql("cases_running"), asked).fetchall()
    for case in cases:
        since, called = case["since"], case["clock"] == "callback"
        due = calendar.deadline(since, *CALL_BACK_WITHIN) if called else since + DISPATCH_WITHIN
        yield Running(None, case["case_id"], case["clock"], since, due, case["now"], case["fired"])


def _fire(
    conn: Connection, chains: Chains, clock: Running, rung: Level, now: datetime, calendar: WorkCalendar
) -> Escalation | None:
    """Write the rung; None when another scheduler was faster. Who was told is written with it."""
    reached = chains.reached(clock, rung.to_party, rung.roles)
    row = {
        "order": clock.order_id,
        "case": clock.case_id,
        "clock": clock.clock,
        "level": rung.level,
        "party": rung.to_party,
        "persons": list(reached.persons),
        "due": clock.due,
        "since": clock.started,
        "now": clock.now,
    }
    if conn.execute(_sql("fire_case" if clock.order_id is None else "fire"), row).fetchone() is None:
        return None
    tell_rung(conn, chains, clock, rung.card, rung.level, reached, now, calendar)
    return Escalation(clock.order_id, clock.clock, rung.level, rung.to_party, clock.case_id, reached.persons)


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/escalation.sql")[name]
