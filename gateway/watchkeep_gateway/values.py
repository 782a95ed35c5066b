"""What drivers hand to the spool: frozen, checked values."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple

from watchkeep_core.messages import AttributeValue


class Reading(NamedTuple):
    """One value that was read anew at `t_ms`; a tuple, as 100,000 a second pass through a replay."""

    equipment: str
    metric: str
    t_ms: int
    """Device time when the device gave one, else receive time; ms since 1970 UTC."""
    value: float
    quality: int = 0
    """0 good, 1 uncertain, 2 bad."""


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """A device says that `condition` became active or cleared at `t_ms` (ms since 1970 UTC)."""

    t_ms: int
    equipment: str
    condition: str
    active: bool
    raw_code: str = ""
    profile: str = ""
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something a device said that cannot become a reading or an event; kept for people to look at."""

    at_ms: int
    origin: str
    """Topic or address it came from."""
    reason: str
    payload: bytes


class Unmapped(NamedTuple):
    """Something a foreign publisher names that no row of the configuration maps; kept once, for people to look at."""

    source: str
    name: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a driver hands over at once: it is on disk as a whole or not at all."""

    readings: tuple[Reading, ...] = ()
    events: tuple[DeviceEvent, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    digest: bytes = b""
    """Of the message it came in, remembered for the next 10,000 messages; empty = not a message."""
    once: bool = False
    """Drop it when its digest is known: it is the same message again."""
    remember: Mapping[str, str | None] = field(default_factory=dict)
    """What the driver shall know after a restart if this is on disk: key to value, None = forget the key."""
    in_turn: bool = False
    """Its events do not go to disk before what was handed over earlier."""
    unmapped: tuple[Unmapped, ...] = ()


Emit = Callable[[Delivery], "Future[None]"]
"""Hands over to the spool; the future ends when the delivery is on disk. Blocks while the spool cannot keep up.

Raises SpoolClosed, also through the future.
"""

PointKey = tuple[str, str, str]
"""Equipment, metric, unit."""
