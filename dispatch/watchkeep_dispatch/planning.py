"""What the responsibility list makes of a finding, before anything is written: duty, parties, class, titles."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from watchkeep_core.vocabulary import Vocabulary
from watchkeep_core.vocabulary_rows import Condition
from watchkeep_dispatch import parties
from watchkeep_dispatch.clocks import DEFAULT_CALENDAR, WorkCalendar
from watchkeep_dispatch.duties import InForce, Lists
from watchkeep_dispatch.routing import Choice, Duty, choose


@dataclass(frozen=True, slots=True)
class Rules:
    """How to judge; seconds by class that a warning waits for a person, 0 = files itself at once."""

    vocabulary: Vocabulary
    lists: Lists
    wait_s: dict[str, float]
    reopen_within: timedelta = timedelta(days=1)
    calendar: WorkCalendar = DEFAULT_CALENDAR
    flap_openings: int = 6
    """So many earlier warnings of the same within `flap_within`, and the next one must stand `flap_hold` (CP)."""
    flap_within: timedelta = timedelta(hours=1)
    flap_hold: timedelta = timedelta(minutes=10)
    storm_equipment: int = 40
    """So many pieces of equipment of one community within `storm_within` are a storm (CP)."""
    storm_within: timedelta = timedelta(minutes=10)
    storm_hold: timedelta = timedelta(minutes=5)
    """Longest time a storm holds back a warning that stays open."""
    fold_wait: timedelta = timedelta(0)
    """A possible symptom of other equipment waits this long for its cause."""
    fold_back: timedelta = timedelta(minutes=10)
    """Younger cases than this are taken for symptoms when their cause comes after them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong where, whoever found it; `source` is a case source of the vocabulary."""

    community_id: str
    equipment_id: str | None
    condition: str
    source: str
    event_at: datetime
    proposed_class: str | None = None
    """None = as the responsibility list or the vocabulary says."""
    life_safety: bool = False
    title_zh: str = ""
    """Empty = the equipment's name and the condition's."""
    title_en: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the responsibility list makes of a finding, before anything is written."""

    finding: Finding
    site: parties.Site
    assignment: parties.Assignment
    duty: Duty | None
    case_class: str
    titles: tuple[str, str]
    snapshot: dict[str, Any]


def plan(conn: Connection, finding: Finding, site: parties.Site, now: datetime, rules: Rules) -> Plan:
    """Resolve duty, parties and class of a finding by the list in force now."""
    return planned(finding, site, rules.lists.in_force(conn, now), rules)


def planned(finding: Finding, site: parties.Site, listed: InForce | None, rules: Rules) -> Plan:
    """The same by a list at hand. Pure."""
    working_time = rules.calendar.works(finding.event_at)
    facts = parties.facts_of(site, finding.condition, rules.vocabulary, working_time=working_time)
    choice = choose(listed.rows if listed else (), facts)
    assignment = parties.assign(choice.winner, site, facts)
    condition = rules.vocabulary.conditions.get(finding.condition)
    kept = parties.snapshot(site, facts, assignment, choice.why, listed.list_id if listed else None)
    return Plan(
        finding,
        site,
        assignment,
        choice.winner,
        _class(choice, finding.proposed_class, condition),
        _titles(finding, site, condition),
        kept | {"proposed_class": finding.proposed_class},
    )


def _class(choice: Choice, proposed: str | None, condition: Condition | None) -> str:
    """The duty row decides; a detector that saw more than the condition's usual class can only raise it."""
    usual = condition.default_class if condition else proposed or "C"
    if choice.winner is None:
        return proposed or usual
    raised = proposed is not None and proposed < usual
    return min(choice.winner.case_class, proposed or usual) if raised else choice.winner.case_class


def _titles(finding: Finding, site: parties.Site, condition: Condition | None) -> tuple[str, str]:
    if finding.title_zh:
        return finding.title_zh, finding.title_en or finding.title_zh
    zh, en = (condition.zh, condition.en) if condition else (finding.condition, finding.condition)
    name = site.equipment or finding.equipment_id or site.community
    name_en = site.equipment_en or finding.equipment_id or site.community
    return f"{name}：{zh}", f"{name_en}: {en}"
