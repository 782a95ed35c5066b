"""A birth gives aliases their series; what contradicts the register or the epoch is refused (ARCHITECTURE §3). Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from watchkeep_core.messages import PointDeclaration
from watchkeep_core.topics import GatewayRef
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_ingest.incoming import Problem
from watchkeep_ingest.register import FOREIGN, AliasTable

OVER_CAP = "over_cap"
UNIT_MISMATCH = "unit_mismatch"
UNKNOWN_ALIAS = "unknown_alias"

_NAMED = 5  # offending aliases that a dead letter's detail names

_AT_ONCE = 20_000
"""Points of births whose statements are shared: 10 MB or so; one birth has 10,000 at most."""


class Born(NamedTuple):
    """What one birth says."""

    source: GatewayRef
    epoch: str
    """Of the data lane."""
    declared: Sequence[PointDeclaration]


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
    points: Mapping[tuple[str, str], Point],
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


def rounds(born: Sequence[Born]) -> list[list[Born]]:
    """Births in their order, cut where one may depend on one before: the same gateway, or the same equipment."""
    found: list[list[Born]] = []
    taken: set[tuple[str, str, bool]] = set()
    points = 0
    for birth in born:
        source = birth.source
        mine = {(source.community, equipment, True) for equipment in {each.equipment for each in birth.declared}}
        mine.add((source.community, source.gateway, False))
        points += len(birth.declared)
        if not found or points > _AT_ONCE or not mine.isdisjoint(taken):
            found.append([])
            taken, points = set(), len(birth.declared)
        found[-1].append(birth)
        taken |= mine
    return found


def _unit(point: Point | None, metric: str, words: Vocabulary) -> str | None:
    """The unit a point must be in; None = any, for a metric nobody knows."""
    if point is not None:
        return point.unit
    known = words.metrics.get(metric)
    return known.unit if known else None
