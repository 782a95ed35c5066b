"""The service: files warnings, runs the clocks, seals the audit trail; life safety and hand-over are processes."""

from watchkeep_core.database import open_pool
from watchkeep_core.logs import get_logger
from watchkeep_core.service import HealthServer, Stop
from watchkeep_dispatch.lanes import Lanes
from watchkeep_dispatch.loops import Loop
from watchkeep_dispatch.notify.jobs import check_installed
from watchkeep_dispatch.rounds import Rounds
from watchkeep_dispatch.settings import DispatchSettings

_log = get_logger(__name__)


def run(settings: DispatchSettings, stop: Stop) -> None:
    """Work until the stop. Raises DatabaseUnavailable, DatabaseRefused, JobsMissing at the start; later it retries."""
    url = settings.database_url.get_secret_value()
    pool = open_pool(url, "dispatch", min_size=1, max_size=2)
    lanes: Lanes | None = None
    health: HealthServer | None = None
    rounds = Loop(url, "rounds", "watchkeep", settings.poll_s, Rounds(settings, pool).round)
    try:
        with pool.connection() as conn:
            check_installed(conn)
        lanes = Lanes(settings, settings.log_level, stop)
        if settings.health_port:
            checks = {"database": rounds.healthy, "notifications": lanes.healthy}
            health = HealthServer(settings.health_host, settings.health_port, checks)
        lanes.start()
        _log.info("started", poll_s=settings.poll_s)
        rounds.run(stop)
    finally:
        if lanes:
            lanes.stop()
        if health:
            health.close()
        pool.close()
        _log.info("stopped")
