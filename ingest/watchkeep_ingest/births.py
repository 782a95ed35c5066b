"""A birth gives aliases their series; what contradicts the register or the epoch is refused (ARCHITECTURE §3)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from psycopg import Connection
from psycopg.sql import SQL

from watchkeep_core.database import queries
from watchkeep_core.estate import register_unclaimed
from watchkeep_core.messages import Birth, PointDeclaration
from watchkeep_core.topics import GatewayRef
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_ingest.incoming import Problem
from watchkeep_ingest.register import FOREIGN, AliasTable, Register

OVER_CAP = "over_cap"
UNIT_MISMATCH = "unit_mismatch"
UNKNOWN_ALIAS = "unknown_alias"

_NAMED = 5  # offending aliases that a dead letter's detail names


class Point(NamedTuple):
    """What the register holds of a declared point."""

    series: int
    unit: str
    gateway: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with a birth."""

    known: dict[int, int] = field(default_factory=dict)
    """Alias → series, to be entered."""
    register: list[PointDeclaration] = field(default_factory=list)
    """Points nobody registered, within the cap."""
    refused: dict[int, str] = field(default_factory=dict)
    """Alias → why its readings are parked."""
    problem: Problem | None = None
    """For the dead letter; the aliases that are right are entered all the same, unless one is redefined."""


def plan(
    declared: Sequence[PointDeclaration],
    table: AliasTable,
    points: dict[tuple[str, str], Point],
    room: int,
    words: Vocabulary,
    foreign: Collection[str] = (),
) -> Plan:
    """`table` = what the epoch's aliases mean so far, `points` = the register's, `room` = what the cap still allows.

    `foreign` = equipment of other gateways: the topic says who speaks, so what is said of it is refused.
    """
    meant = table.pairs()
    made = Plan()
    fresh: set[tuple[str, str]] = set()
    mismatches: list[str] = []
    strangers: list[str] = []
    for declaration in declared:
        name = (declaration.equipment, declaration.metric)
        point = points.get(name)
        if declaration.alias in meant and (point is None or point.series != meant[declaration.alias]):
            text = f"alias {declaration.alias} is now {'/'.join(name)}; within an epoch an alias has one meaning"
            return Plan(problem=Problem("alias_redefined", text))
        if declaration.equipment in foreign:
            strangers.append(f"alias {declaration.alias} ({'/'.join(name)}) is another gateway's")
            made.refused[declaration.alias] = FOREIGN
            continue
        unit = _unit(point, declaration.metric, words)
        if unit is not None and unit != declaration.unit:
            mismatches.append(f"alias {declaration.alias} ({'/'.join(name)}) is in {unit}, not {declaration.unit!r}")
            made.refused[declaration.alias] = UNIT_MISMATCH
        elif point is not None:
            made.known[declaration.alias] = point.series
        elif name in fresh or len(fresh) < room:
            fresh.add(name)
            made.register.append(declaration)
        else:
            made.refused[declaration.alias] = OVER_CAP
    found = strangers + mismatches
    if not found:
        return made
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    problem = Problem(FOREIGN if strangers else UNIT_MISMATCH, "; ".join(found[:_NAMED]) + more)
    return Plan(made.known, made.register, made.refused, problem)


def apply(
    conn: Connection, register: Register, source: GatewayRef, birth: Birth, cap: int, words: Vocabulary
) -> Problem | None:
    """Enter a birth's aliases; the problem, if any, is for the dead letter. `cap` = unclaimed points per gateway."""
    key = (source, birth.data_epoch)
    table = register.reload(conn, [key])[key]
    points = _points(conn, source, birth.points)
    foreign = _foreign(conn, source, birth.equipment)
    made = plan(birth.points, table, points, cap - _unclaimed(conn, source), words, foreign)
    if made.problem is not None and not (made.known or made.register or made.refused):
        return made.problem
    homeless = [  # known points that no gateway has reported so far
        declared
        for declared in birth.points
        if declared.alias in made.known and points[declared.equipment, declared.metric].gateway is None
    ]
    entered = register_unclaimed(
        conn,
        source.community,
        source.gateway,
        [(d.equipment, d.metric, d.unit, d.period_s) for d in (*made.register, *homeless)],
    )
    pairs = {**made.known, **{d.alias: entered[d.equipment, d.metric] for d in made.register}}
    fresh = {alias: series for alias, series in pairs.items() if alias not in table.pairs()}
    if fresh:
        row = {"community": source.community, "gateway": source.gateway, "epoch": birth.data_epoch}
        conn.execute(_sql("insert_aliases"), {**row, "aliases": list(fresh), "series": list(fresh.values())})
    meant = {alias: series for alias, series in table.pairs().items() if made.refused.get(alias) != FOREIGN}
    register.learn(key, AliasTable.of({**meant, **pairs}, made.refused))
    return made.problem


def _unit(point: Point | None, metric: str, words: Vocabulary) -> str | None:
    """The unit a point must be in; None = any, for a metric nobody knows."""
    if point is not None:
        return point.unit
    known = words.metrics.get(metric)
    return known.unit if known else None


def _points(conn: Connection, source: GatewayRef, declared: Sequence[PointDeclaration]) -> dict[tuple[str, str], Point]:
    row = {
        "community": source.community,
        "equipment": [point.equipment for point in declared],
        "metrics": [point.metric for point in declared],
    }
    found = conn.execute(_sql("find_points"), row).fetchall()
    return {(equipment, metric): Point(series, unit, gateway) for equipment, metric, series, unit, gateway in found}


def _foreign(conn: Connection, source: GatewayRef, equipment: Iterable[str]) -> set[str]:
    row = {"community": source.community, "gateway": source.gateway, "equipment": list(equipment)}
    return {name for (name,) in conn.execute(_sql("find_strangers"), row)}


def _unclaimed(conn: Connection, source: GatewayRef) -> int:
    row = conn.execute(_sql("count_unclaimed"), {"community": source.community, "gateway": source.gateway}).fetchone()
    return int(row[0]) if row else 0


def _sql(name: str) -> SQL:
    return queries("watchkeep_ingest", "sql/content.sql")[name]
