"""The fall-back: any metric of any kind, within its usual range, states at rest, batteries that run down."""

from collections.abc import Iterable

import numpy as np

from watchkeep_core.vocabulary import Vocabulary
from watchkeep_core.vocabulary_rows import Metric
from watchkeep_firmware_sim.models.base import Group, Readings, Steady
from watchkeep_firmware_sim.models.typical import PER_HOUR, normal_state, typical
from watchkeep_firmware_sim.signals import Floats, Wander, at_hour, between, uniform

WHOLE = frozenset(("count", "persons"))
"""Units of which there are only whole ones."""

_BATTERY_LIFE_S = 3 * 365.25 * 86_400
"""From new to the change of batteries, which a good maintainer makes at about 30 % (life 3 years: data sheets)."""
_NEW, _CHANGED = 97.0, 30.0
_SENSOR_LIFE_YEARS = 2.4


class Generic(Steady):
    """Any set of metrics, each for itself."""

    def __init__(self, group: Group, kind: str, metrics: Iterable[str], vocabulary: Vocabulary) -> None:
        super().__init__(group)
        self.metrics = frozenset(metrics)
        rows = [vocabulary.metrics[metric] for metric in sorted(self.metrics)]
        self._states = {row.id: group.full(normal_state(row)) for row in rows if row.value == "state"}
        self._ageing = [row.id for row in rows if row.id in ("battery_level", "battery_voltage", "sensor_age")]
        gauges = [row for row in rows if row.value == "number" and row.id not in self._ageing]
        self._names = [row.id for row in gauges]
        self._whole = [row.unit in WHOLE for row in gauges]
        self._gauges(kind, gauges, vocabulary)
        self._counters = {row.id: self._first(kind, row, vocabulary) for row in rows if row.value == "counter"}
        self._bought, self._replaced = uniform(group.keys("sensor age")), uniform(group.keys("battery"))

    def read(self, t: float) -> Readings:
        values = dict(self._states)
        if self._names:
            numbers = self._centre + self._sigma * self._noise.at(t)
            now = self.group.moment(t)
            numbers[self._curved] += self._swing * (2 * at_hour(self._curves, float(now.use_hour))[:, None] - 1)
            for row, name in enumerate(self._names):
                values[name] = np.round(numbers[row]) if self._whole[row] else numbers[row]
        hours = (t - self.group.start) / 3600
        for name, first in self._counters.items():
            values[name] = first + hours * PER_HOUR.get(name, 1)
        return values | self._aged(t)

    def _gauges(self, kind: str, rows: list[Metric], vocabulary: Vocabulary) -> None:
        if not rows:
            return
        usual = [typical(kind, row, vocabulary) for row in rows]
        own = np.stack([self.group.keys(row.id) for row in rows])
        width = np.array([[one.high - one.low] for one in usual])
        curved = np.array([one.curve is not None for one in usual])
        self._centre = np.array([[one.low] for one in usual]) + width * between(own, 0.3, 0.7, -2)
        self._sigma = np.where(curved[:, None], 0.015, 0.1) * width
        self._noise = Wander(own, np.array([[one.memory_s] for one in usual]))
        self._curved = np.flatnonzero(curved)
        self._swing = 0.255 * width[self._curved]
        self._curves = np.array([one.curve for one in usual if one.curve is not None]).reshape(-1, 24).T

    def _aged(self, t: float) -> Readings:
        values: Readings = {}
        if "sensor_age" in self._ageing:
            years = t / (365.25 * 86_400)
            values["sensor_age"] = (years + _SENSOR_LIFE_YEARS * self._bought) % _SENSOR_LIFE_YEARS
        left = 1 - (t / _BATTERY_LIFE_S + self._replaced) % 1
        if "battery_level" in self._ageing:
            values["battery_level"] = _CHANGED + (_NEW - _CHANGED) * left
        if "battery_voltage" in self._ageing:
            values["battery_voltage"] = 3.32 + 0.3 * left**0.5  # lithium: flat for long
        return values

    def _first(self, kind: str, row: Metric, vocabulary: Vocabulary) -> Floats:
        usual = typical(kind, row, vocabulary)
        return between(self.group.keys(row.id), usual.low, usual.high)
