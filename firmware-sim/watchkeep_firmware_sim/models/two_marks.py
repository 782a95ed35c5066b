"""Machines that go back and forth between two marks: sumps with a pump, tanks with a float valve."""

from collections.abc import Mapping

import numpy as np

from watchkeep_firmware_sim.models.base import NEVER, Group, Readings, Steady
from watchkeep_firmware_sim.signals import Bools, Floats, Wander, between, uniform

_STEP_S = 60.0
"""Levels are integrated in steps of this length; inflow changes little in a minute."""
_REMEMBERED_STARTS = 24


class TwoMarks(Steady):
    """A level in percent that a pump or valve turns round at `start_at` and leaves alone again at `stop_at`."""

    start_at, stop_at = 0.0, 0.0

    def __init__(self, group: Group, name: str) -> None:
        super().__init__(group)
        low, high = sorted((self.start_at, self.stop_at))
        margin = 0.1 * (high - low)
        self.level = between(group.keys(name), low + margin, high - margin)
        self.active: Bools = uniform(group.keys(f"{name} active")) < 0.5
        self._t = group.start
        self._starts = np.full((_REMEMBERED_STARTS, group.size), -np.inf)

    def rates(self, t: float) -> tuple[Floats, Floats]:
        """Change of the level in percent per second while active, and while not."""
        raise NotImplementedError

    def advance(self, t: float) -> None:
        while self._t < t:
            step = min(_STEP_S, t - self._t)
            self._t += step
            busy, idle = self.rates(self._t)
            works = self.active & ~self.halted
            level = np.clip(self.level + step * np.where(works, busy, idle), 0.0, 100.0)
            beyond = works & ((level < self.stop_at) if self.start_at > self.stop_at else (level > self.stop_at))
            self.level = np.where(beyond, self.stop_at, level)
            self._turn()

    def next_change(self) -> Floats:
        """When the mark will be reached at today's rate; asked again at least every ten minutes."""
        busy, idle = self.rates(self._t)
        mark = np.where(self.active, self.stop_at, self.start_at)
        left = (mark - self.level) / np.where(self.active, busy, idle)
        left = np.where(np.isfinite(left) & (left > 0), left + 1e-3, 600.0)
        return np.where(self.halted, NEVER, self._t + np.minimum(left, 600.0))

    def changed(self, t: float) -> Readings:
        before = self.active
        self.advance(t)
        return {name: np.where(self.active != before, value, np.nan) for name, value in self.states().items()}

    def states(self) -> Readings:
        """What is told at once when the pump starts or stops."""
        return {}

    def starts_per_hour(self, t: float) -> Floats:
        count: Floats = (t - self._starts < 3600).sum(axis=0).astype(np.float64)
        return count

    def resume(self, t: float, who: Bools, states: Mapping[str, float]) -> None:
        self.advance(t)
        super().resume(t, who, states)

    def _turn(self) -> None:
        rising = self.start_at > self.stop_at  # a pump empties; a valve fills
        begin = self.level >= self.start_at if rising else self.level <= self.start_at
        end = self.level <= self.stop_at if rising else self.level >= self.stop_at
        started = begin & ~self.active & ~self.halted
        if started.any():
            slot = np.argmin(self._starts, axis=0)[started]
            self._starts[slot, np.flatnonzero(started)] = self._t
        self.active = (self.active | started) & ~end


class Sumps(TwoMarks):
    """Seepage and rain fill the pit, a pump empties it: the level is a saw."""

    metrics = frozenset(("water_level", "water_level_rate", "pumps_running", "pump_run_state", "pump_current_percent"))
    metrics |= {"starts_per_hour"}
    start_at, stop_at = 68.0, 30.0

    def __init__(self, group: Group) -> None:
        self._seepage = between(group.keys("seepage"), 0.08, 0.35)
        self._catchment = between(group.keys("catchment"), 0.02, 0.12)
        self._drain = between(group.keys("drain"), 6, 9)
        self._noise = Wander(group.keys("noise"), 60)
        super().__init__(group, "sump")

    def rates(self, t: float) -> tuple[Floats, Floats]:
        rain = self.group.surroundings.rain(self.group.moment(t))
        fill = (self._seepage + self._catchment * rain) / 60
        return fill - self._drain / 60, fill

    def states(self) -> Readings:
        running = (self.active & ~self.halted).astype(np.float64)
        return {"pumps_running": running, "pump_run_state": running}

    def read(self, t: float) -> Readings:
        self.advance(t)
        works, (busy, idle) = self.active & ~self.halted, self.rates(t)
        return self.states() | {
            "water_level": self.level,
            "water_level_rate": 60 * np.where(works, busy, idle),
            "pump_current_percent": np.where(works, 72 + 2 * self._noise.at(t), 0.0),
            "starts_per_hour": self.starts_per_hour(t),
        }


class WaterTanks(TwoMarks):
    """Roof and basement tanks with a float valve: the level is the sum of what came and went."""

    metrics = frozenset(("water_level", "tank_volume"))
    start_at, stop_at = 62.0, 84.0

    def __init__(self, group: Group) -> None:
        self._volume = 5 * np.floor(between(group.keys("volume"), 4, 16))
        super().__init__(group, "tank")

    def rates(self, t: float) -> tuple[Floats, Floats]:
        """At the peak a fifth of the tank goes in an hour; the valve brings half as much again."""
        use = 20.0 * self.group.surroundings.demand(self.group.moment(t)) / 3600
        return 30.0 / 3600 - use, -use

    def next_change(self) -> Floats:
        return np.full(self.group.size, NEVER)

    def read(self, t: float) -> Readings:
        self.advance(t)
        return {"water_level": self.level, "tank_volume": self._volume * self.level / 100}


class FireTanks(TwoMarks):
    """Fire tanks lose a little and are topped up: always nearly full."""

    metrics = frozenset(("water_level", "tank_volume"))
    start_at, stop_at = 96.2, 99.0

    def __init__(self, group: Group) -> None:
        # Usual design volumes of GB 50974.
        self._volume = np.array([18.0, 36.0, 50.0, 100.0])[np.floor(4 * uniform(group.keys("volume"))).astype(np.int64)]
        self._loss = between(group.keys("loss"), 0.04, 0.15)
        super().__init__(group, "fire tank")

    def rates(self, _t: float) -> tuple[Floats, Floats]:
        """Evaporation and seeping glands: about 2 % in a day."""
        return (12.0 - self._loss) / 3600, -self._loss / 3600

    def next_change(self) -> Floats:
        return np.full(self.group.size, NEVER)

    def read(self, t: float) -> Readings:
        self.advance(t)
        return {"water_level": self.level, "tank_volume": self._volume * self.level / 100}
