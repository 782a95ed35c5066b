"""Ends the process when a thread of it is dead or stuck: the supervisor starts a new one, the broker delivers again.

A process that only looks alive is the worst case: the broker fills its queue until it drops (RELIABILITY §0).
"""

import os
import threading
from collections.abc import Callable

from watchkeep_core.logs import get_logger
from watchkeep_core.service import Stop

log = get_logger(__name__)

EXIT_CODE = 70
"""EX_SOFTWARE of sysexits: not one that Python or a signal would give."""


class Watchdog:
    """Its own thread, because what it watches may hang: what is wrong at two looks in a row ends the process."""

    def __init__(
        self, look: Callable[[], set[str]], stop: Stop, every_s: float, end: Callable[[int], object] = os._exit
    ) -> None:
        """`look` names what is dead or stuck."""
        self._look = look
        self._stop = stop
        self._every_s = every_s
        self._end = end
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        before: set[str] = set()
        while not self._stop.wait(self._every_s):
            wrong = self._look()
            if wrong & before:
                log.critical("watchdog_ends_process", wrong=sorted(wrong & before))
                self._end(EXIT_CODE)
                return
            before = wrong
