"""What a load run is asked to do: size, pace, faults of devices and of the delivery. Checked once, then frozen."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from watchkeep_core.errors import SettingsError
from watchkeep_core.messages import MAX_READINGS

MAX_POINTS = 1_000_000
MAX_POINTS_PER_GATEWAY = 5_000
"""As many as one birth can declare (`messages.MAX_PAYLOAD_BYTES`)."""

MAX_OWN_CONNECTIONS = 300
"""One process holds no more: paho waits with select(), which ends at file descriptor 1,024."""

MAX_READINGS_PER_POINT_S = 500.0
"""A point's stamps are whole milliseconds and must differ; half of them leaves room for a late generator."""


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """One load run; everything but `for_s` and the delivery decides what is sent, the same for the same seed."""

    points: int = 100_000
    gateways: int = 200
    communities: int = 20
    rate: float = 10_000
    """Readings/s; 0 = as fast as it goes, and then the broker's pace is followed instead of dropping."""
    readings_per_message: int = 100
    seed: int = 1
    for_s: float | None = None
    """Wall seconds; None = until stopped."""
    faults: int = 0
    """So many scenarios at random pieces of equipment in the first ten minutes."""
    fault_file: Path | None = None
    """TOML with `[[fault]]` tables as in a fleet file."""
    duplicate: float = 0.0
    """Share of messages that are published twice."""
    shuffle: int = 0
    """Messages that wait for each other and are then published in random order; 0 = in order."""
    lose: float = 0.0
    """Share of telemetry messages that the spool loses before they are sent; `floor` tells it."""
    poison: float = 0.0
    """Messages that no ingest can take, as a share of the telemetry messages, beside the good ones."""
    skew: float = 0.0
    """Share of the equipment whose clock is wrong all the time."""
    spool_mib: int = 256
    """What all gateways together may hold in memory; over it the oldest telemetry of a gateway goes."""
    drain_s: float = 60.0
    """How long the end of the run waits for the acks of the database."""
    own_connections: bool = False
    """One connection and one will per gateway, instead of one connection for all."""
    prefix: str = "load"
    """The communities are PREFIX-01 …; the broker must let the load user write for them."""

    def __post_init__(self) -> None:
        for field, low, high in (
            ("points", 1, MAX_POINTS),
            ("communities", 1, 10_000),
            ("gateways", 1, 100_000),
            ("readings_per_message", 1, MAX_READINGS),
            ("rate", 0, 1e9),
            ("faults", 0, 10_000),
            ("duplicate", 0, 1),
            ("lose", 0, 0.5),
            ("poison", 0, 1),
            ("skew", 0, 1),
            ("shuffle", 0, 10_000),
            ("spool_mib", 1, 1_000_000),
            ("drain_s", 0, 86_400),
        ):
            value = getattr(self, field)
            if not low <= value <= high:
                self._refuse(field, f"{value:g} is not from {low:g} to {high:g}")
        if self.for_s is not None and self.for_s <= 0:
            self._refuse("for_s", "must be above 0")
        if not self.communities <= self.gateways <= self.points:
            self._refuse("gateways", f"{self.gateways} must be from the communities' to the points' number")
        if self.points > self.gateways * MAX_POINTS_PER_GATEWAY:
            self._refuse("gateways", f"a gateway declares at most {MAX_POINTS_PER_GATEWAY} points: give more gateways")
        if self.rate > self.points * MAX_READINGS_PER_POINT_S:
            self._refuse("rate", f"{self.points} points give at most {self.points * MAX_READINGS_PER_POINT_S:g}/s")
        if self.own_connections and self.gateways > MAX_OWN_CONNECTIONS:
            self._refuse("own_connections", f"at most {MAX_OWN_CONNECTIONS} gateways in one process")

    @property
    def spool_bytes(self) -> int:
        """What one gateway may hold of telemetry."""
        return self.spool_mib * 2**20 // self.gateways

    def plain(self) -> dict[str, Any]:
        """For the ledger, from which `of_plain` makes the same options again."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return found | {"fault_file": str(self.fault_file) if self.fault_file else None}

    @classmethod
    def of_plain(cls, values: dict[str, Any]) -> "FleetOptions":
        known = {field.name for field in fields(cls)}
        given = {name: value for name, value in values.items() if name in known and name != "fault_file"}
        file = values.get("fault_file")
        return cls(**given, fault_file=Path(file) if file else None)

    @staticmethod
    def _refuse(field: str, why: str) -> None:
        name = {"for_s": "for"}.get(field, field).replace("_", "-")
        raise SettingsError(f"--{name}: {why}")
