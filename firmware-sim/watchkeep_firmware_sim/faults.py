"""A running fault: how it bends the readings of its device, and what the device says about it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from watchkeep_core.vocabulary import Metric, Vocabulary
from watchkeep_firmware_sim.models import Values
from watchkeep_firmware_sim.scenario import Effect, Scenario, ScenarioEvent


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
    _held: Values = field(default_factory=dict)

    def over(self, t: float) -> bool:
        """Whether nothing of it is left."""
        return t >= self.ends + max((effect.recover_s for effect in self.scenario.effect), default=0)

    def active(self, t: float) -> bool:
        return self.begins <= t < self.ends

    def final_states(self) -> Values:
        """Where it leaves the machine's states."""
        return {effect.metric: effect.to for effect in self.scenario.effect if effect.to is not None}

    def bend(self, t: float, values: Values, vocabulary: Vocabulary) -> Values:
        """The readings as the faulty device shows them at `t`."""
        bent = dict(values)
        for effect in self.scenario.effect:
            if effect.metric in bent:
                bent[effect.metric] = self._applied(effect, bent[effect.metric], self._strength(effect, t))
        if self.active(t) and (self.scenario.frozen or self.scenario.impossible):
            self._break_sensor(bent, vocabulary)
        return bent

    def _strength(self, effect: Effect, t: float) -> float:
        """0 = no effect, 1 = all of it."""
        grown = min(1.0, (min(t, self.ends) - self.begins) / effect.over_s) if effect.over_s else 1.0
        if t < self.ends:
            return grown
        return grown * max(0.0, 1 - (t - self.ends) / effect.recover_s) if effect.recover_s else 0.0

    def _applied(self, effect: Effect, value: float, strength: float) -> float:
        if strength <= 0:
            return value
        if effect.to is not None:
            noise = 0.01 * max(-3.0, min(3.0, self.rng.gauss(0, 1))) if effect.over_s else 0.0
            return value + (effect.to * (1 + noise) - value) * strength
        if effect.add is not None:
            return value + effect.add * strength
        return value * (1 + ((effect.times or 0.0) - 1) * strength)

    def _break_sensor(self, values: Values, vocabulary: Vocabulary) -> None:
        numbers = [row for metric in values if (row := vocabulary.metrics[metric]).value == "number"]
        if self.scenario.frozen:
            for row in numbers:
                values[row.id] = self._held.setdefault(row.id, values[row.id])
        elif numbers:
            first = min(numbers, key=lambda row: row.id)
            values[first.id] = impossible(first)


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
