"""What detectors with one table of state, a row per series, have in common."""

from watchkeep_analytics.registry import Registry
from watchkeep_analytics.signals import Moment, Signal
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
