"""What the two lanes share: a thread, its database connection that comes back, its partitions, pending signals.

The partitions are locks of that connection: whoever has lost the one has lost the others, and can write nothing.
"""

import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Collection
from datetime import UTC, datetime
from functools import partial

import psycopg
from psycopg import Connection

from watchkeep_analytics import metrics, register, warnings
from watchkeep_analytics.failures import Failures
from watchkeep_analytics.settings import AnalyticsSettings
from watchkeep_analytics.signals import Signal
from watchkeep_core import database
from watchkeep_core.clock import to_us
from watchkeep_core.database import DatabaseUnavailable
from watchkeep_core.logs import get_logger
from watchkeep_core.service import Stop
from watchkeep_core.shares import Shares
from watchkeep_core.topics import Lane, partition_of

log = get_logger(__name__)

RETRY_MAX_S = 30.0
HOLD_S = 1.0
"""How often a lane looks whether its share of the partitions has changed."""

WHOLE_S = 600.0
"""The register is read again this often, whatever the server's counters of changes say."""

LOCK_SPACE: dict[Lane, int] = {"data": 0x574B_414E, "event": 0x574B_4150}
"""First key of the partitions' advisory locks ("WKAN", "WKAP"); by the next number workers count each other."""


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

    def later(self, seconds: float) -> None:
        """Put the next time off."""
        self._next += seconds


class LaneWorker(ABC):
    """One lane over those partitions that this process holds."""

    lane: Lane

    def __init__(self, settings: AnalyticsSettings, stop: Stop) -> None:
        self.settings = settings
        self.database_ok = False
        self.failed = False
        self.ready = threading.Event()
        """Caught up once."""
        self._stop = stop
        self._shares = Shares(LOCK_SPACE[self.lane], settings.partitions)
        self._pending: list[Signal] = []
        self._done: dict[int, int] = {}
        """Partition → last batch that was judged, of the partitions held."""
        self._names: dict[tuple[str, str], warnings.Named] = {}
        self._replays: dict[str, bool] = {}
        self._changes: int | None = None
        self._received_s = 0.0
        self._refresh, self._save = Every(settings.refresh_s), Every(settings.save_s)
        self._tick, self._hold, self._whole = Every(settings.tick_s), Every(HOLD_S), Every(WHOLE_S)
        self._save.due()
        self._unsaved: list[int] = []
        """Partitions whose turn it is to be saved."""
        self.thread = threading.Thread(target=self._run, name=f"analytics-{self.lane}", daemon=True)

    @property
    def held(self) -> frozenset[int]:
        """Partitions that this process judges now."""
        return frozenset(self._done)

    @abstractmethod
    def refresh(self, conn: Connection) -> None:
        """Read the register again, for the partitions held."""

    @abstractmethod
    def adopt(self, conn: Connection, partition: int) -> None:
        """It is ours: take over the saved state, and judge what was committed since."""

    @abstractmethod
    def drop(self, partition: int) -> None:
        """It is no longer ours; forget its state."""

    @abstractmethod
    def listen(self, conn: Connection) -> None:
        """Wait a short time for what is new, and judge it."""

    @abstractmethod
    def tick(self, conn: Connection) -> None:
        """Time has passed."""

    @abstractmethod
    def save(self, conn: Connection, partition: int) -> None:
        """Save the state of one partition, in the caller's transaction."""

    @abstractmethod
    def failures(self, partition: int) -> Failures | None:
        """What is known to fail there; None when it is no longer ours."""

    def renewed(self, conn: Connection) -> bool:
        """Whether the register, which is large, may have been written to since this was last true."""
        replays, changes = register.communities(conn, self.held), register.changes(conn)
        same = replays == self._replays and changes is not None and changes == self._changes
        if not self._whole.due() and same:
            return False
        self._replays, self._changes = replays, changes
        return True

    def named(self, community: str, equipment: str) -> warnings.Named:
        known = self._names.get((community, equipment))
        return known or warnings.Named("", "", self._replays.get(community, False))

    def flush(self, conn: Connection) -> None:
        """Write what is pending; it stays pending when the database is away."""
        if not self._pending:
            return
        now = datetime.now(UTC)
        written = self._written(conn, now)
        for signal in self._pending:
            metrics.SIGNALS.labels(signal.tier).inc()
        self._pending = []
        self._count(written, time.time())
        for signal, error in written.failed:
            self._blame(signal.detector, error, to_us(now), (signal.community, signal.equipment))

    def _written(self, conn: Connection, now: datetime) -> warnings.Written:
        write = partial(warnings.write, conn, self._pending, self.named, now, self.settings.over_after_s)
        try:
            with conn.transaction():
                return write()
        except psycopg.OperationalError:
            raise
        except Exception:  # one signal that cannot be written must not stop the lane, nor keep back the others
            log.exception("signals_refused", lane=self.lane)
        with conn.transaction():
            return write(apart=True)

    def _blame(self, detector: str, error: Exception, now_us: int, place: tuple[str, str]) -> None:
        """A warning of the platform's own: what this detector says cannot be worked with."""
        metrics.FAILURES.inc()
        log.error("detector_failed", detector=detector, why=f"{type(error).__name__}: {error}"[:300])
        failures = self.failures(partition_of(place[0]))
        if failures is not None:
            self._pending += failures.note(detector, error, now_us, [place])

    def _count(self, written: warnings.Written, now_s: float) -> None:
        metrics.REPEATED.inc(written.repeated)
        metrics.CLEARED.inc(written.cleared)
        metrics.OVER.inc(written.over)
        for signal in written.opened:
            metrics.OPENED.labels(signal.tier).inc()
            if self._received_s:
                metrics.COMMIT_TO_WARNING.labels(self.lane).observe(max(now_s - self._received_s, 0))
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
        self._shares.join(conn)
        self._regain(conn)
        self.refresh(conn)
        self.flush(conn)
        while not self._stop.is_set():
            self._once(conn)
        self.flush(conn)
        self._keep(conn, self.held)

    def _regain(self, conn: Connection) -> None:
        """After a lost connection: what another has taken over in the meantime is no longer ours."""
        held = self.held
        lost = held - self._shares.take(conn, held, len(held))
        if lost:
            log.warning("partitions_lost", lane=self.lane, partitions=sorted(lost))
        self._forget(lost)

    def _balance(self, conn: Connection) -> None:
        """Take what is free up to our share; give up what is beyond it, judged and saved."""
        share, held = self._shares.share(conn), self.held
        beyond = sorted(held)[share:]
        if beyond:
            self.flush(conn)
            self._keep(conn, beyond)
            self._forget(beyond)
            self._shares.give(conn, beyond)
            log.info("partitions_given_up", lane=self.lane, partitions=beyond)
        free = set(self.settings.partitions) - held
        taken = self._shares.take(conn, free, share - len(held)) if free else set()
        if not taken:
            return
        log.info("partitions_taken", lane=self.lane, partitions=sorted(taken))
        self._done |= dict.fromkeys(taken, -1)
        self.refresh(conn)
        for partition in sorted(taken):
            self.adopt(conn, partition)
            self.flush(conn)

    def _forget(self, partitions: Collection[int]) -> None:
        for partition in partitions:
            self.drop(partition)
            del self._done[partition]

    def _once(self, conn: Connection) -> None:
        if self._hold.due():
            self._balance(conn)
            metrics.PARTITIONS.labels(self.lane).set(len(self._done))
            self.ready.set()
        self.listen(conn)
        self.flush(conn)
        if self._refresh.due():
            self.refresh(conn)
        if self._tick.due():
            self.tick(conn)
        self.flush(conn)
        if not self._unsaved and self._save.due():
            self._unsaved = sorted(self.held)
        if self._unsaved:
            self._keep_next(conn)

    def _keep_next(self, conn: Connection) -> None:
        """One partition, as all at once would hold up judging for long; saving takes a tenth of the time at most."""
        partition, begun = self._unsaved.pop(), time.monotonic()
        if partition in self.held:
            self._keep(conn, [partition])
        self._save.later(9 * (time.monotonic() - begun))

    def _keep(self, conn: Connection, partitions: Collection[int]) -> None:
        with conn.transaction():
            for partition in partitions:
                self.save(conn, partition)
