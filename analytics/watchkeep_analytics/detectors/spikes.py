"""Single wild readings between ordinary ones: a disturbed line. One is nothing, three within an hour are a warning.

Wild is what leaves everything seen so far by more than its whole width and is back with the next reading. A change that
stays is no spike, so that a real step is left to the rules and baselines.
"""

from typing import ClassVar

import numpy as np

from watchkeep_analytics.batch import NEVER, SECOND, Batch, Bools, Ints
from watchkeep_analytics.detectors._make import signal
from watchkeep_analytics.detectors.kept import Kept
from watchkeep_analytics.registry import NUMBER, Registry
from watchkeep_analytics.signals import Signal
from watchkeep_analytics.table import Spec, Table

SPIKES, WITHIN_US = 3, 3600 * SECOND
OVER_US = 2 * 3600 * SECOND
"""Without a spike."""

READY_SAMPLES, READY_US = 288, 86_400 * SECOND

_STAYED = 12
"""Wild readings in a row that are taken for a new level, and learnt."""

_SHRINK = 1 / 5000
_NARROWEST = 0.02
"""Of the physical range: no envelope is narrower, so that a constant is not wild when it moves."""


class Spikes(Kept):
    """Vectorised; the envelope of each number shrinks slowly and is widened by what is not wild."""

    name: ClassVar[str] = "spikes"
    version: ClassVar[str] = "1"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._state = Table(
            n=Spec(np.int64),
            first_us=Spec(np.int64, NEVER),
            low=Spec(np.float64),
            high=Spec(np.float64),
            wild=Spec(np.int16),
            last_us=Spec(np.int64, NEVER),
            last=Spec(np.float64),
            spikes_us=Spec(np.int64, NEVER, SPIKES),
            open=Spec(np.bool_),
        )
        self._watched = np.zeros(0, np.bool_)
        self._narrowest = np.zeros(0, np.float64)
        self.configure()

    def configure(self) -> list[Signal]:
        registry = self._registry
        self._state.grow(registry.size)
        self._watched = (registry["kind"] == NUMBER) & (registry["period_s"] != 0)  # per ride or sample: no course
        width = registry["upper"] - registry["lower"]
        self._narrowest = np.where(np.isfinite(width), _NARROWEST * width, 0.0)
        return []

    def observe(self, batch: Batch) -> list[Signal]:
        mine = batch.where(self._watched[batch.row])
        return [found for at in mine.rounds() for found in self._round(mine, at)]

    def ready(self, row: int) -> bool:
        state = self._state
        known = int(state["last_us"][row]) - int(state["first_us"][row])
        return bool(state["n"][row] >= READY_SAMPLES and known >= READY_US)

    def _round(self, batch: Batch, at: Ints) -> list[Signal]:
        state, rows, t_us, x = self._state, batch.row[at], batch.t_us[at], batch.value[at]
        n = state["n"][rows]
        first = np.where(n == 0, t_us, state["first_us"][rows])
        low, high = np.where(n == 0, x, state["low"][rows]), np.where(n == 0, x, state["high"][rows])
        width = np.maximum(high - low, self._narrowest[rows])
        ready = (n >= READY_SAMPLES) & (t_us - first >= READY_US)
        out: Bools = ready & ((x > high + width) | (x < low - width))
        wild = np.where(out, state["wild"][rows] + 1, 0)
        spike = ~out & (state["wild"][rows] == 1)
        times = state["spikes_us"][rows]
        times = np.where(spike[:, None], np.c_[times[:, 1:], state["last_us"][rows]], times)
        was = state["open"][rows]
        begins = ~was & spike & (times[:, -1] - times[:, 0] <= WITHIN_US)
        ends = was & ~spike & (t_us - times[:, -1] > OVER_US)
        learn = ~out | (wild >= _STAYED)
        near = np.where(out, low, low + (x - low) * _SHRINK), np.where(out, high, high + (x - high) * _SHRINK)
        values = {
            "n": n + 1,
            "first_us": first,
            "low": np.where(learn, np.minimum(near[0], x), low),
            "high": np.where(learn, np.maximum(near[1], x), high),
            "wild": np.minimum(wild, 10_000),
            "spikes_us": times,
            "open": (was | begins) & ~ends,
        }
        found = [
            self._signal(int(rows[i]), int(t_us[i]), float(x[i]), float(low[i]), float(high[i]), bool(begins[i]))
            for i in np.flatnonzero(begins | ends)
        ]
        for column, new in (values | {"last_us": t_us, "last": x}).items():
            state[column][rows] = new
        return found

    def _signal(self, row: int, t_us: int, x: float, low: float, high: float, active: bool) -> Signal:
        state = self._state
        wild = float(state["last"][row]) if active else x
        return signal(
            self,
            self._registry,
            row,
            t_us,
            condition="sensor_impossible_jump",
            tier="warning",
            active=active,
            source="spikes",
            text="spikes",
            evidence={
                "actual": wild,
                "expected": {"low": low, "high": high},
                "driver": self._registry.metrics[row],
                "samples": SPIKES,
                "since_us": int(state["spikes_us"][row].min()) if not active else int(state["last_us"][row]),
                "basis": "beyond everything seen by more than its width, and back with the next reading",
                "mark": "CP",
                "rule": f"{SPIKES} within {WITHIN_US // SECOND} s",
            },
        )
