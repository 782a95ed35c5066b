"""The arithmetic of the learned baseline: four deviations per series, their own usual size, their rarity.

DETECTION.md §3.3 ("Bank3") without its novelty component. `step` takes one round: every series at most once.
"""

from typing import NamedTuple

import numpy as np

from watchkeep_analytics.batch import NEVER, SECOND, Bools, Floats, Ints
from watchkeep_analytics.table import Spec, Table

PARTS = ("point", "sustained", "level", "change", "roughness")
"""What deviates: the value from its time of day, the mean of that over 12 samples, the level, the restlessness."""

SLOTS = 48
"""Half-hours of the day in UTC; where no clock is changed a slot is the same local time all year."""

BINS = 20
"""Half octaves of a deviation, from 2**-4 to 2**6."""

_DAY_US = 86_400 * SECOND
_SLOT_US = _DAY_US // SLOTS
_SCALE = 1 / 1500  # EWMA of each deviation's own size (DETECTION §3.3, as all figures below without a source)
_SLOW = 1 / 2000  # the long level
_FLOOR = 0.05  # of the standard deviation: nothing smaller is called unusual
_CLIP = 4.0  # scales by which one sample may move what is learnt, so that a fault does not become normal
_VISIT = np.log(1 - 0.74)  # a visit of its half-hour moves the profile by 74 %: 0.2 per sample at 5 min
_HALVE_AT = 60_000  # 16-bit counts
_REFRESH = 64  # samples between two looks at the histogram for the level
_SETTLE = 100  # samples, and a day: before, scales are so small that everything looks large
_RARE = 0.002  # the level is the 99.8 % one
_WEIGHT_LOG = np.array([1.0, 0.0, 1.0, 1.0, 0.12])
_WEIGHT_RARE = np.array([1.5, 3.0, 0.0, 0.0, 0.35])

SPECS = {
    "n": Spec(np.int64),
    "first_us": Spec(np.int64, NEVER),
    "t_us": Spec(np.int64, NEVER),
    "x": Spec(np.float64),
    "mean": Spec(np.float64),
    "var": Spec(np.float64),
    "fast": Spec(np.float64),
    "slow": Spec(np.float64),
    "residual": Spec(np.float64),
    "residual_mean": Spec(np.float64),
    "rough": Spec(np.float64),
    "rough_mean": Spec(np.float64),
    "rough_var": Spec(np.float64),
    "recent": Spec(np.float64),
    "scale": Spec(np.float64, 0, 4),
    "level": Spec(np.float64, np.inf, len(PARTS)),
    "profile": Spec(np.float32, np.nan, SLOTS),
    "counts": Spec(np.uint16, 0, len(PARTS) * BINS),
}


class Scores(NamedTuple):
    """What one round says; rows as given."""

    u: Floats
    """float64[m, 4]: each deviation in its own scale."""
    ratio: Floats
    """float64[m, 4]: u over the series' own 99.8 % level; above 1 happens once in 500 samples."""
    rarity: Floats
    """float64[m, 4]: -ln of the share of the own history that was as large; 0 where ratio < 1."""
    score: Floats
    """float64[m]: rank among notices; 0 where nothing is unusual."""
    expected: Floats
    """float64[m]: usual value of this time of day."""
    band: Floats
    """float64[m]: half width of what is usual around it."""


def step(state: Table, rows: Ints, t_us: Ints, x: Floats, frozen: Bools) -> Scores:
    """Score one sample per series, then learn from it; where `frozen` only what is short-lived is learnt."""
    n = state["n"][rows]
    slot = (t_us % _DAY_US) // _SLOT_US
    floor = _FLOOR * np.sqrt(state["var"][rows]) + 1e-9
    scale = state["scale"][rows] + floor[:, None]
    profile = state["profile"][rows, slot].astype(np.float64)
    expected = np.where(np.isnan(profile), np.where(n > 0, state["mean"][rows], x), profile)
    residual = _mix(state["residual"][rows], x - expected, np.maximum(1 / 12, 1 / (n + 1)))
    rate = np.maximum(1 / 10, 1 / (n + 1))
    fast = _mix(state["fast"][rows], x, rate)
    rough = _mix(state["rough"][rows], np.where(n > 0, np.abs(x - state["x"][rows]), 0.0), rate)
    recent = np.where(n > 0, state["recent"][rows], x)
    slow = np.where(n > 0, state["slow"][rows], x)
    restless = np.log(rough + floor)

    away = np.empty((len(rows), len(PARTS)))
    away[:, 0] = np.abs(x - expected)
    away[:, 1] = np.abs(residual - state["residual_mean"][rows])
    away[:, 2] = np.abs(fast - slow)
    away[:, 3] = np.abs(x - recent)
    away[:, 4] = np.abs(restless - state["rough_mean"][rows])
    u = away.copy()
    u[:, :4] /= scale
    u[:, 4] /= np.sqrt(state["rough_var"][rows]) + 0.1
    ratio = u / state["level"][rows]
    rarity = _rarities(state, rows, u, ratio)
    score = (rarity * (np.log1p(u) * _WEIGHT_LOG + _WEIGHT_RARE)).sum(axis=1)

    gap = np.clip(t_us - state["t_us"][rows], 0, _SLOT_US)
    state["t_us"][rows], state["x"][rows] = t_us, x
    state["residual"][rows], state["fast"][rows], state["rough"][rows] = residual, fast, rough
    state["recent"][rows] = _mix(recent, x, np.maximum(1 / 32, 1 / (n + 1)))
    teach = ~frozen
    _learn(state, rows[teach], n[teach], x[teach], t_us[teach], away[teach], scale[teach], restless[teach])
    _learn_profile(state, rows[teach], slot[teach], (x - expected)[teach], scale[teach, 0], gap[teach], expected[teach])
    settled = teach & (n >= _SETTLE) & (t_us - state["first_us"][rows] >= _DAY_US)
    _count(state, rows[settled], n[settled], u[settled])
    return Scores(u, ratio, rarity, score, expected, 3 * scale[:, 0])


def _mix(old: Floats, new: Floats, rate: Floats) -> Floats:
    """EWMA; a rate of 1/n is the exact mean, so that starting up needs no special case."""
    return np.asarray(old + (new - old) * rate)


def _learn(
    state: Table, rows: Ints, n: Ints, x: Floats, t_us: Ints, away: Floats, scale: Floats, restless: Floats
) -> None:
    first = n == 0
    young = 1 / (n + 1)
    mean = np.where(first, x, state["mean"][rows])
    sd = np.sqrt(state["var"][rows])
    reach = np.where(n > _REFRESH, _CLIP * sd + 1e-9, np.inf)
    pull = np.clip(x - mean, -reach, reach)
    rate = np.maximum(_SCALE, young)
    state["mean"][rows] = mean + pull * rate
    state["var"][rows] = _mix(state["var"][rows], pull * pull, rate)
    slow = np.where(first, x, state["slow"][rows])
    state["slow"][rows] = slow + np.clip(x - slow, -reach, reach) * np.maximum(_SLOW, young)
    grown = np.minimum(away[:, :4], np.where(n > _REFRESH, _CLIP, np.inf)[:, None] * scale)
    state["scale"][rows] = _mix(state["scale"][rows], grown, rate[:, None])
    state["residual_mean"][rows] = _mix(state["residual_mean"][rows], state["residual"][rows], rate)
    off = restless - state["rough_mean"][rows]
    state["rough_mean"][rows] += off * rate
    state["rough_var"][rows] = _mix(state["rough_var"][rows], off * off, rate)
    state["first_us"][rows] = np.where(first, t_us, state["first_us"][rows])
    state["n"][rows] = n + 1


def _learn_profile(
    state: Table, rows: Ints, slot: Ints, residual: Floats, scale: Floats, gap_us: Ints, expected: Floats
) -> None:
    rate = 1 - np.exp(_VISIT * gap_us / _SLOT_US)
    state["profile"][rows, slot] = expected + np.clip(residual, -_CLIP * scale, _CLIP * scale) * rate


def _bin(u: Floats) -> Floats:
    """Place of a deviation on the scale of half octaves, fraction included."""
    return np.asarray(np.clip(2 * (np.log2(np.maximum(u, 1e-9)) + 4), 0, BINS - 1e-6))


def _count(state: Table, rows: Ints, n: Ints, u: Floats) -> None:
    counts = state["counts"]
    column = _bin(u).astype(np.int64) + np.arange(len(PARTS)) * BINS
    counts[rows[:, None], column] += 1
    age = n + 1
    full = rows[((age & n) == 0) & (age >= 512) | (age % _HALVE_AT == 0)]
    counts[full] //= 2
    due = rows[(n + 1) % _REFRESH == 0]
    if len(due):
        state["level"][due] = _levels(counts[due].reshape(-1, len(PARTS), BINS).astype(np.float64))


def _levels(counts: Floats) -> Floats:
    """The deviation that _RARE of the history exceeds, interpolated within its bin."""
    above = np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]
    target = _RARE * above[..., :1]
    place = (above > target).sum(
        axis=-1, keepdims=True
    ) - 1  # the last bin that has more than the target above its edge
    inside = np.take_along_axis(counts, place, -1)
    part = (np.take_along_axis(above, place, -1) - target) / np.maximum(inside, 1)
    return np.asarray(2.0 ** ((place + part)[..., 0] / 2 - 4))


def _rarities(state: Table, rows: Ints, u: Floats, ratio: Floats) -> Floats:
    """Only for rows with something unusual: few, so that the histogram is rarely touched."""
    rarity = np.zeros_like(u)
    odd = np.flatnonzero((ratio >= 1).any(axis=1))
    if len(odd):
        counts = state["counts"][rows[odd]].reshape(-1, len(PARTS), BINS).astype(np.float64)
        above = np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]
        place = _bin(u[odd])
        low = place.astype(np.int64)[..., None]
        tail = np.take_along_axis(above, low, -1) - np.take_along_axis(counts, low, -1) * (place[..., None] % 1)
        total = above[..., 0]
        rarity[odd] = np.log(total + 1) - np.log(tail[..., 0] + 1)
        rarity[odd] *= ratio[odd] >= 1
    return rarity
