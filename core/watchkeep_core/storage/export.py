"""Stored readings as a file: CSV or Parquet, streamed day by day, so that memory stays small whatever the span.

ExportRefused (PermanentError)   no such points, or the format needs what is not installed
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

from psycopg import Connection
from psycopg.sql import SQL, Composed
from psycopg.sql import Literal as SqlLiteral

from watchkeep_core.errors import PermanentError
from watchkeep_core.storage.levels import Level, statement

Format = Literal["csv", "parquet"]

_FETCH = 50_000
"""Rows in memory at once for Parquet, about 20 MB; a row group of its file."""

_RAW = ("value", "quality")
_ROLLED = ("count", "bad", "min", "max", "mean", "last", "increase")


class ExportRefused(PermanentError):
    """There is nothing of that name, or the format cannot be written here."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to export; [since, until) in UTC."""

    community: str
    equipment: str | None
    level: Level
    since: datetime
    until: datetime


class _Writer(Protocol):
    def day(self, conn: Connection, query: Composed) -> int:
        """Write the rows of a query; returns how many."""
        ...

    def close(self) -> None: ...


def export(conn: Connection, wanted: Wanted, form: Format, path: Path, tell: Callable[[float, int], None]) -> int:
    """Write `path` whole or not at all; returns the rows. `conn` needs the owner's rights, outside a transaction.

    `tell(share, rows)` hears of the progress, 0 to 1. Rows are in the order of day, point, time.
    Raises ExportRefused, OSError.
    """
    series = [number for (number,) in conn.execute(statement("export_series"), _names(wanted))]
    if not series:
        name = wanted.community if wanted.equipment is None else f"{wanted.community}/{wanted.equipment}"
        raise ExportRefused(f"{name}: there are no points of that name")
    rows = 0
    unfinished = path.with_name(path.name + ".part")
    try:
        with conn.transaction(), _writer(form, unfinished, wanted.level) as writer:
            spans = _days(conn, wanted)
            for number, (since, until) in enumerate(spans, 1):
                rows += writer.day(conn, _query(wanted.level, series, since, until))
                tell(number / len(spans), rows)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return rows


def _names(wanted: Wanted) -> dict[str, str | None]:
    return {"community": wanted.community, "equipment": wanted.equipment}


def _days(conn: Connection, wanted: Wanted) -> list[tuple[datetime, datetime]]:
    """Spans of a day at most, where there are parts with readings (and after them: rollups of the newest)."""
    found = []
    for _, first, last in conn.execute(statement("parts"), {"level": wanted.level}).fetchall():
        since = max(first, wanted.since)
        while since < min(last, wanted.until):
            until = min(since + timedelta(days=1), last, wanted.until)
            found.append((since, until))
            since = until
    if wanted.level != "raw":  # the newest buckets are computed on the fly and may have no part yet
        rest = max(found[-1][1] if found else wanted.since, wanted.since)
        if rest < wanted.until:
            found.append((rest, wanted.until))
    return found


def _query(level: Level, series: Sequence[int], since: datetime, until: datetime) -> Composed:
    table = SQL({"raw": "readings", "minute": "rollups_minute", "hour": "rollups_hour"}[level])
    rolled = SQL("r.count, r.bad, r.min, r.max, r.sum / nullif(r.count, 0) AS mean, r.last, r.increase")
    columns = SQL("r.value, r.quality") if level == "raw" else rolled
    return SQL(
        "SELECT p.community_id AS community, p.equipment_id AS equipment, p.metric, p.unit, r.ts, {columns} "
        "FROM {table} r JOIN points p USING (series_id) "
        "WHERE r.series_id = ANY ({series}) AND r.ts >= {since} AND r.ts < {until} ORDER BY r.series_id, r.ts"
    ).format(
        columns=columns,
        table=table,
        series=SqlLiteral(list(series)),
        since=SqlLiteral(since),
        until=SqlLiteral(until),
    )


@contextmanager
def _writer(form: Format, path: Path, level: Level) -> Iterator[_Writer]:
    writer: _Writer = _Csv(path, level) if form == "csv" else _Parquet(path, level)
    try:
        yield writer
    finally:
        writer.close()


class _Csv:
    """COPY … TO STDOUT straight into the file."""

    def __init__(self, path: Path, level: Level) -> None:
        self._file = path.open("wb")
        columns = _RAW if level == "raw" else _ROLLED
        self._file.write((",".join(("community", "equipment", "metric", "unit", "ts", *columns)) + "\n").encode())

    def day(self, conn: Connection, query: Composed) -> int:
        with conn.cursor() as cursor:
            with cursor.copy(SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(query)) as copy:
                for block in copy:
                    self._file.write(block)
            return cursor.rowcount

    def close(self) -> None:
        self._file.close()


class _Parquet:
    """A server-side cursor into row groups; pyarrow is imported when it is wanted."""

    def __init__(self, path: Path, level: Level) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ModuleNotFoundError:
            raise ExportRefused(
                "parquet needs pyarrow: pip install 'watchkeep[export]', or take --format csv"
            ) from None
        words = [
            (name, pa.dictionary(pa.int32(), pa.string())) for name in ("community", "equipment", "metric", "unit")
        ]
        types: dict[str, Any] = {"quality": pa.int16(), "count": pa.int32(), "bad": pa.int32()}
        numbers = [(name, types.get(name, pa.float64())) for name in (_RAW if level == "raw" else _ROLLED)]
        self._schema = pa.schema([*words, ("ts", pa.timestamp("us", tz="UTC")), *numbers])
        self._batch = pa.record_batch
        self._array = pa.array
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def day(self, conn: Connection, query: Composed) -> int:
        count = 0
        with conn.cursor("export") as cursor:
            cursor.execute(query)
            while rows := cursor.fetchmany(_FETCH):
                columns = zip(*rows, strict=True)
                arrays = [self._array(list(c), field.type) for c, field in zip(columns, self._schema, strict=True)]
                self._writer.write_batch(self._batch(arrays, schema=self._schema))
                count += len(rows)
        return count

    def close(self) -> None:
        self._writer.close()
