"""From warnings to cases (智慧研判): each is judged once, in one transaction with all that follows from it.

The caller opens the transaction: `claim` locks the next warning that waits, `judge` writes verdict, case, order,
history, notifications and their jobs. Unique keys decide between workers, not code.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from watchkeep_core.database import queries
from watchkeep_core.vocabulary import Condition, Vocabulary
from watchkeep_dispatch import folding, parties
from watchkeep_dispatch.clocks import DEFAULT_CALENDAR, WorkCalendar
from watchkeep_dispatch.dispatching import dispatch
from watchkeep_dispatch.duties import Lists
from watchkeep_dispatch.errors import DispatchError
from watchkeep_dispatch.orders import Case, load_case, note, org_name, tell
from watchkeep_dispatch.routing import Choice, Duty, choose


@dataclass(frozen=True, slots=True)
class Rules:
    """How to judge; seconds by class that a warning waits for a person, 0 = files itself at once."""

    vocabulary: Vocabulary
    lists: Lists
    wait_s: dict[str, float]
    reopen_within: timedelta = timedelta(days=1)
    calendar: WorkCalendar = DEFAULT_CALENDAR


@dataclass(frozen=True, slots=True)
class Waiting:
    """A claimed warning; locked until the transaction ends."""

    warning_id: int
    community_id: str
    equipment_id: str
    condition: str
    proposed_class: str
    life_safety: bool
    status: str
    event_at: datetime
    detected_at: datetime
    first_look: bool
    """False when it was looked at before and put off."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a warning: filed, merged, suppressed or waits; `rule` decided it."""

    warning_id: int
    verdict: str
    rule: str
    case_id: int | None = None
    case_class: str | None = None
    order_id: int | None = None


def claim(conn: Connection, now: datetime) -> Waiting | None:
    """Lock the next warning that is due for a verdict; life safety first. None when none is left for this worker."""
    with conn.cursor(row_factory=class_row(Waiting)) as cursor:
        return cursor.execute(_sql("claim"), {"now": now}).fetchone()


def postpone(conn: Connection, warning: Waiting, until: datetime) -> None:
    """Look at it again later."""
    conn.execute(_sql("postpone"), {"warning_id": warning.warning_id, "until": until})


def judge(conn: Connection, warning: Waiting, now: datetime, rules: Rules) -> Outcome:
    """Decide about a claimed warning and write all that follows. Raises DispatchError for what no retry can mend."""
    site = parties.read_site(conn, warning.community_id, warning.equipment_id, warning.event_at, now)
    if not warning.life_safety:
        for rule in (_window, _timer, _symptom):
            if outcome := rule(conn, warning, site, now, rules):
                return outcome
    outcome = _into_case(conn, warning, site, now, rules)
    conn.execute(_sql("done"), [warning.warning_id])
    return outcome


def _window(conn: Connection, warning: Waiting, site: parties.Site, now: datetime, rules: Rules) -> Outcome | None:
    """Planned work suppresses; a warning that outlasts it is judged again at its end."""
    key = {"community": warning.community_id, "equipment": warning.equipment_id, "at": warning.event_at}
    found = conn.execute(_sql("window"), key).fetchone()
    if found is None or (found[0] <= site.now and warning.status == "open"):
        return None
    ends, reason = found
    if warning.first_look:
        _verdict(conn, warning, "suppressed", "maintenance_window", reason, now)
    if warning.status == "open":
        postpone(conn, warning, now + (ends - site.now))
    else:
        conn.execute(_sql("done"), [warning.warning_id])
    return Outcome(warning.warning_id, "suppressed", "maintenance_window")


def _timer(conn: Connection, warning: Waiting, site: parties.Site, now: datetime, rules: Rules) -> Outcome | None:
    """A staffed desk gets its time; what is over by then (and not class A) needs no case."""
    wait_s = rules.wait_s.get(warning.proposed_class, 0.0)
    if wait_s <= 0 or site.replay:
        return None
    due = warning.detected_at + timedelta(seconds=wait_s)
    if due > now:
        postpone(conn, warning, due)
        return Outcome(warning.warning_id, "waits", "auto_file")
    if warning.status == "open" or warning.proposed_class == "A":
        return None
    _verdict(conn, warning, "suppressed", "cleared_in_time", f"over before its {wait_s:g} s had passed", now)
    conn.execute(_sql("done"), [warning.warning_id])
    return Outcome(warning.warning_id, "suppressed", "cleared_in_time")


def _symptom(conn: Connection, warning: Waiting, site: parties.Site, now: datetime, rules: Rules) -> Outcome | None:
    """A symptom joins the open case of its cause."""
    key = {"community": warning.community_id, "equipment": warning.equipment_id}
    links = conn.execute(_sql("parents"), key).fetchall()
    for relation, parent, conditions in folding.causes(warning.condition, links):
        cause = {"community": warning.community_id, "parent": parent, "conditions": list(conditions)}
        found = conn.execute(_sql("open_cause"), cause).fetchone()
        case = load_case(conn, found[0], now) if found else None
        if case is None or case.closed_at is not None:
            continue
        _verdict(conn, warning, "merged", "topology", f"{relation} {parent}: case {case.case_id}", now)
        conn.execute(_sql("attach"), [warning.warning_id, case.case_id, "symptom"])
        note(
            conn,
            case,
            "fold",
            case.state,
            from_state=case.state,
            text=f"warning {warning.warning_id} of {warning.equipment_id}",
        )
        conn.execute(_sql("done"), [warning.warning_id])
        return Outcome(warning.warning_id, "merged", "topology", case.case_id, case.case_class)
    return None


_ROUNDS = 5
"""Another worker may close or file the same case between two statements; more often than twice is no race any more."""


def _into_case(conn: Connection, warning: Waiting, site: parties.Site, now: datetime, rules: Rules) -> Outcome:
    facts = parties.facts_of(site, warning.condition, rules.vocabulary)
    listed = rules.lists.in_force(conn, now)
    choice = choose(listed.rows if listed else (), facts)
    assignment = parties.assign(choice.winner, site, facts)
    case_class = _class(choice, warning, rules.vocabulary.conditions.get(warning.condition))
    key = {"community": warning.community_id, "equipment": warning.equipment_id, "condition": warning.condition}
    titles = _titles(warning, site, rules.vocabulary)
    kept = parties.snapshot(site, facts, assignment, choice.why, listed.list_id if listed else None)
    row = key | {
        "class": case_class,
        "life_safety": warning.life_safety,
        "title_zh": titles[0],
        "title_en": titles[1],
        "duty_id": choice.winner.duty_id if choice.winner else None,
        "first": assignment.first_responder.org_id,
        "responsible": assignment.responsible.org_id or assignment.lead.org_id,
        "supervising": assignment.supervising.org_id,
        "snapshot": Jsonb(kept | {"proposed_class": warning.proposed_class}),
        "event_at": warning.event_at,
        "now": site.now,
        "replay": site.replay,
    }
    for _ in range(_ROUNDS):
        if found := conn.execute(_sql("known_case"), key | {"since": site.now - rules.reopen_within}).fetchone():
            case = _locked(conn, found[0], now)
            if case.closed_at is None:
                return _recurrence(conn, warning, case, case_class, now)
            return _reopened(conn, warning, case, assignment, rules, now)
        if found := conn.execute(_sql("file_case"), row).fetchone():
            case = _new_case(found[0], row, warning, site)
            return _filed(conn, warning, case, assignment, choice.winner, rules, now)
    raise DispatchError(f"warning {warning.warning_id}: its case keeps changing")


def _filed(
    conn: Connection,
    warning: Waiting,
    case: Case,
    assignment: parties.Assignment,
    duty: Duty | None,
    rules: Rules,
    now: datetime,
) -> Outcome:
    rule = "auto_file" if rules.wait_s.get(warning.proposed_class) else "at_once"
    _verdict(conn, warning, "filed", rule, f"case {case.case_id}", now)
    conn.execute(_sql("attach"), [warning.warning_id, case.case_id, "cause"])
    note(conn, case, "file", "filed", from_state=None, text=f"warning {warning.warning_id}")
    order = dispatch(conn, case, assignment.lead.org_id, "dispatch", rules.calendar, wall=now, duty=duty)
    lead = assignment.lead.org_id
    informed = {party.org_id for party in (assignment.first_responder, *assignment.copied)} - {lead, None}
    if informed:
        values = {"lead": org_name(conn, lead)}
        tell(conn, case, "case_copied", sorted(filter(None, informed)), "copied", wall=now, values=values)
    return Outcome(warning.warning_id, "filed", rule, case.case_id, case.case_class, order)


def _recurrence(conn: Connection, warning: Waiting, case: Case, case_class: str, now: datetime) -> Outcome:
    _verdict(conn, warning, "merged", "open_case", f"case {case.case_id}", now)
    conn.execute(_sql("attach"), [warning.warning_id, case.case_id, "recurrence"])
    note(conn, case, "recur", case.state, from_state=case.state, text=f"warning {warning.warning_id}")
    raise_class(conn, case, case_class, now)
    return Outcome(warning.warning_id, "merged", "open_case", case.case_id, min(case.case_class, case_class))


def _reopened(
    conn: Connection, warning: Waiting, case: Case, assignment: parties.Assignment, rules: Rules, now: datetime
) -> Outcome:
    _verdict(conn, warning, "merged", "reopen", f"case {case.case_id}", now)
    conn.execute(_sql("attach"), [warning.warning_id, case.case_id, "recurrence"])
    order = dispatch(conn, case, case.responsible_org_id or assignment.lead.org_id, "reopen", rules.calendar, wall=now)
    return Outcome(warning.warning_id, "merged", "reopen", case.case_id, case.case_class, order)


def raise_class(conn: Connection, case: Case, to: str, now: datetime) -> bool:
    """Raise a case's class (A before B before C) and say so; false when it is as high already."""
    if conn.execute(_sql("raise_class"), {"case_id": case.case_id, "class": to}).fetchone() is None:
        return False
    note(conn, case, "raise_class", case.state, from_state=case.state, text=f"{case.case_class} → {to}")
    told = (case.responsible_org_id, case.first_responder_id, case.supervising_org_id)
    tell(conn, case, "class_raised", told, f"class/{to}", wall=now, values={"class": to})
    return True


def raise_risen(conn: Connection, now: datetime) -> int:
    """Raise open cases whose warning was proposed a higher class since (a passenger appeared); returns how many."""
    risen = conn.execute(_sql("risen")).fetchall()
    return sum(raise_class(conn, _locked(conn, case_id, now), to, now) for case_id, to in risen)


def oldest_unfiled_s(conn: Connection, now: datetime) -> float:
    """Age in seconds of the oldest warning that is due and unjudged; 0 when there is none."""
    found = conn.execute(_sql("oldest_unfiled"), {"now": now}).fetchone()
    return max(0.0, float(found[0])) if found and found[0] is not None else 0.0


def _class(choice: Choice, warning: Waiting, condition: Condition | None) -> str:
    """The duty row decides; a detector that saw more than the condition's usual class can only raise it."""
    if choice.winner is None:
        return warning.proposed_class
    usual = condition.default_class if condition else warning.proposed_class
    raised = warning.proposed_class < usual
    return min(choice.winner.case_class, warning.proposed_class) if raised else choice.winner.case_class


def _titles(warning: Waiting, site: parties.Site, words: Vocabulary) -> tuple[str, str]:
    condition = words.conditions.get(warning.condition)
    zh, en = (condition.zh, condition.en) if condition else (warning.condition, warning.condition)
    name, name_en = site.equipment or warning.equipment_id, site.equipment_en or warning.equipment_id
    return f"{name}：{zh}", f"{name_en}: {en}"


def _new_case(case_id: int, row: dict[str, Any], warning: Waiting, site: parties.Site) -> Case:
    """As `load_case` would find the row just written."""
    return Case(
        case_id=case_id,
        community_id=warning.community_id,
        community=site.community,
        equipment_id=warning.equipment_id,
        condition=warning.condition,
        case_class=row["class"],
        life_safety=warning.life_safety,
        state="filed",
        title_zh=row["title_zh"],
        duty_id=row["duty_id"],
        first_responder_id=row["first"],
        responsible_org_id=row["responsible"],
        supervising_org_id=row["supervising"],
        event_at=warning.event_at,
        closed_at=None,
        replay=site.replay,
        version=1,
        now=site.now,
    )


def _locked(conn: Connection, case_id: int, now: datetime) -> Case:
    case = load_case(conn, case_id, now)
    if case is None:
        raise DispatchError(f"case {case_id} has gone")
    return case


def _verdict(conn: Connection, warning: Waiting, verdict: str, rule: str, reason: str, now: datetime) -> None:
    query = queries("watchkeep_dispatch", "sql/cases.sql")["verdict"]
    conn.execute(query, [warning.warning_id, verdict, rule, reason, None, now])


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/filing.sql")[name]
