"""Numbers that stay at the end of their physical range: a short circuit or a broken wire, not a reading."""

from typing import ClassVar

import numpy as np

from watchkeep_analytics.batch import NEVER, Batch, Bools
from watchkeep_analytics.detectors._make import signal
from watchkeep_analytics.detectors.kept import Streaks
from watchkeep_analytics.registry import NUMBER, Registry
from watchkeep_analytics.signals import Signal
from watchkeep_analytics.table import Spec, Table

IN_A_ROW = 3
"""Readings at the end, and as many away from it that end it."""

_NATURAL = {"percent": (-100.0, 100.0), "lel_percent": (0.0, 100.0), "degree": (0.0, 180.0)}
"""Unit → ends that are readings like any other: no voltage at all (100 % below rated), a full tank, saturated air, a
cover that lies upside down. Zero below is one of every unit.
"""


class Rails(Streaks):
    """`at_end` marks the readings that no other detector should see."""

    name: ClassVar[str] = "rails"
    version: ClassVar[str] = "1"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._state = Table(streak=Spec(np.int8), open=Spec(np.bool_), since_us=Spec(np.int64, NEVER))
        self._low = self._high = np.zeros(0, np.float64)
        self.configure()

    def configure(self) -> list[Signal]:
        registry = self._registry
        self._state.grow(registry.size)
        number = registry["kind"] == NUMBER
        lower, upper = registry["lower"], registry["upper"]
        natural = np.array([_NATURAL.get(unit, (0.0, np.inf)) for unit in registry.units]).reshape(-1, 2)
        self._low = np.where(number & (lower != 0) & (lower != natural[:, 0]) & np.isfinite(lower), lower, -np.inf)
        self._high = np.where(number & (upper != natural[:, 1]), upper, np.inf)
        return []

    def at_end(self, batch: Batch) -> Bools:
        """Which readings are exactly an end of their range that is no natural one."""
        low, high = self._low[batch.row], self._high[batch.row]
        return np.asarray(((batch.value == low) | (batch.value == high)) & np.isfinite(batch.value), np.bool_)

    def ready(self, row: int) -> bool:
        return True

    def _odd(self, batch: Batch) -> Bools:
        return self.at_end(batch)

    def _one(self, row: int, t_us: int, x: float, odd: bool) -> list[Signal]:
        state = self._state
        is_open = bool(state["open"][row])
        streak = int(state["streak"][row]) + 1 if odd != is_open else 0
        if streak == 1 and not is_open:
            state["since_us"][row] = t_us
        state["streak"][row] = streak % IN_A_ROW
        if streak < IN_A_ROW:
            return []
        state["open"][row] = not is_open
        return [self._signal(row, t_us, x, not is_open)]

    def _signal(self, row: int, t_us: int, x: float, active: bool) -> Signal:
        low, high = float(self._registry["lower"][row]), float(self._registry["upper"][row])
        return signal(
            self,
            self._registry,
            row,
            t_us,
            condition="sensor_stuck_at_rail",
            tier="warning",
            active=active,
            source="rail",
            text="rail",
            evidence={
                "actual": x,
                "expected": {"low": low, "high": high},
                "driver": self._registry.metrics[row],
                "samples": IN_A_ROW,
                "since_us": int(self._state["since_us"][row]),
                "basis": "end of the metric's physical range (vocabulary)",
                "mark": "CP",
                "rule": f"{IN_A_ROW} in a row",
            },
        )
