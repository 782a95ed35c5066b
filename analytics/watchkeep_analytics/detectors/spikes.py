"""Single wild readings between ordinary ones: a disturbed line. One is nothing, three within an hour are a warning.

Wild is what leaves everything seen so far by more than its whole width and is back with the next reading. A change that
stays is no spike, so that a real step is left to the rules and baselines.
"""

from typing import ClassVar

import numpy as np

from watchkeep_analytics.batch import NEVER, SECOND, Batch, Bools, Floats, Ints
from watchkeep_analytics.detectors.kept import Watching
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


class Spikes(Watching):
    """Vectorised; the envelope of each number shrinks slowly and is widened by what is not wild."""

    name: ClassVar[str] = "spikes"
    version: ClassVar[str] = "1"
    condition: ClassVar[str] = "sensor_impossible_jump"
    source: ClassVar[str] = "spikes"
    text: ClassVar[str] = "spikes"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._state = Table(
            n=Spec(np.int64),
            first_us=Spec(np.int64, NEVER),
            low=Spec(np.float64),
            high=Spec(np.float64),
            last_us=Spec(np.int64, NEVER),
            last=Spec(np.float64),
            wild=Spec(np.int16),
            open=Spec(np.bool_),
            spikes_us=Spec(np.int64, NEVER, SPIKES),
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

    def ready(self, row: int) -> bool:
        state = self._state
        known = int(state["last_us"][row]) - int(state["first_us"][row])
        return bool(state["n"][row] >= READY_SAMPLES and known >= READY_US)

    def _round(self, batch: Batch, at: Ints) -> list[Signal]:
        state, rows, t_us, x = self._state, batch.row[at], batch.t_us[at], batch.value[at]
        n = state["n"][rows]
        new = rows[n == 0]
        if len(new):
            state["first_us"][new] = t_us[n == 0]
            state["low"][new] = state["high"][new] = x[n == 0]
        low, high = state["low"][rows], state["high"][rows]
        width = np.maximum(high - low, self._narrowest[rows]) * self._registry.bar(self.name, rows)
        out: Bools = (x > high + width) | (x < low - width)
        if out.any():
            out &= (n >= READY_SAMPLES) & (t_us - state["first_us"][rows] >= READY_US)
        look = np.flatnonzero(out | (state["wild"][rows] > 0) | state["open"][rows])
        found: list[Signal] = []
        near: Floats | float = _SHRINK
        if len(look):
            found = self._judge(rows[look], t_us[look], x[look], (low[look], high[look]), out[look])
            near = np.where(out, 0.0, _SHRINK)
        low, high = np.minimum(low + (x - low) * near, x), np.maximum(high + (x - high) * near, x)
        kept = out & (state["wild"][rows] < _STAYED) if len(look) else None
        if kept is not None and kept.any():  # nothing is learnt of these
            low[kept], high[kept] = state["low"][rows[kept]], state["high"][rows[kept]]
        state["low"][rows], state["high"][rows] = low, high
        state["n"][rows], state["last_us"][rows], state["last"][rows] = n + 1, t_us, x
        return found

    def _judge(self, rows: Ints, t_us: Ints, x: Floats, envelope: tuple[Floats, Floats], out: Bools) -> list[Signal]:
        """Those series of a round that are wild, were so before, or have a warning."""
        state = self._state
        before, was, times = state["wild"][rows], state["open"][rows], state["spikes_us"][rows]
        spike = ~out & (before == 1)
        times = np.where(spike[:, None], np.c_[times[:, 1:], state["last_us"][rows]], times)
        begins = ~was & spike & (times[:, -1] - times[:, 0] <= WITHIN_US)
        ends = was & ~spike & (t_us - times[:, -1] > OVER_US)
        found = []
        for i in np.flatnonzero(begins | ends).tolist():
            row, active = int(rows[i]), bool(begins[i])
            wild = float(state["last"][row]) if active else float(x[i])
            since = int(state["last_us"][row]) if active else int(state["spikes_us"][row].min())
            expected = {"low": float(envelope[0][i]), "high": float(envelope[1][i])}
            found.append(self._signal(row, int(t_us[i]), wild, expected, since, active))
        state["wild"][rows] = np.where(out, np.minimum(before + 1, 10_000), 0)
        state["open"][rows] = (was | begins) & ~ends
        state["spikes_us"][rows] = times
        return found

    def _signal(
        self, row: int, t_us: int, wild: float, expected: dict[str, float], since_us: int, active: bool
    ) -> Signal:
        return self._say(
            row,
            t_us,
            active,
            {
                "actual": wild,
                "expected": expected,
                "samples": SPIKES,
                "rarity": int(self._state["n"][row]),
                "since_us": since_us,
                "basis": "beyond everything seen by more than its width, and back with the next reading",
                "mark": "CP",
                "rule": f"{SPIKES} within {WITHIN_US // SECOND} s",
            },
        )
