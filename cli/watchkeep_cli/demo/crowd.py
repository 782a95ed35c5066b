"""A large simulated fleet beside the demo's own two communities: many gateways, straight to the broker."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watchkeep_cli.acl import AclRule, load_acl
from watchkeep_core.errors import SettingsError

PREFIX = "crowd"
POINTS_PER_GATEWAY = 500
POINTS_PER_COMMUNITY = 5_000
POINTS_PER_FAULT = 2_000


@dataclass(frozen=True, slots=True)
class Crowd:
    """`points` time series that together send `rate` readings a second, and fail now and then."""

    points: int
    rate: float

    def __post_init__(self) -> None:
        if not POINTS_PER_GATEWAY <= self.points <= 1_000_000:
            raise SettingsError(f"--points: {self.points} is not from {POINTS_PER_GATEWAY} to 1000000")
        if self.rate <= 0:
            raise SettingsError(f"--rate: {self.rate:g} must be above 0")

    @property
    def communities(self) -> list[str]:
        return [f"{PREFIX}-{number + 1:02}" for number in range(-(-self.points // POINTS_PER_COMMUNITY))]

    def rules(self) -> list[AclRule]:
        """What the broker must allow."""
        return load_acl(self.communities)

    def arguments(self, ledger: str) -> list[str]:
        """Of `watchkeep`; the ledger can be compared with the database after the run."""
        return [
            *("sim", "fleet", "--prefix", PREFIX, "--points", str(self.points), "--rate", str(self.rate)),
            *("--communities", str(len(self.communities))),
            *("--gateways", str(max(len(self.communities), self.points // POINTS_PER_GATEWAY))),
            *("--faults", str(self.points // POINTS_PER_FAULT), "--drain", "8s", "--register", "--ledger", ledger),
        ]


def totals(log: Path) -> dict[str, Any] | None:
    """What the fleet said of itself at its end, after the lines of its log; None while it runs."""
    _, begin, end = log.read_text(encoding="utf-8").rpartition("{\n")
    try:
        found: dict[str, Any] | None = json.loads(begin + end) if begin else None
    except json.JSONDecodeError:
        return None
    return found
