"""A case from its plan: who is responsible, which class, what is written, who is told. Warnings and reports share it.

The caller opens the transaction. Unique keys decide between workers, not code.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from watchkeep_core.database import queries
from watchkeep_core.vocabulary import Condition, Vocabulary
from watchkeep_dispatch import parties
from watchkeep_dispatch.clocks import DEFAULT_CALENDAR, WorkCalendar
from watchkeep_dispatch.dispatching import dispatch
from watchkeep_dispatch.duties import Lists
from watchkeep_dispatch.errors import DispatchError
from watchkeep_dispatch.orders import Case, load_case, note, org_name, tell
from watchkeep_dispatch.routing import Choice, Duty, choose

SAME_EVENT = (
    ("entrapment", "entrapment_in_zone", "entrapment_off_zone", "alarm_button"),
    ("ucm", "door_open_running"),
)
"""Conditions that are one event told by several witnesses (ADR 0008): of each group one case is open per equipment."""


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
    facts = parties.facts_of(site, finding.condition, rules.vocabulary)
    listed = rules.lists.in_force(conn, now)
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


def known(conn: Connection, finding: Finding, site: parties.Site, now: datetime, rules: Rules) -> Case | None:
    """The open case of this equipment and condition, else one lately closed as solved, to be opened again."""
    group = same_event(finding.condition)
    key = {
        "community": finding.community_id,
        "equipment": finding.equipment_id,
        "condition": finding.condition,
        "conditions": list(group),
        "since": site.now - rules.reopen_within,
    }
    if len(group) > 1:  # the unique index decides about one condition only
        conn.execute(_sql("lock_event"), [f"{finding.community_id}/{finding.equipment_id}/{group[0]}"])
    found = conn.execute(_sql("known_case"), key).fetchone()
    return locked(conn, found[0], now) if found else None


def same_event(condition: str) -> tuple[str, ...]:
    """The group a condition belongs to; most stand alone."""
    return next((group for group in SAME_EVENT if condition in group), (condition,))


def write(conn: Connection, plan: Plan) -> Case | None:
    """Insert the case; None when another worker has just opened the same one."""
    finding, site, assignment = plan.finding, plan.site, plan.assignment
    row = {
        "community": finding.community_id,
        "equipment": finding.equipment_id,
        "condition": finding.condition,
        "source": finding.source,
        "class": plan.case_class,
        "life_safety": finding.life_safety,
        "title_zh": plan.titles[0],
        "title_en": plan.titles[1],
        "duty_id": plan.duty.duty_id if plan.duty else None,
        "first": assignment.first_responder.org_id,
        "responsible": assignment.responsible.org_id or assignment.lead.org_id,
        "supervising": assignment.supervising.org_id,
        "snapshot": Jsonb(plan.snapshot),
        "event_at": finding.event_at,
        "now": site.now,
        "replay": site.replay,
    }
    found = conn.execute(_sql("file_case"), row).fetchone()
    if found is None:
        return None
    return Case(
        case_id=found[0],
        community_id=finding.community_id,
        community=site.community,
        equipment_id=finding.equipment_id,
        condition=finding.condition,
        case_class=plan.case_class,
        life_safety=finding.life_safety,
        state="filed",
        title_zh=plan.titles[0],
        duty_id=plan.duty.duty_id if plan.duty else None,
        first_responder_id=assignment.first_responder.org_id,
        responsible_org_id=assignment.responsible.org_id or assignment.lead.org_id,
        supervising_org_id=assignment.supervising.org_id,
        event_at=finding.event_at,
        closed_at=None,
        replay=site.replay,
        version=1,
        now=site.now,
    )


def start(
    conn: Connection, case: Case, plan: Plan, rules: Rules, now: datetime, *, text: str, person_id: str | None = None
) -> int | None:
    """First steps of a case just written: its history, its lead order, and the word to those who must know."""
    note(conn, case, "file", "filed", from_state=None, person_id=person_id, text=text)
    lead = plan.assignment.lead.org_id
    order = dispatch(conn, case, lead, "dispatch", rules.calendar, wall=now, duty=plan.duty, person_id=person_id)
    informed = {party.org_id for party in (plan.assignment.first_responder, *plan.assignment.copied)} - {lead, None}
    if informed:
        values = {"lead": org_name(conn, lead)}
        tell(conn, case, "case_copied", sorted(filter(None, informed)), "copied", wall=now, values=values)
    return order


def recur(conn: Connection, case: Case, plan: Plan, now: datetime, *, text: str) -> str:
    """The same again while the case is open: it is noted, and the class may rise; returns the class.

    Another condition of the same event is news to those who work on it.
    """
    note(conn, case, "recur", case.state, from_state=case.state, text=text)
    raise_class(conn, case, plan.case_class, now)
    if plan.finding.condition != case.condition:
        told = (case.responsible_org_id, case.first_responder_id)
        values = {"also": plan.titles[0]}
        tell(conn, case, "same_event", told, f"also/{plan.finding.condition}", wall=now, values=values)
    return min(case.case_class, plan.case_class)


def reopen(conn: Connection, case: Case, plan: Plan, rules: Rules, now: datetime) -> int | None:
    """A closed case whose condition came back soon goes to whoever had it, with fresh clocks."""
    lead = case.responsible_org_id or plan.assignment.lead.org_id
    return dispatch(conn, case, lead, "reopen", rules.calendar, wall=now)


def raise_class(conn: Connection, case: Case, to: str, now: datetime) -> bool:
    """Raise a case's class (A before B before C) and say so; false when it is as high already."""
    if conn.execute(_sql("raise_class"), {"case_id": case.case_id, "class": to}).fetchone() is None:
        return False
    note(conn, case, "raise_class", case.state, from_state=case.state, text=f"{case.case_class} → {to}")
    told = (case.responsible_org_id, case.first_responder_id, case.supervising_org_id)
    tell(conn, case, "class_raised", told, f"class/{to}", wall=now, values={"class": to})
    return True


def locked(conn: Connection, case_id: int, now: datetime) -> Case:
    """A case that must be there. Raises DispatchError."""
    case = load_case(conn, case_id, now)
    if case is None:
        raise DispatchError(f"case {case_id} has gone")
    return case


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


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/casework.sql")[name]
