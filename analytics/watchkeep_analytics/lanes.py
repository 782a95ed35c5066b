"""What the two lanes share: a thread with its own database connection that comes back, and pending signals."""

import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime

import psycopg
from psycopg import Connection

from watchkeep_analytics import metrics, warnings
from watchkeep_analytics.sessions import Inbox, Message
from watchkeep_analytics.settings import AnalyticsSettings
from watchkeep_analytics.signals import Signal
from watchkeep_core import database
from watchkeep_core.database import DatabaseUnavailable
from watchkeep_core.logs import get_logger
from watchkeep_core.service import Stop
from watchkeep_core.topics import Lane

log = get_logger(__name__)

RETRY_MAX_S = 30.0
NOT_IN_FLIGHT_S = 5.0
"""A batch committed longer ago than this, whose message has not come, will not come."""


class Every:
    """True once per interval."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    def due(self) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


class LaneWorker(ABC):
    """One lane over all partitions of this process."""

    lane: Lane

    def __init__(self, settings: AnalyticsSettings, inbox: Inbox, stop: Stop) -> None:
        self.settings = settings
        self.database_ok = False
        self.failed = False
        self.ready = threading.Event()
        """Caught up once."""
        self._inbox = inbox
        self._stop = stop
        self._pending: list[Signal] = []
        self._done: dict[int, int] = dict.fromkeys(settings.partitions, -1)
        self._names: dict[tuple[str, str], warnings.Named] = {}
        self._replays: dict[str, bool] = {}
        self._prepared = False
        self._received_ns = 0
        self._refresh, self._save = Every(settings.refresh_s), Every(settings.save_s)
        self._poll, self._tick = Every(settings.poll_s), Every(settings.tick_s)
        self._save.due()
        self.thread = threading.Thread(target=self._run, name=f"analytics-{self.lane}", daemon=True)

    @abstractmethod
    def prepare(self, conn: Connection) -> None:
        """Load the register and the saved states."""

    @abstractmethod
    def refresh(self, conn: Connection) -> None:
        """Read the register again."""

    @abstractmethod
    def catch_up(self, conn: Connection, partition: int, before: datetime) -> None:
        """Judge what was committed after the last batch and by `before`."""

    @abstractmethod
    def judge(self, conn: Connection, messages: Sequence[Message]) -> None:
        """Judge messages in order."""

    @abstractmethod
    def tick(self, conn: Connection) -> None:
        """Time has passed."""

    @abstractmethod
    def save(self, conn: Connection) -> None:
        """Save the states, in the caller's transaction."""

    def named(self, community: str, equipment: str) -> warnings.Named:
        known = self._names.get((community, equipment))
        return known or warnings.Named("", "", self._replays.get(community, False))

    def flush(self, conn: Connection) -> None:
        """Write what is pending; it stays pending when the database is away."""
        if not self._pending:
            return
        now = datetime.now(UTC)
        with conn.transaction():
            written = warnings.write(conn, self._pending, self.named, now, self.settings.over_after_s)
        for signal in self._pending:
            metrics.SIGNALS.labels(signal.tier).inc()
        self._pending = []
        self._count(written, time.time())

    def _count(self, written: warnings.Written, now_s: float) -> None:
        metrics.REPEATED.inc(written.repeated)
        metrics.CLEARED.inc(written.cleared)
        metrics.OVER.inc(written.over)
        for signal in written.opened:
            metrics.OPENED.labels(signal.tier).inc()
            if self._received_ns:
                metrics.MESSAGE_TO_WARNING.labels(self.lane).observe(max(now_s - self._received_ns / 1e9, 0))
            if not self.named(signal.community, signal.equipment).replay:
                metrics.EVENT_TO_WARNING.labels(self.lane).observe(max(now_s - signal.event_us / 1e6, 0))
            log.info(
                "warning_opened",
                community=signal.community,
                equipment=signal.equipment,
                condition=signal.condition,
                tier=signal.tier,
                detector=signal.detector,
            )

    def _run(self) -> None:
        wait_s = 0.5
        while not self._stop.is_set():
            try:
                with database.connect(self._url, f"analytics-{self.lane}", autocommit=True) as conn:
                    self.database_ok, wait_s = True, 0.5
                    self._work(conn)
            except (psycopg.OperationalError, DatabaseUnavailable) as error:
                if self.database_ok:
                    log.warning("database_lost", lane=self.lane, why=str(error).strip())
                self.database_ok = False
                self._stop.wait(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, no secret
                wait_s = min(2 * wait_s, RETRY_MAX_S)
            except Exception:
                log.exception("lane_failed", lane=self.lane)
                self.failed = True
                return

    @property
    def _url(self) -> str:
        return self.settings.database_url.get_secret_value()

    def _work(self, conn: Connection) -> None:
        if not self._prepared:
            self.prepare(conn)
            self._prepared = True
        self.flush(conn)
        for partition in self.settings.partitions:
            self.catch_up(conn, partition, datetime.now(UTC))
        self.flush(conn)
        self.ready.set()
        while not self._stop.is_set():
            self._once(conn)
        self.flush(conn)
        self._keep(conn)

    def _once(self, conn: Connection) -> None:
        messages = self._inbox.take(min(0.2, self.settings.tick_s))
        self._received_ns = messages[0].received_ns if messages else 0
        if messages:
            self.judge(conn, messages)
            self.flush(conn)
        if self._refresh.due():
            self.refresh(conn)
        if self._poll.due():
            before = datetime.fromtimestamp(time.time() - NOT_IN_FLIGHT_S, UTC)
            for partition in self.settings.partitions:
                self.catch_up(conn, partition, before)
        if self._tick.due():
            self.tick(conn)
        self.flush(conn)
        if self._save.due():
            self._keep(conn)

    def _keep(self, conn: Connection) -> None:
        with conn.transaction():
            self.save(conn)
