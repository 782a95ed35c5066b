"""The tables of GB/T 26875.3-2011 in vocabulary.toml: commands, types, status bits, analog values, makers' profiles."""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta, field

from watchkeep_core.vocabulary_rows import Id, Mark, Row, Term, Text, UnitId


class FireCode(Row, frozen=True):
    zh: Text
    en: Text
    kind: Id | None = None
    conditions: dict[int, Id] = field(default_factory=dict)
    """Status bit to condition, where the type means something else than the bit's own condition."""


class FireUpload(Row, frozen=True):
    zh: Text
    en: Text
    object_bytes: Annotated[int, Meta(ge=0)]
    """Size of one information object with its 6-byte time; 0 = variable."""
    mark: Mark


class FireBit(Term, frozen=True):
    condition: Id | None = None
    clears: tuple[Id, ...] = ()
    """Ids of bits whose conditions it takes back."""


class FireAnalog(Term, frozen=True):
    unit: UnitId
    resolution: Annotated[float, Meta(gt=0)]
    """Canonical units per raw count."""
    metric: Id
    metric_by_kind: dict[Id, Id] = field(default_factory=dict)
    quality: Literal[0, 1] = 0
    """1 = uncertain: the resolution is too coarse for the limits it is compared with."""

    def metric_for(self, kind: str) -> str:
        return self.metric_by_kind.get(kind, self.metric)


ComponentField = Literal["system", "address", "type", "zone", "part", "status", "status8", "text"]
STANDARD_COMPONENT: tuple[ComponentField, ...] = ("system", "address", "type", "zone", "part", "status", "text")


class FireProfile(Row, frozen=True):
    """How the devices of one maker speak GB/T 26875.3."""

    zh: Text
    en: Text
    bit0: Literal["normal", "test", "ignore"]
    """What bit 0 = 1 of system and component status means."""
    basis: Text
    mark: Mark
    component: tuple[ComponentField, ...] = STANDARD_COMPONENT
    """Fields of one object of type 2, its time left out."""
    bcd_time: bool = False


class FireBit0(Row, frozen=True):
    normal_value: Literal[0, 1]
    test_condition: Id
    note: Text
    basis: Text
    mark: Mark


class Fire(Row, frozen=True):
    """Tables of GB/T 26875.3-2011, by code or bit number."""

    basis: Text
    mark: Mark
    bit0: FireBit0
    profiles: dict[Id, FireProfile]
    commands: dict[int, FireCode]
    upload_types: dict[int, FireUpload]
    download_types: dict[int, FireCode]
    system_types: dict[int, FireCode]
    component_types: dict[int, FireCode]
    system_bits: dict[int, FireBit]
    component_bits: dict[int, FireBit]
    device_bits: dict[int, FireBit]
    operation_bits: dict[int, FireBit]
    analog_types: dict[int, FireAnalog]


def problems(fire: Fire) -> Iterator[tuple[str, str, str]]:
    """Section, code and what contradicts the rest of the fire tables."""
    for id, profile in fire.profiles.items():
        names = [field.removesuffix("8") for field in profile.component if field != "text"]
        if sorted(names) != ["address", "part", "status", "system", "type", "zone"]:
            told = ", ".join(profile.component)
            yield "fire.profiles", id, f"component: {told} is not each field once"
    bits = {bit.id for bit in (*fire.system_bits.values(), *fire.component_bits.values())}
    for section, rows in (("system_bits", fire.system_bits), ("operation_bits", fire.operation_bits)):
        for code, bit in rows.items():
            if odd := set(bit.clears) - bits:
                yield f"fire.{section}", str(code), f"clears: no bit {min(odd)!r}"
