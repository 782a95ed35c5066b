"""Every night, in a process of its own: training must not take memory or time from those who judge."""

import multiprocessing
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from watchkeep_analytics.settings import AnalyticsSettings
from watchkeep_core import logs
from watchkeep_core.errors import WatchkeepError
from watchkeep_core.logs import get_logger
from watchkeep_core.service import Stop

log = get_logger(__name__)

_LOCAL = timedelta(hours=8)  # China has one time zone and no summer time
_LOOK_S = 1.0
_END_S = 10.0


def due_at(now: datetime, hour: int) -> datetime:
    """When this hour of the day begins next in China; aware, UTC."""
    local = now.astimezone(UTC) + _LOCAL
    at = local.replace(hour=hour, minute=0, second=0, microsecond=0)
    return (at if at > local else at + timedelta(days=1)) - _LOCAL


class Nightly:
    """A thread until the stop. Of several hosts the first trains; the others find that it has been done."""

    def __init__(self, settings: AnalyticsSettings, stop: Stop) -> None:
        self._settings = settings
        self._stop = stop
        self.thread = threading.Thread(target=self._run, name="analytics-nightly", daemon=True)

    def _run(self) -> None:
        hour = self._settings.train_hour
        if hour < 0:
            return
        due = due_at(datetime.now(UTC), hour)
        while not self._stop.wait(_LOOK_S):
            if datetime.now(UTC) >= due:
                due = due_at(datetime.now(UTC), hour)
                self._train()

    def _train(self) -> None:
        arguments = (
            self._settings.database_url.get_secret_value(),
            self._settings.train_days,
            self._settings.log_level,
        )
        process = multiprocessing.get_context("spawn").Process(target=tonight, args=arguments, daemon=True)
        process.start()
        while process.is_alive() and not self._stop.wait(_LOOK_S):
            pass
        if process.is_alive():
            process.terminate()
        process.join(_END_S)
        if process.exitcode:
            log.warning("training_failed", exit_code=process.exitcode)


def tonight(url: str, days: float, log_level: str) -> None:
    """In a process of its own, until it is done."""
    logs.configure("analytics-train", log_level)
    try:
        found = train_all(url, days)
    except WatchkeepError as error:
        log.warning("training_failed", why=str(error))
        return
    if found is not None:
        log.info("models_trained", equipment=found["equipment"], trained=found["trained"])


def train_all(url: str, days: float) -> dict[str, Any] | None:
    """Train all equipment, unless that was done within half a day: None. Imports here: only this process needs them."""
    from watchkeep_analytics import register
    from watchkeep_analytics.models import frames, store, training
    from watchkeep_core import database
    from watchkeep_core.topics import PARTITIONS

    end = datetime.now(UTC)
    with database.connect(url, "analytics-train", autocommit=True) as conn:
        if store.trained_lately(conn):
            return None
        items = frames.items(conn, sorted(register.communities(conn, range(PARTITIONS))), None)
        with training.workers("joblib", 1, None) as parallel:
            return training.run(conn, items, frames.Span(end - timedelta(days=days), end), parallel)
