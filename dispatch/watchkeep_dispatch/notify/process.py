"""Hand-over in a process of its own, so that neither judging nor sending waits for the other's interpreter.

A pipe tells the service once a second that all is well, and what was counted: `/health` and `/metrics` stay one.
"""

import sys
import threading
import time
from contextlib import suppress
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from watchkeep_core.database import open_pool
from watchkeep_core.processes import Child, run_children
from watchkeep_core.service import Stop
from watchkeep_dispatch import metrics
from watchkeep_dispatch.notify.reporters import Reporters
from watchkeep_dispatch.notify.setup import how, notify_worker
from watchkeep_dispatch.settings import NotifySettings

REPORT_S = 1.0
WELL_FOR_S = 30.0
"""A process that has said nothing for so long, though it has a second, is not well."""
_SWITCH_S = 0.0005
"""How long a thread may keep the interpreter, in seconds: a hand-over of life safety waits a dozen times for an answer,
each time behind whichever thread is busy."""


class NotifyProcess:
    """Kept alive until the service's stop."""

    def __init__(self, settings: NotifySettings, log_level: str, stop: Stop) -> None:
        self._heard, self._telling = Pipe(duplex=False)
        child = Child("dispatch-notify", partial(hand_over, settings, self._telling), log_level)
        self._stop = stop
        self._well_at = float("-inf")
        self._keeper = threading.Thread(target=run_children, args=([child], self._stop), name="notify", daemon=True)
        self._listener = threading.Thread(target=self._listen, name="notify-reports", daemon=True)

    def start(self) -> None:
        self._well_at = time.monotonic()
        self._keeper.start()
        self._listener.start()

    def healthy(self) -> bool:
        """It lives, and its last attempt reached the queue."""
        return self._keeper.is_alive() and time.monotonic() - self._well_at < WELL_FOR_S

    def stop(self) -> None:
        """Stops the service; what is being handed over is finished first."""
        self._stop.set()
        for thread in (self._keeper, self._listener):
            if thread.ident is not None:
                thread.join()
        self._telling.close()
        self._heard.close()

    def _listen(self) -> None:
        while self._heard.poll(REPORT_S) or self._keeper.is_alive():
            if self._heard.poll():
                well, counted = self._heard.recv()
                metrics.add(counted)
                self._well_at = time.monotonic() if well else float("-inf")


def hand_over(settings: NotifySettings, telling: Connection, stop: Stop) -> None:
    """In the process: until the stop. Raises DatabaseUnavailable, DatabaseRefused."""
    sys.setswitchinterval(_SWITCH_S)
    url = settings.database_url.get_secret_value()
    with open_pool(url, "dispatch-notify", min_size=1, max_size=2 + 2 * settings.notify_workers) as pool:
        worker = notify_worker(settings, pool)
        worker.start()
        threading.Thread(target=Reporters(pool, how(settings)).run, args=(stop,), name="reporters", daemon=True).start()
        before: metrics.Totals = {}
        try:
            while not stop.wait(REPORT_S):
                before = _report(telling, worker.healthy(), before)
        finally:
            worker.stop()
            _report(telling, True, before)


def _report(telling: Connection, well: bool, before: metrics.Totals) -> metrics.Totals:
    """Small enough to go through the pipe in one piece; a service that is gone hears nothing any more."""
    now = metrics.apart()
    with suppress(OSError):
        telling.send(
            (well, {key: value - before.get(key, 0.0) for key, value in now.items() if value != before.get(key)})
        )
    return now
