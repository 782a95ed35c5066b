"""Report by exception: a value that has hardly changed is sent at its heartbeat only; for every driver.

What is sent was always read anew: a heartbeat lets the next fresh reading through, it never repeats an old one.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from threading import Lock

from watchkeep_gateway.values import Delivery, Emit, Point, Readings

DEFAULT_HEARTBEAT_S = 300.0
"""Where neither the file nor the vocabulary's metric has a period."""

Said = tuple[int, float, int]
"""Of a point: ms since 1970 UTC, value, quality."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When a point is sent; against the value that was sent last, so that a slow drift is bounded by the deadband."""

    heartbeat_s: float
    """Longest silence while readings come, in device time."""
    deadband: float = 0.0
    """Changes up to this, in the metric's unit, are not sent."""
    deadband_percent: float = 0.0
    """… or up to this share of the value sent last."""

    def lets_through(self, now: Said, last: Said | None) -> bool:
        if last is None:
            return True
        (t_ms, value, quality), (last_ms, last_value, last_quality) = now, last
        if quality != last_quality or not 0 <= t_ms - last_ms < self.heartbeat_s * 1000:
            return True  # due, or from the past: what was late is not judged by what came after it
        allowed = max(self.deadband, abs(last_value) * self.deadband_percent / 100)
        return not abs(value - last_value) <= allowed  # so that what is not a number goes on, to be refused


Rules = Mapping[Point, Rule]
"""Point → when it is sent; points without a rule are sent always."""


class ReportByException:
    """Stands between all drivers and the spool."""

    def __init__(self, rules: Rules, emit: Emit, count_held: Callable[[int], None] = lambda _: None) -> None:
        """`count_held` is told how many readings were not sent."""
        self._rules = rules
        self._emit = emit
        self._count_held = count_held
        self._last: dict[Point, Said] = {}
        self._lock = Lock()

    def emit(self, delivery: Delivery) -> "Future[None]":
        """As `values.Emit`."""
        if not self._rules or self._rules.keys().isdisjoint(delivery.readings.keys):
            return self._emit(delivery)
        with self._lock:  # drivers hand over in threads of their own
            kept = self._kept(delivery.readings)
        if len(kept) == len(delivery.readings):
            return self._emit(delivery)
        self._count_held(len(delivery.readings) - len(kept))
        if not (kept or delivery.events or delivery.rejected or delivery.digest):
            nothing: Future[None] = Future()
            nothing.set_result(None)
            return nothing
        return self._emit(replace(delivery, readings=delivery.readings.at(kept)))

    def _kept(self, readings: Readings) -> list[int]:
        """Indexes of what is sent."""
        kept = []
        columns = zip(readings.keys, readings.t_ms, readings.values, readings.quality, strict=True)
        for index, (point, t_ms, value, quality) in enumerate(columns):
            rule = self._rules.get(point)
            if rule is not None:
                now, last = (t_ms, value, quality), self._last.get(point)
                if not rule.lets_through(now, last):
                    continue
                if last is None or now[0] >= last[0]:
                    self._last[point] = now
            kept.append(index)
        return kept
