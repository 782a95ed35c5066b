"""A seeded city: what the boards are tried on, by the tests in small and by the bench in large."""

from dataclasses import asdict, dataclass

from psycopg import Connection

from watchkeep_core.database import queries

_FIRST = ("estate", "equipment", "gateways", "points", "limits", "rollup_series", "partitions", "shape")
_LAST = ("warnings", "cases", "orders", "escalations", "ledger", "rankings", "platform")


@dataclass(frozen=True, slots=True)
class Size:
    """How large the seeded city is."""

    communities: int = 2
    lifts: int = 3
    """Per community; more than 100 other pieces of equipment come with them."""
    days: int = 4
    """Of rollups."""
    raw_hours: int = 1
    """Of raw readings at the end."""
    orders: int = 400
    open: int = 40
    batches: int = 96
    """Per lane and partition, over the last 24 hours."""


def seed(conn: Connection, size: Size) -> None:
    """Fill a migrated, empty database; `conn` is an administrator's. Triggers are left out: every column is given."""
    statements = queries("watchkeep_dashboards", "sql/seed.sql")
    (backend,) = conn.execute("SELECT storage_backend()").fetchone() or ("plain",)
    series = (
        ("raw", "slow", "hours_as_readings")
        if backend == "community"
        else ("raw", "slow", "hours", "minutes", "rolled")
    )
    conn.execute("SET LOCAL session_replication_role = replica")
    for name in (*_FIRST, *series, *_LAST):
        if name == "shape":
            conn.execute(statements[name])
        else:
            conn.execute(statements[name], asdict(size))
