"""Report by exception: a value that has hardly changed is sent at its heartbeat only; for every driver.

What is sent was always read anew: a heartbeat lets the next fresh reading through, it never repeats an old one.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from threading import Lock

from watchkeep_gateway.values import Delivery, Emit, Reading

DEFAULT_HEARTBEAT_S = 300.0
"""Where neither the file nor the vocabulary's metric has a period."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When a point is sent; against the value that was sent last, so that a slow drift is bounded by the deadband."""

    heartbeat_s: float
    """Longest silence while readings come, in device time."""
    deadband: float = 0.0
    """Changes up to this, in the metric's unit, are not sent."""
    deadband_percent: float = 0.0
    """… or up to this share of the value sent last."""

    def lets_through(self, reading: Reading, last: Reading | None) -> bool:
        if last is None or reading.quality != last.quality:
            return True
        if not 0 <= reading.t_ms - last.t_ms < self.heartbeat_s * 1000:
            return True  # due, or from the past: what was late is not judged by what came after it
        allowed = max(self.deadband, abs(last.value) * self.deadband_percent / 100)
        return not abs(reading.value - last.value) <= allowed  # so that what is not a number goes on, to be refused


Rules = Mapping[tuple[str, str], Rule]
"""(equipment, metric) → when it is sent; points without a rule are sent always."""


class ReportByException:
    """Stands between all drivers and the spool."""

    def __init__(self, rules: Rules, emit: Emit, count_held: Callable[[int], None] = lambda _: None) -> None:
        """`count_held` is told how many readings were not sent."""
        self._rules = rules
        self._emit = emit
        self._count_held = count_held
        self._last: dict[tuple[str, str], Reading] = {}
        self._lock = Lock()

    def emit(self, delivery: Delivery) -> "Future[None]":
        """As `values.Emit`."""
        if not self._rules or not delivery.readings:
            return self._emit(delivery)
        with self._lock:  # drivers hand over in threads of their own
            kept = tuple(reading for reading in delivery.readings if self._lets_through(reading))
        if len(kept) == len(delivery.readings):
            return self._emit(delivery)
        self._count_held(len(delivery.readings) - len(kept))
        if not (kept or delivery.events or delivery.rejected or delivery.digest):
            nothing: Future[None] = Future()
            nothing.set_result(None)
            return nothing
        return self._emit(replace(delivery, readings=kept))

    def _lets_through(self, reading: Reading) -> bool:
        key = (reading.equipment, reading.metric)
        rule = self._rules.get(key)
        if rule is None:
            return True
        last = self._last.get(key)
        if not rule.lets_through(reading, last):
            return False
        if last is None or reading.t_ms >= last.t_ms:
            self._last[key] = reading
        return True
