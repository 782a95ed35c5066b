"""Device models: physically coherent readings of one machine, repeatable by seed."""

from collections.abc import Callable

from watchkeep_core.vocabulary import Vocabulary
from watchkeep_firmware_sim.models.base import Model, Site, Values
from watchkeep_firmware_sim.models.elevator import Elevator
from watchkeep_firmware_sim.models.generic import Generic
from watchkeep_firmware_sim.models.pits_and_tanks import FireTank, JockeyPump, Sump
from watchkeep_firmware_sim.models.water import DistrictMeter, PumpSet, SupplyPump, WaterTank

__all__ = ["DeviceModel", "Model", "Site", "Values"]

BY_KIND: dict[str, Callable[[Site], Model]] = {
    "elevator": Elevator,
    "supply_pump_set": PumpSet,
    "supply_pump": SupplyPump,
    "water_tank": WaterTank,
    "fire_tank": FireTank,
    "sump": Sump,
    "jockey_pump": JockeyPump,
    "dma_meter": DistrictMeter,
}
"""Kinds with a machine of their own; all others, and all other metrics, come from `Generic`."""


class DeviceModel:
    """The readings of one device: its kind's machine, and `Generic` for the rest of its metrics."""

    def __init__(self, site: Site, kind: str, metrics: list[str], vocabulary: Vocabulary) -> None:
        self.metrics = frozenset(metrics)
        own = BY_KIND.get(kind)
        self._machine: Model = own(site) if own else Generic(site, kind, (), vocabulary)
        self._rest = Generic(site, kind, self.metrics - self._machine.metrics, vocabulary)

    def read(self, t: float) -> Values:
        return self._known(self._machine.read(t)) | self._rest.read(t)

    def next_change(self) -> float:
        return self._machine.next_change()

    def changed(self, t: float) -> Values:
        return self._known(self._machine.changed(t))

    def halt(self, t: float) -> None:
        self._machine.halt(t)

    def resume(self, t: float, states: Values) -> None:
        self._machine.resume(t, states)

    def _known(self, values: Values) -> Values:
        return {metric: value for metric, value in values.items() if metric in self.metrics}
