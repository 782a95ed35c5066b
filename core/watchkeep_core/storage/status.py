"""What `watchkeep db status` tells of the storage: back-end, sizes, spans, rollups, retention."""

from datetime import datetime, timedelta

import msgspec
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from watchkeep_core.storage.backends import Backend, backend_of
from watchkeep_core.storage.levels import LEVELS, Level, read_levels, statement


class LevelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One class of readings."""

    level: Level
    keep_days: float
    parts: int
    """Partitions or chunks."""
    kept_for_replay: int
    """Of these, older than `keep` and kept because they hold recorded data (or not yet dropped)."""
    bytes: int
    """On disk, indexes and compressed data included."""
    rows_estimated: int
    oldest: datetime | None
    newest: datetime | None
    compressed_parts: int = 0
    compression_ratio: float | None = None
    """Size before ÷ after, of compressed chunks; None where nothing is compressed."""


class StorageStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of it."""

    backend: str
    why: str
    levels: list[LevelStatus]
    rollup_lag_s: float
    """How far the minute rollups are behind now."""
    rollup_marks: int
    """Hours that wait to be rolled up (again), of one series or of all, by the oldest 100,000 marks."""
    series_with_minutes: int
    series_with_hours: int
    series: int


def storage_status(conn: Connection, now: datetime) -> StorageStatus:
    """Look at the catalogs; needs the owner's rights."""
    backend = backend_of(conn)
    levels = read_levels(conn)
    lag_s, marks = rollup_lag(conn, now)
    row = conn.execute(statement("count_series")).fetchone() or (0, 0, 0)
    return StorageStatus(
        backend=backend.name,
        why=backend.why,
        levels=[_level(conn, backend, level, levels[level].keep, now) for level in LEVELS],
        rollup_lag_s=lag_s,
        rollup_marks=marks,
        series=row[0],
        series_with_minutes=row[1],
        series_with_hours=row[2],
    )


def rollup_lag(conn: Connection, now: datetime) -> tuple[float, int]:
    """Seconds that the minute rollups are behind, and how many hours are marked."""
    row = conn.execute(statement("pending_marks")).fetchone()
    marks = 0 if row is None else row[0]
    rolled = read_levels(conn)["minute"].rolled_until
    if rolled is None:
        row = conn.execute(statement("last_refresh")).fetchone()
        rolled = None if row is None else row[0]
    return (0.0 if rolled is None else max(0.0, (now - rolled).total_seconds()), marks)


def _level(conn: Connection, backend: Backend, level: Level, keep: timedelta, now: datetime) -> LevelStatus:
    table = "readings" if level == "raw" else f"readings_{level}"
    parts = conn.execute(statement("parts"), {"level": level}).fetchall()
    name = table
    if backend.name == "timescaledb-community" and level != "raw":
        row = conn.execute(statement("cagg_table"), {"view": table}).fetchone()
        name = table if row is None else row[0]
    size = conn.execute(
        statement("plain_size" if backend.name == "plain" else "timescale_size"), {"table": name}
    ).fetchone()
    compressed = (0, None, None)
    if backend.name == "timescaledb-community":
        compressed = conn.execute(statement("compression"), {"table": name}).fetchone() or compressed
    return LevelStatus(
        level=level,
        keep_days=keep.total_seconds() / 86400,
        parts=len(parts),
        kept_for_replay=sum(until <= now - keep for _, _, until in parts),
        bytes=int(size[0] or 0) if size else 0,
        rows_estimated=max(0, int(size[1] or 0)) if size else 0,
        oldest=_edge(conn, table, parts, newest=False),
        newest=_edge(conn, table, parts, newest=True),
        compressed_parts=compressed[0] or 0,
        compression_ratio=None if not compressed[2] else round(compressed[1] / compressed[2], 2),
    )


def _edge(
    conn: Connection, table: str, parts: list[tuple[str, datetime, datetime]], *, newest: bool
) -> datetime | None:
    """Oldest or newest stamp, from the outermost part that holds a row; by the index, point by point."""
    order, function = (SQL("DESC"), SQL("max")) if newest else (SQL("ASC"), SQL("min"))
    query = SQL(
        "SELECT {function}(x.ts) FROM points p, LATERAL (SELECT r.ts FROM {table} r WHERE r.series_id = p.series_id "
        "AND r.ts >= %s AND r.ts < %s ORDER BY r.ts {order} LIMIT 1) AS x"
    ).format(function=function, table=Identifier(table), order=order)
    for _, since, until in reversed(parts) if newest else parts:
        row = conn.execute(query, [since, until]).fetchone()
        if row is not None and row[0] is not None:
            found: datetime = row[0]
            return found
    return None
