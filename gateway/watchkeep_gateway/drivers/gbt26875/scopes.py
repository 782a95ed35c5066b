"""Whose status a frame of a fire panel tells: address → equipment, and what each bit of it means there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from watchkeep_core.gbt26875 import Object
from watchkeep_core.gbt26875 import objects as types
from watchkeep_core.vocabulary_fire import Fire, FireBit
from watchkeep_gateway.drivers.gbt26875.directory import Directory

MAX_ADDRESSES = 20_000
"""Addresses whose status is kept; the largest panels have half as many. Beyond it every status is told as new."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose status it is; `key` is stable, as it stands in the spool's memory."""

    key: str
    system: tuple[int, int] | None
    """Type and address; None = the device itself."""
    equipment: str
    bits: Mapping[int, FireBit]
    conditions: Mapping[int, str]
    """Bit to condition, where the address means something else than the bit."""

    def condition(self, bit: int) -> str:
        row = self.bits.get(bit)
        return self.conditions.get(bit) or (row.condition if row else None) or ""


class Scopes:
    """Of one transmission device; an address is looked up once."""

    def __init__(self, directory: Directory, fire: Fire) -> None:
        self._directory = directory
        self._fire = fire
        self._known: dict[str, Scope] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> Scope:
        return self._known[key]

    def find(self, key: str) -> Scope | None:
        """Of a key; None = of an address that is nobody's."""
        known = self._known.get(key)
        if known is None:
            equipment = self._directory.of(key.removeprefix("m."))
            if equipment is None:
                return None
            known = Scope(key, *self._meaning(key, equipment))
            if len(self._known) < MAX_ADDRESSES:
                self._known[key] = known
        return known

    def _meaning(
        self, key: str, equipment: str
    ) -> tuple[tuple[int, int] | None, str, Mapping[int, FireBit], Mapping[int, str]]:
        fire = self._fire
        kind, *numbers = key.removeprefix("m.").split(".")
        system = (int(numbers[0]), int(numbers[1])) if numbers else None
        if key.startswith("m."):
            return system, equipment, fire.operation_bits, {}
        if kind == "d":
            return system, equipment, fire.device_bits, {}
        if kind == "s":
            row = fire.system_types.get(int(numbers[0]))
            return system, equipment, fire.system_bits, row.conditions if row else {}
        row = fire.component_types.get(int(numbers[2]))
        return system, equipment, fire.component_bits, row.conditions if row else {}


def ones(word: int) -> Iterator[int]:
    return (bit for bit in range(word.bit_length()) if word >> bit & 1)


def is_of_device(kind: int) -> bool:
    return kind in (types.DEVICE_STATUS, types.DEVICE_OPERATION, types.DEVICE_VERSION, types.DEVICE_CONFIG)


def key_of(kind: int, thing: Object) -> str:
    """`d`, `s.SYSTEM.ADDRESS` or `c.SYSTEM.ADDRESS.TYPE.ZONE-PART`."""
    if is_of_device(kind):
        return "d"
    if kind in (types.COMPONENT_STATUS, types.COMPONENT_CONFIG):
        return f"c.{thing.system}.{thing.address}.{thing.component}.{thing.place}"
    return f"s.{thing.system}.{thing.address}"
