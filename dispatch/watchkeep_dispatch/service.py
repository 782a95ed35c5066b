"""The service: files warnings, runs the clocks, hands over notifications, seals the audit trail."""

import sys

from watchkeep_core.database import open_pool
from watchkeep_core.logs import get_logger
from watchkeep_core.service import HealthServer, Stop
from watchkeep_dispatch.loops import Loop
from watchkeep_dispatch.notify.jobs import check_installed
from watchkeep_dispatch.notify.process import NotifyProcess
from watchkeep_dispatch.rounds import Rounds
from watchkeep_dispatch.settings import DispatchSettings

_log = get_logger(__name__)

SWITCH_S = 0.0005
"""How long a thread may keep the interpreter, in seconds: life safety, which waits a dozen times for an answer of the
database, is otherwise each time behind the other judging for 5 ms."""


def run(settings: DispatchSettings, stop: Stop) -> None:
    """Work until the stop. Raises DatabaseUnavailable, DatabaseRefused, JobsMissing at the start; later it retries."""
    sys.setswitchinterval(SWITCH_S)
    url = settings.database_url.get_secret_value()
    pool = open_pool(url, "dispatch", min_size=1, max_size=3)
    worker: NotifyProcess | None = None
    health: HealthServer | None = None
    rounds = Rounds(settings, pool)
    urgent = Loop(url, "life_safety", "watchkeep_life_safety", settings.poll_s, rounds.life_safety)
    all_else = Loop(url, "rounds", "watchkeep", settings.poll_s, rounds.round)
    try:
        with pool.connection() as conn:
            check_installed(conn)
        worker = NotifyProcess(settings, settings.log_level, stop)
        if settings.health_port:
            checks = {
                "database": lambda: urgent.healthy() and all_else.healthy(),
                "notifications": worker.healthy,
            }
            health = HealthServer(settings.health_host, settings.health_port, checks)
        worker.start()
        urgent.start(stop)
        _log.info("started", poll_s=settings.poll_s)
        all_else.run(stop)
    finally:
        if worker:
            worker.stop()
        urgent.join()
        if health:
            health.close()
        pool.close()
        _log.info("stopped")
