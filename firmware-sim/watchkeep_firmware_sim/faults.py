"""A running fault: how it bends the readings of its device, and what the device says about it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

import numpy as np

from watchkeep_core.vocabulary import Vocabulary
from watchkeep_core.vocabulary_rows import Limit, Metric
from watchkeep_firmware_sim.models import Readings, Values
from watchkeep_firmware_sim.models.typical import typical
from watchkeep_firmware_sim.scenario import Effect, Scenario, ScenarioEvent
from watchkeep_firmware_sim.signals import Bools, Floats

_COUNTED = ("count", "persons", "h", "year")
"""Units of what no sensor measures."""

_SPIKE_WIDTHS = 6.0
"""A spike leaves the usual range by this many of its widths …"""

_SPIKE_REACH = 0.9
"""… and stays within what the sensor can say: of the way to its upper end."""


@dataclass(slots=True)
class Fault:
    """One scenario at one device; times are seconds of event time since 1970 UTC."""

    number: int
    device: int
    """Index in the fleet."""
    scenario: Scenario
    begins: float
    ends: float
    planned: bool
    rng: Random
    severity: float = 1.0
    """0 = just beyond the limit (`near` of the effects), 1 = all of it."""
    cause: int | None = None
    """Number of the fault that brought it about."""
    failed_at: float | None = None
    """When a reading first broke the limit of an expected condition."""
    qualified_at: float | None = None
    """When readings had first broken such a limit for all of its delay: from here on a rule has no excuse."""
    _held: Values = field(default_factory=dict)
    _broken_since: dict[str, float] = field(default_factory=dict)
    """Limit → when the readings at hand began to break it without a pause."""

    def over(self, t: float) -> bool:
        """Whether nothing of it is left."""
        return t >= self.ends + self.scenario.recovered_after_s()

    def active(self, t: float) -> bool:
        return self.begins <= t < self.ends

    def final_states(self) -> Values:
        """Where it leaves the machine's states."""
        return {effect.metric: effect.to for effect in self.scenario.effect if effect.to is not None}

    def bend(self, t: float, values: Values, vocabulary: Vocabulary, kind: str = "") -> Values:
        """The readings as the faulty device shows them at `t`."""
        arrays = {name: np.array([value]) for name, value in values.items()}
        bent = self.bend_many(np.array([t]), arrays, vocabulary, kind)
        return {name: float(value[0]) for name, value in bent.items()}

    def bend_many(self, t: Floats, values: Readings, vocabulary: Vocabulary, kind: str = "") -> Readings:
        """As `bend`, for a stretch of time at once; `t` must not go back from call to call."""
        bent = dict(values)
        for effect in self.scenario.effect:
            if effect.metric in bent:
                row = vocabulary.metrics[effect.metric]
                bent[effect.metric] = self._applied(effect, row, bent[effect.metric], self._strength(effect, t))
        self._break_sensor(t, bent, vocabulary, kind)
        self._watch(t, bent, vocabulary, kind)
        return bent

    def _strength(self, effect: Effect, t: Floats) -> Floats:
        """0 = no effect, 1 = all of it."""
        since = np.minimum(t, self.ends) - self.begins
        grown = np.clip(since / effect.over_s, 0, 1) if effect.over_s else np.where(since >= 0, 1.0, 0.0)
        left = np.clip(1 - (t - self.ends) / effect.recover_s, 0, 1) if effect.recover_s else np.zeros(len(t))
        strength: Floats = np.where(t < self.ends, grown, grown * left)
        return strength

    def _applied(self, effect: Effect, row: Metric, value: Floats, strength: Floats) -> Floats:
        state = row.value == "state"
        if state:
            strength = np.where(strength >= 1, 1.0, 0.0)
        elif effect.near is None:
            strength = strength * self.severity
        if effect.to is not None:
            goal = effect.to if state else self._between(effect.near, effect.to)
            noise = 0.01 * self._noise(len(value)) if effect.over_s and not state else 0.0
            bent = value + (goal * (1 + noise * self.severity) - value) * strength
        elif effect.add is not None:
            bent = value + self._between(effect.near, effect.add) * strength
        else:
            bent = value * (1 + (self._between(effect.near, effect.times or 0.0) - 1) * strength)
        return np.where(strength > 0, bent, value)

    def _between(self, near: float | None, full: float) -> float:
        return full if near is None else near + self.severity * (full - near)

    def _noise(self, count: int) -> Floats:
        if count == 1:
            return np.array([max(-3.0, min(3.0, self.rng.gauss(0, 1)))])
        return np.clip(np.random.default_rng(self.rng.getrandbits(64)).standard_normal(count), -3, 3)

    def _break_sensor(self, t: Floats, values: Readings, vocabulary: Vocabulary, kind: str) -> None:
        scenario, active = self.scenario, (t >= self.begins) & (t < self.ends)
        if not active.any():
            return
        rows = [vocabulary.metrics[name] for name in sorted(values)]
        numbers = [row for row in rows if row.value == "number"]
        numbers.sort(key=lambda row: row.period_s == 0 or row.unit in _COUNTED)  # what is measured all the time first
        if scenario.frozen or scenario.missing:
            for row in numbers:
                self._hold(row.id, values, active)
        if scenario.counter_falls:
            for name in [name for name in values if vocabulary.metrics[name].value == "counter"]:
                first = self._held.setdefault(name, float(values[name][active][0]))
                values[name] = np.where(active, values[name] - first, values[name])
        if numbers:
            self._break_first(t, active, values, numbers[0], _width(kind, numbers[0], vocabulary))

    def _hold(self, name: str, values: Readings, active: Bools) -> None:
        held = math.nan if self.scenario.missing else self._held.setdefault(name, float(values[name][active][0]))
        values[name] = np.where(active, held, values[name])

    def _break_first(self, t: Floats, active: Bools, values: Readings, row: Metric, width: float) -> None:
        scenario, value = self.scenario, values[row.id]
        if scenario.impossible:
            value = np.where(active, impossible(row), value)
        if scenario.rail:
            value = np.where(active, row.max, value)
        if scenario.drift_per_h:
            hours = (t - self.begins) / 3600
            rate = self._between(scenario.drift_near_per_h, scenario.drift_per_h)
            value = np.where(active, value + rate * width * hours, value)
        if scenario.spike_every_s:
            turn = np.floor((t - self.begins) / scenario.spike_every_s)
            last = np.concatenate([[self._held.get("spike", -1.0)], turn[:-1]])
            self._held["spike"] = float(turn[-1])
            jump = np.minimum(_SPIKE_WIDTHS * width, _SPIKE_REACH * (row.max - value))
            value = np.where(active & (turn > last), value + jump, value)
        values[row.id] = value

    def _watch(self, t: Floats, values: Mapping[str, Floats], vocabulary: Vocabulary, kind: str) -> None:
        """Keep when a limit of what is expected is first broken (the failure of a slow fault), and lastingly broken."""
        if self.qualified_at is not None:
            return
        during = (t >= self.begins) & (t < self.ends)
        for effect in self.scenario.effect:
            for limit in _limits(kind, effect.metric, vocabulary) if effect.metric in values else ():
                if limit.condition in self.scenario.expects:
                    broken = _breaks(limit, values) & during
                    if broken.any():
                        self.failed_at = _earlier(self.failed_at, float(t[np.argmax(broken)]))
                    self.qualified_at = _earlier(self.qualified_at, self._lasting(limit, t, broken))

    def _lasting(self, limit: Limit, t: Floats, broken: Bools) -> float | None:
        """The first reading that is at least the limit's delay after the first of its run; None = none yet."""
        for moment, bad in zip(t.tolist(), broken.tolist(), strict=True):
            if not bad:
                self._broken_since.pop(limit.id, None)
            elif moment - self._broken_since.setdefault(limit.id, moment) >= limit.for_s:
                return float(moment)
        return None


def impossible(metric: Metric) -> float:
    """A finite value that is physically not possible."""
    return metric.max + 0.5 * (metric.max - metric.min)


def event_times(event: ScenarioEvent, begins: float, ends: float) -> Iterator[tuple[float, bool]]:
    """When it is sent, and whether as active; at the end of the fault it is taken back if it still stands."""
    standing = False
    for index in range(event.repeat):
        t = begins + event.after_s + index * event.every_s
        if t >= ends:
            break
        yield t, True
        standing = True
        if event.flaps and (back := t + event.every_s / 2) < ends:
            yield back, False
            standing = False
    if standing:
        yield ends, False


def _limits(kind: str, metric: str, vocabulary: Vocabulary) -> tuple[Limit, ...]:
    return tuple(limit for limit in vocabulary.limits_for(kind, metric) if limit.tier != "notice")


def _breaks(limit: Limit, readings: Mapping[str, Floats]) -> Bools:
    values = readings[limit.metric]
    broken: Bools = values == limit.value
    if limit.side != "equals":
        broken = values > limit.value if limit.side == "above" else values < limit.value
    if limit.when:  # where its interlock is not measured, the limit never counts
        held = readings.get(limit.when.metric)
        broken = np.zeros(len(values), np.bool_) if held is None else broken & (held == limit.when.equals)
    return broken


def _earlier(one: float | None, other: float | None) -> float | None:
    return min((t for t in (one, other) if t is not None), default=None)


def _width(kind: str, row: Metric, vocabulary: Vocabulary) -> float:
    usual = typical(kind, row, vocabulary)
    return max(usual.high - usual.low, 0.01 * (row.max - row.min) if usual.high == usual.low else 0.0)
