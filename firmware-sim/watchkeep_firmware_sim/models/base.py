"""What every device model is: n machines of one kind that are asked what their sensors read at a moment of event time.

Arrays have one element per device, float64. All randomness comes from the devices' keys (signals.py), so that a
device gives the same readings whatever stands beside it and however often it is asked.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from watchkeep_firmware_sim.models.surroundings import Moment, Surroundings
from watchkeep_firmware_sim.signals import Bools, Floats, Ints, Keys, keys, sub

NEVER = math.inf

Values = dict[str, float]
"""Metric → value of one device, in the metric's unit."""

Readings = dict[str, Floats]
"""Metric → values of n devices; NaN = has nothing to tell."""


class Place(NamedTuple):
    """Where a device stands; devices of one building or community share its surroundings."""

    community: str
    building: str
    equipment: str


@dataclass(frozen=True, slots=True)
class Group:
    """What n devices are made from: the same group gives the same readings."""

    own: Keys
    """One per device; all randomness of a device comes from it."""
    community: Keys
    ordinal: Ints
    """The number at the end of the device's name: pump 1, 2, 3 of a set take turns by it."""
    surroundings: Surroundings
    start: float
    """Seconds since 1970 UTC."""
    utc_offset_h: float

    @classmethod
    def of(cls, seed: int, places: Sequence[Place], start: float, utc_offset_h: float = 8.0) -> "Group":
        own = keys(f"{seed}/{place.community}/{place.equipment}" for place in places)
        community = keys(f"{seed}/{place.community}" for place in places)
        building = keys(f"{seed}/{place.community}/{place.building}" for place in places)
        ordinal = np.array([_number(place.equipment) for place in places], np.int64)
        return cls(own, community, ordinal, Surroundings(building, community), start, utc_offset_h)

    @property
    def size(self) -> int:
        return len(self.own)

    def keys(self, purpose: str) -> Keys:
        return sub(self.own, purpose)

    def full(self, value: float) -> Floats:
        return np.full(self.size, float(value))

    def moment(self, t: float) -> Moment:
        return Moment.of(t, self.utc_offset_h)


class Machines(Protocol):
    """n machines. Times are seconds since 1970 UTC and never go back; `who` tells which devices are meant."""

    metrics: frozenset[str]
    """What they can tell."""

    def read(self, t: float) -> Readings:
        """All continuous readings at `t`; readings that exist per occasion only (a ride) are not among them."""
        ...

    def next_change(self) -> Floats:
        """When a state of each will change next; NEVER when none will."""
        ...

    def changed(self, t: float) -> Readings:
        """Pass all changes due at `t`, and tell what they changed, per-occasion readings included."""
        ...

    def halt(self, t: float, who: Bools) -> None:
        """These machines stop where they are."""
        ...

    def resume(self, t: float, who: Bools, states: Mapping[str, float]) -> None:
        """These machines work again, beginning in the states in which the fault left them."""
        ...


class Steady:
    """Machines without states that change by themselves; the base of those. `halted` tells which stand still."""

    metrics: frozenset[str] = frozenset()

    def __init__(self, group: Group) -> None:
        self.group = group
        self.halted: Bools = np.zeros(group.size, np.bool_)

    def next_change(self) -> Floats:
        return np.full(self.group.size, NEVER)

    def changed(self, _t: float) -> Readings:
        return {}

    def halt(self, _t: float, who: Bools) -> None:
        self.halted = self.halted | who

    def resume(self, _t: float, who: Bools, _states: Mapping[str, float]) -> None:
        self.halted = self.halted & ~who


def _number(equipment: str) -> int:
    digits = equipment[len(equipment.rstrip("0123456789")) :]
    return int(digits) if digits else 1
