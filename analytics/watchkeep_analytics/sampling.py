"""How closely states are sampled: a door that is asked every five minutes and found open twice was not held open.

A point is *aliased* when its state often differs from one reading to the next and no two readings come closer than some
gap: it flips in between, unseen. A device that tells changes as they happen has short gaps, one whose state rests has
no flips; neither is aliased. Rules that want a state to last shorter than three such gaps cannot be judged.
"""

from collections.abc import Callable

import numpy as np

from watchkeep_analytics.batch import NEVER, Batch, Bools, Ints
from watchkeep_analytics.table import Spec, Table

BLOCK = 50
"""Readings that are judged together: four hours at 5 min."""

FLIPS = 3
"""Times that a state is left within a block to be part of the flipping."""

SAMPLES = 3
"""A state must be able to be seen so often within the time that a rule wants it to last."""

_OTHER = 1.5  # times: a gap that is really another one; intervals jitter
_BITS = 31  # states are told apart by their last five bits; the vocabulary has no more than 20 of one metric
_KEPT = 4  # verdicts remembered, so that one long batch is judged as many short ones


class Sampling:
    """One row per series; only states are looked at. What it says of a time never depends on where a batch ends."""

    def __init__(self) -> None:
        self._state = Table(
            last_us=Spec(np.int64, NEVER),
            value=Spec(np.float64, np.nan),
            n=Spec(np.int16),
            least_us=Spec(np.int64, -NEVER),
            left=Spec(np.int64, 0, FLIPS),
            gap_us=Spec(np.int64, 0, _KEPT),
            states=Spec(np.int64, 0, _KEPT),
            since_us=Spec(np.int64, NEVER, _KEPT),
        )

    def grow(self, size: int) -> None:
        self._state.grow(size)

    def observe(self, batch: Batch, states: Bools) -> None:
        """`states`: which of these rows are states."""
        if not states.any():
            return
        mine = batch.where(states)
        for at in mine.rounds():
            self._round(mine, at)

    def aliased(self, row: int, value: float, for_us: int, t_us: int) -> bool:
        """Whether it cannot be judged at that time that this state of the row lasts so long.

        A state that is no part of the flipping, such as a fault among starts and stops, can be.
        """
        state = self._state
        at = int(np.searchsorted(state["since_us"][row], t_us)) - 1  # ascending: the last that began before
        flips = at >= 0 and int(state["states"][row, at]) >> (int(value) & _BITS) & 1
        return bool(flips) and SAMPLES * int(state["gap_us"][row, at]) > for_us

    def save(self, series: Ints) -> bytes:
        return self._state.save(series)

    def load(self, data: bytes, find: Callable[[Ints], Ints]) -> None:
        """Raises ValueError for the state of another version."""
        self._state.load(data, find)

    def _round(self, batch: Batch, at: Ints) -> None:
        state, rows, t_us, x = self._state, batch.row[at], batch.t_us[at], batch.value[at]
        last = state["last_us"][rows]
        least = np.where(last == NEVER, state["least_us"][rows], np.minimum(state["least_us"][rows], t_us - last))
        flip = (x != state["value"][rows]) & (last != NEVER)
        bit = np.where(flip, np.left_shift(1, np.nan_to_num(state["value"][rows]).astype(np.int64) & _BITS), 0)
        left = state["left"][rows]  # bits of the states left once, twice, three times
        for times in range(FLIPS - 1, 0, -1):
            left[:, times] |= left[:, times - 1] & bit
        left[:, 0] |= bit
        often = left[:, FLIPS - 1]
        n, gap, since = state["n"][rows] + 1, state["gap_us"][rows], state["since_us"][rows]
        done = n >= BLOCK
        other = (least > _OTHER * gap[:, -1]) | (least < gap[:, -1] / _OTHER) | (often != state["states"][rows, -1])
        said = done & (often != 0) & other
        columns = {
            "last_us": t_us,
            "value": x,
            "n": np.where(done, 0, n),
            "least_us": np.where(done, -NEVER, least),
            "left": np.where(done[:, None], 0, left),
            "states": np.where(said[:, None], np.c_[state["states"][rows][:, 1:], often], state["states"][rows]),
            "gap_us": np.where(said[:, None], np.c_[gap[:, 1:], least], gap),
            "since_us": np.where(said[:, None], np.c_[since[:, 1:], t_us], since),
        }
        for column, new in columns.items():
            state[column][rows] = new
