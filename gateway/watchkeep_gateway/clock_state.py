"""Is the machine's clock kept right? Asked of the kernel, which every time service tells."""

import ctypes
import sys
import time
from functools import cache

from watchkeep_core.messages import ClockState

STEP_S = 0.5
"""A wall clock that moved this much against the monotonic one was set, not drifted."""

_STA_UNSYNC = 0x0040
_STA_NANO = 0x2000
_TIME_ERROR = 5


class _Timex(ctypes.Structure):
    """struct timex of <sys/timex.h>; the kernel writes all of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def clock_state() -> ClockState:
    """adjtimex with nothing to set; source `unknown` where there is none."""
    if not sys.platform.startswith("linux"):
        return ClockState(synchronised=False, source="unknown")
    timex = _Timex()
    try:
        answer = _libc().adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return ClockState(synchronised=False, source="unknown")
    if answer < 0:
        return ClockState(synchronised=False, source="unknown")
    if answer == _TIME_ERROR or timex.status & _STA_UNSYNC:
        return ClockState(synchronised=False, source="kernel")
    # The kernel's offset is what it still has to add: a positive one means that we are behind.
    ahead_ms = -timex.offset / (1e6 if timex.status & _STA_NANO else 1e3)
    return ClockState(synchronised=True, offset_ms=ahead_ms, source="kernel")


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


class StepWatch:
    """Notices when the wall clock is set."""

    def __init__(self) -> None:
        self._difference = _difference()

    def step_s(self) -> float:
        """By how much it was set since the last call, in s; 0 when it was not."""
        before, self._difference = self._difference, _difference()
        step = self._difference - before
        return step if abs(step) >= STEP_S else 0.0


def _difference() -> float:
    return time.time() - time.monotonic()
