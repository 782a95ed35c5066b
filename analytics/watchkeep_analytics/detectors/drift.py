"""A hint that a sensor drifts: its daily mean goes the same way day after day, further than days usually differ.

Only a notice: from one series a sensor that drifts cannot be told from equipment that wears.
"""

from typing import ClassVar

import numpy as np

from watchkeep_analytics.batch import SECOND, Batch, Ints
from watchkeep_analytics.detectors.kept import Watching
from watchkeep_analytics.registry import NUMBER, Registry
from watchkeep_analytics.signals import Signal, Tier
from watchkeep_analytics.table import Spec, Table

DAYS = 3
"""In a row, each by more than the usual difference of two days."""

FAR_CHANGES, FAR_RANGES = 6.0, 0.5
"""And together by so many usual differences, and so many usual ranges within a day."""

READY_DAYS = 10

_LEARN, _CLIP = 0.1, 3.0
_BACK = 0.3
"""Of the way it had gone: within that of where it came from it is over."""

LOCAL_US = 8 * 3600 * SECOND  # China has one time zone
DAY_US = 86_400 * SECOND


class Drift(Watching):
    """Vectorised; a day is judged with the first reading of the next one."""

    name: ClassVar[str] = "drift"
    version: ClassVar[str] = "1"
    condition: ClassVar[str] = "sensor_drift"
    tier: ClassVar[Tier] = "notice"
    source: ClassVar[str] = "days"
    text: ClassVar[str] = "drift"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._state = Table(
            day=Spec(np.int64, -1),
            total=Spec(np.float64),
            count=Spec(np.int32),
            low=Spec(np.float64),
            high=Spec(np.float64),
            before=Spec(np.float64),
            change=Spec(np.float64),
            range=Spec(np.float64),
            origin=Spec(np.float64),
            way=Spec(np.int8),
            run=Spec(np.int16),
            days=Spec(np.int32),
            open=Spec(np.bool_),
        )
        self._watched = np.zeros(0, np.bool_)
        self.configure()

    def configure(self) -> list[Signal]:
        self._state.grow(self._registry.size)
        self._watched = (self._registry["kind"] == NUMBER) & (self._registry["period_s"] != 0)
        return []

    def ready(self, row: int) -> bool:
        return bool(self._state["days"][row] >= READY_DAYS)

    def _round(self, batch: Batch, at: Ints) -> list[Signal]:
        state, rows, x = self._state, batch.row[at], batch.value[at]
        day = (batch.t_us[at] + LOCAL_US) // DAY_US
        turn = state["day"][rows] != day
        over = turn & (state["count"][rows] > 0)
        found = self._judge(rows[over], batch.t_us[at][over])
        state["day"][rows] = day
        state["total"][rows] = np.where(turn, x, state["total"][rows] + x)
        state["count"][rows] = np.where(turn, 1, state["count"][rows] + 1)
        state["low"][rows] = np.where(turn, x, np.minimum(state["low"][rows], x))
        state["high"][rows] = np.where(turn, x, np.maximum(state["high"][rows], x))
        return found

    def _judge(self, rows: Ints, t_us: Ints) -> list[Signal]:
        """The day that has ended, for these rows."""
        if len(rows) == 0:
            return []
        state = self._state
        mean, days = state["total"][rows] / state["count"][rows], state["days"][rows]
        before = np.where(days == 0, mean, state["before"][rows])
        step, usual = mean - before, state["change"][rows]
        way = np.where(np.abs(step) > usual, np.sign(step), 0).astype(np.int8)
        same = (way != 0) & (way == state["way"][rows])
        run = np.where(same, state["run"][rows] + 1, (way != 0).astype(np.int16))
        was = state["open"][rows]
        origin = np.where(same | was, state["origin"][rows], before)
        gone, width = np.abs(mean - origin), state["range"][rows]
        begins = ~was & (days >= READY_DAYS) & (run >= DAYS)
        begins &= (gone > FAR_CHANGES * usual) & (gone > FAR_RANGES * width)
        ends = was & (gone < _BACK * np.maximum(FAR_CHANGES * usual, FAR_RANGES * width))
        learn = np.maximum(_LEARN, 1 / (days + 1))
        settled = days >= READY_DAYS
        for column, new in (("change", np.abs(step)), ("range", state["high"][rows] - state["low"][rows])):
            old = state[column][rows]
            state[column][rows] = old + learn * (np.where(settled, np.minimum(new, _CLIP * old), new) - old)
        values = {"before": mean, "origin": origin, "way": way, "run": run, "days": days + 1}
        for column, value in (values | {"open": (was | begins) & ~ends}).items():
            state[column][rows] = value
        return [
            self._signal(int(rows[i]), int(t_us[i]), float(mean[i]), float(origin[i]), int(run[i]), bool(begins[i]))
            for i in np.flatnonzero(begins | ends)
        ]

    def _signal(self, row: int, t_us: int, mean: float, origin: float, run: int, active: bool) -> Signal:
        return self._say(
            row,
            t_us,
            active,
            {
                "actual": mean,
                "expected": {"value": origin},
                "samples": run,
                "basis": f"{DAYS} days in a row the same way, beyond {FAR_CHANGES:g} usual differences of two days",
                "mark": "CP",
                "rule": "drift",
            },
        )
