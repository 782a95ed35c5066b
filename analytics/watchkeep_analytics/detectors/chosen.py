"""State for some series only: rows are given out as they are chosen, so that the others cost nothing."""

import numpy as np

from watchkeep_analytics.batch import Ints
from watchkeep_analytics.registry import Registry
from watchkeep_analytics.signals import Moment, Signal
from watchkeep_analytics.table import Spec, Table


class Chosen:
    """A table with one row ("slot") per chosen series, saved by series id; a slot once given stays."""

    def __init__(self, registry: Registry, **specs: Spec) -> None:
        self._registry = registry
        self._state = Table(**specs)
        self._slots = np.zeros(0, np.int64)
        """Row of the registry → slot, -1 = not chosen."""
        self._rows = np.zeros(0, np.int64)
        """Slot → row of the registry."""

    def tick(self, moment: Moment) -> list[Signal]:
        """Time has passed."""
        return []

    def save(self) -> bytes:
        return self._state.save(self._registry["series"][self._rows])

    def load(self, data: bytes) -> None:
        """Raises ValueError for the state of another version. Series that are not chosen now are left out."""
        self._state.load(data, self._find)

    @property
    def nbytes(self) -> int:
        return self._state.nbytes

    def _choose(self, rows: Ints) -> None:
        """Give slots to those of these rows that have none yet."""
        size = self._registry.size
        self._slots = np.r_[self._slots, np.full(size - len(self._slots), -1)]
        fresh = np.unique(rows[self._slots[rows] < 0])
        self._slots[fresh] = len(self._rows) + np.arange(len(fresh))
        self._rows = np.r_[self._rows, fresh]
        self._state.grow(len(self._rows))

    def _find(self, series: Ints) -> Ints:
        rows = self._registry.find(series)
        known = (rows >= 0) & (rows < len(self._slots))
        return (
            np.where(known, self._slots[np.where(known, rows, 0)], -1) if len(self._slots) else np.full(len(rows), -1)
        )
