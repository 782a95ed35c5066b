"""Water supply: pump sets, their pumps, risers, district meters and quality, by what the community uses at that hour.

Set, pumps, riser, tank and meter of one community follow the same demand and the same staging of pumps.
"""

import numpy as np

from watchkeep_firmware_sim.models.base import NEVER, Group, Readings, Steady
from watchkeep_firmware_sim.models.surroundings import Moment
from watchkeep_firmware_sim.signals import WATER_USE, Bools, Floats, Lag, Wander, at_hour, between, normal, sub

PUMPS_OF_A_SET = 3
_SECOND_PUMP_FROM = 0.6
"""Share of the daily maximum from which two pumps run."""
_TRANSIENT_KPA, _TRANSIENT_S = 11.0, 15.0
"""The PID loop overshoots when a pump joins or leaves, and settles within a minute."""


def pumps_wanted(now: Moment) -> int:
    """Staging follows the smooth curve of the day, so that pumps do not hunt."""
    return 1 + (float(at_hour(WATER_USE, now.use_hour)) > _SECOND_PUMP_FROM)


def _hertz(demand: Floats, pumps: int) -> Floats:
    """Speed that the loop asks of each running pump: a second one lets both slow down."""
    return np.minimum(49.0, 31 + 17 * np.minimum(1.0, demand) ** 0.8 - 3.5 * (pumps - 1))


class PumpSets(Steady):
    """Constant outlet pressure by frequency control; more pumps when the flow wants them."""

    metrics = frozenset(("outlet_pressure", "outlet_pressure_setpoint", "outlet_pressure_deviation", "inlet_pressure"))
    metrics |= {"pump_flow", "pumps_running"}

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        self._setpoint = 10 * np.floor(between(sub(group.community, "setpoint"), 38, 46))
        self._flow_max = between(sub(group.community, "flow"), 25, 60)
        self._inlet = between(group.keys("inlet"), 240, 290)
        self._control, self._mains = Wander(group.keys("control"), 20), Wander(group.keys("mains"), 900)
        self._pumps, self._staged_at, self._jump = 0, -np.inf, 0.0

    def read(self, t: float) -> Readings:
        now = self.group.moment(t)
        demand, pumps = self.group.surroundings.demand(now), pumps_wanted(now)
        if pumps != self._pumps:
            self._jump, self._staged_at = float(pumps - self._pumps) if self._pumps else 0.0, t
            self._pumps = pumps
        since = (t - self._staged_at) / _TRANSIENT_S
        swing = _TRANSIENT_KPA * self._jump * float(np.exp(-since) * np.cos(2 * since)) if since < 20 else 0.0
        deviation = np.round(3 * self._control.at(t) + swing, 1)
        return {
            "outlet_pressure": self._setpoint + deviation,
            "outlet_pressure_setpoint": self._setpoint,
            "outlet_pressure_deviation": deviation,
            "inlet_pressure": self._inlet - 45 * demand + 4 * self._mains.at(t),
            "pump_flow": self._flow_max * demand,
            "pumps_running": self.group.full(pumps),
        }


class SupplyPumps(Steady):
    """The pumps of the sets: they take turns by day, speed by demand, heat and vibration by running."""

    metrics = frozenset(("pump_run_state", "pump_frequency", "pump_current_percent", "pump_flow", "pump_vibration"))
    metrics |= {"starts_per_hour", "bearing_temperature", "discharge_pressure", "total_running_time"}

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        self._pressure = 10 * np.floor(between(sub(group.community, "setpoint"), 38, 46)) + 5
        self._flow_max = between(sub(group.community, "flow"), 25, 60)
        self._shake = between(group.keys("shake"), 1.6, 2.2)
        self._noise = Wander(group.keys("noise"), 60)
        self._bearing = Lag(group.full(30), 1200, group.start)
        self._hours = between(group.keys("hours"), 1500, 21_000)
        self._t = group.start
        self._started = np.full(group.size, -np.inf)
        self._running = self._wanted(group.moment(group.start))

    def read(self, t: float) -> Readings:
        now = self.group.moment(t)
        running = self._wanted(now) & ~self.halted
        self._started = np.where(running & ~self._running, t, self._started)
        self._hours = self._hours + (self._running * max(0.0, t - self._t)) / 3600
        self._running, self._t = running, max(t, self._t)
        noise, demand = 0.02 * self._noise.at(t), self.group.surroundings.demand(now)
        hertz = _hertz(demand, pumps_wanted(now))
        # Affinity: current rises with the cube of speed; the running pumps share the flow.
        return {
            "pump_run_state": running.astype(np.float64),
            "pump_frequency": np.where(running, hertz, 0.0),
            "pump_current_percent": np.where(running, (45 + 45 * (hertz / 50) ** 3) * (1 + noise), 0.0),
            "pump_flow": np.where(running, self._flow_max * demand / pumps_wanted(now) * (1 + noise), 0.0),
            "pump_vibration": np.where(running, self._shake * (0.6 + 0.5 * hertz / 50), 0.15) * (1 + 2 * noise),
            "bearing_temperature": self._bearing.follow(
                self.group.surroundings.indoor(now) + np.where(running, 18 + 0.3 * hertz, 2.0), t
            ),
            "discharge_pressure": self._pressure * (1 + np.where(running, 0.3 * noise, 0.1 * noise)),
            "starts_per_hour": (t - self._started < 3600).astype(np.float64),
            "total_running_time": self._hours,
        }

    def next_change(self) -> Floats:
        """Staging happens at full minutes."""
        return np.where(self.halted, NEVER, (np.floor(self._t / 60) + 1) * 60)

    def changed(self, t: float) -> Readings:
        before = self._running
        values = self.read(t)
        told = ("pump_run_state", "pump_frequency", "pump_current_percent", "pump_flow")
        return {name: np.where(self._running != before, values[name], np.nan) for name in told}

    def _wanted(self, now: Moment) -> Bools:
        turn = (self.group.ordinal + now.day) % PUMPS_OF_A_SET
        running: Bools = turn < pumps_wanted(now)
        return running


class Risers(Steady):
    """What arrives at the tap: the set's pressure less height and friction."""

    metrics = frozenset(("household_pressure",))

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        self._base = between(group.keys("height"), 200, 300)
        self._noise = Wander(group.keys("taps"), 120)

    def read(self, t: float) -> Readings:
        demand = self.group.surroundings.demand(self.group.moment(t))
        return {"household_pressure": self._base - 35 * demand + 5 * self._noise.at(t)}


class DistrictMeters(Steady):
    """District meters: use by the hour on top of a steady background leak."""

    metrics = frozenset(("inlet_flow", "water_volume", "night_minimum_flow", "inlet_pressure"))

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        self._peak = between(sub(group.community, "flow"), 25, 60)
        self._inlet = between(group.keys("inlet"), 270, 320)
        self._night = group.keys("nights")
        self._gusts, self._mains = Wander(group.keys("gusts"), 300), Wander(group.keys("mains"), 900)
        self._volume = between(group.keys("volume"), 20_000, 400_000)
        self._t, self._flow = group.start, self._flow_at(group.start)

    def read(self, t: float) -> Readings:
        flow = self._flow_at(t)
        self._volume = self._volume + 0.5 * (flow + self._flow) * max(0.0, t - self._t) / 3600
        self._t, self._flow = max(t, self._t), flow
        now = self.group.moment(t)
        night = int(np.floor((t / 3600 + self.group.utc_offset_h - 4) / 24))
        least = self._peak * (0.1 + 0.9 * min(WATER_USE))
        return {
            "inlet_flow": flow,
            "water_volume": self._volume,
            "night_minimum_flow": least * (1 + 0.015 * normal(self._night, night)),
            "inlet_pressure": self._inlet - 40 * self.group.surroundings.demand(now) + 4 * self._mains.at(t),
        }

    def _flow_at(self, t: float) -> Floats:
        demand = self.group.surroundings.demand(self.group.moment(t))
        return self._peak * (0.1 + 0.9 * demand) * (1 + 0.01 * self._gusts.at(t))


class QualityStations(Steady):
    """Chlorine is used up while water stands, and dosed by flow; turbidity rises when the mains wake up."""

    metrics = frozenset(("residual_chlorine", "turbidity", "ph"))

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        self._chlorine = between(group.keys("chlorine"), 0.45, 0.65)
        self._turbidity = between(group.keys("turbidity"), 0.15, 0.32)
        self._ph = between(group.keys("ph"), 7.3, 7.7)
        names = ("dosing", "particles", "carbonate")
        self._noise = Wander(np.stack([group.keys(name) for name in names]), np.array([[5400.0], [1800.0], [43_200.0]]))
        self._stood = Lag(group.full(0.5), 3 * 3600, group.start)

    def read(self, t: float) -> Readings:
        demand = self.group.surroundings.demand(self.group.moment(t))
        stood = self._stood.follow(1 - np.minimum(1.0, demand), t)
        dosing, particles, carbonate = self._noise.at(t)
        return {
            "residual_chlorine": self._chlorine - 0.12 * stood + 0.025 * dosing,
            "turbidity": self._turbidity + 0.12 * stood * demand + 0.02 * particles,
            "ph": self._ph + 0.06 * stood + 0.04 * carbonate,
        }
