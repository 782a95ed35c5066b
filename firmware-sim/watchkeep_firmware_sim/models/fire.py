"""Fire protection: the main kept up by a jockey pump, and the cables that electrical fire detectors watch."""

import numpy as np

from watchkeep_firmware_sim.models.base import NEVER, Group, Readings, Steady
from watchkeep_firmware_sim.signals import Floats, Lag, Wander, between, sub

_RUN_S = 75.0
_BAND_KPA = 50.0


class _Main:
    """The fire main of a community as a pure function of time: it loses pressure, the jockey pump brings it back."""

    def __init__(self, group: Group) -> None:
        self._period = between(sub(group.community, "fire main period"), 1300, 2500)
        self._phase = between(sub(group.community, "fire main phase"), 0, 1)

    def share(self, t: float) -> tuple[Floats, Floats]:
        """Share of the band that is left (1 = full), and seconds into the present turn."""
        into = self.turns(t) % 1 * self._period
        leaking = 1 - (into - _RUN_S) / (self._period - _RUN_S)
        return np.where(into < _RUN_S, into / _RUN_S, leaking), into

    def turns(self, t: float) -> Floats:
        return t / self._period + self._phase

    def next_change(self, t: float) -> Floats:
        into = self.turns(t) % 1 * self._period
        return t + np.where(into < _RUN_S - 1e-3, _RUN_S - into, self._period - into) + 1e-3

    def starts_per_hour(self, t: float) -> Floats:
        return np.floor(self.turns(t)) - np.floor(self.turns(t - 3600))


class JockeyPumps(Steady):
    """Held between two pressures by leaking slowly and pumping shortly: two to three starts an hour."""

    metrics = frozenset(("discharge_pressure", "pump_run_state", "starts_per_hour"))

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        self._main = _Main(group)
        self._low = between(group.keys("low"), 340, 410)
        self._t = group.start

    def read(self, t: float) -> Readings:
        self._t = max(t, self._t)
        share, into = self._main.share(t)
        return {
            "discharge_pressure": self._low + _BAND_KPA * share,
            "pump_run_state": ((into < _RUN_S) & ~self.halted).astype(np.float64),
            "starts_per_hour": self._main.starts_per_hour(t),
        }

    def next_change(self) -> Floats:
        return np.where(self.halted, NEVER, self._main.next_change(self._t))

    def changed(self, t: float) -> Readings:
        before = self.read(self._t)["pump_run_state"]
        now = self.read(t)["pump_run_state"]
        return {"pump_run_state": np.where(now != before, now, np.nan)}


class FireMains(Steady):
    """Hydrant and sprinkler systems: the main's saw, less their own height."""

    metrics = frozenset(("static_pressure",))

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        self._main = _Main(group)
        self._low = between(group.keys("height"), 190, 360)
        self._noise = Wander(group.keys("main"), 300)

    def read(self, t: float) -> Readings:
        return {"static_pressure": self._low + _BAND_KPA * self._main.share(t)[0] + 0.6 * self._noise.at(t)}


class ElectricalFire(Steady):
    """Natural leakage of 100 to 200 mA that grows with the building's load; cables warm with its square, late."""

    metrics = frozenset(("residual_current", "conductor_temperature", "supply_voltage_deviation"))

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        self._leakage = between(group.keys("leakage"), 95, 140)
        self._rise = between(group.keys("rise"), 14, 24)
        self._noise = Wander(group.keys("leakage noise"), 300)
        self._volts = Wander(group.keys("volts"), 300)
        self._cable = Lag(group.full(28), 1500, group.start)

    def read(self, t: float) -> Readings:
        now = self.group.moment(t)
        load, around = self.group.surroundings.load(now), self.group.surroundings
        return {
            "residual_current": self._leakage + 45 * load + 3 * self._noise.at(t),
            "conductor_temperature": self._cable.follow(around.indoor(now) + 2 + self._rise * load**2, t),
            "supply_voltage_deviation": around.mains(now) + 0.3 * self._volts.at(t),
        }
