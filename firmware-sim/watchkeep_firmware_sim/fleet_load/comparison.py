"""What a comparison of ledger and database found."""

from dataclasses import asdict, dataclass, field
from typing import Any

NAMED = 20
"""Differing series, lanes, dead letters and events that are told by name, of each; the rest is counted."""


@dataclass(slots=True)
class Difference:
    """One thing that is not as it was sent."""

    what: str
    """series, lane, dead or event."""
    where: str
    detail: str


@dataclass(slots=True)
class Comparison:
    """Equal when nothing differs."""

    epoch: str
    series: int
    readings_sent: int
    """Those that the database must have."""
    readings_found: int
    missing: int = 0
    duplicates: int = 0
    extra: int = 0
    altered_series: int = 0
    """Of the right count, but not the right content."""
    differing_series: int = 0
    differing_lanes: int = 0
    differing_events: int = 0
    differing_dead: int = 0
    """Lanes in which not exactly the poison was buried."""
    events_sent: int = 0
    undelivered: int = 0
    """Messages that the sender gave up on and the database does not have: no difference."""
    quarantined: dict[str, int] = field(default_factory=dict)
    """Reason → readings since the start of the run; they are among those found."""
    parked: dict[str, int] = field(default_factory=dict)
    """Readings that wait for something (an alias, the cap of unclaimed points); they count as missing."""
    differences: list[Difference] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        return not (self.differing_series or self.differing_lanes or self.differing_events or self.differing_dead)

    def plain(self) -> dict[str, Any]:
        return {"equal": self.equal, **asdict(self)}

    def note(self, what: str, where: str, detail: str) -> None:
        if sum(found.what == what for found in self.differences) < NAMED:
            self.differences.append(Difference(what, where, detail))
