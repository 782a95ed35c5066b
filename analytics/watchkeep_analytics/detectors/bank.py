"""The arithmetic of the learned levels, sample by sample: how unusual it is, how rare that is, what is learnt.

DETECTION.md §3.3 ("Bank3"). `one` is the record of a series, `said` what is said of a sample.
"""

import math

import numpy as np

from watchkeep_analytics.batch import Floats, Ints
from watchkeep_analytics.compiled import compiled, prefetch
from watchkeep_analytics.detectors.bank_memory import BINS, PARTS, SAID, SLOTS, Ready, Record, Said, Series, World

RANKED = 3
"""Parts that take part in the rank: `change` and `roughness` add false notices (docs/detection.md)."""

LONG = 20_000
"""Samples after which a value is forgotten as the lowest or highest ever: ten weeks at 5 min."""

NOTICE = 24.0
"""Score above the bar that makes a notice: a place in the ranked list, which pages nobody (docs/detection.md)."""

LEVELS = np.array([1.4, 1.75, 2.0, 3.5])
"""Of each rule: times the own 99.8 % level …"""

LENGTHS = np.array([24, 6, 6, 2])
"""… for so many samples in a row …"""

TELLING = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [0, 0, 0, 0, 1], [1, 1, 1, 1, 0]], np.bool_)
"""… by any of these parts. docs/detection.md has what they cost."""

_DAY_US = 86_400_000_000
_SLOT_US = _DAY_US // SLOTS
_SPECIAL = 2  # kind of day, as bank_calendar has it
_SCALE = 1 / 1500  # EWMA of each deviation's own size (DETECTION §3.3, as all figures below without a source)
_SLOW = 1 / 2000  # the long level
_FLOOR = 0.05  # of the standard deviation: nothing smaller is called unusual
_CLIP = 4.0  # scales by which one sample may move a level, so that a fault does not become normal
_SHARE = 0.2  # by which a sample at 5 min moves its half-hour; a whole visit of six does by 74 %
_VISIT = 6 * math.log(1 - _SHARE)
_YOUNG = 64  # samples that may teach without a limit
_SETTLE = 100  # samples, and a day: before, scales are so small that everything looks large
_LOOK = 1.5  # times the 99.8 % level by the ranked parts together: below, no rarity is worked out; 95 of 100 samples
_FORGET = 1 / LONG  # by which lowest and highest draw near the mean
_APART = 0.01  # of the range known: less beyond it is no news, because the range has drawn in a little
_TINY = 1e-9  # a range without width
_EDGES = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)  # standard deviations from the mean: eight levels
_HALVE_AT = 60_000  # 16-bit counts
_REFRESH = 64  # samples between two looks at the histogram for the level
_RARE = 0.002  # the level is the 99.8 % one
_CALM = 36  # samples without anything unusual that end it (3 h at 5 min); 12 made three warnings out of one failure
_THAW = 576  # samples after which an open warning no longer stops learning: it may be the new normal
_MOST = 10_000  # samples in a row: more need not be told apart
_HALF = 100.0  # samples in which the bar of notices halves (DETECTION §3.3)


def said_of(series: Series, rows: Ints, t_us: Ints, value: Floats, kinds: Ints) -> Said:
    """SAID[n]: score these samples in turn and learn from all of them; nothing is judged."""
    said = np.zeros(len(rows), SAID)
    _replay(series, rows, t_us, value, kinds, said)
    return said


@compiled
def _replay(series: Series, rows: Ints, t_us: Ints, value: Floats, kinds: Ints, said: Said) -> None:
    for i in range(len(rows)):
        step(series[rows[i]], t_us[i], value[i], kinds[i], False, said[i])


@compiled
def watch(
    series: Series, rows: Ints, t_us: Ints, value: Floats, kinds: Ints, world: World, need: Ready, said: Said
) -> int:
    """Score, learn and judge these samples in turn; so many of `said`, from the first, are to be told."""
    told = 0
    for i in range(len(rows)):
        prefetch(series, rows, i)
        row = rows[i]
        one, now = series[row], said[told]
        if len(world.normal_us) and one.normal_us < world.normal_us[row] < t_us[i]:
            one.normal_us = world.normal_us[row]
            accept(one)
        held = len(world.held_from_us) and _held(one, world.held_from_us[row] <= t_us[i] < world.held_until_us[row])
        step(one, t_us[i], value[i], kinds[i], held or one.frozen > 0, now)
        if row < len(world.bars):
            now.ratio[:] /= world.bars[row]
        if (one.busy or now.ratio.max() >= 1 or now.score > NOTICE) and _judge(one, now, need):
            now.at = i
            told += 1
    return told


@compiled
def ready(one: Record, need: Ready) -> bool:
    return bool(one.n >= need.samples and one.moves >= need.moves and one.t_us - one.first_us >= need.us)


@compiled
def accept(one: Record) -> None:
    """Take the level of the last dozen samples for the usual one: the day's course moves with it, scales stay."""
    one.profile[:] += one.residual
    one.average += one.residual
    one.slow = one.recent = one.fast
    one.low, one.high = min(one.low, one.x), max(one.high, one.x)
    one.residual = one.residual_mean = 0.0
    one.rough_mean = math.log(one.rough + _floor(one))
    one.frozen = one.held = 0


@compiled
def step(one: Record, t_us: int, x: float, kind: int, frozen: bool, said: Record) -> None:
    """Score one sample, then learn from it; `frozen`: only what is short-lived is learnt."""
    if one.n == 0:
        _begin(one, t_us, x)
    floor, age = _floor(one), 1 / (one.n + 1)
    slot = _slot(one, t_us, x, kind)
    usual = one.profile[slot]
    if math.isnan(usual):  # then that of the other kind of day
        usual = one.profile[(slot + SLOTS) % (2 * SLOTS)]
    said.expected = one.average if math.isnan(usual) else usual
    usually = one.scale[0] + floor
    said.band = 3 * usually
    off, change = x - said.expected, x - one.recent
    one.residual += (off - one.residual) * max(1 / 12, age)
    one.fast += (x - one.fast) * max(1 / 10, age)
    one.rough += (abs(x - one.x) - one.rough) * max(1 / 10, age)
    one.recent += change * max(1 / 32, age)
    restless = math.log(one.rough + floor)
    away = (abs(off), abs(one.residual - one.residual_mean), abs(one.fast - one.slow), abs(change))
    for part in range(4):
        said.u[part] = away[part] / (one.scale[part] + floor)
    said.u[4] = abs(restless - one.rough_mean) / (math.sqrt(one.rough_var) + 0.1)
    for part in range(len(PARTS)):
        said.ratio[part] = said.u[part] / one.level[part]
    said.beyond = _beyond(one, x)
    new = _novelty(one, (x - one.average) * (_FLOOR / floor))
    _rank(one, new, said)

    gap = t_us - one.t_us
    one.moves += x != one.x
    one.t_us, one.x = t_us, x
    if frozen:
        return
    if one.n >= _SETTLE and t_us - one.first_us >= _DAY_US:
        _count(one, said)
    reach = _CLIP * usually if one.n > _YOUNG else np.inf
    one.profile[slot] = said.expected + _within(off, reach) * _share(one, gap, slot)
    one.novel[new] += 1
    _learn(one, x, away, restless, age)


@compiled
def _begin(one: Record, t_us: int, x: float) -> None:
    one.first_us = one.t_us = t_us
    one.x = one.average = one.fast = one.slow = one.recent = one.low = one.high = x
    one.variance = one.residual = one.residual_mean = one.rough = one.rough_mean = one.rough_var = 0.0
    one.level[:] = np.inf


@compiled
def _floor(one: Record) -> float:
    """What is not called unusual."""
    return _FLOOR * math.sqrt(one.variance) + 1e-9


@compiled
def _within(x: float, reach: float) -> float:
    return min(max(x, -reach), reach)


@compiled
def _slot(one: Record, t_us: int, x: float, kind: int) -> int:
    """Where the usual value of this moment lies; on special days the nearer of the two."""
    slot = t_us % _DAY_US // _SLOT_US
    if kind == _SPECIAL:
        kind = abs(one.profile[slot] - x) > abs(one.profile[slot + SLOTS] - x)
    return slot + SLOTS * kind


@compiled
def _beyond(one: Record, x: float) -> float:
    """How far outside of the range that is known, in its widths; 1 outside of one that has none."""
    out, width = max(x - one.high, one.low - x), one.high - one.low
    if out <= max(_APART * width, _TINY):
        return 0.0
    return out / width if width > _TINY else 1.0


@compiled
def _novelty(one: Record, z: float) -> int:
    """How many of the contexts of length 1, 2 and 3 are new (0 … 3); marks them."""
    level = 0
    for edge in _EDGES:
        level += z > edge
    past = int(one.before)
    pair, new = level * 8 + (past >> 3), 0
    for context in (level, 8 + pair, 72 + level * 64 + past):
        bit = 1 << (context & 7)
        new += one.seen[context >> 3] & bit == 0
        one.seen[context >> 3] |= bit
    one.before = pair
    return new


@compiled
def _rank(one: Record, new: int, said: Record) -> None:
    """Rarity times size, over parts, novelty and what is beyond everything: rare and large counts for more than rare.

    Sizes are the series' own: times its 99.8 % level, share of new contexts, percent of the range it is known for.
    """
    said.rarity[:], said.score = 0.0, 0.0
    if said.ratio[:RANKED].sum() < _LOOK and said.ratio.max() < 1 and said.beyond == 0:
        return
    for part in range(len(PARTS)):
        said.rarity[part] = _rarity(one.counts[:, part], said.u[part])
    said.rarity[-2] = math.log((one.novel.sum() + 1) / (one.novel[new:].sum() + 1))
    if said.beyond > 0:
        said.rarity[-1] = math.log(min(one.n + 1, LONG))
    for part in range(RANKED):
        said.score += said.rarity[part] * (1 + math.log1p(said.ratio[part]))
    said.score += said.rarity[-2] * (1 + math.log1p(new / 3)) + said.rarity[-1] * math.log1p(100 * said.beyond)


@compiled
def _place(u: float) -> float:
    """On the scale of half octaves, fraction included."""
    return min(max(2 * (math.log2(max(u, 1e-9)) + 4), 0.0), BINS - 1e-6)


@compiled
def _rarity(counts: Ints, u: float) -> float:
    """-ln of the share of the own history that was at least as far off."""
    place = _place(u)
    at = int(place)
    tail = counts[at:].sum() - counts[at] * (place - at)
    return math.log((counts.sum() + 1) / (tail + 1))


@compiled
def _count(one: Record, said: Record) -> None:
    """One more sample for the histograms; now and then the levels are read off them anew."""
    for part in range(len(PARTS)):
        one.counts[int(_place(said.u[part])), part] += 1
    age = one.n + 1
    if age % _REFRESH:
        return
    full = (age >= 512 and age & (age - 1) == 0) or age // _HALVE_AT > (age - _REFRESH) // _HALVE_AT
    for part in range(len(PARTS)):
        for at in range(BINS if full else 0):
            one.counts[at, part] //= 2
        one.level[part] = _level(one.counts[:, part])


@compiled
def _level(counts: Ints) -> float:
    """The deviation that _RARE of the history exceeds, interpolated within its bin."""
    target, above, at = _RARE * counts.sum(), 0, BINS
    while above <= target and at > 0:
        at -= 1
        above += counts[at]
    return float(2.0 ** ((at + (above - target) / max(counts[at], 1)) / 2 - 4))


@compiled
def _share(one: Record, gap: int, slot: int) -> float:
    """By how much a sample moves its half-hour: more after a longer silence, but a sample that stands alone in its
    half-hour no more than in a mean of all days so far, and at last no more than one at 5 min: it is noise as well.
    """
    share = 1 - math.exp(_VISIT * min(gap, _SLOT_US) / _SLOT_US)
    if share <= _SHARE + 1e-9:
        return share
    visits = 1 + (one.t_us - one.first_us) / _DAY_US * (2 / 7 if slot >= SLOTS else 1.0)
    return float(min(share, max(_SHARE, 1 / visits)))


@compiled
def _learn(one: Record, x: float, away: tuple[float, ...], restless: float, age: float) -> None:
    """Levels move by a limited step; sizes of deviations learn heavy tails as they are."""
    rate = max(_SCALE, age)
    pull, change = x - one.average, restless - one.rough_mean
    reach = _CLIP * math.sqrt(one.variance) + 1e-9 if one.n > _YOUNG else np.inf
    one.high = max(x, one.high - (one.high - one.average) * _FORGET)
    one.low = min(x, one.low + (one.average - one.low) * _FORGET)
    one.average += _within(pull, reach) * rate
    one.variance += (pull * pull - one.variance) * rate
    one.slow += _within(x - one.slow, reach) * max(_SLOW, age)
    for part in range(4):
        one.scale[part] += (away[part] - one.scale[part]) * rate
    one.residual_mean += (one.residual - one.residual_mean) * rate
    one.rough_mean += change * rate
    one.rough_var += (change * change - one.rough_var) * rate
    one.n += 1


@compiled
def _held(one: Record, held: bool) -> bool:
    """Whether a warning of any detector holds back what is learnt, until it has stood too long."""
    one.held = min(one.held + 1, _THAW) if held else 0
    return held and bool(one.held < _THAW)


@compiled
def _judge(one: Record, said: Record, need: Ready) -> bool:
    """A series that shows something unusual, or did lately; whether there is something to tell."""
    hit = running = False
    for rule in range(len(LEVELS)):
        for part in range(len(PARTS)):
            run = min(one.runs[rule, part] + 1, _MOST) if said.ratio[part] >= LEVELS[rule] else 0
            one.runs[rule, part] = said.runs[rule, part] = run
            running = running or run > 0
            hit = hit or (TELLING[rule, part] and run >= LENGTHS[rule])
    was, known = one.open, ready(one, need)
    one.calm = one.calm + 1 if was and said.ratio.max() < 1 else 0
    said.begins, said.ends = not was and hit and known, was and one.calm >= _CALM
    if said.begins:
        one.frozen = _THAW
    else:
        one.frozen = 0 if said.ends else max(one.frozen - 1, 0)
    one.open = (was or said.begins) and not said.ends
    one.busy = running or one.frozen > 0 or one.open
    notable = above(one, one.n, said.score, NOTICE) > NOTICE
    return bool(said.begins or said.ends or (notable and known and not was))


@compiled
def above(one: Record, n: float, score: float, notice: float) -> float:
    """By how much the score, `n` samples after the first, stands above the bar of its series.

    A notice puts the bar at its own score, and the bar sinks as samples go by: one notice per episode.
    """
    bar = one.gate * 0.5 ** ((n - one.gate_n) / _HALF)
    one.gate, one.gate_n = (score if score - bar > notice else bar), n
    return float(score - bar)
