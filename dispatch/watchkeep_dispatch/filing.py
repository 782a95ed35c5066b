"""From warnings to cases (智慧研判): each is judged once, in one transaction with all that follows from it.

The caller opens the transaction: `claim` locks the next warning that waits, `judge` writes verdict, case, order,
history, notifications and their jobs. Unique keys decide between workers, not code.
"""

from dataclasses import replace
from datetime import datetime

from psycopg import Connection, sql
from psycopg.rows import class_row

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_dispatch import casework, parties, verdicts
from watchkeep_dispatch.casework import Finding, Plan, Rules
from watchkeep_dispatch.errors import DispatchError, NotWaiting, Suppressed
from watchkeep_dispatch.folding import fold, fold_earlier
from watchkeep_dispatch.holding import hold
from watchkeep_dispatch.orders import Case
from watchkeep_dispatch.verdicts import Outcome, Waiting


def claim(conn: Connection, now: datetime, at_most: int = 1) -> list[Waiting]:
    """Lock the next warnings that are due for a verdict; life safety first. None are left when it is empty."""
    with conn.cursor(row_factory=class_row(Waiting)) as cursor:
        return cursor.execute(_sql("claim"), {"now": now, "at_most": at_most}).fetchall()


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
    """Decide about a claimed warning and write all that follows. Raises DispatchError for what no retry can mend."""
    site = parties.read_site(conn, warning.community_id, warning.equipment_id, warning.event_at, now)
    if not warning.life_safety:
        held = hold(conn, warning, site, now, rules) or fold(conn, warning, now, rules)
        if held is not None:
            return held
    outcome = _into_case(conn, warning, site, now, rules)
    verdicts.done(conn, warning)
    return outcome


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


def _into_case(conn: Connection, warning: Waiting, site: parties.Site, now: datetime, rules: Rules) -> Outcome:
    finding = Finding(
        community_id=warning.community_id,
        equipment_id=warning.equipment_id,
        condition=warning.condition,
        source="sensor",
        event_at=warning.event_at,
        proposed_class=warning.proposed_class,
        life_safety=warning.life_safety,
    )
    plan = casework.plan(conn, finding, site, now, rules)
    for _ in range(_ROUNDS):
        case = casework.known(conn, finding, site, now, rules)
        if case is not None:
            return (_recurrence if case.closed_at is None else _reopened)(conn, warning, case, plan, rules, now)
        if case := casework.write(conn, plan):
            return _filed(conn, warning, case, plan, rules, now)
    raise DispatchError(f"warning {warning.warning_id}: its case keeps changing")


def _filed(conn: Connection, warning: Waiting, case: Case, plan: Plan, rules: Rules, now: datetime) -> Outcome:
    rule = "auto_file" if rules.wait_s.get(warning.proposed_class) else "at_once"
    verdicts.record(conn, warning, "filed", rule, f"case {case.case_id}", now)
    conn.execute(_sql("attach"), [warning.warning_id, case.case_id, "cause"])
    order = casework.start(conn, case, plan, rules, now, text=f"warning {warning.warning_id}")
    fold_earlier(conn, case, now, rules)
    return Outcome(warning.warning_id, "filed", rule, case.case_id, case.case_class, order)


def _recurrence(conn: Connection, warning: Waiting, case: Case, plan: Plan, rules: Rules, now: datetime) -> Outcome:
    rule = "open_case" if case.condition == warning.condition else "same_event"
    verdicts.record(conn, warning, "merged", rule, f"case {case.case_id}", now)
    conn.execute(_sql("attach"), [warning.warning_id, case.case_id, "recurrence"])
    case_class = casework.recur(conn, case, plan, now, text=f"warning {warning.warning_id}: {warning.condition}")
    return Outcome(warning.warning_id, "merged", rule, case.case_id, case_class)


def _reopened(conn: Connection, warning: Waiting, case: Case, plan: Plan, rules: Rules, now: datetime) -> Outcome:
    verdicts.record(conn, warning, "merged", "reopen", f"case {case.case_id}", now)
    conn.execute(_sql("attach"), [warning.warning_id, case.case_id, "recurrence"])
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
