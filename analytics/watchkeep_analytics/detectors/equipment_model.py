"""What the channels of one piece of equipment say of each other: a model and what it makes of rows (models/ learns it).

Two kinds, by how long the stretch is that teaches (DETECTION.md §2, §3.5). A season of samples gives a ridge regression
of each channel on all others now and one step ago. A few minutes give no more than how each channel was: a chart of its
deviation, without channels that wandered meanwhile.
"""

from typing import NamedTuple

import numpy as np

from watchkeep_analytics.batch import Floats

SEASON_ROWS = 2000
"""From so many rows on there is a regression: 43 channels twice want at least twenty rows per coefficient."""

_CHART = 0.05  # EWMA of the deviations of a short stretch


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
    """[3]: of a chart's largest deviation, of T², of Q; the last two are for the record of a warning."""


def latent_sizes(model: Model, rows: Floats) -> tuple[Floats, Floats]:
    """T² (far along the usual axes) and Q (off them), row by row."""
    z = scaled(model, rows)
    along = z @ model.axes.T
    return (along**2 / model.latent).sum(axis=1), ((z - along @ model.axes) ** 2).sum(axis=1)


def charted(model: Model, rows: Floats) -> Floats:
    """Smoothed deviations of a chart, in scales."""
    return smooth(scaled(model, rows))


def smooth(z: Floats, weight: float = _CHART) -> Floats:
    """EWMA of each column, from 0."""
    chart = np.empty_like(z)
    level = np.zeros(z.shape[1])
    for i, row in enumerate(z):
        level = level + weight * (row - level)
        chart[i] = level
    return chart


def scaled(model: Model, rows: Floats) -> Floats:
    """Deviations from the centre; 0 where a channel says nothing."""
    return divide(rows - model.centre, model.scale)


def divide(values: Floats, scale: Floats) -> Floats:
    """0 where the scale is."""
    return np.asarray(np.where(scale > 0, values / np.where(scale > 0, scale, 1.0), 0.0))
