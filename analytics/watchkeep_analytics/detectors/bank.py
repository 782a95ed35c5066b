"""The arithmetic of the learned levels: what is unusual about a sample, how rare that is, and what is learnt from it.

DETECTION.md §3.3 ("Bank3"). `step` takes one round: every series at most once. What every sample touches lies in one
packed row per series, because a cache miss costs more than the arithmetic.
"""

from typing import NamedTuple

import numpy as np

from watchkeep_analytics.batch import NEVER, Bools, Floats, Ints
from watchkeep_analytics.detectors import bank_memory as memory
from watchkeep_analytics.detectors.bank_calendar import DAY_US, SPECIAL, day_kinds
from watchkeep_analytics.detectors.bank_memory import PARTS
from watchkeep_analytics.table import Spec, Table

SLOTS = 48
"""Half-hours of the day in UTC; where no clock is changed a slot is the same local time all year."""

BLOCK = 4096
"""Rows worked on at once: their columns stay in the cache."""

_SLOT_US = DAY_US // SLOTS
_SCALE = 1 / 1500  # EWMA of each deviation's own size (DETECTION §3.3, as all figures below without a source)
_SLOW = 1 / 2000  # the long level
_FLOOR = 0.05  # of the standard deviation: nothing smaller is called unusual
_CLIP = 4.0  # scales by which one sample may move a level, so that a fault does not become normal
_VISIT = np.log(1 - 0.74)  # a visit of its half-hour moves the profile by 74 %: 0.2 per sample at 5 min
_YOUNG = 64  # samples that may teach without a limit
_SETTLE = 100  # samples, and a day: before, scales are so small that everything looks large
_LOOK = 0.7  # of the 99.8 % level: below, no rarity is worked out; that is 95 of 100 samples

_COLUMNS = (
    *("n", "first_us", "t_us", "x", "mean", "var", "fast", "slow", "residual", "residual_mean", "rough"),
    *("rough_mean", "rough_var", "recent", "before", "moves"),
    *(f"scale_{part}" for part in PARTS[:4]),
    *(f"level_{part}" for part in PARTS),
    *(f"novel_{count}" for count in range(4)),
)
(
    N,
    FIRST,
    LAST,
    X,
    MEAN,
    VAR,
    FAST,
    SLOW,
    RESIDUAL,
    RESIDUAL_MEAN,
    ROUGH,
    ROUGH_MEAN,
    ROUGH_VAR,
    RECENT,
    BEFORE,
    MOVES,
) = range(16)
SCALE, LEVEL, NOVEL = slice(16, 20), slice(20, 25), slice(25, 29)

SPECS = {
    "row": Spec(np.float64, 0, len(_COLUMNS)),
    "profile": Spec(np.float32, np.nan, 2 * SLOTS),
    **memory.SPECS,
}
"""Per series: 29 × 8 bytes, 2 × 48 × 4 (working days, days off), histograms and contexts."""


class Scores(NamedTuple):
    """What one round says; rows as given."""

    u: Floats
    """float64[5, m]: each deviation in its own scale."""
    ratio: Floats
    """float64[5, m]: u over the series' own 99.8 % level; above 1 happens once in 500 samples."""
    rarity: Floats
    """float64[6, m]: -ln of the share of the own history that was as large (novelty last); 0 where nothing is odd."""
    score: Floats
    """float64[m]: rank among notices; 0 where nothing is odd."""
    expected: Floats
    """float64[m]: usual value of this half-hour."""
    band: Floats
    """float64[m]: half width of what is usual around it."""


def history(state: Table, rows: Ints) -> tuple[Floats, Floats, Floats]:
    """Samples learnt, time of the first in µs (NEVER = none), and how often the value moved, of these rows."""
    kept = state["row"][rows]
    return kept[:, N], np.where(kept[:, N] > 0, kept[:, FIRST], NEVER), kept[:, MOVES]


def step(state: Table, rows: Ints, t_us: Ints, x: Floats, frozen: Bools) -> Scores:
    """Score one sample per series, then learn from it; where `frozen` only what is short-lived is learnt."""
    if len(rows) <= BLOCK:
        return _block(state, rows, t_us, x, frozen)
    parts = [
        _block(state, rows[a : a + BLOCK], t_us[a : a + BLOCK], x[a : a + BLOCK], frozen[a : a + BLOCK])
        for a in range(0, len(rows), BLOCK)
    ]
    return Scores(*(np.concatenate(column, axis=-1) for column in zip(*parts, strict=True)))


def accept(state: Table, rows: Ints) -> None:
    """Take the level of the last dozen samples for the usual one: the day's course moves with it, scales stay."""
    kept = state["row"][rows]
    shift = kept[:, RESIDUAL].copy()
    state["profile"][rows] += shift[:, None]
    kept[:, MEAN] += shift
    kept[:, SLOW], kept[:, RECENT] = kept[:, FAST], kept[:, FAST]
    kept[:, RESIDUAL] = kept[:, RESIDUAL_MEAN] = 0.0
    kept[:, ROUGH_MEAN] = np.log(kept[:, ROUGH] + _FLOOR * np.sqrt(kept[:, VAR]) + 1e-9)
    state["row"][rows] = kept


def _block(state: Table, rows: Ints, t_us: Ints, x: Floats, frozen: Bools) -> Scores:
    kept = np.ascontiguousarray(state["row"][rows].T)
    young = kept[N] == 0
    if young.any():
        kept[MEAN : RECENT + 1, young] = 0.0
        kept[LEVEL, young] = np.inf
        for column in (X, MEAN, FAST, SLOW, RECENT):
            kept[column, young] = x[young]
        kept[FIRST, young] = kept[LAST, young] = t_us[young]
    now = kept.copy()
    age = 1 / (kept[N] + 1)
    floor = _FLOOR * np.sqrt(kept[VAR]) + 1e-9
    place, profile = _profile(state["profile"], rows, t_us, x)
    expected = np.where(np.isnan(profile), kept[MEAN], profile)
    off = x - expected
    now[RESIDUAL] += (off - kept[RESIDUAL]) * np.maximum(1 / 12, age)
    rate = np.maximum(1 / 10, age)
    now[FAST] += (x - kept[FAST]) * rate
    now[ROUGH] += (np.abs(x - kept[X]) - kept[ROUGH]) * rate
    now[RECENT] += (x - kept[RECENT]) * np.maximum(1 / 32, age)
    restless = np.log(now[ROUGH] + floor)
    away = np.stack([off, now[RESIDUAL] - kept[RESIDUAL_MEAN], now[FAST] - kept[SLOW], x - kept[RECENT]])
    np.abs(away, out=away)
    scale = kept[SCALE] + floor
    u = np.empty((len(PARTS), len(rows)))
    np.divide(away, scale, out=u[:4])
    u[4] = np.abs(restless - kept[ROUGH_MEAN]) / (np.sqrt(kept[ROUGH_VAR]) + 0.1)
    ratio = u / kept[LEVEL]

    novel = memory.novelty(state["seen"], rows, kept[BEFORE], (x - kept[MEAN]) / (floor / _FLOOR), now[BEFORE])
    rarity, score = np.zeros((len(PARTS) + 1, len(rows))), np.zeros(len(rows))
    odd = np.flatnonzero(ratio.max(axis=0) >= _LOOK)
    if len(odd):
        rarity[:, odd] = memory.rarities(state["counts"], rows[odd], u[:, odd], kept[NOVEL, odd], novel[odd])
        score[odd] = memory.score(rarity[:, odd], u[:, odd], novel[odd])

    now[MOVES] += x != kept[X]
    now[LAST], now[X] = t_us, x
    gap = np.minimum(t_us - kept[LAST], _SLOT_US)
    reach = np.where(kept[N] > _YOUNG, _CLIP * scale[0], np.inf)
    learnt = expected + np.clip(off, -reach, reach) * (1 - np.exp(_VISIT * gap / _SLOT_US))
    _learn(kept, now, x, away, restless, age)
    now[NOVEL][novel, np.arange(len(rows))] += 1
    if frozen.any():
        learnt = np.where(frozen, profile, learnt)
        _keep(kept, now, frozen)
    state["profile"].reshape(-1)[place] = learnt
    settled = (kept[N] >= _SETTLE) & (t_us - kept[FIRST] >= DAY_US) & ~frozen
    if settled.all():
        memory.count(state["counts"], rows, kept[N], u, now[LEVEL])
    elif settled.any():
        levels = now[LEVEL][:, settled]
        memory.count(state["counts"], rows[settled], kept[N, settled], u[:, settled], levels)
        now[LEVEL, settled] = levels
    state["row"][rows] = now.T
    return Scores(u, ratio, rarity, score, expected, 3 * scale[0])


def _profile(profile: Floats, rows: Ints, t_us: Ints, x: Floats) -> tuple[Ints, Floats]:
    """Where the usual value of these moments lies, and the value.

    That of the other kind of day where there is none yet; on special days the one that is nearer.
    """
    kind = day_kinds(t_us)
    slot = rows * (2 * SLOTS) + (t_us % DAY_US) // _SLOT_US
    flat = profile.reshape(-1)
    special = np.flatnonzero(kind == SPECIAL)
    if len(special):
        off = np.abs(flat[slot[special]] - x[special]) > np.abs(flat[slot[special] + SLOTS] - x[special])
        kind[special] = off
    place = slot + SLOTS * kind
    value = flat[place].astype(np.float64)
    missing = np.flatnonzero(np.isnan(value))
    if len(missing):
        value[missing] = flat[slot[missing] + SLOTS * (1 - kind[missing])]
    return place, value


def _learn(kept: Floats, now: Floats, x: Floats, away: Floats, restless: Floats, age: Floats) -> None:
    """Levels move by a limited step; sizes of deviations learn heavy tails as they are."""
    rate = np.maximum(_SCALE, age)
    pull = x - kept[MEAN]
    reach = np.where(kept[N] > _YOUNG, _CLIP * np.sqrt(kept[VAR]) + 1e-9, np.inf)
    now[MEAN] += np.clip(pull, -reach, reach) * rate
    now[VAR] += (pull * pull - kept[VAR]) * rate
    now[SLOW] += np.clip(x - kept[SLOW], -reach, reach) * np.maximum(_SLOW, age)
    now[SCALE] += (away - kept[SCALE]) * rate
    now[RESIDUAL_MEAN] += (now[RESIDUAL] - kept[RESIDUAL_MEAN]) * rate
    change = restless - kept[ROUGH_MEAN]
    now[ROUGH_MEAN] += change * rate
    now[ROUGH_VAR] += (change * change - kept[ROUGH_VAR]) * rate
    now[N] += 1


def _keep(kept: Floats, now: Floats, frozen: Bools) -> None:
    """Undo what was learnt of these series for long."""
    for column in (N, MEAN, VAR, SLOW, RESIDUAL_MEAN, ROUGH_MEAN, ROUGH_VAR, *range(SCALE.start, NOVEL.stop)):
        now[column] = np.where(frozen, kept[column], now[column])
