"""When a battery will be empty: a straight line through its level of the last weeks, before the limit is reached."""

from typing import ClassVar

import numpy as np

from watchkeep_analytics.batch import NEVER, SECOND, Batch, Ints
from watchkeep_analytics.detectors.kept import Watching
from watchkeep_analytics.registry import Registry
from watchkeep_analytics.signals import Signal
from watchkeep_analytics.table import Spec, Table

METRIC = "battery_level"
EMPTY = 10.0
"""Percent: the alarm limit of the vocabulary."""

WARN_DAYS, OVER_DAYS = 30.0, 60.0
READY_DAYS, READY_SAMPLES = 14.0, 10
FALLEN = 3.0
"""Percent that it must have lost since it is watched: levels come in coarse steps."""

_FORGET_DAYS = 30.0
_REPLACED = 10.0
DAY_US = 86_400 * SECOND


class Battery(Watching):
    """Weighted sums per point (time in days since the first reading), forgotten over a month."""

    name: ClassVar[str] = "battery"
    version: ClassVar[str] = "1"
    condition: ClassVar[str] = "sensor_battery_low"
    source: ClassVar[str] = "forecast"
    text: ClassVar[str] = "battery"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._state = Table(
            n=Spec(np.int64),
            first_us=Spec(np.int64, NEVER),
            last_us=Spec(np.int64, NEVER),
            top=Spec(np.float64),
            sums=Spec(np.float64, 0, 5),
            open=Spec(np.bool_),
        )
        self._watched = np.zeros(0, np.bool_)
        self.configure()

    def configure(self) -> list[Signal]:
        self._state.grow(self._registry.size)
        self._watched = np.array([metric == METRIC for metric in self._registry.metrics], np.bool_)
        return []

    def ready(self, row: int) -> bool:
        state = self._state
        days = (int(state["last_us"][row]) - int(state["first_us"][row])) / DAY_US
        return bool(state["n"][row] >= READY_SAMPLES and days >= READY_DAYS)

    def _round(self, batch: Batch, at: Ints) -> list[Signal]:
        state, rows, t_us, x = self._state, batch.row[at], batch.t_us[at], batch.value[at]
        old = state["sums"][rows]
        mean = np.where(old[:, 0] > 0, old[:, 2] / np.maximum(old[:, 0], 1e-9), x)
        new = (state["n"][rows] == 0) | (x > mean + _REPLACED)
        first = np.where(new, t_us, state["first_us"][rows])
        passed = np.where(new, 0.0, (t_us - state["last_us"][rows]) / DAY_US)
        day = (t_us - first) / DAY_US
        one = np.ones(len(rows))
        sums = np.where(new[:, None], 0.0, old * np.exp(-passed / _FORGET_DAYS)[:, None])
        sums = sums + np.stack([one, day, x, day * day, day * x], axis=1)
        n = np.where(new, 1, state["n"][rows] + 1)
        top = np.where(new, x, np.maximum(state["top"][rows], x))
        w, sd, sx, sdd, sdx = sums.T
        spread = w * sdd - sd * sd
        slope = np.where(spread > 1e-9, (w * sdx - sd * sx) / np.where(spread > 1e-9, spread, 1.0), 0.0)
        level = (sx - slope * sd) / w + slope * day
        left = np.where(slope < -1e-9, (level - EMPTY) / np.maximum(-slope, 1e-9), np.inf)
        ready = (n >= READY_SAMPLES) & (day >= READY_DAYS) & (top - x >= FALLEN)
        was = state["open"][rows]
        begins, ends = ~was & ready & (left <= WARN_DAYS), was & (new | (left > OVER_DAYS))
        for column, value in (("n", n), ("first_us", first), ("last_us", t_us), ("top", top), ("sums", sums)):
            state[column][rows] = value
        state["open"][rows] = (was | begins) & ~ends
        return [
            self._signal(int(rows[i]), int(t_us[i]), float(x[i]), float(max(left[i], 0.0)), bool(begins[i]))
            for i in np.flatnonzero(begins | ends)
        ]

    def _signal(self, row: int, t_us: int, x: float, left_days: float, active: bool) -> Signal:
        return self._say(
            row,
            t_us,
            active,
            {
                "actual": x,
                "expected": {"value": left_days, "low": EMPTY, "high": WARN_DAYS},
                "samples": int(self._state["n"][row]),
                "basis": f"straight line through the last weeks, {EMPTY:g} % within {WARN_DAYS:g} days",
                "mark": "C",
                "rule": "battery forecast",
            },
        )
