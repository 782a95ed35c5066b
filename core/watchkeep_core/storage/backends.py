"""What the server offers decides: TimescaleDB community, TimescaleDB Apache, or plain PostgreSQL.

The choice is made by the migration that creates the tables; `backend_of` reads it back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, Protocol

from psycopg import Connection

from watchkeep_core.storage import rollups
from watchkeep_core.storage.levels import statement

Name = Literal["timescaledb-community", "timescaledb-apache", "plain"]

DIRECT_COMPRESS_ROWS = 50
"""Rows per series in a batch from which compressing while copying is the faster way (ARCHITECTURE §4)."""


class Backend(Protocol):
    """What differs between the three."""

    @property
    def name(self) -> Name: ...

    @property
    def why(self) -> str:
        """One sentence for `watchkeep db status`."""
        ...

    def make_ahead(self, conn: Connection, days: Sequence[date]) -> int:
        """Make what readings of these UTC days need; returns how many partitions were new."""
        ...

    def seal(self, conn: Connection, now: datetime) -> None:
        """Before a pass: what is stored from now on, and is older, is marked by its writer. Points that are there by
        now must be enrolled before `roll`, else readings of theirs fall between the two.

        Raises psycopg.errors.LockNotAvailable while a writer's transaction takes too long.
        """
        ...

    def roll(self, conn: Connection, budget: rollups.Budget) -> rollups.Done:
        """Bring the rollups up to the seal as far as that is ours to do; `conn` in autocommit mode."""
        ...

    def before_copy(self, conn: Connection, rows: int, series: int) -> None:
        """Inside a transaction that is about to COPY so many rows of so many series into `readings`."""
        ...


@dataclass(frozen=True, slots=True)
class Plain:
    """Daily range partitions made ahead, own rollup job."""

    version: str
    why: str
    name: Name = "plain"

    def make_ahead(self, conn: Connection, days: Sequence[date]) -> int:
        row = conn.execute(statement("make_days"), {"days": list(days)}).fetchone()
        return 0 if row is None else int(row[0])

    def seal(self, conn: Connection, now: datetime) -> None:
        rollups.seal(conn, now)

    def roll(self, conn: Connection, budget: rollups.Budget) -> rollups.Done:
        conn.execute(statement("summarize"))
        return rollups.roll(conn, budget)

    def before_copy(self, conn: Connection, rows: int, series: int) -> None:
        """Nothing to set."""


@dataclass(frozen=True, slots=True)
class Apache:
    """Hypertables, own rollup job."""

    version: str
    why: str
    name: Name = "timescaledb-apache"

    def make_ahead(self, conn: Connection, days: Sequence[date]) -> int:
        return 0

    def seal(self, conn: Connection, now: datetime) -> None:
        rollups.seal(conn, now)

    def roll(self, conn: Connection, budget: rollups.Budget) -> rollups.Done:
        conn.execute(statement("summarize"))
        return rollups.roll(conn, budget)

    def before_copy(self, conn: Connection, rows: int, series: int) -> None:
        """Nothing to set."""


@dataclass(frozen=True, slots=True)
class Community:
    """Columnstore, direct compress on COPY, continuous aggregates refreshed by a job of the server."""

    version: str
    why: str
    name: Name = "timescaledb-community"

    def make_ahead(self, conn: Connection, days: Sequence[date]) -> int:
        return 0

    def seal(self, conn: Connection, now: datetime) -> None:
        """Nothing: the server knows by itself which buckets have changed."""

    def roll(self, conn: Connection, budget: rollups.Budget) -> rollups.Done:
        return rollups.Done()

    def before_copy(self, conn: Connection, rows: int, series: int) -> None:
        if rows >= DIRECT_COMPRESS_ROWS * max(1, series):
            conn.execute("SET LOCAL timescaledb.enable_direct_compress_copy = on")


def backend_of(conn: Connection) -> Backend:
    """The back-end that this database was made with."""
    row = conn.execute(statement("backend")).fetchone()
    kind, version, licence = row if row is not None else ("plain", None, None)
    server = str(conn.info.parameter_status("server_version"))
    if kind == "community":
        return Community(version, f"TimescaleDB {version} with the timescale licence, on PostgreSQL {server}")
    if kind == "apache":
        reason = (
            "its licence setting is apache"
            if licence == "apache"
            else f"licence {licence}; made before, or older than 2.20"
        )
        return Apache(version, f"TimescaleDB {version} on PostgreSQL {server}: {reason}")
    if version is None:
        return Plain(server, f"PostgreSQL {server} has no TimescaleDB extension in this database")
    return Plain(server, f"PostgreSQL {server}: TimescaleDB {version} came after the tables were made")
