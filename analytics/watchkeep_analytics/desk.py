"""Work beside the lanes: takes over what people say of warnings, keeps the budgets, explains each new warning.

One desk at a time in an installation, by an advisory lock; it waits in the parent process, where it delays nobody.
"""

import random
import threading

import psycopg
from psycopg import Connection

from watchkeep_analytics import explanations, feedback
from watchkeep_analytics.lanes import RETRY_MAX_S, Every
from watchkeep_analytics.settings import AnalyticsSettings
from watchkeep_core import database
from watchkeep_core.database import DatabaseRefused, DatabaseUnavailable
from watchkeep_core.logs import get_logger
from watchkeep_core.service import Stop

log = get_logger(__name__)

_LOCK = 0x574B_4144  # "WKAD"
_LOOK_S = 1.0
_BUDGET_S = 3600.0


class Desk:
    """A thread until the stop; what fails is logged and tried again."""

    def __init__(self, settings: AnalyticsSettings, stop: Stop) -> None:
        self._settings = settings
        self._stop = stop
        self._beyond_us: set[int] = set()
        self._collect, self._budgets = Every(settings.refresh_s), Every(_BUDGET_S)
        self.thread = threading.Thread(target=self._run, name="analytics-desk", daemon=True)

    def _run(self) -> None:
        wait_s = 0.5
        while not self._stop.is_set():
            try:
                url = self._settings.database_url.get_secret_value()
                with database.connect(url, "analytics-desk", autocommit=True) as conn:
                    wait_s = 0.5
                    self._work(conn)
            except (psycopg.OperationalError, DatabaseUnavailable, DatabaseRefused) as error:
                log.warning("desk_lost_database", why=str(error).strip())
            except Exception:
                log.exception("desk_failed")
            self._stop.wait(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, no secret
            wait_s = min(2 * wait_s, RETRY_MAX_S)

    def _work(self, conn: Connection) -> None:
        while not self._stop.is_set():
            if conn.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone() == (True,):
                break
            self._stop.wait(5 * _LOOK_S)
        while not self._stop.is_set():
            if self._collect.due():
                with conn.transaction():
                    feedback.collect(conn)
            if self._budgets.due():
                with conn.transaction():
                    feedback.keep_budgets(conn, self._settings.alarm_budget)
            self._explain(conn)
            self._stop.wait(_LOOK_S)

    def _explain(self, conn: Connection) -> None:
        while fresh := [each for each in explanations.waiting(conn) if each not in self._beyond_us]:
            for warning_id in fresh:
                if self._stop.is_set():
                    return
                try:
                    with conn.transaction():
                        explanations.write(conn, warning_id)
                except psycopg.OperationalError:
                    raise
                except Exception:  # one that cannot be explained must not hide the next
                    log.exception("warning_not_explained", warning=warning_id)
                    self._beyond_us.add(warning_id)
