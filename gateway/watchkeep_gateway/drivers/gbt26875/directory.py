"""Addresses behind one transmission device to equipment, as the technician's table says."""

from collections.abc import Mapping
from dataclasses import dataclass

from watchkeep_core.gbt26875 import Object, Place
from watchkeep_gateway.drivers.gbt26875.tables import TransmissionTable


@dataclass(frozen=True, slots=True)
class Directory:
    """Of one device."""

    number: int
    """The device's address."""
    own: str
    """Equipment of the device itself."""
    profile: str
    kinds: Mapping[str, str]
    """Equipment → kind, of the whole gateway."""
    systems: Mapping[tuple[int, int], str]
    components: Mapping[tuple[int, int, Place, int | None], str]
    strict: bool = False
    """Addresses that are not named are nobody's; else the device's."""

    @classmethod
    def of_table(cls, table: TransmissionTable, kinds: Mapping[str, str]) -> "Directory":
        systems, components = {}, {}
        for row in table.components:
            if row.where is None:
                systems[row.system, row.address] = row.equipment
            else:
                components[row.system, row.address, row.where, row.type] = row.equipment
        strict = table.unmapped == "reject"
        return cls(table.number, table.equipment, table.profile, kinds, systems, components, strict)

    def kind(self, equipment: str) -> str | None:
        return self.kinds.get(equipment)

    def system(self, thing: Object) -> str | None:
        """Only when it is named."""
        return self.systems.get((thing.system, thing.address))

    def component(self, thing: Object) -> str | None:
        """Only when it is named."""
        return self._component(thing.system, thing.address, thing.place, thing.component)

    def of(self, key: str) -> str | None:
        """Equipment of `d`, `s.SYSTEM.ADDRESS` or `c.SYSTEM.ADDRESS.TYPE.ZONE-PART`; None = nobody's."""
        kind, *rest = key.split(".")
        if kind == "d":
            return self.own
        if kind == "s":
            found = self.systems.get((int(rest[0]), int(rest[1])))
        else:
            zone, part = rest[3].split("-")
            place = Place(int(zone), int(part))
            found = self._component(int(rest[0]), int(rest[1]), place, int(rest[2]))
            found = found or self.systems.get((int(rest[0]), int(rest[1])))
        return found or (None if self.strict else self.own)

    def _component(self, system: int, address: int, place: Place, kind: int) -> str | None:
        exact = self.components.get((system, address, place, kind))
        return exact or self.components.get((system, address, place, None))
