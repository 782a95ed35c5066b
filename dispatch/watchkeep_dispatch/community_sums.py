"""Warnings, those found false, complaints and opinions by community: counted once per span, as order_sums.py says."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row

from watchkeep_core.database import queries

Span = tuple[datetime, datetime]
FOR_EVER = "infinity"


def of_period(
    conn: Connection, spans: Sequence[Span], gaps: Sequence[Span], as_of: datetime, communities: list[str] | None
) -> dict[str, dict[str, int]]:
    """Counts by community: kept ones of `spans` where they hold good, all else from the facts; None = everywhere."""
    found: dict[str, dict[str, int]] = {}
    for row in _parts(conn, spans, gaps, {"as_of": as_of, "communities": communities}):
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
        conn.execute(_statement("save"), place | {"as_of": FOR_EVER, "communities": stale}, prepare=False)
    return 1 if stale else 0


def stale_spans(conn: Connection, at_most: int) -> list[Span]:
    """Counted spans in which something has changed."""
    return conn.execute(_sql("stale_spans"), [at_most]).fetchall()


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
