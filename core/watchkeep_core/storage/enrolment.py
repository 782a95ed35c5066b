"""Which points are rolled up: those at least 4 times faster than the level, by the period entered or measured."""

from collections.abc import Sequence
from datetime import datetime

from psycopg import Connection

from watchkeep_core.storage.levels import HOUR, statement

_MEASURED_AT_ONCE = 200
"""Points without a period measured in one pass; each is looked at once an hour."""


def enrol(conn: Connection, counters: Sequence[str], *, wide_marks: bool) -> int:
    """Take in new and changed points; returns how many. The caller opens the transaction.

    `counters`: metrics whose increase is kept. What a point that gains a level has stored already is marked: by point,
    or with `wide_marks` for all points at once, where continuous aggregates are refreshed by time only.
    """
    found = conn.execute(statement("enrol"), {"counters": list(counters)}).fetchall()
    due = [series for (series,) in conn.execute(statement("to_measure"), {"at_most": _MEASURED_AT_ONCE})]
    gained = [series for series, rolled, known in found if known and rolled]
    if due:
        gained += [series for series, more in conn.execute(statement("measure"), {"series": due}) if more]
    fresh = [series for series, rolled, known in found if rolled and not known]
    if wide_marks and (gained or fresh):
        row = {"series": fresh, "everything": bool(gained)}
        conn.execute(statement("mark_wide"), row)
    elif gained:
        _mark_history(conn, gained)
    conn.execute(statement("forget_marks"))
    return len(found) + len(due)


def _mark_history(conn: Connection, series: Sequence[int]) -> None:
    parts: list[tuple[str, datetime, datetime]] = conn.execute(statement("parts"), {"level": "raw"}).fetchall()
    keys = [(number, since, until) for number in series for _, since, until in parts]
    row = {
        "series": [number for number, _, _ in keys],
        "hour": [since for _, since, _ in keys],
        "hours": [max(1, (until - since) // HOUR) for _, since, until in keys],
    }
    conn.execute(statement("put_marks"), row)
