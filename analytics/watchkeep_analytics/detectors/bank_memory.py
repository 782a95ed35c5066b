"""What a series remembers of itself: histograms of its deviations, and which sequences of levels it has ever shown."""

import numpy as np
from numpy.typing import NDArray

from watchkeep_analytics.batch import Floats, Ints
from watchkeep_analytics.table import Spec

PARTS = ("point", "sustained", "level", "change", "roughness")
"""What deviates: the value from its half-hour, the mean of that over 12 samples, the level, 32 samples, unrest."""

BINS = 20
"""Half octaves of a deviation, from 2**-4 to 2**6."""

CONTEXTS = 8 + 8**2 + 8**3
"""The last one, two and three values in eight levels: 584 bits."""

SPECS = {
    "counts": Spec(np.uint16, 0, len(PARTS) * BINS),
    "seen": Spec(np.uint8, 0, CONTEXTS // 8),
}

_EDGES = np.array([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0])  # standard deviations from the mean: eight levels
_HALVE_AT = 60_000  # 16-bit counts
_REFRESH = 64  # samples between two looks at the histogram for the level
_RARE = 0.002  # the level is the 99.8 % one
_AT_OR_ABOVE = np.tril(np.ones((BINS, BINS), np.float32))
RANKED = 3
"""Parts that take part in the rank: `change` and `roughness` add false notices (docs/detection.md)."""

LONG = 20_000
"""Samples after which a value is forgotten as the lowest or highest ever: ten weeks at 5 min."""


def novelty(seen: NDArray[np.uint8], rows: Ints, before: Floats, z: Floats, after: Floats) -> Ints:
    """How many of the contexts of length 1, 2 and 3 are new (0 … 3); marks them, and writes the last two levels."""
    past = before.astype(np.int64)
    level = np.searchsorted(_EDGES, z)
    pair = level * 8 + (past >> 3)
    after[:] = pair
    flat, base = seen.reshape(-1), rows * (CONTEXTS // 8)
    new = np.zeros(len(rows), np.int64)
    for context in (level, 8 + pair, 72 + level * 64 + past):
        place, bit = base + (context >> 3), np.left_shift(1, context & 7).astype(np.uint8)
        byte = flat[place]
        fresh = (byte & bit) == 0
        new += fresh
        at = np.flatnonzero(fresh)
        flat[place[at]] |= bit[at]
    return new


def count(counts: NDArray[np.uint16], rows: Ints, n: Floats, u: Floats, levels: Floats) -> None:
    """One more sample; `levels` (float64[5, m]) is written where it was time to look again."""
    flat = counts.reshape(-1)
    place = _bin(u).T.astype(np.int64) + np.arange(len(PARTS)) * BINS + (rows * (len(PARTS) * BINS))[:, None]
    flat[place.reshape(-1)] += 1
    age = n.astype(np.int64) + 1
    due = np.flatnonzero(age % _REFRESH == 0)
    if len(due) == 0:
        return
    at = age[due]
    full = rows[due[(((at & (at - 1)) == 0) & (at >= 512)) | (at // _HALVE_AT > (at - _REFRESH) // _HALVE_AT)]]
    counts[full] //= 2
    levels[:, due] = _levels(counts, rows[due])


def rarities(counts: NDArray[np.uint16], rows: Ints, u: Floats, novel: Floats, new: Ints) -> Floats:
    """float64[6, m]: -ln of the share of the own history that was at least as far off."""
    held, above = _histograms(counts, rows)
    place = _bin(u).T.reshape(-1)
    low = place.astype(np.int64) + np.arange(len(place)) * BINS
    tail = above.reshape(-1)[low] - held.reshape(-1)[low] * (place % 1)
    rarity = np.empty((len(PARTS) + 1, len(rows)))
    rarity[:-1] = (np.log(above[:, 0] + 1) - np.log(tail + 1)).reshape(-1, len(PARTS)).T
    total = novel.sum(axis=0)
    as_new = np.where(np.arange(4)[:, None] >= new, novel, 0).sum(axis=0)
    rarity[-1] = np.log(total + 1) - np.log(as_new + 1)
    return rarity


def score(rarity: Floats, ratio: Floats, new: Ints, beyond: Floats) -> Floats:
    """Rarity times size, over parts, novelty and what is beyond everything: rare and large counts for more than rare.

    Sizes are the series' own: times its 99.8 % level, share of new contexts, percent of the range it is known for.
    """
    parts = (rarity[:RANKED] * (1 + np.log1p(ratio[:RANKED]))).sum(axis=0)
    pattern = rarity[-2] * (1 + np.log1p(new / 3))
    return np.asarray(parts + pattern + rarity[-1] * np.log1p(100 * beyond))


def _bin(u: Floats) -> Floats:
    """Place of a deviation on the scale of half octaves, fraction included."""
    return np.asarray(np.clip(2 * (np.log2(np.maximum(u, 1e-9)) + 4), 0, BINS - 1e-6))


def _histograms(counts: NDArray[np.uint16], rows: Ints) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """float32[parts of all rows, BINS]: the counts, and how many lie at or above each bin; exact for 16-bit counts."""
    held = counts[rows].reshape(-1, BINS).astype(np.float32)
    return held, held @ _AT_OR_ABOVE


def _levels(counts: NDArray[np.uint16], rows: Ints) -> Floats:
    """float64[parts, m]: the deviation that _RARE of the history exceeds, interpolated within its bin."""
    held, above = _histograms(counts, rows)
    target = _RARE * above[:, 0]
    place = (above > target[:, None]).sum(axis=1) - 1  # the last bin with more than the target above its edge
    at = place + np.arange(len(place)) * BINS
    part = (above.reshape(-1)[at] - target) / np.maximum(held.reshape(-1)[at], 1)
    return np.asarray(2.0 ** ((place + part.astype(np.float64)) / 2 - 4)).reshape(-1, len(PARTS)).T
