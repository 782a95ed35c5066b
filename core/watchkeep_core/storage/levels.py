"""The classes of stored readings and what is kept of each."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from psycopg import Connection
from psycopg.sql import SQL

from watchkeep_core.database import queries

Level = Literal["raw", "minute", "hour"]
LEVELS: tuple[Level, ...] = ("raw", "minute", "hour")

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class LevelState:
    """One row of `storage_levels`; the moments are None where TimescaleDB keeps the rollups itself."""

    keep: timedelta
    sealed_until: datetime | None
    """Readings before it are late: whoever stores them marks their hours."""
    rolled_until: datetime | None
    """Buckets before it are in the rollup table."""


def read_levels(conn: Connection) -> dict[Level, LevelState]:
    """All three, finest first."""
    return {
        level: LevelState(keep, sealed, rolled)
        for level, keep, sealed, rolled in conn.execute(statement("read_levels"))
    }


def save_keep(conn: Connection, keep: dict[Level, timedelta]) -> None:
    """Write down how long each level is kept, for readers and `watchkeep db status`."""
    conn.execute(statement("save_keep"), {"levels": list(keep), "keep": list(keep.values())})


def statement(name: str) -> SQL:
    """A named statement of `storage.sql`."""
    return queries("watchkeep_core.storage", "storage.sql")[name]
