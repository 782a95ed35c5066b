"""Handing over what waits for one channel: what a job does. At least once: a crash after sending sends again."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row
from psycopg_pool import ConnectionPool

from watchkeep_core.database import queries
from watchkeep_core.errors import PermanentError, TransientError
from watchkeep_core.logs import get_logger
from watchkeep_dispatch.metrics import NOTIFICATIONS
from watchkeep_dispatch.notify import timing
from watchkeep_dispatch.notify.channels import PER_MINUTE, Channel, Services, Target, address
from watchkeep_dispatch.notify.pace import Limits, Outages
from watchkeep_dispatch.notify.texts import Language, Text, TextError, compose, digest
from watchkeep_dispatch.notify.timing import ATTEMPTS, Facts, Timing

_log = get_logger(__name__)

LEASE = timedelta(seconds=60)
"""What a worker has taken belongs to it for so long; it stops after half of it."""
LEFT_TO_LIFE_SAFETY = 4
"""This part of what a channel takes in a minute: a robot that has had too many refuses for minutes, whatever comes."""
AT_ONCE, CAPPED_AT_ONCE = 50, 500
"""Taken together. Channels with a limit take more: most of it becomes one message."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One notification with what its text and its timing need."""

    id: int
    kind: str
    words: dict[str, str]
    urgent: bool
    digest: bool
    attempts: int
    case_id: int | None
    title: str
    body: str
    personal: bool
    case_class: str
    title_en: str
    community_en: str
    evidence_zh: str
    evidence_en: str
    mention: str

    def facts(self) -> Facts:
        return Facts(self.kind, self.urgent, self.case_class, self.personal, self.digest)

    def text(self, language: Language, public_url: str) -> Text:
        """Written by an older version, whose words do not suit this text any more: as it was then."""
        try:
            return compose(
                self.kind,
                language,
                self.words,
                title_en=self.title_en,
                community_en=self.community_en,
                evidence=self.evidence_en if language == "en" else self.evidence_zh,
                link=f"{public_url.rstrip('/')}/cases/{self.case_id}" if public_url and self.case_id else "",
            )
        except TextError:
            return Text(self.title, self.body)


@dataclass(frozen=True, slots=True)
class How:
    """How a site delivers."""

    open_channel: Callable[[str], Channel]
    services: Services = field(default_factory=Services)
    timing: Timing = field(default_factory=Timing)
    public_url: str = ""


class Delivery:
    """Serves channels; for several threads at once."""

    def __init__(self, pool: ConnectionPool[Connection], how: How) -> None:
        self._pool = pool
        self._how = how
        self._limits = Limits(pool)
        self._outages = Outages()
        self._stopping = threading.Event()

    def serve(self, channel_id: int, urgent: bool, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Hand over all that is due; with `urgent`, life safety only. Outside of any transaction while it sends."""
        target = self._target(channel_id)
        if target is None:
            return
        wanted = PER_MINUTE.get(target.kind) if target.per_minute is None else target.per_minute
        at_most = AT_ONCE if wanted is None else CAPPED_AT_ONCE
        left_s = self._outages.left_s(channel_id)
        with self._outages.trial(channel_id) as free:
            if left_s and not (urgent and free):
                until = now() + timedelta(seconds=1 if urgent else left_s)
                row = {"channel": channel_id, "urgent": urgent, "now": now(), "until": until}
                self._write("put_off_channel", row)
                return
            while not self._stopping.is_set() and (waiting := self._lease(channel_id, urgent, at_most, now())):
                batch = _Batch(channel_id, target, waiting, now(), time.monotonic() + LEASE.total_seconds() / 2)
                if not self._hand_over(batch, wanted):
                    return

    def stop(self) -> None:
        """Finish the message under way; what is left stays queued."""
        self._stopping.set()

    def _hand_over(self, batch: "_Batch", per_minute: int | None) -> bool:
        """False when the channel has to be left alone for now."""
        due = self._hold(batch)
        if not due:
            return True
        try:
            where = address(batch.target, self._how.services)
            channel = self._how.open_channel(where)
        except PermanentError as error:
            self._failed(batch, due, error)
            return True
        facts = [row.facts() for row in due]
        allowance, wait_s = self._allowance(where, per_minute, facts)
        parts = timing.share(facts, allowance)
        if parts.later:
            self._put_off([due[i] for i in parts.later], batch.now + timedelta(seconds=wait_s), digest=True)
        groups = [[due[i]] for i in parts.singles] + ([[due[i] for i in parts.together]] if parts.together else [])
        return self._send_all(batch, channel, groups) and not parts.later

    def _allowance(self, where: str, per_minute: int | None, facts: Sequence[Facts]) -> tuple[int | None, float]:
        """Messages that may go now besides those for life safety (None = all), seconds until there may be more."""
        if per_minute is None:
            return None, 0.0
        ordinary = per_minute - per_minute // LEFT_TO_LIFE_SAFETY
        urgent = sum(one.urgent for one in facts)
        return self._limits.reserve(where, ordinary, timing.messages(facts), urgent=urgent)

    def _send_all(self, batch: "_Batch", channel: Channel, groups: Sequence[list[Waiting]]) -> bool:
        done: list[tuple[Waiting, Text, datetime]] = []
        try:
            for place, group in enumerate(groups):
                if self._stopping.is_set() or time.monotonic() > batch.ends:
                    self._put_off([row for rest in groups[place:] for row in rest], batch.now, digest=False)
                    return True
                texts = [row.text(batch.language, self._how.public_url) for row in group]
                try:
                    channel.send(texts[0] if len(texts) == 1 else digest(texts, batch.language), _mention(group))
                except PermanentError as error:
                    self._failed(batch, group, error)
                    continue
                except TransientError as error:
                    self._failed(batch, [row for rest in groups[place:] for row in rest], error)
                    self._outages.failed(batch.channel_id)
                    return False
                self._outages.over(batch.channel_id)
                done += [(row, text, datetime.now(UTC)) for row, text in zip(group, texts, strict=True)]
        finally:
            self._sent(batch, done)
        return True

    def _hold(self, batch: "_Batch") -> list[Waiting]:
        """Put off what has to wait for the end of the quiet hours or for the digest; returns what is due."""
        quiet = self._how.timing.quiet if batch.target.personal else None
        if batch.target.quiet_hours is not None:
            quiet = timing.span(batch.target.quiet_hours)
        due: list[Waiting] = []
        later: dict[datetime, list[Waiting]] = {}
        for row in batch.waiting:
            until = timing.held_until(row.facts(), batch.now, self._how.timing, quiet)
            (due if until is None else later.setdefault(until, [])).append(row)
        for until, rows in later.items():
            self._put_off(rows, until, digest=True)
        return due

    def _target(self, channel_id: int) -> Target | None:
        with self._pool.connection() as conn, conn.cursor(row_factory=class_row(Target)) as cursor:
            return cursor.execute(_sql("channel"), [channel_id]).fetchone()

    def _lease(self, channel_id: int, urgent: bool, at_most: int, now: datetime) -> list[Waiting]:
        """Planned anew each time: the plan of a table that was empty reads all of it once it holds a burst."""
        row = {"channel": channel_id, "urgent": urgent, "at_most": at_most, "now": now, "until": now + LEASE}
        with self._pool.connection() as conn, conn.cursor(row_factory=class_row(Waiting)) as cursor:
            return cursor.execute(_sql("lease"), row, prepare=False).fetchall()

    def _sent(self, batch: "_Batch", done: Sequence[tuple[Waiting, Text, datetime]]) -> None:
        if not done:
            return
        after = [timing.fallback_after(row.facts(), self._how.timing) for row, _, _ in done]
        rows = {
            "ids": [row.id for row, _, _ in done],
            "at": [at for _, _, at in done],
            "titles": [text.title for _, text, _ in done],
            "bodies": [text.body for _, text, _ in done],
            "fallback": [at + wait if wait else None for (_, _, at), wait in zip(done, after, strict=True)],
            "language": batch.language,
        }
        self._write("sent", rows)
        NOTIFICATIONS.labels(batch.target.kind, "sent").inc(len(done))
        _log.info("notified", channel=batch.channel_id, kind=batch.target.kind, count=len(done))

    def _failed(self, batch: "_Batch", rows: Sequence[Waiting], error: PermanentError | TransientError) -> None:
        """The next channel of a person takes over: at once when this one is dead or life is at stake."""
        if not rows:
            return
        dead = [isinstance(error, PermanentError) or row.attempts + 1 >= ATTEMPTS for row in rows]
        self._write(
            "not_sent",
            {
                "ids": [row.id for row in rows],
                "status": ["failed" if over else "queued" for over in dead],
                "again": [batch.now + timing.again_after(row.attempts + 1, urgent=row.urgent) for row in rows],
                "fallback": [batch.now if over or row.urgent else None for row, over in zip(rows, dead, strict=True)],
                "error": str(error)[:500],
            },
        )
        NOTIFICATIONS.labels(batch.target.kind, "failed").inc(sum(dead))
        NOTIFICATIONS.labels(batch.target.kind, "retried").inc(len(rows) - sum(dead))
        _log.warning("not_notified", channel=batch.channel_id, count=len(rows), error=str(error)[:500])

    def _put_off(self, rows: Sequence[Waiting], until: datetime, *, digest: bool) -> None:
        if rows:
            self._write("put_off", {"ids": [row.id for row in rows], "until": until, "digest": digest})

    def _write(self, name: str, values: dict[str, Any]) -> None:
        with self._pool.connection() as conn:
            conn.execute(_sql(name), values, prepare=False)


@dataclass(frozen=True, slots=True)
class _Batch:
    channel_id: int
    target: Target
    waiting: list[Waiting]
    now: datetime
    ends: float

    @property
    def language(self) -> Language:
        return "en" if self.target.language == "en" else "zh"


def _mention(group: Sequence[Waiting]) -> str:
    return group[0].mention if len({row.mention for row in group}) == 1 else ""


def _sql(name: str) -> Any:
    return queries("watchkeep_dispatch", "sql/notify.sql")[name]
