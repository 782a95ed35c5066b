"""A seeded city: what the boards are tried on, by the tests in small and by the bench in large."""

from dataclasses import asdict, dataclass

from watchkeep_core.database import connect, queries

_FIRST = ("estate", "equipment", "gateways", "points", "limits", "rollup_series", "partitions", "shape")
_TABLES = ("raw", "slow", "hours", "minutes", "rolled")
"""Where rollups are tables of their own."""
_LAST = ("warnings", "cases", "orders", "escalations", "ledger", "rankings", "platform", "minutes_of_ingest")


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
    """Of data per partition, in the last 6 minutes (those that are not summed yet); of events a tenth."""


def seed(admin_url: str, size: Size) -> None:
    """Fill a migrated, empty database. Triggers are left out: every column is given."""
    statements = queries("watchkeep_dashboards", "sql/seed.sql")
    with connect(admin_url, "seed") as conn:
        (backend,) = conn.execute("SELECT storage_backend()").fetchone() or ("plain",)
        series = ("raw", "slow", "hours_as_readings") if backend == "community" else _TABLES
        conn.execute("SET LOCAL session_replication_role = replica")
        for name in (*_FIRST, *series, *_LAST):
            if name == "shape":
                conn.execute(statements[name])
            else:
                conn.execute(statements[name], asdict(size))
    if backend == "community":  # the server's own job does it every minute; a city that has stood for weeks has them
        with connect(admin_url, "seed", autocommit=True) as conn:
            conn.execute("CALL refresh_rollups(0, '{}')")
