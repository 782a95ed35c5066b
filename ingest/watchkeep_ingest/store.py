"""Stores resolved readings: the partitions of their days, COPY, marks for the rollups, batch numbers."""

from datetime import UTC, date, datetime

import numpy as np
from psycopg import Connection
from psycopg.sql import SQL

from watchkeep_core.database import queries
from watchkeep_ingest import batches
from watchkeep_ingest.accounts import Tally
from watchkeep_ingest.batches import RowsMessage
from watchkeep_ingest.columns import Rows
from watchkeep_ingest.keeping import Keeping
from watchkeep_ingest.lane import BatchTooWide
from watchkeep_ingest.newest import Newest

MAX_DAYS = 400
"""Days one COPY may touch: each costs two locks of a table of 6,400 (PostgreSQL's default), or four when it is new.

One message cannot reach it: `dt_ms` spans 50 days.
"""

_DAY_US = 86_400_000_000


class Store:
    """One per writer. What it remembers of a transaction counts once that is `committed`."""

    def __init__(self) -> None:
        self.newest = Newest()
        self._keeping = Keeping()
        self._days: set[date] = set()
        self._fresh_days: set[date] = set()
        self._stored = Rows.joined([])

    def store(self, conn: Connection, rows: Rows, tally: Tally) -> list[RowsMessage]:
        """`rows` sorted by series, then time; the caller holds the partitions' accounts lock. Raises BatchTooWide."""
        if not len(rows):
            return []
        self._make_days(conn, rows)
        self._keeping.before_copy(conn, rows)
        with conn.cursor() as cursor, cursor.copy(_sql("copy_readings")) as copy:
            copy.write(rows.to_copy())
        self._keeping.after_copy(conn, rows)
        self._stored = rows
        self._count(rows, tally)
        return batches.of_readings(conn, rows)

    def committed(self) -> Rows:
        """Believe in what was done; returns what was stored."""
        stored, self._stored = self._stored, Rows.joined([])
        self._days |= self._fresh_days
        self._fresh_days = set()
        return stored

    def rolled_back(self) -> None:
        self._stored = Rows.joined([])
        self._fresh_days = set()
        self._days.clear()  # one may have been dropped by the retention of raw readings

    def _make_days(self, conn: Connection, rows: Rows) -> None:
        first, last = int(rows.time_us.min()) // _DAY_US, int(rows.time_us.max()) // _DAY_US
        numbers = [first] if first == last else np.unique(rows.time_us // _DAY_US).tolist()
        days = {_day(number) for number in numbers}
        if len(days) > MAX_DAYS:
            raise BatchTooWide(f"readings of {len(days)} days, at most {MAX_DAYS} in one message")
        if days - self._days:
            conn.execute(_sql("make_partitions"), {"days": sorted(days - self._days)})
            self._fresh_days = days

    def _count(self, rows: Rows, tally: Tally) -> None:
        for field_name, partition in (("stored", rows.partition), ("late", self.newest.late(rows))):
            counts = np.bincount(partition)
            for number in np.flatnonzero(counts).tolist():
                tally[number][field_name] += int(counts[number])


def _day(number: int) -> date:
    return datetime.fromtimestamp(number * 86_400, UTC).date()


def _sql(name: str) -> SQL:
    return queries("watchkeep_ingest", "sql/content.sql")[name]
