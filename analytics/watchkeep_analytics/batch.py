"""Rows as detectors see them: columns, sorted by series and time, read-only."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NEVER = np.iinfo(np.int64).min // 2
"""A time in µs before all others; half of the range, so that differences do not overflow."""

SECOND = 1_000_000
"""Microseconds."""


class Batch(NamedTuple):
    """Columns of equal length; `row` ascending, `t_us` strictly ascending within one series."""

    row: Ints
    """int64[n]: row of the series in the registry."""
    t_us: Ints
    """int64[n]: device time, µs since 1970 UTC."""
    value: Floats
    """float64[n], finite."""

    @property
    def size(self) -> int:
        return len(self.row)

    def where(self, keep: Bools) -> "Batch":
        """The rows where bool[n] `keep` is true."""
        if keep.all():  # as of most batches: copies would cost more than the judging
            return freeze(self)
        return freeze(Batch(self.row[keep], self.t_us[keep], self.value[keep]))

    def rounds(self) -> Iterator[Ints]:
        """Row numbers of each series' first row, then of each second row …: within a round every series is unique."""
        if self.size == 0:
            return
        fresh = np.r_[True, self.row[1:] != self.row[:-1]]
        starts = np.flatnonzero(fresh)
        if len(starts) == self.size:
            yield np.arange(self.size)
            return
        lengths = np.diff(np.r_[starts, self.size])
        rank = np.arange(self.size) - np.repeat(starts, lengths)
        order = np.argsort(rank, kind="stable")
        yield from np.split(order, np.cumsum(np.bincount(rank))[:-1])

    def spans(self) -> Iterator[tuple[int, int, int]]:
        """(series, first row, row after the last) for each series in the batch."""
        if self.size:
            starts = np.flatnonzero(np.r_[True, self.row[1:] != self.row[:-1]])
            ends = np.r_[starts[1:], self.size]
            yield from zip(self.row[starts].tolist(), starts.tolist(), ends.tolist(), strict=True)


def freeze(batch: Batch) -> Batch:
    """Forbid writing: a detector that changes its input would change the next one's."""
    for column in batch:
        column.setflags(write=False)
    return batch


def order(index: Ints, t_us: Ints, value: Floats) -> Batch:
    """Sorted by series, then time; of rows with the same series and time the first stays."""
    if (t_us[1:] >= t_us[:-1]).all():  # as within most batches: a tenth of the work
        bits = len(index).bit_length()
        keys = np.sort(index << bits | np.arange(len(index)))  # each is unique, so that any sort keeps their order
        by = keys & ((1 << bits) - 1)
    else:
        by = np.lexsort((t_us, index))
    index, t_us, value = index[by], t_us[by], value[by]
    same = np.r_[False, (index[1:] == index[:-1]) & (t_us[1:] == t_us[:-1])]
    batch = Batch(index, t_us, value)
    return batch.where(~same) if same.any() else freeze(batch)
