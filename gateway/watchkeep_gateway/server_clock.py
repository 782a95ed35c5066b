"""How far our clock is from the server's, measured on the acks.

An ack says when the server had committed. That was after we published the message, and before the ack came: so the
offset is known within the round trip, as NTP does it. Of the last measurements the one with the shortest trip counts.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from threading import Lock
from typing import NamedTuple

from watchkeep_gateway.stamps import STEP_MS, uptime_ms, wall_ms

KEPT = 16
"""Measurements the shortest trip is looked for in."""

MAX_WAITING = 400
"""Published messages whose ack is awaited: the windows of both lanes."""


class Offset(NamedTuple):
    """Our clock minus the server's; the true one is within ± `error_ms`."""

    offset_ms: float
    error_ms: float


class _Moment(NamedTuple):
    wall_ms: float
    uptime_ms: float

    def same_clock(self, other: "_Moment") -> bool:
        """Whether nobody set the clock between the two."""
        return abs((self.wall_ms - self.uptime_ms) - (other.wall_ms - other.uptime_ms)) < STEP_MS


class ServerClock:
    """Any thread may call. What was measured before the clock was set does not count."""

    def __init__(self, wall_ms: Callable[[], float] = wall_ms, uptime_ms: Callable[[], float] = uptime_ms) -> None:
        """The wall clock itself, not the stamps."""
        self._wall_ms = wall_ms
        self._uptime_ms = uptime_ms
        self._lock = Lock()
        self._published: OrderedDict[tuple[str, int], _Moment] = OrderedDict()
        self._measured: deque[tuple[Offset, _Moment]] = deque(maxlen=KEPT)

    def published(self, epoch: str, seq: int) -> None:
        """Now. The first time counts, as the ack may be for that one."""
        with self._lock:
            if (epoch, seq) not in self._published:
                self._published[epoch, seq] = self._now()
                if len(self._published) > MAX_WAITING:
                    self._published.popitem(last=False)

    def acked(self, epoch: str, seq: int, server_ms: float) -> None:
        """An ack came just now; not a retained one of earlier."""
        with self._lock:
            sent, now = self._published.pop((epoch, seq), None), self._now()
            if sent is None or not sent.same_clock(now):
                return
            trip_ms = now.uptime_ms - sent.uptime_ms
            self._measured.append((Offset(now.wall_ms - trip_ms / 2 - server_ms, trip_ms / 2), now))

    @property
    def offset(self) -> Offset | None:
        """None while nothing is known."""
        with self._lock:
            now = self._now()
            valid = [offset for offset, moment in self._measured if moment.same_clock(now)]
        return min(valid, key=lambda found: found.error_ms, default=None)

    def agrees_within(self, limit_ms: float) -> bool:
        """Whether the server's clock says for certain that ours is not further off than this."""
        known = self.offset
        return known is not None and abs(known.offset_ms) + known.error_ms <= limit_ms

    def _now(self) -> _Moment:
        return _Moment(self._wall_ms(), self._uptime_ms())
