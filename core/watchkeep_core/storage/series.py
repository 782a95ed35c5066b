"""The read side for charts: few buckets with their extremes, whatever the range."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from watchkeep_core.storage.levels import Level, statement

MOST_POINTS = 2000
"""Buckets per series; no screen shows more."""

TIMEOUT_S = 5.0
"""A chart that takes longer is not waited for."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Readings of one series from `at` on; `min`, `max`, `mean`, `last` are None when all of them are bad."""

    at: datetime
    count: int
    bad: int
    min: float | None
    max: float | None
    mean: float | None
    last: float | None
    increase: float | None
    """What a counter rose by, resets taken into account; None for other metrics."""
    level: Level
    bucket_s: float
    """Width in seconds; 0 = one reading as it came."""


def read_series(
    conn: Connection, series: Sequence[int], since: datetime, until: datetime, points: int = 1000
) -> dict[int, list[Bucket]]:
    """Buckets of [since, until) per series, oldest first; of series that the connection's person may not see, none.

    Inside the caller's transaction, whose statements are limited to TIMEOUT_S from then on.
    Raises psycopg.errors.QueryCanceled after that time.
    """
    conn.execute("SELECT set_config('statement_timeout', %s, true)", [f"{TIMEOUT_S * 1000:.0f}"])
    wanted = {"series": list(series), "since": since, "until": until, "at_most": min(points, MOST_POINTS)}
    found: defaultdict[int, list[Bucket]] = defaultdict(list)
    for number, *values in conn.execute(statement("series_window"), wanted):
        found[number].append(Bucket(*values))
    return dict(found)
