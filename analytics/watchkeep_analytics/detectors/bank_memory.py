"""What a series remembers of itself, and what is said of a sample: the records that `bank` works on.

All of a series lies in one record, because a cache miss costs more than the arithmetic; what every sample touches comes
first. These figures shape the records, so that code compiled for others is never taken for them (see `compiled`).
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from watchkeep_analytics.batch import NEVER, Floats, Ints
from watchkeep_analytics.table import Spec

PARTS = ("point", "sustained", "level", "change", "roughness")
"""What deviates: the value from its half-hour, the mean of that over 12 samples, the level, 32 samples, unrest."""

SLOTS = 48
"""Half-hours of the day in UTC; where no clock is changed a slot is the same local time all year."""

BINS = 20
"""Half octaves of a deviation, from 2**-4 to 2**6."""

CONTEXTS = 8 + 8**2 + 8**3
"""The last one, two and three values in eight levels: 584 bits."""

RULES = ("sustained", "strong", "restless", "extreme")
"""What is worth a warning; `bank` has their figures."""

_SERIES = np.dtype(
    [
        *((name, np.int64) for name in ("n", "first_us", "t_us", "normal_us")),
        *((name, np.float64) for name in ("x", "average", "variance", "fast", "slow", "residual", "residual_mean")),
        *((name, np.float64) for name in ("rough", "rough_mean", "rough_var", "recent", "low", "high")),
        ("scale", np.float64, 4),
        ("level", np.float64, len(PARTS)),
        *((name, np.float64) for name in ("gate", "gate_n")),
        ("moves", np.int32),
        ("novel", np.int32, 4),
        *((name, np.int16) for name in ("calm", "frozen", "held")),
        ("runs", np.int16, (len(RULES), len(PARTS))),
        *((name, np.bool_) for name in ("busy", "open")),
        ("before", np.uint8),
        ("seen", np.uint8, CONTEXTS // 8),
        ("counts", np.uint16, (BINS, len(PARTS))),
        ("spare", np.uint8, 2),  # numba wants fields aligned, and holes that numpy makes hold anything when saved
        ("profile", np.float32, 2 * SLOTS),
    ],
    align=True,
)
_SAID = np.dtype(
    [
        ("u", np.float64, len(PARTS)),
        ("ratio", np.float64, len(PARTS)),
        ("rarity", np.float64, len(PARTS) + 2),
        *((name, np.float64) for name in ("beyond", "score", "expected", "band")),
        ("at", np.int64),
        ("runs", np.int16, (len(RULES), len(PARTS))),
        *((name, np.bool_) for name in ("begins", "ends")),
    ],
    align=True,
)
SERIES = np.dtype((np.record, _SERIES))
"""One series: levels, gate, verdicts, contexts, histograms (the usual bins of all parts side by side), half-hours of
working days and of days off."""

SAID = np.dtype((np.record, _SAID))
"""What is said of one sample, as in `Told`."""

Series: TypeAlias = NDArray[Any]
Said: TypeAlias = NDArray[Any]
Record: TypeAlias = Any
"""One of these; numpy knows no types of fields."""


class Told(NamedTuple):
    """A row of SAID that somebody is to hear of."""

    u: Floats
    """float64[5]: each deviation in its own scale."""
    ratio: Floats
    """float64[5]: u over the series' own 99.8 % level, which happens once in 500 samples, and over the bar that people
    have raised."""
    rarity: Floats
    """float64[7]: -ln of the share of the own history that was as large, of the parts, of novelty and of a value beyond
    all of it; 0 where nothing is odd."""
    beyond: float
    """Distance to all that is remembered, in widths of that range; 0 within it, or just outside."""
    score: float
    """Rank among notices; 0 where nothing is odd."""
    expected: float
    """Usual value of this half-hour."""
    band: float
    """Half width of what is usual around it."""
    at: int
    """Number of the sample."""
    runs: Ints
    """int16[4, 5]: samples in a row at the level of each rule, by part."""
    begins: bool
    ends: bool


class Ready(NamedTuple):
    """What must be known of a series before it is judged."""

    samples: int
    moves: int
    us: int


class World(NamedTuple):
    """What is known of the rows of the registry besides. Empty: nothing."""

    bars: Floats
    """By how much people have raised the bar; rows that have come since have 1."""
    held_from_us: Ints
    held_until_us: Ints
    normal_us: Ints


def _fresh() -> Record:
    """Nothing is known."""
    one = np.zeros((), SERIES)
    one["profile"], one["normal_us"] = np.nan, NEVER
    return one[()]


SPECS = {"series": Spec(SERIES, _fresh())}
