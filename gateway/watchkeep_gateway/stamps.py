"""The time that the gateway writes on what it reads: the wall clock, but not its jumps.

* Set back by up to 5 min: stamps go on at half speed until the wall clock has caught up, so that no point's readings
  go back in time.
* Set back by more: stamps follow at once. What was stamped that far ahead is in quarantine, not in a series: ingest
  takes nothing more than 5 min ahead.
* Jumped ahead by more than 5 min (a dead battery says 2036): stamps go on as before until somebody vouches for the new
  time, or it has lasted 10 min. When it comes back, as such jumps do, nothing has happened.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock

STEP_MS = 500.0
"""A wall clock that moved this much against the machine's uptime was set; less is a time service at work."""

FOLLOW_MS = 300_000.0
"""What ingest takes into a series although it is ahead (ARCHITECTURE §3); beyond it there is nothing to protect."""

BELIEVE_AFTER_MS = 600_000.0
"""A jump ahead that nobody vouches for is believed after this long: a technician may have set the clock by hand."""

_UPTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def wall_ms() -> float:
    """The machine's clock, ms since 1970 UTC."""
    return time.time_ns() / 1e6


def uptime_ms() -> float:
    """Since the machine was started, sleep included; nobody can set it."""
    return time.clock_gettime_ns(_UPTIME) / 1e6


@dataclass(frozen=True, slots=True)
class Stamping:
    """As of the last stamp; all in ms."""

    wall_ms: float
    uptime_ms: float
    stamp_ms: int
    lead_ms: float = 0.0
    """Stamp minus wall clock; below 0 while a jump ahead is doubted."""
    doubted_ms: float = 0.0
    """Uptime when that jump was seen."""


def follow(before: Stamping, wall_ms: float, uptime_ms: float, vouched: Callable[[], bool]) -> Stamping:
    """The next stamp; `vouched` is asked only when the clock was set: is the wall clock known to be right?"""
    elapsed = max(0.0, uptime_ms - before.uptime_ms)
    jump = (wall_ms - before.wall_ms) - elapsed
    lead, doubted = before.lead_ms, before.doubted_ms
    if lead > 0:
        lead = max(0.0, lead - elapsed / 2)
    if jump <= -STEP_MS:
        lead = lead - jump if lead - jump <= FOLLOW_MS else 0.0
    elif jump > FOLLOW_MS:
        lead, doubted = lead - jump, uptime_ms
    elif jump >= STEP_MS and lead > 0:
        lead = max(0.0, lead - jump)
    if lead < 0 and (uptime_ms - doubted >= BELIEVE_AFTER_MS or vouched()):
        lead = 0.0
    stamp = round(wall_ms + lead)
    if before.stamp_ms - FOLLOW_MS < stamp < before.stamp_ms:
        stamp = before.stamp_ms
    return Stamping(wall_ms, uptime_ms, stamp, lead, doubted)


def go_on(stamping: Stamping, newest_ms: int) -> Stamping:
    """At a start: the clock may have been set back since `newest_ms`, the latest stamp before it."""
    ahead = newest_ms - stamping.wall_ms
    if 0 < ahead <= FOLLOW_MS:
        return replace(stamping, lead_ms=ahead, stamp_ms=newest_ms)
    return stamping


class StampClock:
    """`now_ms` may be called by any thread."""

    def __init__(
        self,
        vouched: Callable[[], bool],
        *,
        wall_ms: Callable[[], float] = wall_ms,
        uptime_ms: Callable[[], float] = uptime_ms,
    ) -> None:
        self._vouched = vouched
        self._wall_ms = wall_ms
        self._uptime_ms = uptime_ms
        self._lock = Lock()
        wall = wall_ms()
        self._stamping = Stamping(wall, uptime_ms(), round(wall))

    def now_ms(self) -> int:
        """Ms since 1970 UTC."""
        with self._lock:
            self._stamping = follow(self._stamping, self._wall_ms(), self._uptime_ms(), self._vouched)
            return self._stamping.stamp_ms

    def go_on_from(self, newest_ms: int) -> None:
        with self._lock:
            self._stamping = go_on(self._stamping, newest_ms)

    @property
    def lead_ms(self) -> float:
        """By how much stamps are ahead of the wall clock; 0 unless the clock was set lately."""
        return self._stamping.lead_ms
