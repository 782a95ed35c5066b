"""Asking for quiet: planned work (also detectors hold back) and silences, each with a reason and an end; what was held.

Life safety is never held back. The caller opens the transaction; every call leaves a line in the audit trail.
"""

from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg import Connection, sql
from psycopg.rows import dict_row

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_core.vocabulary import load
from watchkeep_dispatch.errors import QuietRefused

Kind = Literal["silence", "window"]

LONGEST: dict[Kind, timedelta] = {"silence": timedelta(days=30), "window": timedelta(days=90)}
"""A forgotten silence must end by itself."""


def begin(
    conn: Connection,
    kind: Kind,
    community: str,
    since: datetime,
    until: datetime,
    reason: str,
    now: datetime,
    *,
    equipment: str | None = None,
    condition: str | None = None,
    person_id: str | None = None,
) -> int:
    """Hold back from `since` to `until`; None for equipment or condition = all. Raises QuietRefused (field)."""
    if not reason.strip():
        raise QuietRefused("reason", "must be given")
    if until <= max(since, now):
        raise QuietRefused("until", "is over already")
    if until - max(since, now) > LONGEST[kind]:
        raise QuietRefused("until", f"is more than {LONGEST[kind].days} days away")
    if condition is not None and (kind == "window" or condition not in load().conditions):
        why = "is not for planned work" if kind == "window" else f"{condition!r} is no condition of the vocabulary"
        raise QuietRefused("condition", why)
    if condition is not None and load().conditions[condition].life_safety:
        raise QuietRefused("condition", f"{condition!r} is life safety: it is never held back")
    row = {
        "community": community,
        "equipment": equipment,
        "condition": condition,
        "since": since,
        "until": until,
        "reason": reason,
        "person": person_id,
    }
    if conn.execute(_sql("place"), row).fetchone() is None:
        where = f"{community}/{equipment}" if equipment else community
        raise QuietRefused("equipment" if equipment else "community", f"{where!r} is not in the register")
    found = conn.execute(_sql(f"begin_{kind}"), row).fetchone()
    number = int(found[0]) if found else 0
    detail = {"community": community, "equipment": equipment, "condition": condition, "until": until.isoformat()}
    audit.record(conn, f"{kind}.begin", kind, str(number), person_id=person_id, detail={**detail, "reason": reason})
    return number


def end(conn: Connection, kind: Kind, number: int, now: datetime, *, person_id: str | None = None) -> None:
    """End it now; what it held back is judged at once. Raises QuietRefused when it is over, or not there."""
    found = conn.execute(_sql(f"end_{kind}"), {"id": number, "now": now}).fetchone()
    if found is None:
        raise QuietRefused(kind, f"{number} is over, or not there")
    conn.execute(_sql("look_again"), {"community": found[0]})
    audit.record(conn, f"{kind}.end", kind, str(number), person_id=person_id)


def in_force(conn: Connection, now: datetime, community: str | None = None) -> list[dict[str, Any]]:
    """Silences and planned work that last, or are to come."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_sql("in_force"), {"now": now, "community": community}).fetchall()


def held_back(conn: Connection, since: datetime, community: str | None = None, at_most: int = 1000) -> list[Any]:
    """Warnings that were suppressed or merged instead of filed, newest first, each with the rule and its reason."""
    row = {"since": since, "community": community, "at_most": at_most}
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_sql("held_back"), row).fetchall()


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/quiet.sql")[name]
