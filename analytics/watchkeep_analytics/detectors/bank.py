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
_SHARE = 0.2  # by which a sample at 5 min moves its half-hour; a whole visit of six does by 74 %
_VISIT = 6 * np.log(1 - _SHARE)
_YOUNG = 64  # samples that may teach without a limit
_SETTLE = 100  # samples, and a day: before, scales are so small that everything looks large
_LOOK = 1.5  # times the 99.8 % level by the ranked parts together: below, no rarity is worked out; 95 of 100 samples
_FORGET = 1 / memory.LONG  # by which lowest and highest draw near the mean
_APART = 0.01  # of the range known: less beyond it is no news, because the range has drawn in a little
_TINY = 1e-9  # a range without width

_COLUMNS = (
    *("n", "first_us", "t_us", "x", "mean", "var", "fast", "slow", "residual", "residual_mean", "rough"),
    *("rough_mean", "rough_var", "recent", "before", "moves", "low", "high"),
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
    LOW,
    HIGH,
) = range(18)
SCALE, LEVEL, NOVEL = slice(18, 22), slice(22, 27), slice(27, 31)

SPECS = {
    "row": Spec(np.float64, 0, len(_COLUMNS)),
    "profile": Spec(np.float32, np.nan, 2 * SLOTS),
    **memory.SPECS,
}
"""Per series: 31 × 8 bytes, 2 × 48 × 4 (working days, days off), histograms and contexts."""


class Scores(NamedTuple):
    """What one round says; rows as given."""

    u: Floats
    """float64[5, m]: each deviation in its own scale."""
    ratio: Floats
    """float64[5, m]: u over the series' own 99.8 % level; above 1 happens once in 500 samples."""
    rarity: Floats
    """float64[7, m]: -ln of the share of the own history that was as large, of the parts, of novelty and of a value
    beyond all of it; 0 where nothing is odd."""
    beyond: Floats
    """float64[m]: distance to all that is remembered, in widths of that range; 0 within it, or just outside."""
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
    kept[:, LOW], kept[:, HIGH] = np.minimum(kept[:, LOW], kept[:, X]), np.maximum(kept[:, HIGH], kept[:, X])
    kept[:, RESIDUAL] = kept[:, RESIDUAL_MEAN] = 0.0
    kept[:, ROUGH_MEAN] = np.log(kept[:, ROUGH] + _FLOOR * np.sqrt(kept[:, VAR]) + 1e-9)
    state["row"][rows] = kept


def _block(state: Table, rows: Ints, t_us: Ints, x: Floats, frozen: Bools) -> Scores:
    kept = np.ascontiguousarray(np.take(state["row"], rows, axis=0).T)
    young = kept[N] == 0
    if young.any():
        kept[MEAN : RECENT + 1, young] = 0.0
        kept[LEVEL, young] = np.inf
        for column in (X, MEAN, FAST, SLOW, RECENT, LOW, HIGH):
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
    rarity, score, beyond = np.zeros((len(PARTS) + 2, len(rows))), np.zeros(len(rows)), _beyond(kept, x)
    unusual = (ratio[: memory.RANKED].sum(axis=0) >= _LOOK) | (ratio.max(axis=0) >= 1)
    odd = np.flatnonzero(unusual | (beyond > 0))
    if len(odd):
        rarity[:-1, odd] = memory.rarities(state["counts"], rows[odd], u[:, odd], kept[NOVEL, odd], novel[odd])
        rarity[-1, odd] = np.where(beyond[odd] > 0, np.log(np.minimum(kept[N, odd] + 1, memory.LONG)), 0.0)
        score[odd] = memory.score(rarity[:, odd], ratio[:, odd], novel[odd], beyond[odd])

    now[MOVES] += x != kept[X]
    now[LAST], now[X] = t_us, x
    reach = np.where(kept[N] > _YOUNG, _CLIP * scale[0], np.inf)
    learnt = expected + np.clip(off, -reach, reach) * _share(kept, t_us, place)
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
    return Scores(u, ratio, rarity, beyond, score, expected, 3 * scale[0])


def _beyond(kept: Floats, x: Floats) -> Floats:
    """How far outside of the range that is known, in its widths; 1 outside of one that has none."""
    out, width = np.maximum(x - kept[HIGH], kept[LOW] - x), kept[HIGH] - kept[LOW]
    found = np.zeros(len(x))
    far = np.flatnonzero(out > np.maximum(_APART * width, _TINY))
    if len(far):
        found[far] = np.where(width[far] > _TINY, out[far] / np.maximum(width[far], _TINY), 1.0)
    return found


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


def _share(kept: Floats, t_us: Ints, place: Ints) -> Floats:
    """By how much each sample moves its half-hour: more after a longer silence, but a sample that stands alone in its
    half-hour no more than in a mean of all days so far, and at last no more than one at 5 min: it is noise as well.
    """
    gap = np.minimum(t_us - kept[LAST], _SLOT_US)
    share: Floats = 1 - np.exp(_VISIT * gap / _SLOT_US)
    alone = np.flatnonzero(share > _SHARE + 1e-9)
    if len(alone):
        off = place[alone] % (2 * SLOTS) >= SLOTS
        visits = 1 + (t_us[alone] - kept[FIRST, alone]) / DAY_US * np.where(off, 2 / 7, 1)
        share[alone] = np.minimum(share[alone], np.maximum(_SHARE, 1 / visits))
    return share


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
    now[HIGH] = np.maximum(x, kept[HIGH] - (kept[HIGH] - kept[MEAN]) * _FORGET)
    now[LOW] = np.minimum(x, kept[LOW] + (kept[MEAN] - kept[LOW]) * _FORGET)
    now[N] += 1


def _keep(kept: Floats, now: Floats, frozen: Bools) -> None:
    """Undo what was learnt of these series for long."""
    for column in (N, MEAN, VAR, SLOW, RESIDUAL_MEAN, ROUGH_MEAN, ROUGH_VAR, *range(LOW, NOVEL.stop)):
        now[column] = np.where(frozen, kept[column], now[column])
