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
_WEIGHT = np.array([[1.0], [1.0], [1.0], [0.0], [0.0], [1.0]])
"""All one, without `change` and `roughness`: fitted weights did no better on held-out files (docs/detection.md)."""


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
    base = rows * (len(PARTS) * BINS)
    flat = counts.reshape(-1)
    for part, place in enumerate(_bin(u).astype(np.int64)):
        flat[base + (place + part * BINS)] += 1
    age = n.astype(np.int64) + 1
    due = np.flatnonzero(age % _REFRESH == 0)
    if len(due) == 0:
        return
    at = age[due]
    full = rows[due[(((at & (at - 1)) == 0) & (at >= 512)) | (at // _HALVE_AT > (at - _REFRESH) // _HALVE_AT)]]
    counts[full] //= 2
    levels[:, due] = _levels(_histograms(counts, rows[due])).T


def rarities(counts: NDArray[np.uint16], rows: Ints, u: Floats, novel: Floats, new: Ints) -> Floats:
    """float64[6, m]: -ln of the share of the own history that was at least as far off."""
    held = _histograms(counts, rows)
    above = np.cumsum(held[..., ::-1], axis=-1)[..., ::-1]
    place = _bin(u).T
    low = place.astype(np.int64)[..., None]
    tail = np.take_along_axis(above, low, -1) - np.take_along_axis(held, low, -1) * (place[..., None] % 1)
    rarity = np.empty((len(PARTS) + 1, len(rows)))
    rarity[:-1] = (np.log(above[..., 0] + 1) - np.log(tail[..., 0] + 1)).T
    total = novel.sum(axis=0)
    as_new = np.where(np.arange(4)[:, None] >= new, novel, 0).sum(axis=0)
    rarity[-1] = np.log(total + 1) - np.log(as_new + 1)
    return rarity


def score(rarity: Floats, u: Floats, new: Ints) -> Floats:
    """Rarity times size, over all parts: rare and large counts for more than rare alone."""
    size = np.log1p(np.vstack([u, new / 3]))
    return np.asarray((_WEIGHT * rarity * (size + 1)).sum(axis=0))


def _bin(u: Floats) -> Floats:
    """Place of a deviation on the scale of half octaves, fraction included."""
    return np.asarray(np.clip(2 * (np.log2(np.maximum(u, 1e-9)) + 4), 0, BINS - 1e-6))


def _histograms(counts: NDArray[np.uint16], rows: Ints) -> Floats:
    return counts[rows].reshape(-1, len(PARTS), BINS).astype(np.float64)


def _levels(counts: Floats) -> Floats:
    """The deviation that _RARE of the history exceeds, interpolated within its bin."""
    above = np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]
    target = _RARE * above[..., :1]
    place = (above > target).sum(axis=-1, keepdims=True) - 1  # the last bin with more than the target above its edge
    inside = np.take_along_axis(counts, place, -1)
    part = (np.take_along_axis(above, place, -1) - target) / np.maximum(inside, 1)
    return np.asarray(2.0 ** ((place + part)[..., 0] / 2 - 4))
