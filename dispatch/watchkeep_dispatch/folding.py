"""Symptoms, and cases that turn out to be some, join the case of their cause; fold_table.py says what is a symptom."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection, sql

from watchkeep_core.database import queries
from watchkeep_dispatch import verdicts
from watchkeep_dispatch.fold_table import SAME, causes, symptoms
from watchkeep_dispatch.merging import merge_by_system
from watchkeep_dispatch.orders import Case, load_case, note
from watchkeep_dispatch.planning import Rules
from watchkeep_dispatch.rowset import rowset
from watchkeep_dispatch.verdicts import Outcome, Waiting

Parents = Mapping[int, Sequence[tuple[str, str]]]
"""Warning → relation and equipment that its own depends on."""


def parents_of(conn: Connection, warnings: Sequence[Waiting]) -> Parents:
    """What powers, serves or reports for the equipment of these warnings."""
    rows = [
        {"warning_id": one.warning_id, "community_id": one.community_id, "equipment_id": one.equipment_id}
        for one in warnings
    ]
    found: dict[int, list[tuple[str, str]]] = {}
    for warning_id, relation, parent in conn.execute(_sql("parents"), [rowset(rows)]) if rows else ():
        found.setdefault(warning_id, []).append((relation, parent))
    return found


def causes_first(warnings: Sequence[Waiting], parents: Parents) -> list[Waiting]:
    """Each after those that it may be a symptom of, so that it need not be filed; else in the order given. Pure."""
    at: dict[tuple[str, str], list[Waiting]] = {}
    for one in warnings:
        at.setdefault((one.community_id, one.equipment_id), []).append(one)
    ordered: list[Waiting] = []
    seen: set[int] = set()

    def place(one: Waiting) -> None:
        if one.warning_id in seen:
            return
        seen.add(one.warning_id)
        for _, parent, conditions in _possible_causes(one, parents):
            for other in at.get((one.community_id, parent), ()):
                if other.condition in conditions:
                    place(other)
        ordered.append(one)

    for one in warnings:
        place(one)
    return ordered


def _possible_causes(one: Waiting, parents: Parents) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    return causes(one.condition, [(SAME, one.equipment_id), *parents.get(one.warning_id, ())])


def turns(warnings: Iterable[Waiting], parents: Parents) -> Iterator[list[Waiting]]:
    """Warnings in sets that may be judged together: none of a set can be the symptom, or the same, of another. Pure.

    What must wait for another one's verdict comes in a later set, in the order given.
    """
    left = list(warnings)
    while left:
        turn: list[Waiting] = []
        later: list[Waiting] = []
        places: set[tuple[str, str]] = set()
        causing: set[tuple[str, str]] = set()
        for one in left:
            place = one.community_id, one.equipment_id
            above = {(one.community_id, parent) for _, parent in parents.get(one.warning_id, ())}
            (later if place in places | causing or above & places else turn).append(one)
            places.add(place)
            causing |= above
        yield turn
        left = later


def fold(
    conn: Connection, warnings: Sequence[Waiting], parents: Parents, now: datetime, rules: Rules
) -> dict[int, Outcome]:
    """Symptoms join the open case of their cause; where a cause may still come, they wait for it a little."""
    asked: list[tuple[Waiting, str, str]] = []
    rows: list[dict[str, Any]] = []
    for one in warnings:
        for relation, parent, conditions in _possible_causes(one, parents):
            row = {"n": len(asked), "community_id": one.community_id, "parent": parent, "conditions": conditions}
            rows.append(row)
            asked.append((one, relation, parent))
    open_cases: dict[int, int] = dict(conn.execute(_sql("open_causes"), [rowset(rows)]).fetchall()) if rows else {}
    outcomes: dict[int, Outcome] = {}
    for n, case_id in sorted(open_cases.items()):
        one, relation, parent = asked[n]
        case = load_case(conn, case_id, now) if one.warning_id not in outcomes else None
        if case is not None and case.closed_at is None:
            reason = f"{relation} {parent}: case {case.case_id}"
            outcomes[one.warning_id] = _into(conn, one, case, reason, now)
    early: list[tuple[Waiting, datetime]] = []
    for one in {one.warning_id: one for one, relation, _ in asked if relation != SAME}.values():
        due = one.detected_at + rules.fold_wait
        if one.warning_id not in outcomes and one.proposed_class != "A" and now < due:
            early.append((one, due))
            outcomes[one.warning_id] = Outcome(one.warning_id, "waits", "topology")
    verdicts.postpone_all(conn, early)
    return outcomes


def fold_earlier(conn: Connection, found: Iterable[Case], now: datetime, rules: Rules) -> list[int]:
    """The symptom was faster than its cause: young cases that nobody has accepted yet go into the cause's case."""
    asked: list[tuple[Case, str]] = []
    rows: list[dict[str, Any]] = []
    for cause in found:
        for relation, conditions in symptoms(cause.condition).items() if cause.equipment_id else ():
            rows.append(
                {
                    "n": len(asked),
                    "community_id": cause.community_id,
                    "parent": cause.equipment_id,
                    "relation": relation,
                    "conditions": conditions,
                    "since": cause.now - rules.fold_back,
                }
            )
            asked.append((cause, relation))
    merged: list[int] = []
    for n, case_id in conn.execute(_sql("early_symptoms"), [rowset(rows)]).fetchall() if rows else ():
        cause, relation = asked[n]
        case = load_case(conn, case_id, now)
        if case is not None and case.closed_at is None:
            merge_by_system(conn, case, cause, f"{relation} {cause.equipment_id}", now)
            merged.append(case_id)
    return merged


def _into(conn: Connection, warning: Waiting, case: Case, reason: str, now: datetime) -> Outcome:
    verdicts.record(conn, warning, "merged", "topology", reason, now)
    verdicts.attach(conn, [(warning, case.case_id)], "symptom")
    text = f"warning {warning.warning_id} of {warning.equipment_id}: {warning.condition}"
    note(conn, case, "fold", case.state, from_state=case.state, text=text)
    verdicts.done(conn, [warning])
    return Outcome(warning.warning_id, "merged", "topology", case.case_id, case.case_class)


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/filing.sql")[name]
