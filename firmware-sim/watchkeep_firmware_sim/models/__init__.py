"""Device models: physically coherent readings of n machines of one kind at once, repeatable by seed.

One model, two ways to drive it. The running simulator asks each device for itself (`DeviceModel`, n = 1) at the very
moments when its states change. The load fleet and the benchmarks ask all devices of a kind together:

    group = Group.of(seed, [Place("c1", "b1", "lift-1"), ...], start)   # n devices
    devices = Devices(group, "elevator", metrics, vocabulary)
    for t in times:                                                     # T moments that never go back
        readings = devices.sample(t)                                    # metric → float64 array of shape (n,)

Everything is vectorised over the n devices and steps through time, so that cost per sample falls with n (from 100 up).
Row i of n = 1000 is the same device as n = 1 with that place: randomness is a hash of its key and of time (signals.py).
`generate.generate` wraps this with faults and ground truth, whole days at once.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from watchkeep_core.vocabulary import Vocabulary
from watchkeep_firmware_sim.models.base import Group, Machines, Place, Readings, Values
from watchkeep_firmware_sim.models.elevator import Elevators
from watchkeep_firmware_sim.models.fire import ElectricalFire, FireMains, JockeyPumps
from watchkeep_firmware_sim.models.generic import Generic
from watchkeep_firmware_sim.models.sensors import Sensors
from watchkeep_firmware_sim.models.two_marks import FireTanks, Sumps, WaterTanks
from watchkeep_firmware_sim.models.water import DistrictMeters, PumpSets, QualityStations, Risers, SupplyPumps
from watchkeep_firmware_sim.signals import Bools, Floats

__all__ = ["BY_KIND", "DeviceModel", "Devices", "Group", "Place", "Readings", "Values"]

BY_KIND: dict[str, Callable[[Group], Machines]] = {
    "elevator": Elevators,
    "supply_pump_set": PumpSets,
    "supply_pump": SupplyPumps,
    "supply_riser": Risers,
    "water_tank": WaterTanks,
    "water_quality_station": QualityStations,
    "dma_meter": DistrictMeters,
    "fire_tank": FireTanks,
    "jockey_pump": JockeyPumps,
    "hydrant_system": FireMains,
    "sprinkler_system": FireMains,
    "electrical_fire_detector": ElectricalFire,
    "power_supply": ElectricalFire,
    "sump": Sumps,
}
"""Kinds with a machine of their own; all others, and all other metrics, come from `Generic`."""


class Devices:
    """n devices of one kind with the same metrics: their machine, `Generic` for the rest, and their sensors."""

    def __init__(self, group: Group, kind: str, metrics: Sequence[str], vocabulary: Vocabulary) -> None:
        self.metrics = tuple(metrics)
        self._wanted = frozenset(metrics)
        own = BY_KIND.get(kind)
        self._machine: Machines = own(group) if own else Generic(group, kind, (), vocabulary)
        rest = self._wanted - self._machine.metrics
        self._rest = Generic(group, kind, rest, vocabulary) if rest else None
        self._sensors = Sensors(group, self.metrics, vocabulary)
        self._held: Readings = {}

    def read(self, t: float) -> Readings:
        """All continuous readings at `t`; what exists per occasion only (a ride) is not among them."""
        values = self._known(self._machine.read(t))
        return self._sensors.measure(t, self._rest.read(t) | values if self._rest else values)

    def next_change(self) -> Floats:
        return self._machine.next_change()

    def changed(self, t: float) -> Readings:
        """Pass all changes due at `t`, and tell what they changed; NaN for devices that have nothing to tell."""
        return self._sensors.measure(t, self._known(self._machine.changed(t)))

    def sample(self, t: float) -> Readings:
        """Every metric of every device at `t`, as a poll would find it: what exists per ride is held from the last one.

        NaN where there was none yet.
        """
        for name, value in self.changed(t).items():
            held = self._held.get(name)
            self._held[name] = value if held is None else np.where(np.isnan(value), held, value)
        values = self._held | self.read(t)
        return {name: values[name] if name in values else np.full(len(self.lost(t)), np.nan) for name in self.metrics}

    def lost(self, t: float) -> Bools:
        """Whose periodic message of this moment never arrives (battery radios only)."""
        return self._sensors.lost(t)

    def halt(self, t: float, who: Bools) -> None:
        self._machine.halt(t, who)

    def resume(self, t: float, who: Bools, states: Mapping[str, float]) -> None:
        self._machine.resume(t, who, states)

    def _known(self, values: Readings) -> Readings:
        return {metric: value for metric, value in values.items() if metric in self._wanted}


class DeviceModel:
    """One device, in plain numbers: what the running simulator drives."""

    def __init__(self, group: Group, kind: str, metrics: Sequence[str], vocabulary: Vocabulary) -> None:
        self.metrics = frozenset(metrics)
        self._devices = Devices(group, kind, metrics, vocabulary)
        self._me = np.ones(1, np.bool_)

    def read(self, t: float) -> Values:
        return _numbers(self._devices.read(t))

    def next_change(self) -> float:
        return float(self._devices.next_change()[0])

    def changed(self, t: float) -> Values:
        return _numbers(self._devices.changed(t))

    def lost(self, t: float) -> bool:
        return bool(self._devices.lost(t)[0])

    def halt(self, t: float) -> None:
        self._devices.halt(t, self._me)

    def resume(self, t: float, states: Values) -> None:
        self._devices.resume(t, self._me, states)


def _numbers(readings: Readings) -> Values:
    return {name: float(value[0]) for name, value in readings.items() if value[0] == value[0]}
