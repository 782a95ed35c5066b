"""Coverage of a responsibility list: which combinations have no owner, two equal owners, or no deadline. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from watchkeep_core.vocabulary import Vocabulary
from watchkeep_core.vocabulary_rows import ANY
from watchkeep_dispatch.routing import Duty, Facts, choose


@dataclass(frozen=True, slots=True)
class Gap:
    """A combination the list does not decide well; `rows` are row numbers."""

    kind: str
    condition: str
    qualifiers: str
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """`combinations` counts kind × condition × qualifiers; `by_catch_all` those that only a catch-all row decides."""

    combinations: int
    by_catch_all: int
    no_owner: tuple[Gap, ...]
    two_owners: tuple[Gap, ...]
    no_deadline: tuple[Gap, ...]


def coverage(rows: Sequence[Duty], vocabulary: Vocabulary) -> Coverage:
    """Try every condition that can become a case on every kind it can befall, under every qualifier the rows name."""
    count = catch_all = 0
    gaps: dict[str, list[Gap]] = {"no_owner": [], "two_owners": [], "no_deadline": []}
    for candidates, facts in combinations(rows, vocabulary):
        count += 1
        choice = choose(candidates, facts)
        qualifiers = (
            f"ownership={facts.ownership} handed_over={facts.handed_over} in_warranty={facts.in_warranty} "
            f"contracted={facts.contracted} urban={facts.urban} working_time={facts.working_time} "
            f"area={facts.areas[-1] if facts.areas else '-'}"
        )
        if choice.winner is None:
            gaps["no_owner"].append(Gap(facts.kind, facts.condition, qualifiers, ()))
            continue
        catch_all += choice.winner.condition is None
        tied = tuple(duty.row_no for duty in choice.tied)
        if len({(duty.responsible, duty.first_responder) for duty in choice.tied}) > 1:
            gaps["two_owners"].append(Gap(facts.kind, facts.condition, qualifiers, tied))
        if not (choice.winner.respond or choice.winner.arrive or choice.winner.finish):
            gaps["no_deadline"].append(Gap(facts.kind, facts.condition, qualifiers, (choice.winner.row_no,)))
    return Coverage(count, catch_all, *(tuple(gaps[name]) for name in ("no_owner", "two_owners", "no_deadline")))


def combinations(rows: Sequence[Duty], vocabulary: Vocabulary) -> Iterator[tuple[Sequence[Duty], Facts]]:
    """What `coverage` tries, with the rows that can match; most qualifiers only as far as rows tell them apart."""
    by_condition: dict[str | None, list[Duty]] = {}
    for row in rows:
        by_condition.setdefault(row.condition, []).append(row)
    for condition in vocabulary.conditions.values():
        if not condition.opens_warning:
            continue
        candidates = by_condition.get(condition.id, []) + by_condition.get(None, [])
        named = {row.ownership for row in candidates if row.ownership}
        ownerships = sorted(named | {next((own for own in vocabulary.ownerships if own not in named), "unknown")})
        places = [(), *sorted({(row.area_id,) for row in candidates if row.area_id})]
        contracts, hours = _told_apart(candidates, "contracted"), _told_apart(candidates, "working_time")
        for kind in vocabulary.kinds.values():
            if kind.id not in condition.kinds and ANY not in condition.kinds:
                continue
            for own, handed, warranty, urban, place, contracted, working in product(
                ownerships, (False, True), (False, True), (False, True), places, contracts, hours
            ):
                yield candidates, Facts(
                    condition=condition.id, domain=condition.domain, kind=kind.id, kind_domain=kind.domain,
                    ownership=own, handed_over=handed, in_warranty=warranty, areas=place, urban=urban,
                    contracted=contracted, working_time=working,
                )  # fmt: skip


def _told_apart(rows: Sequence[Duty], qualifier: str) -> tuple[bool, ...]:
    """Both values where a row asks for one, else the usual one."""
    return (True, False) if any(getattr(row, qualifier) is not None for row in rows) else (True,)
