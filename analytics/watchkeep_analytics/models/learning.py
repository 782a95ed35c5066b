"""Learns a Model from a clean stretch of rows: a ridge regression from a season, a chart from a few minutes."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from watchkeep_analytics.batch import Floats
from watchkeep_analytics.detectors import equipment_model as judging
from watchkeep_analytics.detectors.equipment_model import Model
from watchkeep_analytics.models.fitted import ModelError

_RIDGE = 30.0  # in samples; 10 to 100 make no difference on BATADAL
FEWEST_ROWS = 60

_START = 50  # rows until the EWMA has forgotten where it began


def season(rows: Floats, before: Floats) -> Model:
    """Regress each channel on the others now and one step ago; limits are still 1. Both float64[n, channels]."""
    centre, scale = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 0.0)
    z = judging.divide(rows - centre, scale)
    known = np.hstack([z, judging.divide(before - centre, scale)])
    channels = rows.shape[1]
    weights = np.zeros((2 * channels, channels))
    for channel in np.flatnonzero(scale > 0).tolist():
        use = np.arange(2 * channels) != channel
        weights[use, channel] = Ridge(alpha=_RIDGE, fit_intercept=False).fit(known[:, use], z[:, channel]).coef_
    spread = np.maximum((z - known @ weights).std(axis=0), 1e-3)
    return Model("season", centre, scale, weights, spread, *_axes(z), np.ones(3))


def chart(rows: Floats, wander: float) -> Model:
    """Learn from a short stretch, float64[n, channels] without NaN. Raises ModelError for fewer than 60 rows.

    `wander` is what a channel may wander in it, in its standard deviations, before it is left out.
    """
    if len(rows) < FEWEST_ROWS:
        raise ModelError(f"{len(rows)} rows are too few to learn from: at least {FEWEST_ROWS}")
    centre, scale = np.median(rows, axis=0), rows.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 0.0)
    course = judging.smooth(judging.divide(rows - centre, scale))[_START:]
    reach = np.where(scale > 0, course.max(axis=0) - course.min(axis=0), np.inf)
    scale = np.where(reach <= max(wander, float(reach.min())), scale, 0.0)  # the steadiest channel always speaks
    axes, latent = _axes(judging.divide(rows - centre, scale))
    ones = np.ones(rows.shape[1])
    model = Model("chart", centre, scale, np.zeros((0, rows.shape[1])), ones, axes, latent, np.ones(3))
    largest = float(np.abs(judging.charted(model, rows)).max())
    return model._replace(limit=np.array([max(largest, 1e-9), 1.0, 1.0]))


def _axes(z: Floats) -> tuple[Floats, Floats]:
    found = PCA(n_components=0.95, svd_solver="full").fit(z)
    return found.components_, np.maximum(found.explained_variance_, 1e-9)
