"""What detectors with one table of state, a row per series, have in common."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from watchkeep_analytics.batch import Batch, Bools, Ints
from watchkeep_analytics.detectors._make import signal
from watchkeep_analytics.registry import Registry
from watchkeep_analytics.signals import Moment, Signal, Tier
from watchkeep_analytics.table import Table


class Kept:
    """Saves and restores its table by series id; time alone says nothing to it unless `tick` is its own."""

    _registry: Registry
    _state: Table

    def tick(self, moment: Moment) -> list[Signal]:
        """Time has passed."""
        return []

    def save(self) -> bytes:
        return self._state.save(self._registry["series"])

    def load(self, data: bytes) -> None:
        """Raises ValueError for the state of another version."""
        self._state.load(data, self._registry.find)

    @property
    def nbytes(self) -> int:
        return self._state.nbytes


class Rounds(Kept, ABC):
    """Looks at some series only, at one reading of each at a time."""

    _watched: Bools
    """Of each row of the registry."""

    @abstractmethod
    def _round(self, batch: Batch, at: Ints) -> list[Signal]:
        """Judge the rows `at` of the batch, each of another series, and take them into the state."""

    def observe(self, batch: Batch) -> list[Signal]:
        mine = batch.where(self._watched[batch.row])
        return [found for at in mine.rounds() for found in self._round(mine, at)]


class Watching(Rounds):
    """Says one condition."""

    name: ClassVar[str]
    version: ClassVar[str]
    condition: ClassVar[str]
    tier: ClassVar[Tier] = "warning"
    source: ClassVar[str]
    text: ClassVar[str]

    @abstractmethod
    def configure(self) -> list[Signal]: ...

    @abstractmethod
    def ready(self, row: int) -> bool: ...

    def _say(self, row: int, t_us: int, active: bool, evidence: Mapping[str, Any]) -> Signal:
        """`evidence` without the driver, which is the metric itself."""
        return signal(
            self,
            self._registry,
            row,
            t_us,
            condition=self.condition,
            tier=self.tier,
            active=active,
            source=self.source,
            text=self.text,
            evidence={"driver": self._registry.metrics[row], **evidence},
        )


class Streaks(Kept, ABC):
    """Looks only at series with an odd reading, or one lately; state: `streak` and `open`."""

    @abstractmethod
    def _odd(self, batch: Batch) -> Bools:
        """Which readings are odd."""

    @abstractmethod
    def _one(self, row: int, t_us: int, x: float, odd: bool) -> list[Signal]:
        """Judge one reading."""

    def observe(self, batch: Batch) -> list[Signal]:
        odd, state = self._odd(batch), self._state
        watch = odd | (state["streak"][batch.row] != 0) | state["open"][batch.row]
        if not watch.any():
            return []
        mine = np.isin(batch.row, np.unique(batch.row[watch]))
        return [
            found
            for at in np.flatnonzero(mine).tolist()
            for found in self._one(int(batch.row[at]), int(batch.t_us[at]), float(batch.value[at]), bool(odd[at]))
        ]
