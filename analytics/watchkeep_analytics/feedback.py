"""What people say of warnings, and too many warnings of one point: both move the bar of a learned detector there.

Only detectors that judge by a point's own past have such a bar; no word of anybody moves a rule, a limit or an event.
Each move is a row of `detection_feedback` that can be listed and revoked.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_core import audit
from watchkeep_core.clock import to_us
from watchkeep_core.database import queries
from watchkeep_core.errors import PermanentError

STATISTICAL = ("baseline", "flatline", "spikes", "ratios", "equipment")
"""Detectors with a bar."""

FALSE_ALARM = 1.25
"""By which a false alarm raises the bar: three in a row double it."""

MOST = 4.0
"""No bar is raised further: beyond, a point would be blind in practice, which is for a manager to decide."""

FACTORS = {"false_alarm": FALSE_ALARM, "real": 1 / FALSE_ALARM, "normal": 1.0}

_SQL = queries("watchkeep_analytics", "feedback.sql")


class FeedbackError(PermanentError):
    """What was said cannot be taken over; the text says why."""


class Feedback(NamedTuple):
    """What is in force for a partition."""

    bars: dict[tuple[int, str], float]
    """(series id, detector) → by how much its bar is raised, above 1."""
    normals: dict[int, int]
    """Series id → µs since 1970 UTC at which people called its course normal."""


NOTHING = Feedback({}, {})


def in_force(conn: Connection, communities: Sequence[str]) -> Feedback:
    """As the database has it now."""
    named = {"communities": list(communities), "most": MOST}
    bars = {(series, detector): factor for series, detector, factor in conn.execute(_SQL["bars"], named)}
    return Feedback(bars, {series: to_us(at) for series, at in conn.execute(_SQL["normals"], named)})


def say(conn: Connection, warning_id: int, said: str, *, by: str, why: str) -> int:
    """Record what a person says of a warning, in the caller's transaction; returns its number. Raises FeedbackError."""
    if not by.strip() or not why.strip():
        raise FeedbackError("by, why: both must be given")
    row = conn.execute(_SQL["warning"], {"warning": warning_id}).fetchone()
    if row is None:
        raise FeedbackError(f"warning {warning_id}: there is none")
    community, _, series, _, detector, life_safety = row
    if detector not in STATISTICAL or life_safety or series is None:
        raise FeedbackError(
            f"warning {warning_id}: {detector} is a rule, which feedback does not move: see `rules import`"
        )
    named = {"warning": warning_id, "said": said, "factor": FACTORS[said], "reason": why, "by": by}
    found = conn.execute(_SQL["say"], named).fetchone()
    if found is None:
        raise FeedbackError(f"warning {warning_id}: {said} was said before")
    _note(conn, "feedback.say", found[0], community, {"said": said, "warning": warning_id, "by": by, "why": why})
    return int(found[0])


def revoke(conn: Connection, feedback_id: int, *, by: str, why: str) -> None:
    """Take it back, in the caller's transaction. Raises FeedbackError."""
    if not by.strip() or not why.strip():
        raise FeedbackError("by, why: both must be given")
    found = conn.execute(_SQL["revoke"], {"feedback": feedback_id, "by": by, "why": why}).fetchone()
    if found is None:
        raise FeedbackError(f"feedback {feedback_id}: there is none in force")
    _note(conn, "feedback.revoke", feedback_id, found[0], {"by": by, "why": why})


def listing(conn: Connection, *, community: str | None, revoked: bool, at_most: int) -> list[dict[str, Any]]:
    """The newest first."""
    with conn.cursor(row_factory=dict_row) as cursor:
        named = {"community": community, "revoked": revoked, "at_most": at_most}
        return cursor.execute(_SQL["listing"], named).fetchall()


def collect(conn: Connection) -> int:
    """Take over what people decided elsewhere, in the caller's transaction; returns how many rows are new."""
    named = {"detectors": list(STATISTICAL), "false_alarm": FALSE_ALARM, "real": 1 / FALSE_ALARM}
    found = [
        *conn.execute(_SQL["take_requests"], named).fetchall(),
        *conn.execute(_SQL["take_verdicts"], named | {"factor": FALSE_ALARM}).fetchall(),
        *conn.execute(_SQL["take_closed"], named | {"factor": 1 / FALSE_ALARM}).fetchall(),
    ]
    for feedback_id, community, series, detector in found:
        _note(conn, "feedback.take_over", feedback_id, community, {"series": series, "detector": detector})
    return len(found)


def keep_budgets(conn: Connection, budget: int) -> int:
    """Raise and lower the bars of points by their warnings of 30 days, in the caller's transaction; returns changes."""
    named = {"detectors": list(STATISTICAL), "budget": budget}
    wanted = {(row[2], row[4]): row for row in conn.execute(_SQL["over_budget"], named)}
    changed = 0
    standing: dict[tuple[int, str], float] = {}
    for feedback_id, community, series, detector, factor in conn.execute(_SQL["budgets"]).fetchall():
        row = wanted.get((series, detector))
        if row is not None and factor == budget_factor(row[5], budget):
            standing[series, detector] = factor
            continue
        why = f"{row[5] if row else f'at most {budget}'} warnings in 30 days"
        conn.execute(_SQL["revoke"], {"feedback": feedback_id, "by": "analytics", "why": why})
        _note(conn, "feedback.budget_over", feedback_id, community, {"series": series, "detector": detector})
        changed += 1
    for key, (community, equipment, series, condition, detector, count) in wanted.items():
        if key not in standing:
            values = {"community": community, "equipment": equipment, "series": series, "condition": condition}
            reason = f"{count} warnings in 30 days, budget {budget}"
            factor = budget_factor(count, budget)
            conn.execute(_SQL["put_budget"], values | {"detector": detector, "factor": factor, "reason": reason})
            changed += 1
    return changed


def budget_factor(count: int, budget: int) -> float:
    """A quarter more for each warning above the budget."""
    return float(min(MOST, FALSE_ALARM ** (count - budget)))


def _note(conn: Connection, action: str, feedback_id: int, community: str, detail: dict[str, Any]) -> None:
    audit.record(conn, action, "detection_feedback", str(feedback_id), detail={"community": community, **detail})
