"""A past period under another responsibility list: which cases would have gone elsewhere, and what load that means.

Both sides are worked out from the register as of each event, so that the lists alone make the difference.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_core.database import queries
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_dispatch import parties
from watchkeep_dispatch.clocks import DEFAULT_CALENDAR, WorkCalendar
from watchkeep_dispatch.duty_file import deadline_text
from watchkeep_dispatch.errors import DutyListError
from watchkeep_dispatch.routing import Duty, Facts, choose

MAX_CASES = 200_000
"""More would take longer than anybody waits (about 2,000 cases a second)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a list makes of a case."""

    org_id: str | None
    responsible: str
    case_class: str
    deadlines: str
    row: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """A case that another list would have judged otherwise."""

    case_id: int
    condition: str
    differs: tuple[str, ...]
    before: Outcome
    after: Outcome


@dataclass(frozen=True, slots=True)
class Load:
    """Orders of one organisation in the period; `names` None = nobody could be found."""

    org_id: str | None
    name: str
    before: int
    after: int
    urgent_before: int
    """Of them class A."""
    urgent_after: int


@dataclass(frozen=True, slots=True)
class Replay:
    """All that differs; `changes` holds at most as many as were asked for, `changed` counts them all."""

    cases: int
    changed: int
    changed_party: int
    changed_class: int
    changed_deadline: int
    load: tuple[Load, ...]
    changes: tuple[Change, ...]


def replay(
    conn: Connection,
    before: tuple[Duty, ...],
    after: tuple[Duty, ...],
    since: datetime,
    until: datetime,
    words: Vocabulary,
    *,
    calendar: WorkCalendar = DEFAULT_CALENDAR,
    show: int = 100,
) -> Replay:
    """Judge the cases filed in [since, until) by both lists. Raises DutyListError for too long a period."""
    statements = queries("watchkeep_dispatch", "sql/replay.sql")
    with conn.cursor(row_factory=dict_row) as cursor:
        period = {"since": since, "until": until, "at_most": MAX_CASES + 1}
        cases = cursor.execute(statements["cases_of_period"], period).fetchall()
    if len(cases) > MAX_CASES:
        raise DutyListError(f"more than {MAX_CASES} cases in the period; take a shorter one")
    known: dict[tuple[object, ...], tuple[Outcome, Outcome]] = {}
    changes: list[Change] = []
    pairs: list[tuple[Outcome, Outcome]] = []
    old, new = _index(before), _index(after)
    for case in cases:
        working_time = calendar.works(case["event_at"])
        key = (case["community_id"], case["equipment_id"], case["condition"], case["event_at"].date(), working_time)
        if key not in known:
            site = parties.read_site(conn, case["community_id"], case["equipment_id"], case["event_at"], until)
            facts = parties.facts_of(site, case["condition"], words, working_time=working_time)
            known[key] = (_outcome(old, site, facts, case["class"]), _outcome(new, site, facts, case["class"]))
        one, other = known[key]
        pairs.append((one, other))
        if differs := _differs(one, other):
            changes.append(Change(case["case_id"], case["condition"], differs, one, other))
    ids = {outcome.org_id for pair in pairs for outcome in pair}
    names: dict[str, str] = dict(
        conn.execute(statements["organisation_names"], [[org for org in ids if org]]).fetchall()
    )
    kinds = Counter(kind for change in changes for kind in change.differs)
    return Replay(
        cases=len(cases),
        changed=len(changes),
        changed_party=kinds["party"],
        changed_class=kinds["class"],
        changed_deadline=kinds["deadline"],
        load=_load(pairs, names),
        changes=tuple(changes[:show]),
    )


_Index = dict[str | None, list[Duty]]


def _index(rows: Iterable[Duty]) -> _Index:
    found: _Index = {}
    for row in rows:
        found.setdefault(row.condition, []).append(row)
    return found


def _outcome(rows: _Index, site: parties.Site, facts: Facts, as_filed: str) -> Outcome:
    duty = choose(rows.get(facts.condition, []) + rows.get(None, []), facts).winner
    assignment = parties.assign(duty, site, facts)
    clocks = (duty.respond, duty.arrive, duty.finish) if duty else ()
    deadlines = " / ".join(deadline_text(clock) if clock else "–" for clock in clocks)
    return Outcome(
        assignment.lead.org_id,
        assignment.lead.party,
        duty.case_class if duty else as_filed,
        deadlines,
        duty.row_no if duty else None,
    )


def _differs(one: Outcome, other: Outcome) -> tuple[str, ...]:
    pairs = {
        "party": (one.org_id, other.org_id),
        "class": (one.case_class, other.case_class),
        "deadline": (one.deadlines, other.deadlines),
    }
    return tuple(name for name, (before, after) in pairs.items() if before != after)


def _load(pairs: list[tuple[Outcome, Outcome]], names: dict[str, str]) -> tuple[Load, ...]:
    counts = [Counter(pair[side].org_id for pair in pairs) for side in (0, 1)]
    urgent = [Counter(pair[side].org_id for pair in pairs if pair[side].case_class == "A") for side in (0, 1)]
    loads = [
        Load(org, names.get(org or "", "—"), counts[0][org], counts[1][org], urgent[0][org], urgent[1][org])
        for org in counts[0].keys() | counts[1].keys()
    ]
    return tuple(sorted(loads, key=lambda load: (-abs(load.after - load.before), -load.after, load.org_id or "")))
