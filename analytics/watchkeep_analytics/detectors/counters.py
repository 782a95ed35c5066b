"""Counters that fall: replaced, reset or run over. What is computed from their increase is wrong across that moment."""

from typing import ClassVar

import numpy as np

from watchkeep_analytics.batch import NEVER, SECOND, Batch, Ints
from watchkeep_analytics.detectors.kept import Watching
from watchkeep_analytics.registry import COUNTER, Registry
from watchkeep_analytics.signals import Signal
from watchkeep_analytics.table import Spec, Table

OVER_US = 3600 * SECOND
"""A counter that has not fallen for so long, by its own readings, is accepted as it is."""

_ROUNDING = 1e-6
"""Of the value: a float that was converted."""


class Counters(Watching):
    """Vectorised over the counters."""

    name: ClassVar[str] = "counters"
    version: ClassVar[str] = "1"
    condition: ClassVar[str] = "sensor_counter_decrease"
    source: ClassVar[str] = "fall"
    text: ClassVar[str] = "counter"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._state = Table(last=Spec(np.float64, np.nan), fell_us=Spec(np.int64, NEVER), open=Spec(np.bool_))
        self._watched = np.zeros(0, np.bool_)
        self.configure()

    def configure(self) -> list[Signal]:
        self._state.grow(self._registry.size)
        self._watched = self._registry["kind"] == COUNTER
        return []

    def ready(self, row: int) -> bool:
        return not np.isnan(self._state["last"][row])

    def _round(self, batch: Batch, at: Ints) -> list[Signal]:
        state, rows, t_us, x = self._state, batch.row[at], batch.t_us[at], batch.value[at]
        last, was = state["last"][rows], state["open"][rows]
        fell = x < last - _ROUNDING * np.abs(last)
        state["fell_us"][rows] = np.where(fell, t_us, state["fell_us"][rows])
        begins, ends = fell & ~was, was & (t_us - state["fell_us"][rows] >= OVER_US)
        state["last"][rows], state["open"][rows] = x, (was | begins) & ~ends
        return [
            self._signal(int(rows[i]), int(t_us[i]), float(x[i]), float(last[i]), bool(begins[i]))
            for i in np.flatnonzero(begins | ends)
        ]

    def _signal(self, row: int, t_us: int, x: float, last: float, active: bool) -> Signal:
        return self._say(
            row,
            t_us,
            active,
            {
                "actual": x,
                "expected": {"low": last},
                "since_us": int(self._state["fell_us"][row]),
                "basis": "a counter never falls",
                "mark": "S6",
                "rule": "counter",
            },
        )
