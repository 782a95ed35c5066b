"""The fall-back: any metric of any kind, within its usual range, states at rest."""

from collections.abc import Iterable

from watchkeep_core.vocabulary import Metric, Vocabulary
from watchkeep_firmware_sim.models.base import Site, Steady, Values
from watchkeep_firmware_sim.models.typical import PER_HOUR, Typical, normal_state, typical
from watchkeep_firmware_sim.signals import Wander, at_hour, local_hour

_WHOLE = frozenset(("count", "persons"))


class Gauge:
    """One number that follows the day or wanders, always within its usual range."""

    def __init__(self, site: Site, metric: str, usual: Typical) -> None:
        rng = site.rng(metric)
        width = usual.high - usual.low
        self._half = 0.3 * width
        self._centre = usual.low + width * rng.uniform(0.3, 0.7)
        self._curve = usual.curve
        share = 0.15 if usual.curve else 1.0
        self._noise = Wander(rng, share * self._half / 3, usual.memory_s)
        self._utc_offset_h = site.utc_offset_h

    def at(self, t: float) -> float:
        value = self._centre + self._noise.at(t)
        if self._curve:
            value += 0.85 * self._half * (2 * at_hour(self._curve, local_hour(t, self._utc_offset_h)) - 1)
        return value


class Generic(Steady):
    """Any set of metrics, each for itself."""

    def __init__(self, site: Site, kind: str, metrics: Iterable[str], vocabulary: Vocabulary) -> None:
        self.metrics = frozenset(metrics)
        self._start = site.start
        rows = [vocabulary.metrics[metric] for metric in sorted(self.metrics)]
        self._states = {row.id: normal_state(row) for row in rows if row.value == "state"}
        self._gauges = {
            row.id: Gauge(site, row.id, typical(kind, row, vocabulary)) for row in rows if row.value == "number"
        }
        self._whole = {row.id for row in rows if row.unit in _WHOLE}
        self._counters = {row.id: self._first(site, kind, row, vocabulary) for row in rows if row.value == "counter"}

    def read(self, t: float) -> Values:
        values = dict(self._states)
        for metric, gauge in self._gauges.items():
            value = gauge.at(t)
            values[metric] = float(round(value)) if metric in self._whole else value
        hours = (t - self._start) / 3600
        for metric, first in self._counters.items():
            values[metric] = first + hours * PER_HOUR.get(metric, 1)
        return values

    @staticmethod
    def _first(site: Site, kind: str, row: Metric, vocabulary: Vocabulary) -> float:
        usual = typical(kind, row, vocabulary)
        return site.rng(row.id).uniform(usual.low, usual.high)
