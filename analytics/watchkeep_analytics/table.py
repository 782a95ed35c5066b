"""State of a detector: named columns with one row per series, grown by doubling, saved by series id."""

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from watchkeep_analytics.batch import Ints

Column = NDArray[Any]


class Spec(NamedTuple):
    """One column: its dtype, the value of a fresh row (a record where the dtype is one), and the width (0 = none)."""

    dtype: DTypeLike
    fill: Any = 0
    width: int = 0


class Table:
    """Columns of equal length; row i belongs to series i of the registry."""

    def __init__(self, **specs: Spec) -> None:
        self._specs = specs
        self._columns = {name: _fresh(spec, 0) for name, spec in specs.items()}
        self.size = 0

    def __getitem__(self, name: str) -> Column:
        """A view of the rows in use; valid until the next `grow`."""
        return self._columns[name][: self.size]

    @property
    def nbytes(self) -> int:
        """Bytes in use by all rows."""
        return sum(self[name].nbytes for name in self._specs)

    def grow(self, size: int) -> None:
        """Make room for `size` rows; present rows stay."""
        capacity = len(next(iter(self._columns.values())))
        if size > capacity:
            more = max(size, 2 * capacity) - capacity
            for name, spec in self._specs.items():
                self._columns[name] = np.concatenate([self._columns[name], _fresh(spec, more)])
        self.size = max(self.size, size)

    def reset(self, rows: Ints) -> None:
        """Make rows fresh again."""
        for name, spec in self._specs.items():
            self[name][rows] = spec.fill

    def save(self, keys: Ints) -> bytes:
        """All rows with the series id of each (int64[size]), as an uncompressed npz."""
        buffer = io.BytesIO()
        columns: dict[str, Any] = {"keys": keys, **{name: self[name] for name in self._specs}}
        np.savez(buffer, **columns)
        return buffer.getvalue()

    def load(self, data: bytes, find: Callable[[Ints], Ints]) -> None:
        """Take rows over; `find` gives the row of each series id, or -1 for one that is gone.

        Raises ValueError when the columns are not those of this table.
        """
        with np.load(io.BytesIO(data), allow_pickle=False) as saved:
            if set(saved.files) != {"keys", *self._specs}:
                raise ValueError(f"saved columns {sorted(saved.files)} do not fit {sorted(self._specs)}")
            rows = find(saved["keys"])
            known = rows >= 0
            for name in self._specs:
                self[name][rows[known]] = saved[name][known]


def _fresh(spec: Spec, rows: int) -> Column:
    return np.full((rows, spec.width) if spec.width else rows, spec.fill, spec.dtype)
