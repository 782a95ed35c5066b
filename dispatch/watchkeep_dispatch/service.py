"""The service: files warnings, runs the clocks, hands over notifications, seals the audit trail."""

import random
import time

import psycopg
from psycopg import Connection
from psycopg_pool import PoolTimeout

from watchkeep_core.database import DatabaseRefused, DatabaseUnavailable, connect, open_pool
from watchkeep_core.logs import get_logger
from watchkeep_core.service import HealthServer, Stop
from watchkeep_dispatch import metrics
from watchkeep_dispatch.notify.jobs import check_installed
from watchkeep_dispatch.notify.process import NotifyProcess
from watchkeep_dispatch.rounds import Rounds
from watchkeep_dispatch.settings import DispatchSettings

_log = get_logger(__name__)

BACK_OFF_S = (0.5, 30.0)
"""First and longest wait while the database is away; doubled each time, jittered."""


def run(settings: DispatchSettings, stop: Stop) -> None:
    """Work until the stop. Raises DatabaseUnavailable, DatabaseRefused, JobsMissing at the start; later it retries."""
    url = settings.database_url.get_secret_value()
    pool = open_pool(url, "dispatch", min_size=1, max_size=2)
    worker: NotifyProcess | None = None
    health: HealthServer | None = None
    try:
        with pool.connection() as conn:
            check_installed(conn)
        rounds = Rounds(settings, pool)
        worker = NotifyProcess(settings, settings.log_level, stop)
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
