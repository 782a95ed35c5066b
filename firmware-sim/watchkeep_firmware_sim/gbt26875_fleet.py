"""Fire devices behind a transmission device, as a fleet file has them, and what GB/T 26875.3 carries of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from watchkeep_core.clock import from_ms
from watchkeep_core.gbt26875 import NOWHERE, Dialect, Object, Place, Unit, address_from, place_from
from watchkeep_core.gbt26875.objects import ANALOG, COMPONENT_STATUS, DEVICE_STATUS
from watchkeep_core.messages import Id
from watchkeep_core.vocabulary import Vocabulary

if TYPE_CHECKING:
    from watchkeep_firmware_sim.fleet import Device

Byte = Annotated[int, Meta(ge=0, le=255)]
Wire = Literal["checksum", "split", "joined", "burst", "unmanned"]
"""What can be wrong on the line of a transmission device, or in the control room."""

PRESSURE_MPA = 4
"""Steps of 0.1 MPa: nobody who can choose sends pressures so."""

POWER_BITS = {"power_status": 3, "backup_power_status": 4}
"""Metrics of the transmission device itself that its status byte carries; 2 = off."""


class FireAddress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a fire device hangs behind its transmission device."""

    type: Byte
    """Of the component, as in `fire.component_types` of the vocabulary."""
    place: str
    """ZONE-PART."""
    system: Byte = 1
    address: Byte = 1
    text: Annotated[str, Meta(max_length=15)] = ""
    """Told with each status, as on the panel's display."""


class Transmission(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The transmission device of one gateway; its own equipment is a [[device]] with transport gbt26875, too."""

    community: Id
    gateway: Id
    equipment: Id
    address: str | int
    """A number, or six bytes in hex as sent."""
    to: Annotated[str, Meta(pattern=r"^[^:\s]+:[0-9]{1,5}\Z")]
    """host:port of the gateway's [[gbt26875]]."""
    profile: str = "gbt26875_2011"
    answer_s: Annotated[float, Meta(ge=0, le=3600)] = 20
    """Until somebody presses the button when a duty check comes."""

    @property
    def host(self) -> str:
        return self.to.rpartition(":")[0]

    @property
    def port(self) -> int:
        return int(self.to.rpartition(":")[2])

    @property
    def number(self) -> int:
        return address_from(str(self.address))


@dataclass(frozen=True)
class Component:
    """One device of the fleet in the words of the protocol."""

    kind: str
    address: FireAddress | None
    """None = the transmission device itself."""
    vocabulary: Vocabulary

    @cached_property
    def bits(self) -> Mapping[str, int]:
        """Condition → bit of its status."""
        fire = self.vocabulary.fire
        rows = fire.device_bits if self.address is None else fire.component_bits
        own = fire.component_types.get(self.address.type) if self.address else None
        found: dict[str, int] = {}
        for bit, row in rows.items():
            condition = (own.conditions.get(bit) if own else None) or row.condition
            if condition:
                found.setdefault(condition, bit)
        return found

    @cached_property
    def analogs(self) -> Mapping[str, tuple[int, float]]:
        """Metric → analog type and resolution."""
        if self.address is None:
            return {}
        rows = self.vocabulary.fire.analog_types.items()
        return {row.metric_for(self.kind): (code, row.resolution) for code, row in rows if code != PRESSURE_MPA}

    def carries(self, metric: str) -> bool:
        return metric in self.analogs or (self.address is None and metric in POWER_BITS)

    def place(self) -> Place:
        return place_from(self.address.place) if self.address else NOWHERE

    def status(self, word: int, at_ms: int, dialect: Dialect) -> Unit:
        """Bit 0 by itself = all is well, as the dialect has it."""
        normal = 1 if dialect.bit0 == "normal" else 0
        if self.address is None:
            return Unit(DEVICE_STATUS, (Object(status=word or 1, at=from_ms(at_ms)),))
        return Unit(COMPONENT_STATUS, (self._object(status=word or normal, text=self.address.text, at_ms=at_ms),))

    def values(self, values: Mapping[str, float], at_ms: int) -> Unit | None:
        found = [
            self._object(number=code, value=max(-32768, min(32767, round(value / resolution))), at_ms=at_ms)
            for metric, value in values.items()
            if metric in self.analogs and isfinite(value)
            for code, resolution in [self.analogs[metric]]
        ]
        return Unit(ANALOG, tuple(found)) if found else None

    def _object(self, *, at_ms: int, status: int = 0, number: int = 0, value: int = 0, text: str = "") -> Object:
        address = self.address
        if address is None:
            return Object(status=status, at=from_ms(at_ms))
        return Object(
            address.system,
            address.address,
            address.type,
            self.place(),
            status=status,
            number=number,
            value=value,
            text=text,
            at=from_ms(at_ms),
        )


def problems(
    devices: "Sequence[Device]", transmissions: Sequence[Transmission], vocabulary: Vocabulary
) -> Iterator[tuple[str, str]]:
    """Field of the fleet file, and what is wrong with it."""
    owners = {(one.community, one.gateway): one for one in transmissions}
    for index, one in enumerate(transmissions):
        path = f"gbt26875[{index}]"
        if owners[one.community, one.gateway] is not one:
            yield f"{path}.gateway", f"{one.community}/{one.gateway} has two transmission devices"
        if one.profile not in vocabulary.fire.profiles:
            yield f"{path}.profile", f"{one.profile!r} is none of {', '.join(vocabulary.fire.profiles)}"
        if not 1 <= one.port <= 65535:
            yield f"{path}.to", f"{one.port} is no port"
        try:
            one.number  # noqa: B018 - whether it can be read
        except ValueError as error:
            yield f"{path}.address", str(error)
    seen: set[tuple[str, str, FireAddress]] = set()
    for index, device in enumerate(devices):
        if device.transport != "gbt26875":
            if device.fire is not None:
                yield f"device[{index}].fire", f"has no meaning for transport {device.transport!r}"
            continue
        for field, problem in _device_problems(device, owners, seen, vocabulary):
            yield f"device[{index}].{field}", f"{problem} ({device.name})"


def _device_problems(
    device: "Device",
    owners: Mapping[tuple[str, str], Transmission],
    seen: set[tuple[str, str, FireAddress]],
    vocabulary: Vocabulary,
) -> Iterator[tuple[str, str]]:
    owner = owners.get((device.community, device.gateway))
    if owner is None:
        yield "gateway", f"no [[gbt26875]] for {device.community}/{device.gateway}"
        return
    if (device.fire is None) != (device.equipment == owner.equipment):
        yield "fire", "is needed, and only for what hangs behind the transmission device"
        return
    if device.fire is not None:
        try:
            place_from(device.fire.place)
        except ValueError as error:
            yield "fire.place", str(error)
        if (device.community, device.gateway, device.fire) in seen:
            yield "fire.place", f"{device.fire.place} is used twice"
        seen.add((device.community, device.gateway, device.fire))
    component = Component(device.kind, device.fire, vocabulary)
    for metric in device.metrics:
        if not component.carries(metric):
            yield "metrics", f"{metric!r} cannot be carried by GB/T 26875.3 for a {device.kind}"
