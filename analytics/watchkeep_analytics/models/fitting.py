"""Fits the model of one piece of equipment to weeks of its own rows, and checks it before anybody relies on it.

Bounds come from residuals that the model has not been fitted to: each half of the time is judged by the other half's
regression. A channel that the others do not explain out of its own half gives no warnings: it is only listened to.
"""

from typing import Any

import numpy as np

from watchkeep_analytics.batch import Bools, Floats
from watchkeep_analytics.detectors import equipment_model as judging
from watchkeep_analytics.detectors import equipment_rows as rowwise
from watchkeep_analytics.detectors.equipment_model import SEASON_ROWS, Model
from watchkeep_analytics.models.fitted import Fitted, Frame, ModelError, Outcome
from watchkeep_analytics.models.learning import Regression, regress, season
from watchkeep_core import vocabulary

COVERED = 0.8
"""Share of the rows in which a channel must have a value."""

EXPLAINED = 0.5
"""Share of a channel's variance that the others must explain, out of sample, for its residual to be judged; also of the
middle four fifths of its values: that a sump falls while its pump runs does not tell how fast it fills in rain."""

MOST_CHANNELS = 60

QUANTILE, TIMES = 0.999, 1.5
"""The bound: times this quantile of the smoothed residuals, of the quieter half: an unnoticed fault must not widen it.
Chosen on a simulated fleet of pumps (seed 5) and with BATADAL's labels in view: docs/detection.md."""

BAD_DAYS = 0.9
"""Where one day in ten goes far beyond the usual day, as a sump's level does in rain, the next one may go as much
further again: the bound is so far beyond these days, at least, as they are beyond the usual one. An unnoticed fault
moves it when it shows on two days of the first two weeks, or on three of four."""

_DAY_S = 86_400

MOVES = 0.1
"""Share of the rows in which a channel must change to be judged: a figure made once a day has too few values."""

FALSE_SHARE = 0.005
"""Share of its own rows beyond the bounds above which a model does not pass its check."""


def attempt(frame: Frame) -> Outcome:
    """`fit`, with a refusal as a value."""
    try:
        fitted, figures = fit(frame)
    except ModelError as error:
        return Outcome(frame.community, frame.equipment, None, str(error), {})
    return Outcome(frame.community, frame.equipment, fitted, "", figures)


def fit(frame: Frame) -> tuple[Fitted, dict[str, Any]]:
    """The model and what is worth knowing of it. Raises ModelError when it does not pass its own check."""
    filled = fill(frame.values)
    filled, channels = _chosen(filled, frame)
    rows, before = _pairs(filled, frame.usable)
    if len(rows) < SEASON_ROWS:
        raise ModelError(f"{len(rows)} usable rows are too few: at least {SEASON_ROWS}")
    model = season(rows, before)
    if not all(np.isfinite(part).all() for part in (model.weights, model.spread, model.axes, model.latent)):
        raise ModelError("singular: the regression has no finite solution")
    foreign = _foreign(rows, before)
    spread = np.maximum(foreign.std(axis=0), 1e-3)
    unexplained = np.maximum(spread, _range(foreign) / np.maximum(_range(judging.scaled(model, rows)), 1e-9))
    explained = np.where(model.scale > 0, 1 - unexplained**2, 0.0)
    smoothed = np.abs(rowwise.settle(foreign / spread, frame.step_s))
    lively = (np.diff(rows, axis=0) != 0).mean(axis=0) >= MOVES
    bound = np.where((explained >= EXPLAINED) & lively, _bounds(smoothed, frame.step_s), np.inf)
    if not np.isfinite(bound).any():
        raise ModelError("no channel is explained by the others: each stands alone")
    t2, q = judging.latent_sizes(model, rows)
    limit = np.array([1.0, max(float(np.quantile(t2, QUANTILE)), 1e-9), max(float(np.quantile(q, QUANTILE)), 1e-9)])
    fitted = Fitted(channels, frame.step_s, model._replace(spread=spread, limit=limit), bound, _tail(smoothed / bound))
    false = _false_share(fitted, rows, before)
    if false > FALSE_SHARE:
        raise ModelError(f"false alarms over {100 * false:.2g} % of its own rows, at most {100 * FALSE_SHARE:g} %")
    names = zip(channels, explained.tolist(), np.isfinite(bound).tolist(), strict=True)
    return fitted, {
        "rows": len(rows),
        "false_share": round(false, 5),
        "channels": {name: {"explained": round(share, 3), "judged": judged} for name, share, judged in names},
    }


def fill(values: Floats) -> Floats:
    """Each hole takes the last value before it, over `HOLD_ROWS` at most."""
    index = np.where(np.isfinite(values), np.arange(len(values))[:, None], -1)
    last = np.maximum.accumulate(index, axis=0)
    fresh = (last >= 0) & (np.arange(len(values))[:, None] - last <= rowwise.HOLD_ROWS)
    return np.where(fresh, np.take_along_axis(values, np.maximum(last, 0), axis=0), np.nan)


def _chosen(filled: Floats, frame: Frame) -> tuple[Floats, tuple[str, ...]]:
    known = filled[frame.usable & np.isfinite(filled).any(axis=1)]
    if len(known) < SEASON_ROWS:
        raise ModelError(f"{len(known)} usable rows are too few: at least {SEASON_ROWS}")
    covered = np.isfinite(known).mean(axis=0)
    moving = np.zeros(len(covered), np.bool_)
    for channel in np.flatnonzero(covered >= COVERED).tolist():
        column = known[:, channel]
        moving[channel] = np.nanstd(column) > 1e-9 and _fits(frame.channels[channel], column)
    keep = np.flatnonzero(moving)
    keep = np.sort(keep[np.argsort(-covered[keep], kind="stable")][:MOST_CHANNELS])
    if len(keep) < 2:
        raise ModelError(f"{len(keep)} channels that move and report: at least 2")
    return filled[:, keep], tuple(frame.channels[i] for i in keep)


def _fits(metric: str, values: Floats) -> bool:
    """A number, or a state that is on or off: its mean is the share of time. Counters only rise."""
    word = vocabulary.load().metrics.get(metric)
    if word is None or word.value == "number":
        return True
    return word.value == "state" and bool(np.nanmin(values) >= 0 and np.nanmax(values) <= 1)


def _pairs(filled: Floats, usable: Bools) -> tuple[Floats, Floats]:
    """Rows and those one step before, where both are complete and usable."""
    good = usable & np.isfinite(filled).all(axis=1)
    both = good[1:] & good[:-1]
    return filled[1:][both], filled[:-1][both]


def _foreign(rows: Floats, before: Floats) -> Floats:
    """Residuals of each half under the other half's regression, in standard deviations of the channel."""
    middle = len(rows) // 2
    scale = np.where(rows.std(axis=0) > 1e-9, rows.std(axis=0), 1.0)
    found = np.empty_like(rows)
    for mine, other in ((slice(0, middle), slice(middle, None)), (slice(middle, None), slice(0, middle))):
        learnt = regress(rows[other], before[other])
        raw = _raw(learnt, rows[mine], before[mine]) * learnt.scale / scale
        found[mine] = raw - np.median(raw, axis=0)  # a level that has moved between the halves is followed, not judged
    return found


def _raw(by: Model | Regression, rows: Floats, before: Floats) -> Floats:
    z, earlier = (judging.divide(each - by.centre, by.scale) for each in (rows, before))
    return np.asarray(z - np.hstack([z, earlier]) @ by.weights)


def stands(fitted: Fitted, rows: Floats) -> Bools:
    """Whether a warning stands, row by row without holes; the first has none before it and says nothing."""
    residuals = np.vstack([np.zeros(rows.shape[1]), _raw(fitted.model, rows[1:], rows[:-1]) / fitted.model.spread])
    excess = (np.abs(rowwise.settle(residuals, fitted.step_s)) / fitted.bound).max(axis=1)
    return np.asarray(rowwise.stands(excess, fitted.step_s))


def _range(values: Floats) -> Floats:
    """Of the middle four fifths of each channel."""
    low, high = np.quantile(values, [0.1, 0.9], axis=0)
    return np.asarray(high - low)


def _bounds(smoothed: Floats, step_s: float) -> Floats:
    """From where on a residual is odd, of smoothed sizes [n, channels]."""
    usual = [np.quantile(half, QUANTILE, axis=0) for half in np.array_split(smoothed, 2)]
    of_day = max(1, round(_DAY_S / step_s))
    days = smoothed[: max(1, len(smoothed) // of_day) * of_day]
    largest = [day.max(axis=0) for day in np.array_split(days, max(1, len(days) // of_day))]
    middle, bad = np.quantile(largest, [0.5, BAD_DAYS], axis=0)
    return np.asarray(np.maximum(TIMES * np.minimum(*usual), bad * bad / np.maximum(middle, 1e-9)))


def _tail(excess: Floats) -> Floats:
    largest = excess.max(axis=1)
    level = float(np.quantile(largest, 0.95))
    beyond = largest[largest > level]
    return np.array([level, float((beyond - level).mean()) if len(beyond) else 0.01, float(len(largest))])


def _false_share(fitted: Fitted, rows: Floats, before: Floats) -> float:
    """Share of its own rows beyond the bounds."""
    excess = (
        np.abs(rowwise.settle(_raw(fitted.model, rows, before) / fitted.model.spread, fitted.step_s)) / fitted.bound
    )
    return float((excess.max(axis=1) > 1).mean())
