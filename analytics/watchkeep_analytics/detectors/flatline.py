"""A number that does not move for longer than it ever did: the sensor is stuck."""

from typing import ClassVar

import numpy as np

from watchkeep_analytics.batch import NEVER, SECOND, Batch, Bools, Ints
from watchkeep_analytics.detectors.kept import Watching
from watchkeep_analytics.registry import NUMBER, Registry
from watchkeep_analytics.signals import Signal
from watchkeep_analytics.table import Spec, Table

LONGEST_TIMES = 2
"""A run longer than this times the longest one learnt (DETECTION §2: no false alarm on synthetic sensors)."""

SHORTEST = 12
"""Samples; no shorter run counts, whatever was learnt."""

READY_SAMPLES = 288
"""One day at 5 min; and one day of event time must have passed, so that a night is known."""

READY_S = 86_400

READY_PERIODS = 3
"""Of what has a value per hour or day, which a device that is polled repeats until then: whole runs must be known."""

READY_OCCASION_S = 7 * 86_400
"""Of what has a value per ride or cycle: quiet days come once a week."""

COUNTED = ("count", "persons", "year", "per_h")
"""Units of what stands still by nature: persons on duty, pumps running, the age of a sensor, starts within an hour."""

_SETTING = "_setpoint"

_SOFTWARE = "gateway"
"""Kind of equipment whose figures are counted by its own software (disk, spool, clock): no converter, no wire."""


def measured(registry: Registry) -> Bools:
    """Rows of numbers that a sensor measures: neither counted, nor software's own."""
    units, of = registry.units, registry["equipment"].tolist()
    kinds = [item.kind for item in registry.equipment]
    counted = [unit in COUNTED or kinds[number] == _SOFTWARE for unit, number in zip(units, of, strict=True)]
    return np.asarray((registry["kind"] == NUMBER) & ~np.array(counted, np.bool_), np.bool_)


class Flatline(Watching):
    """Only numbers; zero is left out where it is about the lower end of the range: no flow, natural rest."""

    name: ClassVar[str] = "flatline"
    version: ClassVar[str] = "1"
    condition: ClassVar[str] = "sensor_flatline"
    source: ClassVar[str] = "run"
    text: ClassVar[str] = "flatline"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._state = Table(
            value=Spec(np.float64, np.nan),
            run=Spec(np.int32),
            longest=Spec(np.int32),
            n=Spec(np.int64),
            first_us=Spec(np.int64, NEVER),
            since_us=Spec(np.int64, NEVER),
            t_us=Spec(np.int64, NEVER),
            open=Spec(np.bool_),
        )
        self._watched = np.zeros(0, np.bool_)
        self._ready_us = np.zeros(0, np.int64)
        self.configure()

    def configure(self) -> list[Signal]:
        self._state.grow(self._registry.size)
        set_ = np.array([metric.endswith(_SETTING) for metric in self._registry.metrics], np.bool_)
        self._watched = measured(self._registry) & ~set_
        period_s = self._registry["period_s"]
        told_s = np.fmax(READY_PERIODS * period_s, READY_S)
        self._ready_us = (np.where(period_s == 0, READY_OCCASION_S, told_s) * SECOND).astype(np.int64)
        return []

    def ready(self, row: int) -> bool:
        state = self._state
        known_us = int(state["t_us"][row]) - int(state["first_us"][row])
        return bool(state["n"][row] >= READY_SAMPLES and known_us >= self._ready_us[row])

    def _round(self, batch: Batch, at: Ints) -> list[Signal]:
        state, rows, t_us, x = self._state, batch.row[at], batch.t_us[at], batch.value[at]
        lower, upper = self._registry["lower"][rows], self._registry["upper"][rows]
        rest = (x == 0) & (lower <= 0) & (lower >= -0.1 * upper)
        same = (x == state["value"][rows]) & ~rest
        was, run = state["open"][rows], state["run"][rows]
        ends = was & ~same
        # A run that was called stuck teaches nothing, or the next one would have to be twice as long.
        learnt = np.where(same | was, state["longest"][rows], np.maximum(state["longest"][rows], run))
        run = np.where(same, run + 1, np.where(rest, 0, 1))
        since = np.where(same, state["since_us"][rows], t_us)
        first = np.where(state["n"][rows] == 0, t_us, state["first_us"][rows])
        ready = (state["n"][rows] >= READY_SAMPLES) & (t_us - first >= self._ready_us[rows])
        bar = self._registry.bar(self.name, rows)
        begins = ~was & ready & (run > np.maximum(SHORTEST, LONGEST_TIMES * learnt) * bar)
        values = {
            "value": x,
            "run": run,
            "longest": learnt,
            "since_us": since,
            "first_us": first,
            "t_us": t_us,
            "open": (was | begins) & ~ends,
        }
        for column, new in values.items():
            state[column][rows] = new
        state["n"][rows] += 1
        return [
            self._signal(int(rows[i]), int(t_us[i]), float(x[i]), bool(begins[i]))
            for i in np.flatnonzero(begins | ends)
        ]

    def _signal(self, row: int, t_us: int, x: float, active: bool) -> Signal:
        state = self._state
        return self._say(
            row,
            t_us,
            active,
            {
                "actual": x,
                "expected": {"longest_run": int(state["longest"][row])},
                "samples": int(state["run"][row]),
                "rarity": int(state["n"][row]),
                "since_us": int(state["since_us"][row]),
                "basis": f"run of equal values > {LONGEST_TIMES} × longest learnt, at least {SHORTEST}",
                "mark": "CP",
                "rule": "flatline",
            },
        )
