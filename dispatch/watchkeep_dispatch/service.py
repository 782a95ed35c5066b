"""The service: files warnings, runs the clocks, hands over notifications, seals the audit trail."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg import Connection
from psycopg_pool import ConnectionPool, PoolTimeout

from watchkeep_core import audit
from watchkeep_core.clock import Clock, SystemClock
from watchkeep_core.database import DatabaseRefused, DatabaseUnavailable, connect, open_pool
from watchkeep_core.errors import PermanentError
from watchkeep_core.logs import get_logger
from watchkeep_core.service import HealthServer, Stop
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import metrics, preventive, rota
from watchkeep_dispatch.casework import Rules
from watchkeep_dispatch.complaints import answer_settled, file_reports
from watchkeep_dispatch.dispatching import assign_waiting
from watchkeep_dispatch.duties import Lists
from watchkeep_dispatch.escalation import escalate
from watchkeep_dispatch.filing import RECURRENCES, claim, judge, merge_recurrences, oldest_unfiled_s, raise_risen
from watchkeep_dispatch.notify.jobs import check_installed
from watchkeep_dispatch.notify.outbox import gathering
from watchkeep_dispatch.notify.setup import notify_worker
from watchkeep_dispatch.notify.worker import NotifyWorker
from watchkeep_dispatch.settings import DispatchSettings
from watchkeep_dispatch.storms import watch
from watchkeep_dispatch.verdicts import Outcome, Waiting, postpone

_log = get_logger(__name__)

FILE_PER_ROUND = 200
"""After so many warnings the clocks get their turn: a burst cannot hold them up for more than about a second."""
PER_COMMIT = 20
"""Warnings judged in one transaction, about 0.1 s: what has just become urgent waits no longer than that."""
RETRY_JUDGING_S = 60
"""A warning that cannot be judged (its community is gone …) is looked at again after this time."""
POOL_TIMEOUT_S = 5.0
"""Waiting longer for a connection would keep a stop waiting."""
BACK_OFF_S = (0.5, 30.0)
"""First and longest wait while the database is away; doubled each time, jittered."""


class Rounds:
    """One round of work after the other; `healthy` tells whether the last one went through."""

    def __init__(
        self, settings: DispatchSettings, pool: ConnectionPool[Connection], clock: Clock | None = None
    ) -> None:
        self._pool = pool
        self._clock = clock or SystemClock()
        self._settings = settings
        self._calendar = settings.calendar()
        self._rules = rules(settings)
        self._chores: tuple[Callable[[Connection, datetime], object], ...] = (
            lambda conn, now: assign_waiting(conn, now, self._calendar),
            raise_risen,
            lambda conn, now: file_reports(conn, now, self._rules),
            lambda conn, now: answer_settled(conn, now, self._rules),
            self._escalate,
            lambda conn, now: preventive.file_failed(conn, now, self._rules),
            self._every_minute,
            lambda conn, now: metrics.UNFILED_AGE.set(oldest_unfiled_s(conn, now)),
            lambda conn, now: audit.seal(conn),
        )
        self._minute_at = datetime.min.replace(tzinfo=UTC)
        self.healthy = True

    def round(self) -> bool:
        """File what waits, then see to the clocks; true when more warnings wait already."""
        with self._pool.connection(timeout=POOL_TIMEOUT_S) as conn:
            with conn.transaction():
                self._watch_storms(conn, self._clock.now())
            filed = file_waiting(conn, self._clock.now, self._rules, FILE_PER_ROUND)
            joined = self._join(conn)
            for chore in self._chores:
                with conn.transaction():
                    chore(conn, self._clock.now())
        return filed == FILE_PER_ROUND or joined == RECURRENCES

    def _join(self, conn: Connection) -> int:
        with conn.transaction():
            joined = merge_recurrences(conn, self._clock.now())
        metrics.VERDICTS.labels("merged", "open_case").inc(joined)
        return joined

    def _watch_storms(self, conn: Connection, now: datetime) -> None:
        for storm in watch(conn, now, self._rules):
            _log.warning("storm_began", storm=storm)

    def _every_minute(self, conn: Connection, now: datetime) -> None:
        """What need not be looked at each second."""
        if abs(now - self._minute_at) < timedelta(minutes=1):
            return
        self._minute_at = now
        rota.assign_open(conn, now)
        rota.warn_of_gaps(conn, now)
        preventive.open_due(conn, now)
        for case_id in preventive.file_overdue(conn, now, self._rules):
            _log.warning("visit_overdue", case=case_id)

    def _escalate(self, conn: Connection, now: datetime) -> None:
        for fired in escalate(conn, now, self._calendar):
            metrics.ESCALATIONS.labels(fired.clock, str(fired.level)).inc()
            _log.info("escalated", case=fired.case_id, clock=fired.clock, level=fired.level, to=fired.to_party)


def rules(settings: DispatchSettings) -> Rules:
    """How the service judges, from its settings."""
    waits = {"A": settings.auto_file_a_s, "B": settings.auto_file_b_s, "C": settings.auto_file_c_s}
    return Rules(
        load(),
        Lists(),
        waits,
        timedelta(seconds=settings.reopen_within_s),
        settings.calendar(),
        flap_openings=settings.flap_openings,
        storm_equipment=settings.storm_equipment,
        fold_wait=timedelta(seconds=settings.fold_wait_s),
    )


def file_waiting(conn: Connection, now: Callable[[], datetime], how: Rules, at_most: int) -> int:
    """Judge up to `at_most` waiting warnings, `PER_COMMIT` in a transaction; returns how many."""
    count = 0
    while count < at_most:
        try:
            with conn.transaction(), gathering(conn):
                moment = now()
                claimed = claim(conn, moment, min(PER_COMMIT, at_most - count))
                # In one order for all workers, so that they do not wait for each other's cases in a circle.
                in_turn = sorted(claimed, key=lambda found: (not found.life_safety, *found.key))
                outcomes = [_judge(conn, warning, moment, how) for warning in in_turn]
        except psycopg.errors.DeadlockDetected:  # a symptom's case may still close the circle: the other one goes on
            metrics.LOOP_ERRORS.labels("deadlock").inc()
            continue
        for outcome in filter(None, outcomes):
            _count(outcome)
        count += len(claimed)
        if not claimed:
            break
    return count


def _judge(conn: Connection, warning: Waiting, now: datetime, how: Rules) -> Outcome | None:
    """None when it cannot be judged now: it is put off, the others of its transaction are not."""
    try:
        with conn.transaction(), gathering(conn):
            return judge(conn, warning, now, how)
    except (psycopg.DataError, psycopg.IntegrityError, PermanentError) as error:
        postpone(conn, warning, now + timedelta(seconds=RETRY_JUDGING_S))
        metrics.POSTPONED.inc()
        _log.error("not_judged", warning=warning.warning_id, error=str(error), again_in_s=RETRY_JUDGING_S)
        return None


def run(settings: DispatchSettings, stop: Stop) -> None:
    """Work until the stop. Raises DatabaseUnavailable, DatabaseRefused, JobsMissing at the start; later it retries."""
    url = settings.database_url.get_secret_value()
    pool = open_pool(url, "dispatch", min_size=1, max_size=2 + settings.notify_workers)
    worker: NotifyWorker | None = None
    health: HealthServer | None = None
    try:
        with pool.connection() as conn:
            check_installed(conn)
        rounds = Rounds(settings, pool)
        worker = notify_worker(settings, pool)
        if settings.health_port:
            checks = {"database": lambda: rounds.healthy, "notifications": worker.healthy}
            health = HealthServer(settings.health_host, settings.health_port, checks)
        worker.start()
        _log.info("started", poll_s=settings.poll_s)
        _loop(url, settings.poll_s, rounds, stop)
    finally:
        if worker:
            worker.stop()
        if health:
            health.close()
        pool.close()
        _log.info("stopped")


def _loop(url: str, poll_s: float, rounds: Rounds, stop: Stop) -> None:
    """Reconnects in plain sight: a lost database ends a listening period, the next one begins after a back-off."""
    wait_s = BACK_OFF_S[0]
    while not stop.is_set():
        try:
            with connect(url, "dispatch-listen", autocommit=True) as listener:
                listener.execute("LISTEN watchkeep")
                while not stop.is_set():
                    started = time.monotonic()
                    more = rounds.round()
                    rounds.healthy, wait_s = True, BACK_OFF_S[0]
                    metrics.LOOP_LAG.set(max(0.0, time.monotonic() - started - poll_s))
                    if not more:
                        wait_for_change(listener, poll_s)
        except (psycopg.OperationalError, PoolTimeout, DatabaseUnavailable, DatabaseRefused) as error:
            if rounds.healthy:
                _log.error("database_lost", error=" ".join(str(error).split()))
            rounds.healthy = False
            metrics.LOOP_ERRORS.labels("rounds").inc()
            stop.wait(wait_s * random.uniform(0.5, 1.0))  # noqa: S311  jitter, no secret
            wait_s = min(2 * wait_s, BACK_OFF_S[1])


def wait_for_change(listener: Connection, at_most_s: float) -> None:
    """Until somebody writes warnings, cases or orders; what else has come in by then is one and the same reason."""
    for _ in listener.notifies(timeout=at_most_s, stop_after=1):
        pass
    for _ in listener.notifies(timeout=0):
        pass


def _count(outcome: Outcome) -> None:
    metrics.VERDICTS.labels(outcome.verdict, outcome.rule).inc()
    if outcome.verdict == "filed":
        metrics.CASES.labels(outcome.case_class or "").inc()
    if outcome.order_id is not None:
        metrics.ORDERS.inc()
    _log.info("judged", warning=outcome.warning_id, verdict=outcome.verdict, rule=outcome.rule, case=outcome.case_id)
