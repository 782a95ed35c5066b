"""What indicators count by community alone, once per span, as order_sums.py says; sql/community_sums.sql tells what."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row

from watchkeep_core.database import queries
from watchkeep_core.vocabulary import load

Span = tuple[datetime, datetime]
FOR_EVER = "infinity"
SILENCE = ["gateway_offline", "cabinet_link_lost", "sensor_silent", "sensor_never_reported", "telemetry_lost"]
"""Nothing arrives of the point, of all points of the equipment, or of all points of the gateway."""


@lru_cache(maxsize=1)
def platform() -> list[str]:
    """Conditions in which what is measured does not arrive, or cannot be relied on."""
    return [name for name, known in load().conditions.items() if known.domain == "platform"]


def of_period(
    conn: Connection, spans: Sequence[Span], gaps: Sequence[Span], as_of: datetime, communities: list[str] | None
) -> dict[str, dict[str, int]]:
    """Counts by community: kept ones of `spans` where they hold good, all else from the facts; None = everywhere."""
    found: dict[str, dict[str, int]] = {}
    for row in _parts(conn, spans, gaps, _asked(as_of, communities)):
        sums = found.setdefault(row.pop("community_id"), {})
        for name, number in row.items():
            sums[name] = sums.get(name, 0) + number
    return found


def begin(conn: Connection, span: Span) -> None:
    """Count a new span, in the caller's transaction."""
    conn.execute(_sql("begin"), {"since": span[0], "until": span[1]})
    count(conn, span)


def count(conn: Connection, span: Span) -> int:
    """Count what is stale of a span; 0 when nothing is, or another one does."""
    place: dict[str, Any] = {"since": span[0], "until": span[1]}
    stale = [community for (community,) in conn.execute(_sql("take_stale"), place)]
    if stale:
        conn.execute(_statement("save"), place | _asked(FOR_EVER, stale), prepare=False)
    return 1 if stale else 0


def stale_spans(conn: Connection, at_most: int) -> list[Span]:
    """Counted spans in which something has changed."""
    return conn.execute(_sql("stale_spans"), [at_most]).fetchall()


def _asked(as_of: datetime | str, communities: list[str] | None) -> dict[str, Any]:
    return {"as_of": as_of, "communities": communities, "platform": platform(), "silence": SILENCE}


def _parts(
    conn: Connection, spans: Sequence[Span], gaps: Sequence[Span], asked: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        if spans:
            edges = asked | {"starts": [since for since, _ in spans], "ends": [until for _, until in spans]}
            yield from cursor.execute(_sql("kept"), edges, prepare=False).fetchall()
            for since, until, communities in conn.execute(_sql("not_kept"), edges, prepare=False).fetchall():
                again = asked | {"since": since, "until": until, "communities": communities}
                yield from cursor.execute(_statement("as_rows"), again, prepare=False).fetchall()
        for since, until in gaps:
            if since < asked["as_of"]:
                span = asked | {"since": since, "until": until}
                yield from cursor.execute(_statement("as_rows"), span, prepare=False).fetchall()


@lru_cache(maxsize=2)
def _statement(last: str) -> sql.Composed:
    return _sql("counted") + sql.SQL("\n") + _sql(last)


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/community_sums.sql")[name]
