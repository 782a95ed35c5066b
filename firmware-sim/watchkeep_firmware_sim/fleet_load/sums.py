"""Count and checksum of each series, computed the same way here and by SQL (`compare.sql`).

A reading is (time in µs, value in thousandths, quality), mixed to 31 bits; a series' checksum is the sum. Squaring
makes it non-linear: losing the first and last of four equal steps while storing the middle two twice is seen. All of
it is integer arithmetic that fits 64 bits, in numpy and in PostgreSQL alike.
"""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

PRIME = 2**31 - 1
_BY_TIME, _BY_VALUE, _BY_QUALITY = 48_271, 69_621, 40_692  # multipliers of Lehmer generators, below 2**17


def mixed(time_us: Ints, thousandths: Ints, quality: Ints | int = 0) -> Ints:
    """One number from 0 to 2**31 - 2 per reading."""
    seed = ((time_us % PRIME) * _BY_TIME + (thousandths % PRIME) * _BY_VALUE + quality * _BY_QUALITY + 1) % PRIME
    found: Ints = (seed * (seed ^ (seed >> 7))) % PRIME
    return found


class Sums:
    """Of all series, by their place in the layout: 16 bytes each."""

    def __init__(self, points: int) -> None:
        self.count = np.zeros(points, np.int64)
        self.check = np.zeros(points, np.int64)

    def add(self, start: int, end: int, mixes: Ints) -> None:
        """One reading each of the points `start` … `end - 1`."""
        self.count[start:end] += 1
        self.check[start:end] += mixes

    def add_at(self, places: Ints, mixes: Ints, times: int = 1) -> None:
        """Any readings; `times` −1 takes them back."""
        np.add.at(self.count, places, times)
        np.add.at(self.check, places, times * mixes)
