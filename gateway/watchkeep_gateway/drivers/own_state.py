"""The gateway as equipment: spool, disk and clock as readings of its own, where the file names it as equipment."""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from shutil import disk_usage

from watchkeep_core import vocabulary
from watchkeep_core.logs import get_logger
from watchkeep_gateway.errors import SpoolClosed
from watchkeep_gateway.values import Delivery, Emit, PointKey, Reading, Readings

log = get_logger(__name__)

PERIOD_S = 60.0
METRICS = ("spool_depth", "disk_free", "clock_offset")


def points(equipment: str) -> dict[PointKey, float | None]:
    """What it declares."""
    known = vocabulary.load().metrics
    return {(equipment, metric, known[metric].unit): PERIOD_S for metric in METRICS}


class OwnState:
    """Every minute what it measures of itself."""

    name = "self"

    def __init__(
        self,
        equipment: str,
        emit: Emit,
        clock_ms: Callable[[], int],
        *,
        disk: Path,
        spool_depth: Callable[[], int],
        clock_offset_ms: Callable[[], float | None],
    ) -> None:
        """`spool_depth` in messages; `clock_offset_ms` None while nobody can tell, positive = ahead."""
        self._equipment = equipment
        self._emit = emit
        self._clock_ms = clock_ms
        self._disk = disk
        self._spool_depth = spool_depth
        self._clock_offset_ms = clock_offset_ms
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="own-state", daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()

    def read(self) -> Iterable[Reading]:
        """What cannot be told now is left out."""
        now_ms = self._clock_ms()
        yield Reading(self._equipment, "spool_depth", now_ms, float(self._spool_depth()))
        usage = disk_usage(self._disk)
        yield Reading(self._equipment, "disk_free", now_ms, round(100 * usage.free / usage.total, 2))
        offset_ms = self._clock_offset_ms()
        if offset_ms is not None:
            yield Reading(self._equipment, "clock_offset", now_ms, round(offset_ms / 1000, 4))

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self._emit(Delivery(Readings.of(self.read())))
            except SpoolClosed:
                return
            except OSError as error:
                log.error("own_state_failed", why=str(error))
            self._ending.wait(PERIOD_S)
