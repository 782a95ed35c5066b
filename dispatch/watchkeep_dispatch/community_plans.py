"""Preventive work of one community: a plan of its own, or one in the place of a general plan for all or some equipment.

The caller opens the transaction and has checked that the person may. Visits that are open already stay as they are; the
next ones follow the new plan, counted from the last visit by either of the two.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from psycopg import Connection, sql

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_dispatch import preventive
from watchkeep_dispatch.duty_file import span_text
from watchkeep_dispatch.errors import DutyListError, VisitPlanError

FAR = timedelta(days=3660)
"""A first day farther away is a slip of the pen."""


class Wanted(Struct, frozen=True, kw_only=True):
    """A plan as it shall be, by whom and why; `equipment` empty = all of its kinds in the community."""

    plan: preventive.Plan
    equipment: tuple[str, ...] = ()
    enabled: bool = True
    reason: str
    person_id: str
    now: datetime


def make(
    conn: Connection, community: str, wanted: Wanted, words: Vocabulary, *, replaces: str | None = None,
    first: datetime | None = None,
) -> str:  # fmt: skip
    """A new plan; returns its id. Raises VisitPlanError.

    `replaces` is the general plan in whose place it stands; `first` = when the first visits are due, None = one period
    from now, or as they would have been by the general plan.
    """
    plan_id = f"own_{secrets.token_hex(6)}"
    since = wanted.now if replaces is None else _since(conn, replaces, wanted.now)
    row = _row(conn, community, plan_id, replaces, wanted, words)
    if first is not None:
        if abs(first - wanted.now) > FAR:
            raise VisitPlanError("first: must be within some years", "first")
        since = first - row["every"]
    conn.execute(_sql("make_plan"), row | {"since": since})
    conn.execute(_sql("take_over"), row)
    _record(conn, "visits.plan", plan_id, wanted, {"community": community, "replaces": replaces})
    return plan_id


def change(conn: Connection, plan_id: str, wanted: Wanted, words: Vocabulary) -> None:
    """Of a community's plan. Switched on again, its visits are due one period from now. Raises VisitPlanError."""
    found = conn.execute(_sql("lock_plan"), {"plan_id": plan_id}).fetchone()
    if found is None:
        raise VisitPlanError(f"visit plan {plan_id!r} is not a community's", "plan")
    community, replaces, was_enabled, since, every = found
    if wanted.enabled and not was_enabled:
        since = wanted.now
    row = _row(conn, community, plan_id, replaces, wanted, words)
    conn.execute(_sql("change_plan"), row | {"since": since})
    conn.execute(_sql("take_over"), row)
    _record(conn, "visits.change", plan_id, wanted, {"before": {"enabled": was_enabled, "every": span_text(every)}})


def community_of(conn: Connection, plan_id: str) -> str | None:
    """Whose plan it is; None for a general one, and for one that is not there or not visible."""
    found = conn.execute(_sql("plan_community"), {"plan_id": plan_id}).fetchone()
    return found[0] if found else None


def _since(conn: Connection, general: str, now: datetime) -> datetime:
    """From when the plan in its place counts."""
    found = conn.execute(_sql("general_plan"), {"plan_id": general}).fetchone()
    if found is None:
        raise VisitPlanError(f"{general!r} is no general plan", "replaces")
    since: datetime = found[1]
    return since if found[0] else now


def _row(
    conn: Connection, community: str, plan_id: str, replaces: str | None, wanted: Wanted, words: Vocabulary
) -> dict[str, Any]:
    """The columns, once they are right."""
    try:
        preventive.check(wanted.plan, words)
        row = preventive.columns(wanted.plan)
    except DutyListError as error:
        raise VisitPlanError(str(error), "every") from None
    for field in ("title_zh", "basis", "kinds"):
        if not row[field]:
            raise VisitPlanError(f"{field}: must be given", field)
    if not wanted.reason and (replaces is not None or not wanted.enabled):
        raise VisitPlanError("reason: must be given", "reason")
    row |= {"plan_id": plan_id, "community": community, "replaces": replaces, "reason": wanted.reason}
    row |= {"enabled": wanted.enabled, "equipment": sorted(set(wanted.equipment)) or None}
    _check_equipment(conn, row)
    return row


def _check_equipment(conn: Connection, row: Mapping[str, Any]) -> None:
    """Each piece is of a kind of the plan, and in at most one plan in the place of the same general one."""
    if row["equipment"]:
        known = {name for (name,) in conn.execute(_sql("plan_equipment"), row)}
        if unknown := sorted(set(row["equipment"]) - known):
            raise VisitPlanError(f"equipment: {unknown[0]!r} is none of these kinds there", "equipment")
    if row["replaces"] and (taken := conn.execute(_sql("taken_equipment"), row).fetchone()):
        raise VisitPlanError(f"equipment: {taken[0]!r} has such a plan already", "taken")


def _record(conn: Connection, action: str, plan_id: str, wanted: Wanted, more: dict[str, Any]) -> None:
    detail = {"enabled": wanted.enabled, "every": wanted.plan.every, "equipment": list(wanted.equipment)}
    detail |= {"basis": wanted.plan.basis, "reason": wanted.reason} | more
    audit.record(conn, action, "visit_plan", plan_id, person_id=wanted.person_id, detail=detail)


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/preventive.sql")[name]
