"""Keeps the storage in order beside the writers: partitions ahead, rollups, retention. One worker of all at a time.

It gives way: while this worker's data lane runs at its limit, a pass waits until the rollups are `_MOST_LAG_S` behind.
"""

import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg import Connection
from psycopg.errors import LockNotAvailable
from psycopg.sql import SQL

from watchkeep_core.database import queries
from watchkeep_core.errors import WatchkeepError
from watchkeep_core.logs import get_logger
from watchkeep_core.service import Stop
from watchkeep_core.storage.backends import Backend, backend_of
from watchkeep_core.storage.enrolment import enrol
from watchkeep_core.storage.levels import LEVELS, Level, save_keep
from watchkeep_core.storage.retention import drop_expired
from watchkeep_core.storage.rollups import Budget
from watchkeep_core.storage.status import rollup_lag
from watchkeep_core.vocabulary import load
from watchkeep_ingest import metrics

log = get_logger(__name__)

_LOCK = "SELECT pg_try_advisory_lock(hashtext('watchkeep.upkeep'))"

_PASS_S = 60.0
"""Between two passes; with SETTLE of the rollups, late readings show after two minutes at most when nothing waits."""

_BUDGET_S = 50.0
"""How long a pass may take before retention has its turn; the next pass, which then comes at once, does the rest."""

_RETENTION_S = 600.0

_MOST_LAG_S = 210.0
"""How far the rollups may fall behind for the sake of the writers; with a pass of a minute that is below the 5 min in
which late readings must show."""

_LOOK_S = 1.0
"""How often it looks whether the writers are still busy."""

_BATCHES_AT_ONCE = 2_000
"""Rows of `batches` deleted in one transaction, of each lane and partition: 64,000 together, less than a second."""

_UNDER_WAY = timedelta(minutes=1)
"""A transaction's batches carry the time of its beginning; none lasts longer."""

_AHEAD_DAYS = 3
"""Days whose partitions are made ahead: the writers make what is missing too, but while they hold a batch."""


class Upkeep:
    """Its thread holds the advisory lock of one connection; a worker that dies frees it."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        keep: dict[Level, timedelta],
        stop: Stop,
        *,
        keep_batches: timedelta = timedelta(days=30),
        loaded: Callable[[], bool] = lambda: False,
        first_s: float = 0.0,
    ) -> None:
        """`connect` gives connections in autocommit mode; `loaded` tells that the writers are at their limit.

        The first pass comes after `first_s`: a worker that starts has a queue to empty.
        """
        self._connect = connect
        self._keep = keep
        self._stop = stop
        self._keep_batches = keep_batches
        self._loaded = loaded
        self._first_s = first_s
        self._counters = [metric.id for metric in load().metrics.values() if metric.value == "counter"]
        self._retained_s = float("-inf")
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """After the stop; true when it has ended. One in a long statement may be left: all it does can be done again.

        It is not cancelled from here: `cancel` beside the own `close` of the thread has been seen to hang both.
        """
        if self._thread.ident is None:
            return True  # never started
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with self._connect() as conn:
                    self._serve(conn)
            except Exception as error:  # the writers go on; the next pass tries again
                if self._stop.is_set():
                    return
                metrics.UPKEEP_FAILURES.inc()
                text = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
                ours = not isinstance(error, psycopg.Error | WatchkeepError)  # a bug: its trace is needed
                log.warning("upkeep_failed", error=text, exc_info=ours)
                self._stop.wait(random.uniform(0.5, 1) * _PASS_S)  # noqa: S311 - spreads load, no secret

    def _serve(self, conn: Connection) -> None:
        """Until the stop, or until the connection is lost."""
        # The lock of a worker whose machine vanished is free again after half a minute, not after two hours.
        conn.execute("SET tcp_keepalives_idle = 15")
        conn.execute("SET tcp_keepalives_interval = 5")
        conn.execute("SET tcp_keepalives_count = 3")
        conn.execute("SET max_parallel_workers_per_gather = 0")  # one core at most
        conn.execute("SET synchronous_commit = off")  # all it does can be done again; writers need the disk
        while not self._stop.is_set():
            row = conn.execute(_LOCK).fetchone()
            if row is None or not row[0]:
                self._stop.wait(_PASS_S)
                continue
            wait_s = self._first_s
            while not self._stop.wait(wait_s):
                self._give_way(conn)
                wait_s = _PASS_S if self.work(conn, datetime.now(UTC)) else 0.0

    def _give_way(self, conn: Connection) -> None:
        """Wait while the writers are at their limit and the rollups are not too far behind."""
        while self._loaded() and rollup_lag(conn, datetime.now(UTC))[0] < _MOST_LAG_S:
            if self._stop.wait(_LOOK_S):
                return

    def work(self, conn: Connection, now: datetime) -> bool:
        """One pass; false when more is waiting already."""
        start_s = time.monotonic()
        backend = backend_of(conn)
        with conn.transaction():
            save_keep(conn, self._keep)
            backend.make_ahead(conn, [now.date() + timedelta(days=n) for n in range(-1, _AHEAD_DAYS + 1)])
            _sum_minutes(conn, now)
        complete = self._roll(conn, backend, now)
        if start_s - self._retained_s >= _RETENTION_S:
            self._retained_s = start_s
            self._retain(conn, now)
        lag_s, waiting = rollup_lag(conn, now)
        metrics.ROLLUP_LAG.set(lag_s)
        metrics.ROLLUP_WAITING.set(waiting)
        metrics.UPKEEP_SECONDS.observe(time.monotonic() - start_s)
        return complete

    def _roll(self, conn: Connection, backend: Backend, now: datetime) -> bool:
        try:
            backend.seal(conn, now)
            with conn.transaction():
                enrol(conn, self._counters, wide_marks=backend.name == "timescaledb-community")
            done = backend.roll(conn, Budget(self._stop, _BUDGET_S))
        except LockNotAvailable:  # a writer's transaction is longer than the seal waits
            metrics.UPKEEP_FAILURES.inc()
            return True
        metrics.ROLLUP_LATE.inc(done.late_hours)
        if done.hours or done.late_hours:
            log.info("rolled_up", windows=done.windows, hours=done.hours, late_hours=done.late_hours)
        return done.complete

    def _retain(self, conn: Connection, now: datetime) -> None:
        for level in LEVELS:
            try:
                with conn.transaction():
                    dropped, kept = drop_expired(conn, level, now)
            except LockNotAvailable:
                log.info("retention_waits", level=level)
                continue
            if dropped:
                metrics.PARTS_DROPPED.labels(level).inc(dropped)
                log.info("expired_dropped", level=level, parts=dropped, kept_for_replay=kept)
        self._retain_batches(conn, now)

    def _retain_batches(self, conn: Connection, now: datetime) -> None:
        """In small transactions, until none is left or the next pass is due; the newest of each lane always stays."""
        row = {"before": now - self._keep_batches, "at_most": _BATCHES_AT_ONCE}
        budget = Budget(self._stop, _BUDGET_S)
        deleted, count = 0, _BATCHES_AT_ONCE
        while count >= _BATCHES_AT_ONCE and not budget.is_spent():
            with conn.transaction():
                count = conn.execute(_sql("delete_batches"), row).rowcount
            deleted += count
        conn.execute(_sql("delete_minutes"), row)
        if deleted:
            log.info("batches_deleted", count=deleted)


def _sum_minutes(conn: Connection, now: datetime) -> None:
    """Batches per minute, for those who watch the platform, without transactions that may still be under way."""
    for (since,) in conn.execute(_sql("minutes_since"), {"now": now}):
        conn.execute(_sql("sum_minutes"), {"since": since, "until": now - _UNDER_WAY})


def _sql(name: str) -> SQL:
    return queries("watchkeep_ingest", "sql/ledger.sql")[name]
