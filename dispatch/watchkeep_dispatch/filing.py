"""From warnings to cases (智慧研判): each is judged once, in one transaction with all that follows from it.

The caller opens the transaction: `claim` locks the next warning that waits, `judge` writes verdict, case, order,
history, notifications and their jobs. Unique keys decide between workers, not code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from psycopg import Connection, sql
from psycopg.rows import class_row

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_dispatch import casework, parties, planning, verdicts
from watchkeep_dispatch.casework import Opened, Opening
from watchkeep_dispatch.errors import DispatchError, NotWaiting, Suppressed
from watchkeep_dispatch.folding import causes_first, fold, fold_earlier, parents_of, turns
from watchkeep_dispatch.holding import circumstances, decide, put_back
from watchkeep_dispatch.orders import Case
from watchkeep_dispatch.planning import Finding, Plan, Rules
from watchkeep_dispatch.verdicts import Outcome, Waiting


def claim(conn: Connection, now: datetime, at_most: int = 1, *, life_safety: bool = False) -> list[Waiting]:
    """Lock the next warnings due for a verdict, life safety first, or alone. None are left when it is empty."""
    asked = {"now": now, "at_most": at_most, "least": life_safety}
    with conn.cursor(row_factory=class_row(Waiting)) as cursor:
        return cursor.execute(_sql("claim"), asked).fetchall()


def confirm(conn: Connection, warning_id: int, now: datetime, rules: Rules, *, person_id: str) -> int:
    """A duty officer files a warning that waits for its timer; returns the case. Raises NotWaiting, Suppressed."""
    with conn.cursor(row_factory=class_row(Waiting)) as cursor:
        warning = cursor.execute(_sql("claim_one"), {"id": warning_id}).fetchone()
    if warning is None:
        raise NotWaiting(warning_id)
    outcome = judge(conn, warning, now, replace(rules, wait_s={}))
    if outcome.case_id is None:
        raise Suppressed(warning_id, outcome.rule)
    detail = {"case": outcome.case_id}
    audit.record(conn, "warning.confirm", "warning", str(warning_id), person_id=person_id, detail=detail)
    return outcome.case_id


def judge(conn: Connection, warning: Waiting, now: datetime, rules: Rules) -> Outcome:
    """Decide about one claimed warning. Raises DispatchError for what no retry can mend."""
    return judge_all(conn, [warning], now, rules)[0]


def judge_all(conn: Connection, warnings: Sequence[Waiting], now: datetime, rules: Rules) -> list[Outcome]:
    """Decide about claimed warnings and write what follows, in sets of those that have nothing to do with one another.

    A set takes about as many statements as one warning. Raises DispatchError for what no retry can mend.
    """
    parents = parents_of(conn, [one for one in warnings if not one.life_safety])
    listed = rules.lists.in_force(conn, now)
    outcomes: dict[int, Outcome] = {}
    for turn in turns(causes_first(warnings, parents), parents):
        places = [(one.community_id, one.equipment_id, one.event_at) for one in turn]
        sites = dict(zip((one.warning_id for one in turn), parties.read_sites(conn, places, now), strict=True))
        plans = {one.warning_id: planning.planned(_finding(one), sites[one.warning_id], listed, rules) for one in turn}
        # What the list makes class A is held back no more than what was proposed as such.
        ordinary = [
            replace(one, proposed_class=min(one.proposed_class, plans[one.warning_id].case_class))
            for one in turn
            if not one.life_safety
        ]
        outcomes |= _held(conn, ordinary, sites, now, rules)
        outcomes |= fold(conn, [one for one in ordinary if one.warning_id not in outcomes], parents, now, rules)
        left = [(one, plans[one.warning_id]) for one in turn if one.warning_id not in outcomes]
        outcomes |= _into_cases(conn, left, now, rules)
    return [outcomes[one.warning_id] for one in warnings]


Sites = Mapping[int, parties.Site]
"""By warning."""


def _held(
    conn: Connection, warnings: Sequence[Waiting], sites: Sites, now: datetime, rules: Rules
) -> dict[int, Outcome]:
    around = circumstances(conn, warnings, rules) if warnings else {}
    decided = [(one, decide(one, around[one.warning_id], sites[one.warning_id], now, rules)) for one in warnings]
    held = [(one, found) for one, found in decided if found is not None]
    return put_back(conn, held, now) if held else {}


def merge_recurrences(conn: Connection, now: datetime) -> int:
    """What comes again while its case is open joins it, in bulk; returns how many warnings did.

    Not what would raise the class, not life safety, not recorded data: those are judged one by one.
    """
    found = conn.execute(_sql("merge_recurrences"), {"now": now, "at_most": RECURRENCES}).fetchone()
    return int(found[0]) if found else 0


RECURRENCES = 5000
"""Joined by one statement, in about 0.2 s."""
_ROUNDS = 5
"""Another worker may close or file the same case between two statements; more often than twice is no race any more."""


def _into_cases(
    conn: Connection, planned: Sequence[tuple[Waiting, Plan]], now: datetime, rules: Rules
) -> dict[int, Outcome]:
    outcomes: dict[int, Outcome] = {}
    left = list(planned)
    if not left:
        return outcomes
    for _ in range(_ROUNDS):
        known = casework.known_ids(conn, [(plan.finding, plan.site) for _, plan in left], rules)
        for n, case_id in known.items():
            one, plan = left[n]
            case = casework.locked(conn, case_id, now)
            join = _recurrence if case.closed_at is None else _reopened
            outcomes[one.warning_id] = join(conn, one, case, plan, rules, now)
        new = [pair for n, pair in enumerate(left) if n not in known]
        openings = [Opening(plan, f"warning {one.warning_id}") for one, plan in new]
        opened = casework.open_cases(conn, openings, rules, now) if new else []
        filed = [(one, made) for (one, _), made in zip(new, opened, strict=True) if made is not None]
        outcomes |= _filed(conn, filed, rules, now)
        left = [pair for pair in new if pair[0].warning_id not in outcomes]
        if not left:
            verdicts.done(conn, [one for one, _ in planned])
            return outcomes
    raise DispatchError(f"warning {left[0][0].warning_id}: its case keeps changing")


def _finding(warning: Waiting) -> Finding:
    return Finding(
        community_id=warning.community_id,
        equipment_id=warning.equipment_id,
        condition=warning.condition,
        source="sensor",
        event_at=warning.event_at,
        proposed_class=warning.proposed_class,
        life_safety=warning.life_safety,
    )


def _filed(
    conn: Connection, filed: Sequence[tuple[Waiting, Opened]], rules: Rules, now: datetime
) -> dict[int, Outcome]:
    if not filed:
        return {}
    outcomes = {}
    for one, made in filed:
        case = made.case
        rule = "auto_file" if rules.wait_s.get(min(one.proposed_class, case.case_class)) else "at_once"
        outcomes[one.warning_id] = Outcome(one.warning_id, "filed", rule, case.case_id, case.case_class, made.order_id)
    said = [(one, "filed", outcomes[one.warning_id].rule, f"case {made.case.case_id}") for one, made in filed]
    verdicts.record_all(conn, said, now)
    verdicts.attach(conn, [(one, made.case.case_id) for one, made in filed], "cause")
    fold_earlier(conn, [made.case for _, made in filed], now, rules)
    return outcomes


def _recurrence(conn: Connection, warning: Waiting, case: Case, plan: Plan, rules: Rules, now: datetime) -> Outcome:
    rule = "open_case" if case.condition == warning.condition else "same_event"
    verdicts.record(conn, warning, "merged", rule, f"case {case.case_id}", now)
    verdicts.attach(conn, [(warning, case.case_id)], "recurrence")
    case_class = casework.recur(conn, case, plan, now, text=f"warning {warning.warning_id}: {warning.condition}")
    return Outcome(warning.warning_id, "merged", rule, case.case_id, case_class)


def _reopened(conn: Connection, warning: Waiting, case: Case, plan: Plan, rules: Rules, now: datetime) -> Outcome:
    verdicts.record(conn, warning, "merged", "reopen", f"case {case.case_id}", now)
    verdicts.attach(conn, [(warning, case.case_id)], "recurrence")
    order = casework.reopen(conn, case, plan, rules, now)
    return Outcome(warning.warning_id, "merged", "reopen", case.case_id, case.case_class, order)


def raise_risen(conn: Connection, now: datetime) -> int:
    """Raise open cases whose warning was proposed a higher class since (a passenger appeared); returns how many."""
    risen = conn.execute(_sql("risen")).fetchall()
    return sum(casework.raise_class(conn, casework.locked(conn, case_id, now), to, now) for case_id, to in risen)


def oldest_unfiled_s(conn: Connection, now: datetime) -> float:
    """Age in seconds of the oldest warning that is due and unjudged; 0 when there is none."""
    found = conn.execute(_sql("oldest_unfiled"), {"now": now}).fetchone()
    return max(0.0, float(found[0])) if found and found[0] is not None else 0.0


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/filing.sql")[name]
