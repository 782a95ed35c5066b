"""Sums for indicators: months that are over, and of this month tens of days (旬) and days, counted once by a job.

By organisation and community here, by community alone in community_sums.py. A sum holds good for every moment from its
last fact on, and until the schema's trigger marks it `stale`: then, and for moments before that fact, indicators count
the facts themselves. Both come to the same number.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import Connection, sql

from watchkeep_core.database import queries
from watchkeep_dispatch import community_sums

Span = tuple[datetime, datetime]
"""From, to before; UTC."""

TEN = 10
"""Days of a month counted together: a month that is not over is a dozen spans at most."""
MONTHS = 36
"""Kept: what is older is counted when it is asked for."""
SPANS_PER_CALL = 4
"""Counted in one transaction: a month of 40,000 orders takes about half a second."""
LATER = timedelta(hours=1)
"""A span is counted when it has been over for so long: what comes later than half of that marks its sums."""
FOR_EVER = "infinity"


def keep(conn: Connection, now: datetime, zone: ZoneInfo) -> int:
    """One step of the job, in the caller's transaction; returns how many spans it began or counted, 0 = all is done."""
    first = conn.execute(_sql("first")).fetchone()
    if first is None or first[0] is None:
        return 0
    known = {(since, until) for since, until in conn.execute(_sql("known"))}
    if missing := [
        span for span in wanted(first[0], now - LATER, zone) if span not in known and not _inside(span, known)
    ]:
        conn.execute(_sql("begin"), _arrays(missing))
        return len(missing)
    new: list[Span] = conn.execute(_sql("unready"), [SPANS_PER_CALL]).fetchall()
    for since, until in new:
        conn.execute(_sql("pairs_of"), {"since": since, "until": until})
        _count(conn, since, until)
        community_sums.begin(conn, (since, until))
        conn.execute(_sql("ready"), {"since": since, "until": until})
    if new:
        conn.execute(_sql("replaced"))
        return len(new)
    stale = conn.execute(_sql("stale_spans"), [SPANS_PER_CALL]).fetchall()
    counted = sum(_count(conn, since, until) for since, until in stale)
    return counted + sum(community_sums.count(conn, span) for span in community_sums.stale_spans(conn, SPANS_PER_CALL))


def wanted(first: datetime, now: datetime, zone: ZoneInfo) -> list[Span]:
    """Months that are over since the first order, and of the present one the tens of days and then the days. Pure."""
    today = now.astimezone(zone).date()
    month = today.replace(day=1)
    tens = (today.day - 1) // TEN * TEN
    edges = [*range(0, tens, TEN), *range(tens, today.day)]
    days = [_start(month + timedelta(days=n), zone) for n in edges]
    spans = list(pairwise(days))
    for _ in range(MONTHS):
        before = (month - timedelta(days=1)).replace(day=1)
        if _start(month, zone) <= first:
            break
        spans.append((_start(before, zone), _start(month, zone)))
        month = before
    return spans


def kept(conn: Connection, since: datetime, until: datetime, as_of: datetime) -> list[Span]:
    """Counted spans that lie in a period, the longest, none over another; by time."""
    chosen: list[Span] = []
    for span in conn.execute(_sql("spans"), {"since": since, "until": until, "as_of": as_of}).fetchall():
        if all(span[1] <= other[0] or span[0] >= other[1] for other in chosen):
            chosen.append(span)
    return sorted(chosen)


def gaps(since: datetime, until: datetime, spans: Sequence[Span]) -> list[Span]:
    """What sorted spans leave of a period. Pure."""
    edges = [since, *(edge for span in spans for edge in span), until]
    return [(begin, end) for begin, end in zip(edges[::2], edges[1::2], strict=True) if begin < end]


def not_kept(conn: Connection, spans: Sequence[Span], asked: dict[str, Any]) -> list[tuple[Span, list[str], list[str]]]:
    """Of counted spans the organisations and communities, pairwise, whose sums do not hold good."""
    rows = conn.execute(_sql("not_kept"), asked | _arrays(spans)).fetchall()
    return [((since, until), orgs, communities) for since, until, orgs, communities in rows]


def _count(conn: Connection, since: datetime, until: datetime) -> int:
    pairs = conn.execute(_sql("take_stale"), {"since": since, "until": until}).fetchall()
    if not pairs:
        return 0
    values = {
        "since": since, "until": until, "as_of": FOR_EVER, "org": None, "community": None,
        "orgs": [org for org, _ in pairs], "communities": [community for _, community in pairs],
    }  # fmt: skip
    conn.execute(
        "SET LOCAL enable_nestloop = off"
    )  # the filter by pairs is guessed to leave one order: it leaves 40,000
    conn.execute(_count_query(), values)
    conn.execute("SET LOCAL enable_nestloop = on")
    return 1


@lru_cache(maxsize=1)
def _count_query() -> sql.Composed:
    counted = queries("watchkeep_dispatch", "sql/indicators.sql")
    return counted["scored"] + sql.SQL(",\n") + counted["pairs"] + sql.SQL("\n") + _sql("save")


def _arrays(spans: Sequence[Span]) -> dict[str, Any]:
    return {"starts": [since for since, _ in spans], "ends": [until for _, until in spans]}


def _inside(span: Span, others: Iterable[Span]) -> bool:
    return any(other != span and other[0] <= span[0] and span[1] <= other[1] for other in others)


def _start(day: Any, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/order_sums.sql")[name]
