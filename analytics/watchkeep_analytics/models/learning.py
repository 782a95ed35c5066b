"""Learns a Model from a clean stretch of rows: a ridge regression from a season, a chart from a few minutes."""

from typing import NamedTuple

import numpy as np
from sklearn.decomposition import PCA

from watchkeep_analytics.batch import Floats
from watchkeep_analytics.detectors import equipment_model as judging
from watchkeep_analytics.detectors.equipment_model import Model
from watchkeep_analytics.models.fitted import ModelError

_RIDGE = 30.0  # in samples; 10 to 100 make no difference on BATADAL
FEWEST_ROWS = 60

_START = 50  # rows until the EWMA has forgotten where it began


class Regression(NamedTuple):
    """Each channel from the others now and one step ago."""

    centre: Floats
    scale: Floats
    """[channels]; 0 = the channel says nothing."""
    weights: Floats
    """[2 × channels, channels]"""
    known: Floats
    """[n, 2 × channels]: the rows that taught it, scaled."""


def regress(rows: Floats, before: Floats) -> Regression:
    """Ridge regressions of all channels at once; both float64[n, channels].

    The inverse P of the penalised products of all columns has each one's regression on the others: -P[i, j] / P[j, j].
    """
    centre, scale = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 0.0)
    known = np.hstack([judging.divide(each - centre, scale) for each in (rows, before)])
    inverse = np.linalg.inv(known.T @ known + _RIDGE * np.eye(known.shape[1]))[:, : rows.shape[1]]
    weights = -inverse / inverse.diagonal()
    np.fill_diagonal(weights, 0.0)
    return Regression(centre, scale, weights, known)


def season(rows: Floats, before: Floats) -> Model:
    """The regression of float64[n, channels] with the axes of the rows; limits are still 1."""
    found = regress(rows, before)
    z = found.known[:, : rows.shape[1]]
    spread = np.maximum((z - found.known @ found.weights).std(axis=0), 1e-3)
    return Model("season", found.centre, found.scale, found.weights, spread, *_axes(z), np.ones(3))


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
    found = PCA(n_components=0.95, svd_solver="covariance_eigh").fit(z)
    return found.components_, np.maximum(found.explained_variance_, 1e-9)
