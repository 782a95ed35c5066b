"""From warnings to cases (智慧研判): each is judged once, in one transaction with all that follows from it.

The caller opens the transaction: `claim` locks the next warning that waits, `judge` writes verdict, case, order,
history, notifications and their jobs. Unique keys decide between workers, not code.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from psycopg import Connection, sql
from psycopg.rows import class_row

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_dispatch import casework, folding, parties
from watchkeep_dispatch.casework import Finding, Plan, Rules
from watchkeep_dispatch.errors import DispatchError, NotWaiting, Suppressed
from watchkeep_dispatch.orders import Case, load_case, note


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

    @property
    def key(self) -> tuple[str, str, str]:
        """Of warnings with the same key at most one case is open."""
        return self.community_id, self.equipment_id, self.condition


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a warning: filed, merged, suppressed or waits; `rule` decided it."""

    warning_id: int
    verdict: str
    rule: str
    case_id: int | None = None
    case_class: str | None = None
    order_id: int | None = None


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
    _verdict(conn, warning, "filed", rule, f"case {case.case_id}", now)
    conn.execute(_sql("attach"), [warning.warning_id, case.case_id, "cause"])
    order = casework.start(conn, case, plan, rules, now, text=f"warning {warning.warning_id}")
    return Outcome(warning.warning_id, "filed", rule, case.case_id, case.case_class, order)


def _recurrence(conn: Connection, warning: Waiting, case: Case, plan: Plan, rules: Rules, now: datetime) -> Outcome:
    _verdict(conn, warning, "merged", "open_case", f"case {case.case_id}", now)
    conn.execute(_sql("attach"), [warning.warning_id, case.case_id, "recurrence"])
    case_class = casework.recur(conn, case, plan.case_class, now, text=f"warning {warning.warning_id}")
    return Outcome(warning.warning_id, "merged", "open_case", case.case_id, case_class)


def _reopened(conn: Connection, warning: Waiting, case: Case, plan: Plan, rules: Rules, now: datetime) -> Outcome:
    _verdict(conn, warning, "merged", "reopen", f"case {case.case_id}", now)
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


def _verdict(conn: Connection, warning: Waiting, verdict: str, rule: str, reason: str, now: datetime) -> None:
    query = queries("watchkeep_dispatch", "sql/cases.sql")["verdict"]
    conn.execute(query, [warning.warning_id, verdict, rule, reason, None, now])


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/filing.sql")[name]
