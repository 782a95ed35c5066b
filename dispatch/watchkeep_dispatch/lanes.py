"""Work in processes of its own, so that nothing that must not wait is behind another one's interpreter.

One judges life safety and hands over what it tells; one hands over all other notifications. A pipe each tells the
service once a second that all is well, and what was counted: `/health` and `/metrics` stay one.
"""

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any, cast

from watchkeep_core.database import open_pool
from watchkeep_core.processes import Child, run_children
from watchkeep_core.service import Stop
from watchkeep_dispatch import metrics
from watchkeep_dispatch.loops import Loop
from watchkeep_dispatch.notify.jobs import QUEUE, URGENT_QUEUE
from watchkeep_dispatch.notify.reporters import Reporters
from watchkeep_dispatch.notify.setup import how, notify_worker
from watchkeep_dispatch.rounds import Rounds
from watchkeep_dispatch.settings import DispatchSettings

REPORT_S = 1.0
WELL_FOR_S = 30.0
"""A process that has said nothing for so long, though it has a second, is not well."""
SWITCH_S = 0.0005
"""How long a thread may keep the interpreter, in seconds: whoever waits for a dozen answers waits for it each time."""


class Lanes:
    """Both processes, kept alive until the service's stop."""

    def __init__(self, settings: DispatchSettings, log_level: str, stop: Stop) -> None:
        pipes = {work: Pipe(duplex=False) for work in (life_safety, hand_over)}
        self._heard = {heard: float("-inf") for heard, _ in pipes.values()}
        """When each last said that all is well."""
        self._telling = [telling for _, telling in pipes.values()]
        names = {life_safety: "dispatch-life-safety", hand_over: "dispatch-notify"}
        children = [Child(names[work], partial(work, settings, pipes[work][1]), log_level) for work in pipes]
        self._stop = stop
        self._keeper = threading.Thread(target=run_children, args=(children, self._stop), name="lanes", daemon=True)
        self._listener = threading.Thread(target=self._listen, name="lane-reports", daemon=True)

    def start(self) -> None:
        self._keeper.start()
        self._listener.start()

    def healthy(self) -> bool:
        """They live, and the last attempts reached database and queue."""
        return self._keeper.is_alive() and time.monotonic() - min(self._heard.values()) < WELL_FOR_S

    def stop(self) -> None:
        """Stops the service; what is being handed over is finished first."""
        self._stop.set()
        for thread in (self._keeper, self._listener):
            if thread.ident is not None:
                thread.join()
        for end in (*self._telling, *self._heard):
            end.close()

    def _listen(self) -> None:
        while (ready := wait(list(self._heard), REPORT_S)) or self._keeper.is_alive():
            for heard in cast("list[Connection]", ready):
                well, counted = heard.recv()
                metrics.add(counted)
                self._heard[heard] = time.monotonic() if well else float("-inf")


def life_safety(settings: DispatchSettings, telling: Connection, stop: Stop) -> None:
    """In its process: judge life safety and hand over what it tells. Raises DatabaseUnavailable, DatabaseRefused."""
    sys.setswitchinterval(SWITCH_S)
    url = settings.database_url.get_secret_value()
    with open_pool(url, "dispatch-life-safety", min_size=1, max_size=3 + settings.notify_workers) as pool:
        loop = Loop(url, "life_safety", "watchkeep_life_safety", settings.poll_s, Rounds(settings, pool).life_safety)
        worker = notify_worker(settings, pool, URGENT_QUEUE)
        worker.start()
        loop.start(stop)
        _report_until(stop, telling, lambda: worker.healthy() and loop.healthy(), worker.stop)
        loop.join()


def hand_over(settings: DispatchSettings, telling: Connection, stop: Stop) -> None:
    """In its process: all that can wait, and reporters' answers. Raises DatabaseUnavailable, DatabaseRefused."""
    sys.setswitchinterval(SWITCH_S)
    url = settings.database_url.get_secret_value()
    with open_pool(url, "dispatch-notify", min_size=1, max_size=2 + settings.notify_workers) as pool:
        worker = notify_worker(settings, pool, QUEUE)
        worker.start()
        threading.Thread(target=Reporters(pool, how(settings)).run, args=(stop,), name="reporters", daemon=True).start()
        _report_until(stop, telling, worker.healthy, worker.stop)


def _report_until(stop: Stop, telling: Connection, well: Callable[[], bool], end: Callable[[], Any]) -> None:
    """Tell what is counted until the stop; then `end`, and tell the rest."""
    before: metrics.Totals = {}
    try:
        while not stop.wait(REPORT_S):
            before = _report(telling, well(), before)
    finally:
        end()
        _report(telling, True, before)


def _report(telling: Connection, well: bool, before: metrics.Totals) -> metrics.Totals:
    """Small enough to go through the pipe in one piece; a service that is gone hears nothing any more."""
    now = metrics.apart()
    with suppress(OSError):
        telling.send(
            (well, {key: value - before.get(key, 0.0) for key, value in now.items() if value != before.get(key)})
        )
    return now
