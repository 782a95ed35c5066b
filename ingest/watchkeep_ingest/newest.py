"""The newest stamp of every series, by which late readings are told; in memory, it begins anew with the process."""

import numpy as np
from numpy.typing import NDArray

from watchkeep_ingest.columns import Ints, Rows


class Newest:
    """8 bytes per series number. Rows are sorted by series, then time."""

    def __init__(self) -> None:
        self._newest: Ints = np.empty(0, np.int64)

    def late(self, rows: Rows) -> NDArray[np.uint8]:
        """Partitions of the readings that are behind their series' own newest one."""
        self._grow(rows)
        return rows.partition[rows.time_us < self._newest[rows.series]]

    def note(self, rows: Rows) -> tuple[NDArray[np.int32], Ints]:
        """Take in what is committed; its series, each once, and the newest stamp of each among these rows."""
        self._grow(rows)
        ends = np.flatnonzero(np.append(rows.series[1:] != rows.series[:-1], True))
        series, time_us = rows.series[ends], rows.time_us[ends]
        self._newest[series] = np.maximum(self._newest[series], time_us)
        return series, time_us

    def _grow(self, rows: Rows) -> None:
        series = int(rows.series[-1])
        if series >= len(self._newest):
            size = max(series + 1, len(self._newest) * 5 // 4)
            more = np.full(size - len(self._newest), np.iinfo(np.int64).min)
            self._newest = np.concatenate([self._newest, more])
