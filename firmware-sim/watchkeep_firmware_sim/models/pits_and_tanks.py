"""Sumps, fire tanks and jockey pumps: machines that go back and forth between two marks."""

from watchkeep_firmware_sim.models.base import NEVER, Site, Steady, Values
from watchkeep_firmware_sim.signals import Wander


class FireTank(Steady):
    """A fire tank that loses a little and is topped up: always nearly full."""

    metrics = frozenset(("water_level", "tank_volume"))

    def __init__(self, site: Site) -> None:
        self._volume = site.rng("tank").choice((18.0, 36.0, 50.0, 100.0))  # usual design volumes of GB 50974
        self._level = Wander(site.rng("level"), 0.4, 7200)

    def read(self, t: float) -> Values:
        level = 98 + self._level.at(t)
        return {"water_level": level, "tank_volume": self._volume * level / 100}


class Sump:
    """Seepage fills the pit, a pump empties it: the level is a saw, exact at every moment."""

    metrics = frozenset(
        ("water_level", "water_level_rate", "pumps_running", "pump_run_state", "pump_current_percent")
    ) | {"starts_per_hour"}
    on_percent, off_percent = 68.0, 30.0

    def __init__(self, site: Site) -> None:
        self._rng = site.rng("sump")
        self._amps = self._rng.uniform(66, 84)
        self._since = site.start
        self._level = self._rng.uniform(self.off_percent, self.on_percent)
        self._pumping = False
        self._halted = False
        self._rate = self._draw_rate()
        self._starts: list[float] = []

    def read(self, t: float) -> Values:
        return {
            "water_level": self._level + self._rate * (t - self._since) / 60,
            "water_level_rate": self._rate,
            **self._pump(),
            "starts_per_hour": float(sum(t - start < 3600 for start in self._starts)),
        }

    def next_change(self) -> float:
        if self._halted:
            return NEVER
        mark = self.off_percent if self._pumping else self.on_percent
        return self._since + 60 * (mark - self._level) / self._rate

    def changed(self, t: float) -> Values:
        self._level, self._since = (self.off_percent if self._pumping else self.on_percent), t
        self._pumping = not self._pumping
        self._rate = self._draw_rate()
        if self._pumping:
            self._starts = [start for start in self._starts if t - start < 3600] + [t]
        return self._pump()

    def halt(self, t: float) -> None:
        self._level, self._since, self._rate = self.read(t)["water_level"], t, 0.0
        self._halted, self._pumping = True, False

    def resume(self, t: float, _states: Values) -> None:
        self._since, self._halted = t, False
        self._rate = self._draw_rate()

    def _draw_rate(self) -> float:
        """In percent of depth per minute: seepage fills in an hour or two, a pump empties in minutes."""
        return -self._rng.uniform(6, 9) if self._pumping else self._rng.uniform(0.25, 0.9)

    def _pump(self) -> Values:
        running = float(self._pumping)
        return {"pumps_running": running, "pump_run_state": running, "pump_current_percent": self._amps * running}


class JockeyPump:
    """Keeps the fire main under pressure: a slow leak, a short run, two or three times an hour."""

    metrics = frozenset(("discharge_pressure", "pump_run_state", "starts_per_hour"))

    def __init__(self, site: Site) -> None:
        self._rng = site.rng("jockey")
        self._high = self._rng.uniform(420, 480)
        self._running = False
        self._halted = False
        self._since = site.start
        self._until = site.start + self._rng.uniform(60, 2400)
        self._starts: list[float] = []

    def read(self, t: float) -> Values:
        share = min(1.0, (t - self._since) / (self._until - self._since))
        fallen = 1 - share if self._running else share
        return {
            "discharge_pressure": self._high - 50 * fallen,
            "pump_run_state": float(self._running),
            "starts_per_hour": float(sum(t - start < 3600 for start in self._starts)),
        }

    def next_change(self) -> float:
        return NEVER if self._halted else self._until

    def changed(self, t: float) -> Values:
        self._running, self._since = not self._running, t
        if self._running:
            self._starts = [start for start in self._starts if t - start < 3600] + [t]
        self._until = t + (self._rng.uniform(60, 90) if self._running else self._rng.uniform(1200, 2400))
        return {"pump_run_state": float(self._running)}

    def halt(self, _t: float) -> None:
        self._running, self._halted = False, True

    def resume(self, t: float, _states: Values) -> None:
        self._since, self._until, self._halted = t, t + 1800, False
