"""What the channels of one piece of equipment say of each other: a model learnt from a clean stretch, and its verdicts.

Two kinds, by how long that stretch is (DETECTION.md §2, §3.5). A season of samples gives a ridge regression of each
channel on all others now and one step ago, whose residuals are re-centred and re-scaled as time goes by. A few minutes
give no more than how each channel was: charts of its robust deviation, without channels that drifted meanwhile.
"""

from typing import NamedTuple

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from watchkeep_analytics.batch import Bools, Floats

SEASON_ROWS = 2000
"""From so many rows on the regression is used: 43 channels twice want at least twenty rows per coefficient."""

RELEASE = 6
"""Rows without anything unusual that end a warning."""

_QUANTILE = 0.995  # of the training's largest residuals: with re-centring a moderate one (DETECTION §2, BATADAL)
_RIDGE = 30.0  # in samples; 10 to 100 make no difference on BATADAL
_FOLLOW = 1 / 300  # rows over which residuals are re-centred
_CLIP = 3.0  # scales by which one row may move centre and scale
_CHART = 0.05  # EWMA of the deviations of a short stretch
_TIMES = 1.2  # times the largest value of the stretch (chosen on SKAB's valve1: docs/detection.md)
_WANDER = 1.5  # standard deviations between lowest and highest EWMA of the stretch: such a channel has not settled
_START = 50  # rows until the EWMA has forgotten where it began


class Model(NamedTuple):
    """Frozen parameters, all float64; `kind` is "season" or "chart"."""

    kind: str
    centre: Floats
    """[channels]"""
    scale: Floats
    """[channels]; 0 = the channel says nothing."""
    weights: Floats
    """[2 × channels, channels]: now and one step ago → each channel; empty for a chart."""
    spread: Floats
    """[channels]: usual size of the residuals."""
    axes: Floats
    """[components, channels] of the PCA."""
    latent: Floats
    """[components]: variance along each axis."""
    limit: Floats
    """[3]: of the largest residual, of T², of Q; the last two are for the record of a warning."""


class Verdicts(NamedTuple):
    """Row by row."""

    z: Floats
    """[n, channels]: deviation of each channel in its own scale; the largest names the sensor."""
    excess: Floats
    """[n]: largest deviation over its limit; above 1 is unusual."""
    t2: Floats
    """[n]: T² over its limit."""
    q: Floats
    """[n]: Q over its limit."""
    open: Bools
    """[n]: a warning stands, off-delay included."""


def train(rows: Floats, wander: float = _WANDER) -> Model:
    """Learn from float64[n, channels] without NaN. Raises ValueError for fewer than 60 rows.

    `wander` is what a channel may wander in a short stretch, in its standard deviations.
    """
    if len(rows) < 60:
        raise ValueError(f"{len(rows)} rows are too few to learn from: at least 60")
    return _season(rows) if len(rows) >= SEASON_ROWS else _chart(rows, wander)


def judge(model: Model, rows: Floats, times: float = _TIMES) -> Verdicts:
    """Rows in order of time. `times` is the limit of a chart, in times the largest value of its training."""
    if model.kind == "season":
        z, limit, release = follow(model, residuals(model, rows)), model.limit[0], RELEASE
    else:
        z, limit, release = _charted(model, rows), model.limit[0] * times, 0
    excess = np.abs(z).max(axis=1) / limit
    t2, q = _latent(model, rows)
    return Verdicts(z, excess, t2 / model.limit[1], q / model.limit[2], hold(excess > 1, release))


def hold(unusual: Bools, release: int) -> Bools:
    """Open from an unusual row until `release` rows in a row are not."""
    last = np.maximum.accumulate(np.where(unusual, np.arange(len(unusual)), -release - 1))
    return np.asarray(np.arange(len(unusual)) - last <= release)


def residuals(model: Model, rows: Floats) -> Floats:
    """What the other channels do not explain, in usual sizes; the first row has no step before it and is 0."""
    z = _scaled(model, rows)
    found = np.zeros_like(z)
    found[1:] = (z[1:] - np.hstack([z[1:], z[:-1]]) @ model.weights) / model.spread
    return np.asarray(found * (model.scale > 0))


def follow(model: Model, found: Floats) -> Floats:
    """Re-centre and re-scale row by row: each row is judged before it is learnt, and moves little."""
    centre, variance = np.zeros(found.shape[1]), np.ones(found.shape[1])
    z = np.empty_like(found)
    for i, row in enumerate(found):
        size = np.sqrt(variance)
        off = row - centre
        z[i] = off / size
        pull = np.clip(off, -_CLIP * size, _CLIP * size)
        centre = centre + _FOLLOW * pull
        variance = np.maximum(variance + _FOLLOW * (pull * pull - variance), 1e-6)
    return z


def _season(rows: Floats) -> Model:
    centre, scale = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 0.0)
    z = _divide(rows - centre, scale)
    before = np.hstack([z[1:], z[:-1]])
    channels = rows.shape[1]
    weights = np.zeros((2 * channels, channels))
    for channel in np.flatnonzero(scale > 0).tolist():
        use = np.arange(2 * channels) != channel
        weights[use, channel] = Ridge(alpha=_RIDGE, fit_intercept=False).fit(before[:, use], z[1:, channel]).coef_
    spread = np.maximum((z[1:] - before @ weights).std(axis=0), 1e-3)
    axes, latent = _axes(z)
    model = Model("season", centre, scale, weights, spread, axes, latent, np.ones(3))
    largest = np.abs(follow(model, residuals(model, rows))).max(axis=1)
    return _limited(model, rows, float(np.quantile(largest, _QUANTILE)))


def _chart(rows: Floats, wander: float) -> Model:
    centre, scale = np.median(rows, axis=0), rows.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 0.0)
    chart = _ewma(_divide(rows - centre, scale))[_START:]
    reach = np.where(scale > 0, chart.max(axis=0) - chart.min(axis=0), np.inf)
    scale = np.where(reach <= max(wander, float(reach.min())), scale, 0.0)  # the steadiest channel always speaks
    axes, latent = _axes(_divide(rows - centre, scale))
    ones = np.ones(rows.shape[1])
    model = Model("chart", centre, scale, np.zeros((0, rows.shape[1])), ones, axes, latent, np.ones(3))
    return _limited(model, rows, float(np.abs(_charted(model, rows)).max()))


def _limited(model: Model, rows: Floats, largest: float) -> Model:
    t2, q = _latent(model, rows)
    limits = [
        max(value, 1e-9) for value in (largest, float(np.quantile(t2, _QUANTILE)), float(np.quantile(q, _QUANTILE)))
    ]
    return model._replace(limit=np.array(limits))


def _axes(z: Floats) -> tuple[Floats, Floats]:
    found = PCA(n_components=0.95, svd_solver="full").fit(z)
    return found.components_, np.maximum(found.explained_variance_, 1e-9)


def _latent(model: Model, rows: Floats) -> tuple[Floats, Floats]:
    """T² (far along the usual axes) and Q (off them), row by row."""
    z = _scaled(model, rows)
    along = z @ model.axes.T
    return (along**2 / model.latent).sum(axis=1), ((z - along @ model.axes) ** 2).sum(axis=1)


def _charted(model: Model, rows: Floats) -> Floats:
    return _ewma(_scaled(model, rows))


def _ewma(z: Floats) -> Floats:
    chart = np.empty_like(z)
    level = np.zeros(z.shape[1])
    for i, row in enumerate(z):
        level = level + _CHART * (row - level)
        chart[i] = level
    return chart


def _scaled(model: Model, rows: Floats) -> Floats:
    return _divide(rows - model.centre, model.scale)


def _divide(values: Floats, scale: Floats) -> Floats:
    return np.asarray(np.where(scale > 0, values / np.where(scale > 0, scale, 1.0), 0.0))
