"""Values outside what is physically possible: the sensor is at fault, and no other detector sees them."""

from typing import ClassVar

import numpy as np

from watchkeep_analytics.batch import Batch, Bools
from watchkeep_analytics.detectors._make import signal
from watchkeep_analytics.detectors.kept import Streaks
from watchkeep_analytics.registry import Registry
from watchkeep_analytics.signals import Signal, Tier
from watchkeep_analytics.table import Spec, Table

IN_A_ROW = 3
"""One such value is a notice (a disturbed line), so many in a row a warning; as many possible ones end it."""


class Impossible(Streaks):
    """Bounds are `min` and `max` of the metric in the vocabulary."""

    name: ClassVar[str] = "impossible"
    version: ClassVar[str] = "1"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._state = Table(streak=Spec(np.int8), open=Spec(np.bool_))
        self.configure()

    def configure(self) -> list[Signal]:
        self._state.grow(self._registry.size)
        return []

    def ready(self, row: int) -> bool:
        return True

    def _odd(self, batch: Batch) -> Bools:
        lower, upper = self._registry["lower"][batch.row], self._registry["upper"][batch.row]
        return np.asarray((batch.value < lower) | (batch.value > upper), np.bool_)

    def _one(self, row: int, t_us: int, x: float, odd: bool) -> list[Signal]:
        state = self._state
        is_open = bool(state["open"][row])
        streak = int(state["streak"][row]) + 1 if odd != is_open else 0
        if streak == IN_A_ROW:
            state["open"][row], state["streak"][row] = not is_open, 0
            return [self._signal(row, t_us, x, "warning", not is_open)]
        state["streak"][row] = streak
        return [self._signal(row, t_us, x, "notice", True)] if odd and streak == 1 else []

    def _signal(self, row: int, t_us: int, x: float, tier: Tier, active: bool) -> Signal:
        metric = self._registry.metrics[row]
        low, high = float(self._registry["lower"][row]), float(self._registry["upper"][row])
        return signal(
            self,
            self._registry,
            row,
            t_us,
            condition="sensor_impossible_value",
            tier=tier,
            active=active,
            source="range" if tier == "warning" else "once",
            text="impossible",
            evidence={
                "actual": x,
                "expected": {"low": low, "high": high},
                "driver": metric,
                "basis": "physical range of the metric (vocabulary)",
                "mark": "CP",
                "rule": f"{IN_A_ROW} in a row",
            },
        )
