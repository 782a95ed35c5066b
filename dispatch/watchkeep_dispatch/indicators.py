"""Indicators of DOMAIN §7.2 by company, maintainer, community or subdistrict, from facts up to a moment.

What happened after `as_of` is as if it had not: the same question gives the same answer for ever. An order counts in
the period in which its finish is due; one that was returned, withdrawn, put into the ledger or is paused is left out
and shown.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Any, Literal

from psycopg import Connection, sql
from psycopg.rows import dict_row

from watchkeep_core.database import queries
from watchkeep_dispatch import community_sums, order_sums
from watchkeep_dispatch.errors import DispatchError
from watchkeep_dispatch.order_sums import Span
from watchkeep_dispatch.rowset import rowset

By = Literal["company", "maintainer", "community", "subdistrict", "all"]
DIMENSIONS: tuple[By, ...] = ("company", "maintainer", "community", "subdistrict", "all")

MIN_ORDERS = 10
"""Below so many due orders in a period nobody is ranked (DOMAIN §7.2, CP)."""

RATES = {
    "respond_rate": ("respond_n", "respond_d", "响应率", "Responded in time"),
    "arrive_rate_a": ("arrive_n", "arrive_d", "A 类到场及时率", "Class A: arrived in time"),
    "on_time_rate": ("on_time_n", "due_d", "按期完成率", "Finished in time"),
    "close_rate": ("closed_n", "due_d", "结案率", "Closed"),
    "urgent_on_time_rate": ("urgent_n", "urgent_d", "紧急按期完成率", "Class A: finished in time"),
    "rework_rate": ("rework_n", "rework_d", "返工率", "Rework"),
    "recurrence_rate": ("recur_n", "recur_d", "30 天复发率", "Came back within 30 days"),
    "false_rate": ("false_n", "false_d", "误报率", "False warnings"),
    "satisfaction_rate": ("rated_n", "rated_d", "回访满意率", "Satisfied"),
    "maintenance_rate": ("maintained_n", "maintained_d", "维保按期率", "Maintained in time"),
    "complaints_per_10k": ("complaints", "households", "万户诉求量", "Complaints per 10,000 households"),
    "protected_rate": ("protected_min", "building_min", "受护时长占比", "Protected minutes"),
    "online_rate": ("heard_h", "point_h", "在线率", "Sensors heard of"),
}
"""Indicator → numerator, denominator, names."""
OF_ORDERS = tuple(RATES)[:7]
"""Indicators that count orders: the others count warnings, complaints, opinions, households, lifts and time."""
PER_10K = frozenset({"complaints_per_10k"})
"""No share: a number per 10,000."""
EXCLUDED = {
    "returned": ("退回", "Returned"),
    "withdrawn": ("误报或并案", "Dismissed or merged"),
    "ledger": ("挂账", "In the ledger"),
    "suspended": ("暂停中", "Paused now"),
    "paused": ("曾暂停（批准）", "Paused for a time (approved)"),
    "utility": ("专业经营单位承办", "With a utility"),
}
"""What is left out of the rates (paused: only its time; utility: not left out, shown beside)."""
FLAGS = frozenset({"orders", *EXCLUDED, *(name for rate in OF_ORDERS for name in RATES[rate][:2])})
"""Counts that open to the orders behind them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is asked: orders due from `since` to before `until`, as known at `as_of`."""

    since: datetime
    until: datetime
    as_of: datetime
    by: By = "company"
    area: str | None = None
    org: str | None = None
    community: str | None = None

    def values(self) -> dict[str, Any]:
        """Parameters of the statements."""
        return {name: getattr(self, name) for name in Scope.__dataclass_fields__} | {"orgs": None, "communities": None}


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts of one subject; a rate is asked for by its name."""

    subject: str
    name: str
    counts: Mapping[str, float] = field(default_factory=dict)

    def rate(self, indicator: str) -> float | None:
        """Numerator ÷ denominator (per 10,000 for complaints); None when there is nothing to divide by."""
        upper, lower = RATES[indicator][:2]
        whole = self.counts.get(lower, 0)
        factor = 10_000 if indicator in PER_10K else 1
        return factor * self.counts.get(upper, 0) / whole if whole else None

    @property
    def ranked(self) -> bool:
        """Enough orders to be compared with others."""
        return self.counts.get("due_d", 0) >= MIN_ORDERS

    def excluded(self) -> dict[str, float]:
        """What was left out or shown beside, with hours where time was taken out."""
        return {name: self.counts.get(name, 0) for name in (*EXCLUDED, "returned_h", "paused_h")}


@dataclass(frozen=True, slots=True)
class Protected:
    """Protected minutes of a building (see sql/indicators.sql for the definition)."""

    community_id: str
    community: str
    building_id: str
    building: str
    equipment: int
    minutes: float
    unprotected: float
    unheard: float
    """Part of `unprotected`: nothing was heard of some equipment."""

    @property
    def protected(self) -> float:
        return max(0.0, self.minutes - self.unprotected)


def figures(conn: Connection, scope: Scope) -> list[Figures]:
    """All subjects of a dimension that this login may see, by id."""
    names: dict[str, str] = {}
    counts: dict[str, dict[str, float]] = {}
    spans = order_sums.kept(conn, scope.since, scope.until, scope.as_of)
    gaps = order_sums.gaps(scope.since, scope.until, spans)
    parts: list[Iterable[dict[str, Any]]] = [_of_orders(conn, scope, spans, gaps)]
    if scope.by != "maintainer" and scope.org is None:
        parts.append(_by_places(conn, scope, spans, gaps))
    for row in chain.from_iterable(parts):
        subject, name = row.pop("subject"), row.pop("name", None)
        if subject is None:
            continue
        names[subject] = names.get(subject) or name or subject
        sums = counts.setdefault(subject, {})
        for count, number in row.items():
            sums[count] = sums.get(count, 0) + number
    return [Figures(subject, names[subject], counts[subject]) for subject in sorted(names)]


def _of_orders(conn: Connection, scope: Scope, spans: Sequence[Span], gaps: Sequence[Span]) -> Iterator[dict[str, Any]]:
    """Counts of orders by subject, in parts: from kept sums where they hold good, else from the orders themselves."""
    asked = scope.values()
    if spans:
        edges = {"starts": [since for since, _ in spans], "ends": [until for _, until in spans]}
        yield from _rows(conn, _statement("kept_pairs", "places", "by_pairs"), asked | edges)
        for (since, until), orgs, communities in order_sums.not_kept(conn, spans, asked):
            pairs = {"since": since, "until": until, "orgs": orgs, "communities": communities}
            yield from _rows(conn, _statement(*_LIVE), asked | pairs)
    for since, until in gaps:
        if since < scope.as_of:
            yield from _rows(conn, _statement(*_LIVE), asked | {"since": since, "until": until})


def _by_places(conn: Connection, scope: Scope, spans: Sequence[Span], gaps: Sequence[Span]) -> list[dict[str, Any]]:
    """Counts of what belongs to communities as a whole, by subject."""
    wanted = [scope.community] if scope.community else None
    found = community_sums.of_period(conn, spans, gaps, scope.as_of, wanted)
    counted = rowset([{"community_id": community} | sums for community, sums in found.items()])
    return _rows(conn, _sql("by_places"), scope.values() | {"counted": counted})


def _rows(conn: Connection, statement: sql.SQL | sql.Composed, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Planned for these very values: a plan for any organisation and any period reads all orders (measured: 3 s)."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, values, prepare=False).fetchall()


def protected(conn: Connection, scope: Scope) -> list[Protected]:
    """Protected minutes per building, of those with watched equipment."""
    rows = _rows(conn, _sql("protected"), scope.values() | {"platform": community_sums.platform()})
    return [Protected(**row) for row in rows]


def behind(
    conn: Connection, scope: Scope, subject: str | None, flag: str, at_most: int = 10_000
) -> list[tuple[int, int]]:
    """The orders (with their cases) that a count of `Figures.counts` is made of. Raises DispatchError."""
    if flag not in FLAGS:
        raise DispatchError(f"flag: {flag!r} is none of {', '.join(sorted(FLAGS))}")
    wanted = scope.values() | {"subject": subject, "flag": flag, "at_most": at_most}
    return [(row["order_id"], row["case_id"]) for row in _rows(conn, _statement("scored", "places", "behind"), wanted)]


_LIVE = ("scored", "pairs", "places", "by_pairs")


@lru_cache(maxsize=8)
def _statement(*parts: str) -> sql.Composed:
    """Parts of one statement: common table expressions, and the SELECT that reads them."""
    *tables, last = parts
    return sql.SQL(",\n").join(_sql(name) for name in tables) + sql.SQL("\n") + _sql(last)


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/indicators.sql")[name]
