"""The resolution of a sensor: a number whose readings suddenly lie on a grid much coarser than its own.

A range set wrongly, a register read as integer, a collector that rounds: every reading stays plausible, and small
changes are no longer seen.
"""

from typing import ClassVar

import numpy as np

from watchkeep_analytics.batch import Batch, Bools, Floats, Ints
from watchkeep_analytics.detectors.flatline import measured
from watchkeep_analytics.detectors.kept import Watching
from watchkeep_analytics.registry import Registry
from watchkeep_analytics.signals import Signal
from watchkeep_analytics.table import Spec, Table

COARSER = 4.0
"""Times the own step: two settings away at a factor of two each, and no rounding of units looks like it."""

RUN = 96
"""Readings in a row that are whole steps, before a grid is one: by chance each lies so once in 25."""

TURNS = 8
"""Changes of direction among them: a steady rise has equal changes too, and is no grid."""

READY_CHANGES = 288
"""Changes before the own step is known."""

_DERIVED = "percent_per_min"
"""Unit of a rate that a device works out of two levels: its steps are those of the level over the time between."""

_OF_MEAN = 0.1  # of the mean change: what stands for the step of a point that moves by any amount
_NEAR = 0.02  # of a step: readings come as decimals, and differ from whole steps by rounding
_MOST = 1e6  # steps in a value; beyond, rounding says nothing


class Steps(Watching):
    """Looks at changes only. Of a point that turns coarser it speaks after RUN changes, and again when it is fine."""

    name: ClassVar[str] = "steps"
    version: ClassVar[str] = "1"
    condition: ClassVar[str] = "sensor_quantised"
    source: ClassVar[str] = "step"
    text: ClassVar[str] = "quantised"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._state = Table(
            value=Spec(np.float64, np.nan),
            step=Spec(np.float64),
            run=Spec(np.int16),
            turns=Spec(np.int16),
            rising=Spec(np.bool_),
            changes=Spec(np.int32),
            own=Spec(np.float64),
            mean=Spec(np.float64),
            open=Spec(np.bool_),
            shown=Spec(np.float64),
        )
        self._watched = np.zeros(0, np.bool_)
        self.configure()

    def configure(self) -> list[Signal]:
        self._state.grow(self._registry.size)
        derived = np.array([unit == _DERIVED for unit in self._registry.units], np.bool_)
        self._watched = measured(self._registry) & ~derived
        return []

    def ready(self, row: int) -> bool:
        return bool(self._state["changes"][row] > READY_CHANGES)

    def _round(self, batch: Batch, at: Ints) -> list[Signal]:
        state = self._state
        rows, x = batch.row[at], batch.value[at]
        change = x - state["value"][rows]
        state["value"][rows] = x
        moved = np.abs(change) > 0  # a first value has none: NaN
        at, rows, x, rising, change = at[moved], rows[moved], x[moved], change[moved] > 0, np.abs(change[moved])
        if len(rows) == 0:
            return []
        changes = np.minimum(state["changes"][rows] + 1, READY_CHANGES + 1)
        state["changes"][rows] = changes
        step, run, broke = _grid(state["step"][rows], state["run"][rows], change, x)
        turns = np.where(run == 1, 0, state["turns"][rows] + (rising != state["rising"][rows]))
        done = run >= RUN
        was, grid = state["open"][rows], done & (turns >= TURNS)
        learning = np.flatnonzero(changes <= READY_CHANGES)
        if len(learning):
            self._learn(rows[learning], change[learning], changes[learning], np.where(grid, step, np.inf)[learning])
        told = begins = grid | was
        if told.any():
            coarse = grid & (changes > READY_CHANGES) & (step >= COARSER * state["own"][rows])
            begins, ends = ~was & coarse, was & ((done & ~coarse) | broke)
            told = begins | ends
            state["shown"][rows[told]] = step[told]
            state["open"][rows] = (was | begins) & ~ends
        state["turns"][rows], state["rising"][rows] = turns, rising
        if done.any():  # each run is judged by itself
            step, run = np.where(done, 0.0, step), np.where(done, 0, run)
        state["step"][rows], state["run"][rows] = step, run
        return [self._signal(int(rows[i]), int(batch.t_us[at[i]]), bool(begins[i])) for i in np.flatnonzero(told)]

    def _learn(self, rows: Ints, change: Floats, changes: Ints, found: Floats) -> None:
        """The finest grid `found` (inf = none now) is its own; where there is none at the end, a share of a change."""
        state = self._state
        state["mean"][rows] += (change - state["mean"][rows]) / changes
        own = np.minimum(np.where(state["own"][rows] > 0, state["own"][rows], np.inf), found)
        none = np.where(changes == READY_CHANGES, _OF_MEAN * state["mean"][rows], 0.0)
        state["own"][rows] = np.where(np.isfinite(own), own, none)

    def _signal(self, row: int, t_us: int, active: bool) -> Signal:
        state = self._state
        return self._say(
            row,
            t_us,
            active,
            {
                "actual": float(state["shown"][row]),
                "expected": {"value": float(state["own"][row]), "high": COARSER * float(state["own"][row])},
                "samples": RUN,
                "rule": f"steps at least {COARSER:.0f} × its own",
                "basis": f"{RUN} changes in a row on a grid much coarser than its own",
                "mark": "CP",
            },
        )


def _grid(step: Floats, run: Ints, change: Floats, x: Floats) -> tuple[Floats, Ints, Bools]:
    """The step of which all values of the run are multiples, how many there were, and where a value was none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        fits = _whole(x / step) & (change > (1 - _NEAR) * step)
        inside = fits.copy()
        finer = np.flatnonzero(~fits & _whole(step / change))
        inside[finer] = _whole(x[finer] / change[finer])
    return np.where(fits, step, change), np.where(inside, run + 1, 1), ~inside & (run > 0)


def _whole(times: Floats) -> Bools:
    return np.asarray((np.abs(times) < _MOST) & (np.abs(times - np.round(times)) < _NEAR), np.bool_)
