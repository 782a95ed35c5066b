"""Keeps each level for its time, by whole partitions or chunks."""

from datetime import datetime

from psycopg import Connection

from watchkeep_core.storage.levels import Level, read_levels, statement

_AT_ONCE = 10
"""Parts dropped in one transaction: each holds up writers while it goes."""


def drop_expired(conn: Connection, level: Level, now: datetime) -> tuple[int, int]:
    """Drop what is older than the level's `keep`; returns (dropped, kept for recorded data). The caller's transaction.

    Raises psycopg.errors.LockNotAvailable when a long read is in the way; the next pass tries again.
    """
    keep = read_levels(conn)[level].keep
    row = conn.execute(
        statement("drop_expired"), {"level": level, "before": now - keep, "at_most": _AT_ONCE}
    ).fetchone()
    return (0, 0) if row is None else (row[0], row[1])
