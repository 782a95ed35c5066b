"""How an equipment model is followed row by row, compiled: training walks by the same functions as the running service.

Residuals are re-centred and re-scaled slowly and smoothed; a warning needs some rows beyond the bound, and ends after
many within it.
"""

from typing import NamedTuple

import numpy as np

from watchkeep_analytics.batch import Bools, Floats, Ints
from watchkeep_analytics.compiled import compiled

OPEN_AFTER_S = 900.0
"""Beyond the bound for so long, but at least one row, opens a warning."""

CALM, CALM_SHARE = 24, 0.7
"""Rows in a row within this share of it that end one: it must not come and go through one fault. Twice as many each
time that it has come again within a day of its end, up to a day: else what returns with each filling is a dozen."""

HOLD_ROWS = 12
"""Rows for which a channel's last value stands for it: many points report on change, or every half hour."""

SETTLE_ROWS = 24
"""Rows after a (re)start of a model until it may open anything; equipment must once have been within its bounds for so
many in a row: a model that never agreed with it knows another season, or another valve position, and no fault."""

FOLLOW_S = 12.5 * 86_400
"""Over which residuals are re-centred: BATADAL's 300 rows of an hour (DETECTION.md §2), whatever the step."""

_DAY_S = 86_400
_CLIP = 3.0
_SMOOTH = 0.5
_LEAST = 0.25  # of the variance: a stretch without noise must not make the next noise a fault
_THAW = 576
"""Rows after which a standing warning no longer keeps the model from following."""

_MOST = 20  # doublings; a day is reached long before
_UNKNOWN = np.iinfo(np.int64).min // 2  # as NEVER of batch.py


class Stand(NamedTuple):
    """Where one piece of equipment is on the way into a warning and out of it, in rows."""

    seen: int = 0
    """Judged by this version."""
    agreed: int = 0
    """Within the bounds in a row; stays at SETTLE_ROWS once it has been that."""
    run: int = 0
    calm: int = 0
    wait: int = 0
    """Within which a warning is the last one come again …"""
    again: int = 0
    """… and how often it has."""
    open: bool = False


class Models(NamedTuple):
    """Those in force, one after the other: unit u has the channels `begins[u]` to `begins[u + 1]`."""

    begins: Ints
    """[units + 1]"""
    step_us: Ints
    """[units]"""
    matrix: Ints
    """[units]: where each one's weights begin."""
    weights: Floats
    """Of all, row by row; each [2 × channels, channels]."""
    slots: Ints
    """[channels] of the detector's state; what is of the equipment as a whole stands at the first of each unit."""
    rows: Ints
    """[channels] of the registry."""
    centre: Floats
    scale: Floats
    spread: Floats
    bound: Floats


class State(NamedTuple):
    """Columns by slot; from `bucket` on only the first slot of a unit counts."""

    total: Floats
    readings: Ints
    value: Floats
    value_at: Ints
    before: Floats
    centre: Floats
    variance: Floats
    smooth: Floats
    bucket: Ints
    judged: Ints
    seen: Ints
    agreed: Ints
    run: Ints
    calm: Ints
    wait: Ints
    again: Ints
    stood: Ints
    driver: Ints
    normal_us: Ints


class Heard(NamedTuple):
    """By row of the registry: until when warnings of whatever detector stand, and when people called it normal."""

    from_us: Ints
    until_us: Ints
    normal_us: Ints


class Judged(NamedTuple):
    """The row just judged, float64[channels of the widest model] each."""

    now: Floats
    """Scaled."""
    before: Floats
    fits: Floats
    expected: Floats
    half: Floats
    """Of the band around what was expected."""
    excess: Floats


@compiled
def advance(
    centre: float, variance: float, smooth: float, residual: float, follow: float
) -> tuple[float, float, float]:
    """One row of one channel: smoothed as it was judged, then learnt from; one row moves centre and scale by little.

    `follow` is the share that a row has in them; 0 = nothing is learnt.
    """
    size = np.sqrt(variance)
    off = residual - centre
    smooth += _SMOOTH * (off / size - smooth)
    if follow > 0:
        pull = min(max(off, -_CLIP * size), _CLIP * size)
        centre += follow * pull
        variance = max(variance + follow * (pull * pull - variance), _LEAST)
    return centre, variance, smooth


@compiled
def settle(residuals: Floats, step_s: float) -> Floats:
    """Residuals [n, channels] as the running service smooths them, learning from all rows."""
    found = np.empty_like(residuals)
    for channel in range(residuals.shape[1]):
        centre, variance, smooth = 0.0, 1.0, 0.0
        for row in range(len(residuals)):
            centre, variance, smooth = advance(centre, variance, smooth, residuals[row, channel], step_s / FOLLOW_S)
            found[row, channel] = smooth
    return found


@compiled
def move(stand: Stand, excess: float, step_s: float) -> Stand:
    """One row on; `excess` is the largest residual over its bound."""
    over = excess > 1
    seen = stand.seen + 1
    run = stand.run + 1 if over else 0
    calm = stand.calm + 1 if excess <= CALM_SHARE else 0
    agreed = stand.agreed
    if agreed < SETTLE_ROWS:
        agreed = 0 if over else agreed + 1
    opens = run >= max(1, round(OPEN_AFTER_S / step_s)) and min(seen, agreed) >= SETTLE_ROWS
    day, again = max(CALM, round(_DAY_S / step_s)), stand.again
    if opens and not stand.open:
        again = again + 1 if stand.wait > 0 else 0
    stays = stand.open and calm < min(CALM * 2 ** min(again, _MOST), day)
    wait = day if stand.open and not stays else max(stand.wait - 1, 0)
    return Stand(seen, agreed, run, calm, wait, again, stays if stand.open else opens)


@compiled
def stands(excess: Floats, step_s: float) -> Bools:
    """Whether a warning stands, row by row, from `excess` [n]: the largest residual over its bound."""
    found = np.zeros(len(excess), np.bool_)
    stand = Stand(0, 0, 0, 0, 0, 0, False)
    for row in range(len(excess)):
        stand = move(stand, excess[row], step_s)
        found[row] = stand.open
    return found


@compiled
def walk(
    at: int,
    units: Ints,
    slots: Ints,
    bucket: Ints,
    value: Floats,
    models: Models,
    state: State,
    heard: Heard,
    judged: Judged,
) -> int:
    """Take readings from `at` on, each unit's by time; stops at one that shows that a warning opens or ends.

    That reading is not taken yet, and `judged` tells of the row before it. Returns its place; the end = no more.
    """
    for i in range(at, len(units)):
        lead = models.slots[models.begins[units[i]]]
        if bucket[i] > state.bucket[lead] and _turn(units[i], bucket[i], models, state, heard, judged):
            return i
        if bucket[i] == state.bucket[lead]:  # what comes for a row that is judged is left out
            state.total[slots[i]] += value[i]
            state.readings[slots[i]] += 1
    return len(units)


@compiled
def _turn(unit: int, bucket: int, models: Models, state: State, heard: Heard, judged: Judged) -> bool:
    """A row of this equipment begins: the one before is complete. Whether a warning opens or ends."""
    first, end = models.begins[unit], models.begins[unit + 1]
    lead = models.slots[first]
    last = state.bucket[lead]
    state.bucket[lead] = bucket
    if last == _UNKNOWN:
        return False
    known, judge = True, state.judged[lead] == last - 1
    for k in range(first, end):
        slot = models.slots[k]
        if state.readings[slot] > 0:
            state.value[slot], state.value_at[slot] = state.total[slot] / state.readings[slot], last
        state.total[slot], state.readings[slot] = 0.0, 0
        known = known and last - state.value_at[slot] <= HOLD_ROWS
    for k in range(first, end):
        slot, scale = models.slots[k], models.scale[k]
        judge = judge and np.isfinite(state.before[slot])
        judged.now[k - first] = (state.value[slot] - models.centre[k]) / scale if scale > 0 else 0.0
        judged.before[k - first] = (state.before[slot] - models.centre[k]) / scale if scale > 0 else 0.0
        state.before[slot] = state.value[slot] if known else np.nan
    state.judged[lead] = last
    if not (known and judge):
        return False
    return _judge(unit, (last + 1) * models.step_us[unit], models, state, heard, judged)


@compiled
def _judge(unit: int, t_us: int, models: Models, state: State, heard: Heard, judged: Judged) -> bool:
    """The complete row in `judged`, which ends at `t_us`. Whether a warning opens or ends."""
    first, end = models.begins[unit], models.begins[unit + 1]
    lead, step_s = models.slots[first], models.step_us[unit] / 1e6
    _fit(models.weights[models.matrix[unit] :], end - first, judged)
    _accept(unit, t_us, models, state, heard)
    warned = state.driver[lead] >= 0
    learn = state.stood[lead] > _THAW if warned else not _held(unit, t_us, models, heard)
    largest = 0.0
    for k in range(first, end):
        slot, c, spread, scale = models.slots[k], k - first, models.spread[k], models.scale[k]
        centre, variance, smooth = state.centre[slot], state.variance[slot], state.smooth[slot]
        judged.expected[c] = models.centre[k] + scale * (judged.fits[c] + centre * spread)
        bound = models.bound[k]
        judged.half[c] = bound * np.sqrt(variance) * spread * scale if np.isfinite(bound) else 0.0
        residual = (judged.now[c] - judged.fits[c]) / spread
        centre, variance, smooth = advance(centre, variance, smooth, residual, step_s / FOLLOW_S if learn else 0.0)
        state.centre[slot], state.variance[slot], state.smooth[slot] = centre, variance, smooth
        judged.excess[c] = abs(smooth) / bound
        largest = max(largest, judged.excess[c])
    stand = Stand(
        state.seen[lead],
        state.agreed[lead],
        state.run[lead],
        state.calm[lead],
        state.wait[lead],
        state.again[lead],
        warned,
    )
    stand = move(stand, largest, step_s)
    state.seen[lead], state.agreed[lead], state.run[lead] = stand.seen, stand.agreed, stand.run
    state.calm[lead], state.wait[lead], state.again[lead] = stand.calm, stand.wait, stand.again
    state.stood[lead] = state.stood[lead] + 1 if warned else 0
    return bool(stand.open != warned)


@compiled
def _fit(weights: Floats, channels: int, judged: Judged) -> None:
    """What the others say of each channel, scaled."""
    judged.fits[:channels] = 0.0
    for i in range(channels):
        now, before = judged.now[i], judged.before[i]
        for j in range(channels):
            judged.fits[j] += now * weights[i * channels + j] + before * weights[(channels + i) * channels + j]


@compiled
def _accept(unit: int, t_us: int, models: Models, state: State, heard: Heard) -> None:
    """What people call normal is where the residuals belong from now on."""
    first, end = models.begins[unit], models.begins[unit + 1]
    lead, said = models.slots[first], _UNKNOWN
    for k in range(first, end):
        said = max(said, heard.normal_us[models.rows[k]])
    if said <= state.normal_us[lead] or t_us <= said:
        return
    state.normal_us[lead] = said
    for k in range(first, end):
        slot = models.slots[k]
        state.centre[slot] += state.smooth[slot] * np.sqrt(state.variance[slot])
        state.smooth[slot] = 0.0


@compiled
def _held(unit: int, t_us: int, models: Models, heard: Heard) -> bool:
    """Whether a warning of whatever detector stands on any of its channels: they teach nothing."""
    for k in range(models.begins[unit], models.begins[unit + 1]):
        row = models.rows[k]
        if heard.from_us[row] <= t_us < heard.until_us[row]:
            return True
    return False
