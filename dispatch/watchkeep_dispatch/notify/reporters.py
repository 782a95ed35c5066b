"""The reporter of a complaint hears the result by SMS or mail, where an address was left.

Apart from `notifications`, which the console shows: who reported is nobody's business. Logs hold its number.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import psycopg
from psycopg import Connection
from psycopg.rows import class_row
from psycopg_pool import ConnectionPool, PoolTimeout

from watchkeep_core.database import queries
from watchkeep_core.errors import PermanentError, TransientError
from watchkeep_core.logs import get_logger
from watchkeep_core.service import Stop
from watchkeep_dispatch import metrics
from watchkeep_dispatch.notify import timing
from watchkeep_dispatch.notify.channels import Target, address
from watchkeep_dispatch.notify.delivery import How
from watchkeep_dispatch.notify.pace import Limits
from watchkeep_dispatch.notify.texts import Text, render

_log = get_logger(__name__)

LOOK_S = 5.0
PER_MINUTE, ALL_REPORTERS = 30, "reporters"
"""Messages to all reporters together."""
A_DAY = 3
"""Messages to one address within 24 hours: whoever reports with another's number must not flood it."""
FRESH = timedelta(days=1)
"""Older answers are told to nobody: the service was away, or has only now got a way to tell."""
LEASE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Untold:
    """An answer on its way to the reporter."""

    complaint_id: int
    token: str
    kind: Literal["sms", "mail"]
    contact: str
    answer_zh: str
    answer_en: str
    answered_at: datetime
    attempts: int


class Reporters:
    """Tells them, one after the other, outside of quiet hours."""

    def __init__(self, pool: ConnectionPool[Connection], how: How) -> None:
        self._pool = pool
        self._how = how
        self._limits = Limits(pool)
        self._kinds = [kind for kind, url in (("sms", how.services.sms), ("mail", how.services.mail)) if url]

    def run(self, stop: Stop, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Until the stop; nothing to do where the site has neither SMS nor mail."""
        while self._kinds and not stop.wait(LOOK_S):
            try:
                while not stop.is_set() and self.tell_one(now()):
                    pass
            except (psycopg.OperationalError, PoolTimeout) as error:
                metrics.LOOP_ERRORS.labels("reporters").inc()
                _log.error("reporters_wait", error=type(error).__name__)

    def tell_one(self, now: datetime) -> bool:
        """False when nobody is to be told now."""
        news = timing.Facts("answer", urgent=False, case_class="", personal=False, digest=False)
        if timing.held_until(news, now, self._how.timing, self._how.timing.quiet) is not None:
            return False
        if self._limits.full(ALL_REPORTERS, PER_MINUTE):
            return False
        with self._pool.connection() as conn, conn.cursor(row_factory=class_row(Untold)) as cursor:
            one = cursor.execute(_sql("next_untold"), self._wanted(now)).fetchone()
        if one is None:
            return False
        self._limits.reserve(ALL_REPORTERS, PER_MINUTE, 1)
        try:
            channel = self._how.open_channel(address(_target(one), self._how.services))
            channel.send(_text(one, self._how.public_url))
        except (PermanentError, TransientError) as error:
            over = isinstance(error, PermanentError)
            again = now + timing.again_after(one.attempts, urgent=False)
            attempts = timing.ATTEMPTS if over else one.attempts
            row = {"id": one.complaint_id, "again": again, "error": str(error)[:500], "attempts": attempts}
            self._write("not_told", row)
            metrics.NOTIFICATIONS.labels(one.kind, "failed" if attempts >= timing.ATTEMPTS else "retried").inc()
            _log.warning("reporter_not_told", complaint=one.complaint_id, kind=one.kind, error=str(error)[:500])
            return True
        self._write("told", {"id": one.complaint_id, "now": now, "answered_at": one.answered_at})
        metrics.NOTIFICATIONS.labels(one.kind, "sent").inc()
        _log.info("reporter_told", complaint=one.complaint_id, kind=one.kind)
        return True

    def _wanted(self, now: datetime) -> dict[str, Any]:
        return {
            "now": now,
            "fresh": now - FRESH,
            "day": now - timedelta(days=1),
            "a_day": A_DAY,
            "attempts": timing.ATTEMPTS,
            "kinds": self._kinds,
            "until": now + LEASE,
        }

    def _write(self, name: str, values: dict[str, Any]) -> None:
        with self._pool.connection() as conn:
            conn.execute(_sql(name), values)


def _target(one: Untold) -> Target:
    return Target(
        kind=one.kind,
        enabled=True,
        personal=True,
        quiet_hours=None,
        per_minute=None,
        language="zh",
        phone=one.contact,
        email=one.contact,
        url="",
    )


def _text(one: Untold, public_url: str) -> Text:
    """Both languages: nobody has asked which one the reporter reads."""
    chinese = render("answer", "zh", {"answer": one.answer_zh})
    english = render("answer", "en", {"answer": one.answer_en})
    link = [f"{public_url.rstrip('/')}/r/status/{one.token}"] if public_url else []
    return Text(f"{chinese.title} {english.title}", "\n".join([chinese.body, english.body, *link]))


def _sql(name: str) -> Any:
    return queries("watchkeep_dispatch", "sql/reporters.sql")[name]
