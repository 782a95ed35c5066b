"""Work that is done again whenever the database says so; a lost database ends a listening period, in plain sight."""

import random
import threading
from collections.abc import Callable

import psycopg
from psycopg import Connection
from psycopg_pool import PoolTimeout

from watchkeep_core.database import DatabaseRefused, DatabaseUnavailable, connect
from watchkeep_core.logs import get_logger
from watchkeep_core.service import Stop
from watchkeep_dispatch import metrics

_log = get_logger(__name__)

BACK_OFF_S = (0.5, 30.0)
"""First and longest wait while the database is away; doubled each time, jittered."""


class Loop:
    """Does `once` at every notification on `channel`, at least every `poll_s`, and again at once while it says true."""

    def __init__(self, url: str, name: str, channel: str, poll_s: float, once: Callable[[], bool]) -> None:
        self._url = url
        self._name = name
        self._listen = f"LISTEN {channel}"
        self._poll_s = poll_s
        self._once = once
        self._well: bool | None = None
        """Whether the last time went through; None before the first."""
        self._thread: threading.Thread | None = None

    def healthy(self) -> bool:
        """The last time went through."""
        return self._well is True and (self._thread is None or self._thread.is_alive())

    def run(self, stop: Stop) -> None:
        """Until the stop; a lost database is tried again after a back-off."""
        wait_s = BACK_OFF_S[0]
        while not stop.is_set():
            try:
                with connect(self._url, f"dispatch-{self._name}", autocommit=True) as listener:
                    listener.execute(self._listen.encode())
                    while not stop.is_set():
                        more = self._once()
                        self._well, wait_s = True, BACK_OFF_S[0]
                        if not more:
                            wait_for_change(listener, self._poll_s)
            except (psycopg.OperationalError, PoolTimeout, DatabaseUnavailable, DatabaseRefused) as error:
                if self._well is not False:
                    _log.error("database_lost", loop=self._name, error=" ".join(str(error).split()))
                self._well = False
                metrics.LOOP_ERRORS.labels(self._name).inc()
                stop.wait(wait_s * random.uniform(0.5, 1.0))  # noqa: S311  jitter, no secret
                wait_s = min(2 * wait_s, BACK_OFF_S[1])

    def start(self, stop: Stop) -> None:
        """The same in a thread of its own; should it end by an error, the service says that it is not well."""
        self._thread = threading.Thread(target=self._apart, args=(stop,), name=self._name, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """After the stop."""
        if self._thread:
            self._thread.join()

    def _apart(self, stop: Stop) -> None:
        try:
            self.run(stop)
        except Exception:
            self._well = False
            _log.exception("loop_ended", loop=self._name)


def wait_for_change(listener: Connection, at_most_s: float) -> None:
    """Until the database says so; what else has come in by then is one and the same reason."""
    for _ in listener.notifies(timeout=at_most_s, stop_after=1):
        pass
    for _ in listener.notifies(timeout=0):
        pass
