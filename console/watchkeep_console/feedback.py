"""What people say of warnings: written down here, taken over by analytics; it moves learned bars, never a rule."""

from datetime import datetime
from typing import Literal, get_args

from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_console import models as m
from watchkeep_console.errors import Conflict, Invalid, NotFound
from watchkeep_console.identity import Session
from watchkeep_console.services import Services
from watchkeep_core import audit
from watchkeep_core.database import queries

Said = Literal["normal", "false_alarm", "real"]
SAID: tuple[Said, ...] = get_args(Said)
LEARNED = frozenset({"baseline", "flatline", "spikes", "ratios", "equipment"})
"""Detectors that judge by a point's own past; tests/console compares it with analytics."""
Reason = Literal["rule", "life_safety", "no_point"]
Effect = Literal["waits", "relearned", "raised", "lowered", "none", "revoked"]
_SQL = queries("watchkeep_console", "sql/feedback.sql")


class Feedback(m.Model):
    """`factor` multiplies the bar of the detector on this point; absent until analytics has taken it over."""

    feedback_id: int
    warning_id: int | None
    said: str
    reason: str
    said_by: str
    """Empty for analytics itself, and for people one may not see."""
    said_at: datetime
    factor: float | None
    effect: Effect
    revoked_by: str | None
    revoked_at: datetime | None
    revoked_why: str | None


class Opinion(m.Model):
    """`fixed` says why nothing that is said moves this warning's detector; None = it learns."""

    fixed: Reason | None
    items: list[Feedback]

    def in_force(self, warning_id: int) -> Feedback | None:
        """What stands of this warning now."""
        return next((one for one in self.items if one.warning_id == warning_id and one.revoked_at is None), None)


def opinion(conn: Connection, warning_id: int) -> Opinion:
    """What was said, newest first, with what else moves the same bar. Raises NotFound."""
    fixed = _fixed(*_point(conn, warning_id)[1:])
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SQL["said"], {"warning": warning_id}).fetchall()
    return Opinion(fixed=fixed, items=[Feedback(**row, effect=_effect(row)) for row in rows])


def say(house: Services, session: Session, warning_id: int, said: Said, reason: str) -> Opinion:
    """Write it down. Raises NotFound, Forbidden, Invalid(`reason`), Conflict(`not_learned`, `said_before`)."""
    _given("reason", reason)
    with house.identity.acting(session) as conn:
        community, detector, life_safety, series_id = _point(conn, warning_id)
        session.person.require("warning:judge", community)
        fixed = _fixed(detector, life_safety, series_id)
        if fixed is not None:
            raise Conflict("not_learned", _WHY_NOT[fixed])
        row = conn.execute(_SQL["say"], {"warning": warning_id, "said": said, "reason": reason.strip()}).fetchone()
        if row is None:
            raise Conflict("said_before", "something was said of this warning already; revoke it first")
        detail = {"community": community, "warning": warning_id, "said": said, "why": reason}
        _note(conn, session, "feedback.say", row[0], detail)
        return opinion(conn, warning_id)


def revoke(house: Services, session: Session, warning_id: int, feedback_id: int, why: str) -> Opinion:
    """Take it back, whoever said it. Raises NotFound, Forbidden, Invalid(`reason`), Conflict(`revoked`)."""
    _given("reason", why)
    with house.identity.acting(session) as conn:
        community = _point(conn, warning_id)[0]
        session.person.require("warning:judge", community)
        if all(one.feedback_id != feedback_id for one in opinion(conn, warning_id).items):
            raise NotFound("feedback", feedback_id)
        named = {"feedback": feedback_id, "warning": warning_id, "why": why.strip()}
        if conn.execute(_SQL["revoke"], named).fetchone() is None:
            raise Conflict("revoked", f"feedback {feedback_id} is not in force, or is of another warning")
        _note(
            conn, session, "feedback.revoke", feedback_id, {"community": community, "warning": warning_id, "why": why}
        )
        return opinion(conn, warning_id)


_WHY_NOT: dict[Reason, str] = {
    "rule": "a rule or limit made this warning, which no word moves; change the limit, or dismiss the warning",
    "life_safety": "life safety is never made less sensitive by what is said of one warning",
    "no_point": "the warning belongs to no single point, so that there is no bar to move",
}


def _fixed(detector: str, life_safety: bool, series_id: int | None) -> Reason | None:
    """Pure."""
    if life_safety:
        return "life_safety"
    if detector not in LEARNED:
        return "rule"
    return "no_point" if series_id is None else None


def _effect(row: dict[str, object]) -> Effect:
    """Pure."""
    factor = row["factor"]
    if row["revoked_at"] is not None:
        return "revoked"
    if not isinstance(factor, float):
        return "waits"
    if row["said"] == "normal":
        return "relearned"
    return "raised" if factor > 1 else "lowered" if factor < 1 else "none"


def _point(conn: Connection, warning_id: int) -> tuple[str, str, bool, int | None]:
    row = conn.execute(_SQL["point"], {"warning": warning_id}).fetchone()
    if row is None:
        raise NotFound("warning", warning_id)
    community, detector, life_safety, series_id = row
    return community, detector, life_safety, series_id


def _given(field: str, text: str) -> None:
    if not text.strip():
        raise Invalid(field, "a reason must be given")


def _note(conn: Connection, session: Session, action: str, feedback_id: int, detail: dict[str, object]) -> None:
    who = session.person.person_id
    audit.record(conn, action, "detection_feedback", str(feedback_id), person_id=who, detail=detail)
