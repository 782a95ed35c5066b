"""督办: yellow card before a deadline, red cards up the chain after it. Each (order, clock, level) fires once.

The primary key decides, so restarts, jumps of the clock and a second scheduler do no harm.
"""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import class_row, dict_row

from watchkeep_core.database import queries
from watchkeep_dispatch.clocks import WorkCalendar
from watchkeep_dispatch.notify.outbox import announce
from watchkeep_dispatch.orders import shown

PER_CALL = 500
"""After so many the transaction ends (about half a second); the rest follows in the next call."""
CLOCKS = {"respond": "响应", "arrive": "到场", "finish": "完成"}


@dataclass(frozen=True, slots=True)
class Level:
    """One rung; `after` is the share of the allotted time that must have passed since the deadline (CP)."""

    level: int
    card: str
    to_party: str
    after: float


LEVELS = (
    Level(0, "yellow", "responsible", -1.0),  # before the deadline; WorkCalendar.yellow says when
    Level(1, "red", "responsible", 0.0),
    Level(2, "red", "first_responder", 0.25),
    Level(3, "red", "subdistrict", 0.5),
    Level(4, "red", "housing_bureau", 1.0),
)
"""Technician and manager (their organisation) → property company → subdistrict → city office (镇街吹哨、部门报到)."""


@dataclass(frozen=True, slots=True)
class Escalation:
    """One that has just fired."""

    order_id: int
    clock: str
    level: int
    to_party: str


@dataclass(frozen=True, slots=True)
class _Concerned:
    case_id: int
    org_id: str
    title_zh: str
    replay: bool
    life_safety: bool
    first_responder_id: str | None
    supervising_org_id: str | None
    community: str
    subdistrict: str | None
    housing_bureau: str | None


def due_levels(started: datetime, due: datetime, now: datetime, calendar: WorkCalendar) -> tuple[Level, ...]:
    """All rungs whose moment has come. Pure."""
    allotted = due - started
    return tuple(
        level
        for level in LEVELS
        if now >= (calendar.yellow(started, due) if level.after < 0 else due + allotted * level.after)
    )


def escalate(conn: Connection, now: datetime, calendar: WorkCalendar) -> list[Escalation]:
    """Fire what is due, at most `PER_CALL`; replay communities go by their watermark and tell nobody."""
    statements = queries("watchkeep_dispatch", "sql/escalation.sql")
    fired: list[Escalation] = []
    with conn.cursor(row_factory=dict_row) as cursor:
        orders = cursor.execute(statements["running"], {"now": now}).fetchall()
    for order in orders:
        for clock in CLOCKS:
            due = order[f"{clock}_due"]
            if due is None or order[f"{clock}_done"]:
                continue
            for level in due_levels(order["dispatched_at"], due, order["now"], calendar):
                if f"{clock}/{level.level}" in order["fired"]:
                    continue
                if len(fired) >= PER_CALL:
                    return fired
                row = {"order": order["order_id"], "clock": clock, "level": level.level, "party": level.to_party}
                if conn.execute(statements["fire"], row | {"due": due, "now": order["now"]}).fetchone():
                    fired.append(Escalation(order["order_id"], clock, level.level, level.to_party))
                    _tell(conn, order["order_id"], clock, due, level, now, calendar)
    return fired


def _tell(
    conn: Connection, order_id: int, clock: str, due: datetime, level: Level, now: datetime, calendar: WorkCalendar
) -> None:
    with conn.cursor(row_factory=class_row(_Concerned)) as cursor:
        order = cursor.execute(queries("watchkeep_dispatch", "sql/escalation.sql")["concerned"], [order_id]).fetchone()
    if order is None or order.replay:
        return
    organisations = {
        "responsible": order.org_id,
        "first_responder": order.first_responder_id,
        "subdistrict": order.subdistrict,
        "housing_bureau": order.housing_bureau,
    }
    values = {
        "title": order.title_zh,
        "community": order.community,
        "case": str(order.case_id),
        "clock": CLOCKS[clock],
        "level": str(level.level),
        "due": shown(due, calendar),
    }
    announce(
        conn,
        level.card,
        [organisations[level.to_party] or order.supervising_org_id or order.first_responder_id],
        values,
        key=f"order/{order_id}/{clock}/{level.level}",
        now=now,
        case_id=order.case_id,
        order_id=order_id,
        urgent=order.life_safety,
    )
