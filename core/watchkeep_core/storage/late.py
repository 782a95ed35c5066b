"""What a writer of readings owes the rollup job: marks for readings older than what is rolled up."""

from collections.abc import Callable, Sequence
from datetime import datetime

from psycopg import Connection

from watchkeep_core.clock import to_us
from watchkeep_core.storage.levels import statement

HOUR_US = 3_600_000_000


def mark_late(conn: Connection, late_hours: Callable[[int], tuple[Sequence[int], Sequence[int]]]) -> int:
    """In the transaction that stores readings: mark the hours that must be computed again; returns how many.

    `late_hours(sealed_us)` gives series and hour numbers (µs since 1970 // HOUR_US), each pair once, of the readings
    before `sealed_us`. The lock is held to the end of the transaction; only the moment of sealing waits for it.
    """
    conn.execute(statement("seal_lock_shared"))
    row = conn.execute(statement("sealed_until")).fetchone()
    sealed: datetime | None = None if row is None else row[0]
    if sealed is None:
        return 0
    series, hours = late_hours(to_us(sealed))
    if len(series):
        conn.execute(statement("mark_late"), {"series": list(series), "hours": list(hours)})
    return len(series)
