"""Water supply: pump sets, single pumps, tanks and district meters, by what people use at that hour."""

from watchkeep_firmware_sim.models.base import Site, Steady, Values
from watchkeep_firmware_sim.signals import WARMTH, WATER_USE, Lag, Wander, at_hour, local_hour

_STEP_S = 60.0
"""Levels and volumes are integrated in steps of this length; demand changes little in a minute."""


class _Demand:
    """How much water is used, of the daily maximum."""

    def __init__(self, site: Site) -> None:
        self._noise = Wander(site.rng("demand"), 0.03, 600)
        self._utc_offset_h = site.utc_offset_h

    def at(self, t: float) -> float:
        return at_hour(WATER_USE, local_hour(t, self._utc_offset_h)) * (1 + self._noise.at(t))


class PumpSet(Steady):
    """Constant outlet pressure by frequency control; more pumps when the flow wants them."""

    metrics = frozenset(
        ("outlet_pressure", "outlet_pressure_setpoint", "outlet_pressure_deviation", "inlet_pressure", "pump_flow")
    ) | {"pumps_running"}

    def __init__(self, site: Site) -> None:
        rng = site.rng("set")
        self._setpoint = float(rng.randrange(380, 460, 10))
        self._flow_max = rng.uniform(25, 60)
        self._inlet = rng.uniform(240, 290)
        self._control = Wander(site.rng("control"), 4, 20)
        self._mains = Wander(site.rng("mains"), 4, 900)
        self._demand = _Demand(site)
        self._pumps = 1.0

    def read(self, t: float) -> Values:
        demand, deviation = self._demand.at(t), round(self._control.at(t), 1)
        if demand > 0.62:
            self._pumps = 2.0
        elif demand < 0.5:
            self._pumps = 1.0
        return {
            "outlet_pressure": self._setpoint + deviation,
            "outlet_pressure_setpoint": self._setpoint,
            "outlet_pressure_deviation": deviation,
            "inlet_pressure": self._inlet - 45 * demand + self._mains.at(t),
            "pump_flow": self._flow_max * demand,
            "pumps_running": self._pumps,
        }


class SupplyPump:
    """One pump of a set: turns with its standby, speed by demand, heat and vibration by running."""

    metrics = frozenset(
        ("pump_run_state", "pump_frequency", "pump_current_percent", "pump_flow", "pump_vibration", "starts_per_hour")
    ) | {"bearing_temperature", "discharge_pressure", "total_running_time"}

    def __init__(self, site: Site) -> None:
        self._rng = rng = site.rng("pump")
        self._utc_offset_h = site.utc_offset_h
        self._demand = _Demand(site)
        self._pressure = rng.uniform(380, 450)
        self._shake = rng.uniform(1.6, 2.2)
        self._noise = Wander(site.rng("noise"), 0.02, 60)
        self._bearing = Lag(30, 1200, site.start)
        self._hours = rng.uniform(1500, 21_000)
        self._counted_to = site.start
        self._starts: list[float] = []
        self._running = rng.random() < 0.6
        self._halted = False
        self._switch_at = site.start + rng.uniform(600, 3600)

    def read(self, t: float) -> Values:
        running = self._running and not self._halted
        noise, hour = self._noise.at(t), local_hour(t, self._utc_offset_h)
        if running:
            self._hours += (t - self._counted_to) / 3600
        self._counted_to = t
        hertz = (32 + 14 * min(1.0, self._demand.at(t))) if running else 0.0
        room = 15 + 6 * at_hour(WARMTH, hour)
        return {
            **self._electric(hertz, noise),
            "pump_vibration": (self._shake if running else 0.15) * (1 + 2 * noise),
            "bearing_temperature": self._bearing.follow(room + (30 if running else 2), t),
            "discharge_pressure": self._pressure * (1 + (noise if running else 0.3 * noise)),
            "starts_per_hour": float(sum(t - start < 3600 for start in self._starts)),
            "total_running_time": self._hours,
        }

    def next_change(self) -> float:
        return self._switch_at

    def changed(self, t: float) -> Values:
        """Runs for 25 to 90 minutes, rests for 15 to 40: at most two starts in an hour."""
        self._running = not self._running
        self._switch_at = t + (self._rng.uniform(1500, 5400) if self._running else self._rng.uniform(900, 2400))
        if self._running:
            self._starts = [start for start in self._starts if t - start < 3600] + [t]
        values = self.read(t)
        return {
            name: values[name] for name in ("pump_run_state", "pump_frequency", "pump_current_percent", "pump_flow")
        }

    def halt(self, _t: float) -> None:
        self._halted = True

    def resume(self, _t: float, _states: Values) -> None:
        self._halted = False

    def _electric(self, hertz: float, noise: float) -> Values:
        """Affinity: current rises with the cube of speed, flow with what is left above the static head."""
        running = hertz > 0
        return {
            "pump_run_state": float(running),
            "pump_frequency": hertz,
            "pump_current_percent": (45 + 50 * (hertz / 50) ** 3) * (1 + noise) if running else 0.0,
            "pump_flow": max(2.0, 2.2 * (hertz - 28)) * (1 + noise) if running else 0.0,
        }


class WaterTank(Steady):
    """A roof or basement tank with a float valve: the level is the sum of what came and went."""

    metrics = frozenset(("water_level", "tank_volume"))
    opens_percent, closes_percent = 62.0, 84.0

    def __init__(self, site: Site) -> None:
        rng = site.rng("tank")
        self._volume = float(rng.randrange(20, 80, 5))
        self._level = rng.uniform(self.opens_percent + 2, self.closes_percent - 2)
        self._filling = rng.random() < 0.5
        self._demand = _Demand(site)
        self._t = site.start

    def read(self, t: float) -> Values:
        while self._t < t:
            step = min(_STEP_S, t - self._t)
            self._t += step
            self._step(step / 3600)
        return {"water_level": self._level, "tank_volume": self._volume * self._level / 100}

    def _step(self, hours: float) -> None:
        """At the peak a fifth of the tank goes in an hour; the valve brings half as much again."""
        self._level += hours * (30.0 * self._filling - 20.0 * self._demand.at(self._t))
        if self._level <= self.opens_percent:
            self._filling = True
        elif self._level >= self.closes_percent:
            self._filling = False


class DistrictMeter(Steady):
    """A district meter: use by the hour on top of a steady background leak."""

    metrics = frozenset(("inlet_flow", "water_volume", "night_minimum_flow"))

    def __init__(self, site: Site) -> None:
        self._site = site
        rng = site.rng("meter")
        self._peak = rng.uniform(30, 60)
        self._volume = rng.uniform(20_000, 400_000)
        self._demand = _Demand(site)
        self._t = site.start
        self._flow = self._flow_at(site.start)

    def read(self, t: float) -> Values:
        while self._t < t:
            step = min(_STEP_S, t - self._t)
            self._t += step
            self._flow = self._flow_at(self._t)
            self._volume += self._flow * step / 3600
        return {
            "inlet_flow": self._flow,
            "water_volume": self._volume,
            "night_minimum_flow": self._night_minimum(t),
        }

    def _flow_at(self, t: float) -> float:
        return self._peak * (0.1 + 0.9 * self._demand.at(t))

    def _night_minimum(self, t: float) -> float:
        """Least flow between 02:00 and 04:00 local time, known from 04:00 on."""
        night = int((t / 3600 + self._site.utc_offset_h - 4) // 24)
        return self._peak * (0.1 + 0.9 * min(WATER_USE)) * (1 + 0.02 * self._site.rng(f"night {night}").uniform(-1, 1))
