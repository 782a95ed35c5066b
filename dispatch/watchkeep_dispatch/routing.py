"""Which row of the responsibility list decides: pure, and independent of the order of the rows.

A column that is None matches anything. Of the matching rows the most specific wins; specificity is compared from left
to right:
  1. names the condition            2. names the kind of equipment
  3. names the domain (2 = the condition's domain, 1 = the equipment's; they differ when, say, a lift loses power)
  4. number of matched qualifiers   (ownership, handed over, in warranty, contract, area, urban, working time)
  5. depth of the named area        (a grid before its city)
Rows that are equal in all five tie: the lowest row number decides, and coverage reports them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

Specificity = tuple[int, int, int, int, int]
LEVELS = ("condition", "kind", "domain", "qualifiers", "area depth")
QUALIFIERS = ("ownership", "handed_over", "in_warranty", "contracted", "area_id", "urban", "working_time")


@dataclass(frozen=True, slots=True)
class Deadline:
    """An amount and its kind (vocabulary: deadline kinds)."""

    amount: timedelta
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One row of the responsibility list; parties are ids of the vocabulary."""

    row_no: int
    title: str
    title_en: str
    domain: str | None = None
    kind: str | None = None
    condition: str | None = None
    ownership: str | None = None
    handed_over: bool | None = None
    in_warranty: bool | None = None
    contracted: bool | None = None
    area_id: str | None = None
    urban: bool | None = None
    working_time: bool | None = None
    case_class: str
    first_responder: str
    responsible: str
    supervising: str
    copied: tuple[str, ...] = ()
    respond: Deadline | None = None
    arrive: Deadline | None = None
    finish: Deadline | None = None
    filing_condition: str = ""
    closing_condition: str = ""
    clear_for: timedelta | None = None
    """The sensor must have been normal so long before the case is closed; None = not at all."""
    evidence: tuple[str, ...] = ()
    basis: str
    mark: str
    duty_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a warning at event time; `areas` runs from the root down to the community's own area."""

    condition: str
    domain: str
    kind: str
    kind_domain: str
    ownership: str
    handed_over: bool
    in_warranty: bool
    areas: tuple[str, ...]
    urban: bool
    contracted: bool = True
    """A maintainer is under contract for equipment of this kind."""
    working_time: bool = True
    """It happened in working hours of a working day."""


@dataclass(frozen=True, slots=True)
class Match:
    """A row that matches, and how specifically."""

    duty: Duty
    specificity: Specificity


@dataclass(frozen=True, slots=True)
class Choice:
    """The outcome: `matches` best first; `tied` are the rows as specific as the winner, it included, if several."""

    winner: Duty | None
    matches: tuple[Match, ...]
    tied: tuple[Duty, ...]
    why: str


def choose(rows: Iterable[Duty], facts: Facts) -> Choice:
    """The most specific matching row, all that matched, and one sentence why it won."""
    found = (Match(row, specificity) for row in rows if (specificity := match(row, facts)) is not None)
    matches = tuple(sorted(found, key=lambda m: (tuple(-part for part in m.specificity), m.duty.row_no)))
    if not matches:
        return Choice(None, (), (), "no row matches; the first responder has it")
    best = matches[0]
    tied = tuple(m.duty for m in matches if m.specificity == best.specificity)
    return Choice(best.duty, matches, tied if len(tied) > 1 else (), _why(matches))


def match(row: Duty, facts: Facts) -> Specificity | None:
    """How specifically a row matches; None when it does not."""
    if row.condition not in (None, facts.condition) or row.kind not in (None, facts.kind):
        return None
    if row.domain not in (None, facts.domain, facts.kind_domain):
        return None
    if row.ownership not in (None, facts.ownership) or row.area_id not in (None, *facts.areas):
        return None
    if row.handed_over not in (None, facts.handed_over) or row.in_warranty not in (None, facts.in_warranty):
        return None
    if row.contracted not in (None, facts.contracted) or row.working_time not in (None, facts.working_time):
        return None
    if row.urban not in (None, facts.urban):
        return None
    domain = 0 if row.domain is None else 2 if row.domain == facts.domain else 1
    qualifiers = sum(getattr(row, name) is not None for name in QUALIFIERS)
    depth = 0 if row.area_id is None else 1 + facts.areas.index(row.area_id)
    return (int(row.condition is not None), int(row.kind is not None), domain, qualifiers, depth)


def _why(matches: tuple[Match, ...]) -> str:
    best = matches[0]
    if len(matches) == 1:
        return f"row {best.duty.row_no} is the only one that matches"
    second = matches[1]
    for level, ours, theirs in zip(LEVELS, best.specificity, second.specificity, strict=True):
        if ours != theirs:
            return (
                f"row {best.duty.row_no} is more specific than row {second.duty.row_no} in {level} ({ours} > {theirs})"
            )
    return f"rows {best.duty.row_no} and {second.duty.row_no} are equally specific; the lower number decides"
