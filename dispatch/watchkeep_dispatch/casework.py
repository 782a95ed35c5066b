"""A case from its plan: what is written, who is told. Warnings and reports share it.

The caller opens the transaction. Unique keys decide between workers, not code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection, sql

from watchkeep_core.database import queries
from watchkeep_dispatch import parties
from watchkeep_dispatch.dispatching import dispatch
from watchkeep_dispatch.errors import DispatchError
from watchkeep_dispatch.notify.outbox import News, announce_all
from watchkeep_dispatch.orders import (
    Case,
    Entry,
    NewOrder,
    due_times,
    load_case,
    news,
    note,
    note_all,
    open_orders,
    order_news,
    org_names,
    tell,
)
from watchkeep_dispatch.planning import Finding, Plan, Rules
from watchkeep_dispatch.rowset import rowset

FILED, DISPATCHED = "filed", "dispatched"
"""A new case takes both steps at once: nobody has seen it in between, its history has both."""
SAME_EVENT = (
    ("entrapment", "entrapment_in_zone", "entrapment_off_zone", "alarm_button"),
    ("ucm", "door_open_running"),
)
"""Conditions that are one event told by several witnesses (ADR 0008): of each group one case is open per equipment."""


def known(conn: Connection, finding: Finding, site: parties.Site, now: datetime, rules: Rules) -> Case | None:
    """The open case of this equipment and condition, else one lately closed as solved, to be opened again."""
    found = known_ids(conn, [(finding, site)], rules)
    return locked(conn, found[0], now) if found else None


def known_ids(conn: Connection, asked: Sequence[tuple[Finding, parties.Site]], rules: Rules) -> dict[int, int]:
    """The same for many: place in `asked` → case, for those that have one."""
    rows = []
    for n, (finding, site) in enumerate(asked):
        group = same_event(finding.condition)
        if len(group) > 1:  # the unique index decides about one condition only
            conn.execute(_sql("lock_event"), [f"{finding.community_id}/{finding.equipment_id}/{group[0]}"])
        rows.append(
            {
                "n": n,
                "community_id": finding.community_id,
                "equipment_id": finding.equipment_id,
                "condition": finding.condition,
                "conditions": list(group),
                "since": site.now - rules.reopen_within,
            }
        )
    return dict(conn.execute(_sql("known_cases"), [rowset(rows)]).fetchall())


def same_event(condition: str) -> tuple[str, ...]:
    """The group a condition belongs to; most stand alone."""
    return next((group for group in SAME_EVENT if condition in group), (condition,))


@dataclass(frozen=True, slots=True)
class Opening:
    """A case to be opened; `text` says in its history by what."""

    plan: Plan
    text: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A new case and its lead order; None where nobody can be found for it yet."""

    case: Case
    order_id: int | None


def open_case(
    conn: Connection, plan: Plan, rules: Rules, now: datetime, *, text: str, person_id: str | None = None
) -> Opened | None:
    """A new case with all its first steps; None when another worker has just opened the same one."""
    return open_cases(conn, [Opening(plan, text)], rules, now, person_id=person_id)[0]


def open_cases(
    conn: Connection, openings: Sequence[Opening], rules: Rules, now: datetime, *, person_id: str | None = None
) -> list[Opened | None]:
    """The same for many different cases, in few statements: history, lead orders, and the word to those concerned."""
    cases = _write(conn, [opening.plan for opening in openings])
    made = [(case, opening) for case, opening in zip(cases, openings, strict=True) if case is not None]
    if not made:
        return [None] * len(openings)
    orders = {
        case.case_id: NewOrder(case, lead, DISPATCHED, due_times(opening.plan.duty, case.now, rules.calendar))
        for case, opening in made
        if (lead := opening.plan.assignment.lead.org_id) is not None
    }
    numbers = dict(zip(orders, open_orders(conn, list(orders.values())), strict=True)) if orders else {}
    history: list[Entry] = []
    told: list[News] = []
    names = org_names(conn, {order.org_id for order in orders.values()})
    for case, opening in made:
        history.append(
            Entry(case=case, action="file", to_state=FILED, from_state=None, person_id=person_id, text=opening.text)
        )
        if order := orders.get(case.case_id):
            number = numbers[case.case_id]
            step = Entry(
                case=case,
                action="dispatch",
                to_state=DISPATCHED,
                from_state=FILED,
                order_id=number,
                person_id=person_id,
            )
            history.append(step)
            told += order_news(case, order.org_id, number, order.due, rules.calendar)
        told += _copies(case, opening.plan, names)
    note_all(conn, history)
    announce_all(conn, told, now)
    return [None if case is None else Opened(case, numbers.get(case.case_id)) for case in cases]


def _copies(case: Case, plan: Plan, names: Mapping[str, str]) -> list[News]:
    """The word to those who must know of it, but do not have it."""
    lead = plan.assignment.lead
    informed = {party.org_id for party in (plan.assignment.first_responder, *plan.assignment.copied)}
    orgs = sorted(filter(None, informed - {lead.org_id}))
    return news(case, "case_copied", orgs, "copied", values={"lead": names.get(lead.org_id or "", "—")}) if orgs else []


def _write(conn: Connection, plans: Sequence[Plan]) -> list[Case | None]:
    """Insert cases, already given to their leads; None for what another worker has just opened."""
    rows = []
    for plan in plans:
        finding, site, assignment = plan.finding, plan.site, plan.assignment
        has_lead = assignment.lead.org_id is not None
        rows.append(
            {
                "community_id": finding.community_id,
                "equipment_id": finding.equipment_id,
                "condition": finding.condition,
                "source": finding.source,
                "class": plan.case_class,
                "life_safety": finding.life_safety,
                "state": DISPATCHED if has_lead else FILED,
                "title_zh": plan.titles[0],
                "title_en": plan.titles[1],
                "duty_id": plan.duty.duty_id if plan.duty else None,
                "first_responder_id": assignment.first_responder.org_id,
                "responsible_org_id": assignment.responsible.org_id or assignment.lead.org_id,
                "supervising_org_id": assignment.supervising.org_id,
                "snapshot": plan.snapshot,
                "event_at": finding.event_at,
                "filed_at": site.now,
                "replay": site.replay,
                "version": 2 if has_lead else 1,
            }
        )
    made = {row[1:]: row[0] for row in conn.execute(_sql("file_cases"), [rowset(rows)])}
    keys = [(row["community_id"], row["equipment_id"], row["condition"]) for row in rows]
    return [
        _case(made[key], plan, row) if key in made else None for key, plan, row in zip(keys, plans, rows, strict=True)
    ]


def _case(case_id: int, plan: Plan, row: dict[str, Any]) -> Case:
    """The case as its new row holds it."""
    return Case(
        case_id=case_id,
        community_id=row["community_id"],
        community=plan.site.community,
        equipment_id=row["equipment_id"],
        condition=row["condition"],
        case_class=row["class"],
        life_safety=row["life_safety"],
        state=row["state"],
        title_zh=row["title_zh"],
        duty_id=row["duty_id"],
        first_responder_id=row["first_responder_id"],
        responsible_org_id=row["responsible_org_id"],
        supervising_org_id=row["supervising_org_id"],
        event_at=row["event_at"],
        closed_at=None,
        replay=row["replay"],
        version=row["version"],
        now=row["filed_at"],
    )


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


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/casework.sql")[name]
