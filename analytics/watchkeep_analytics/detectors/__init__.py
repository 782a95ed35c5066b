"""Detectors: one protocol, one file each. The engine feeds them; the contract tests run on every one of them.

What every detector keeps to:
* its signals do not depend on where one batch ends and the next begins (times of one piece of equipment ascending);
* it never writes to a batch, and scores a sample before it learns from it;
* `ready` says no while it warms up, and then it opens nothing;
* `save` and `load` give identical signals afterwards;
* a signal that opens a warning carries its explanation.
"""

from typing import ClassVar, Protocol

from watchkeep_analytics.batch import Batch
from watchkeep_analytics.signals import Moment, Signal


class Detector(Protocol):
    """Judges all series of one partition."""

    name: ClassVar[str]
    version: ClassVar[str]

    def configure(self) -> list[Signal]:
        """The registry has new rows or limits; what no longer applies is closed."""
        ...

    def observe(self, batch: Batch) -> list[Signal]:
        """New rows, each later than the last of its series; never bad ones."""
        ...

    def tick(self, moment: Moment) -> list[Signal]:
        """Time has passed."""
        ...

    def ready(self, row: int) -> bool:
        """Whether it can judge this series (row of the registry) yet."""
        ...

    def save(self) -> bytes: ...

    def load(self, data: bytes) -> None:
        """Raises ValueError for the state of another version."""
        ...

    @property
    def nbytes(self) -> int:
        """Size of the state in memory."""
        ...
