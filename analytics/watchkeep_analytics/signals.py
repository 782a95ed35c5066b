"""What detectors say: frozen signals, and the clocks they are told the time by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from watchkeep_analytics.batch import Ints

Tier = Literal["notice", "warning", "alarm"]

TIERS: tuple[Tier, ...] = ("notice", "warning", "alarm")


@dataclass(frozen=True, slots=True)
class Signal:
    """A condition begins (`active`) or is over, at `event_us` in event time."""

    community: str
    equipment: str
    condition: str
    tier: Tier
    active: bool
    detector: str
    version: str
    event_us: int
    """µs since 1970 UTC: when it was so."""
    source: str
    """What within the detector says so, e.g. one limit; with detector and series it ties an end to its beginning."""
    text: str
    """Key of the sentence in texts.toml; its fields are filled from `evidence`."""
    series: int | None = None
    """Series id in the database."""
    score: float | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """JSON: actual, expected or limit, driver, basis … whatever explains it."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What has at most one open warning."""
        return self.community, self.equipment, self.condition


class GatewayState(NamedTuple):
    """What ingest knows of a gateway; µs since 1970 UTC, NEVER = unknown."""

    online: bool
    heard_us: int
    offline_us: int


class Moment(NamedTuple):
    """What time it is for each gateway of the registry; columns int64[gateways], µs since 1970 UTC."""

    wall_us: Ints
    """The present: wall clock, or the watermark of a replayed community."""
    watermark_us: Ints
    """Latest event time seen of any point of the gateway: everything before it has probably come."""
    heard_us: Ints
    """When ingest last took any message of it; NEVER = unknown."""
    online: Ints
    """1 the gateway is connected, 0 it is not, -1 unknown."""
    offline_us: Ints
    """Since when it is not; NEVER = unknown."""
    steady_us: Ints
    """The present on a clock that nobody sets; only its differences mean something. Recorded time is its own clock."""
