"""A sensor whose resolution turns coarser; what only looks like it."""

import numpy as np
import pytest

from tests.analytics.world import batch, point, registry
from watchkeep_analytics.detectors.steps import Steps

RNG = np.random.default_rng(11)
NOISE = RNG.normal(size=1200)
WALK = 20 + np.cumsum(0.05 * NOISE)


def play(values: np.ndarray, metric: str = "room_temperature", kind: str = "pump_room") -> list[tuple[bool, int]]:
    """(begins, number of the reading) of each signal."""
    made = registry([point(1, metric, kind=kind)])
    found = Steps(made).observe(batch([(0, 300.0 * k, float(x)) for k, x in enumerate(values)]))
    return [(s.active, round((s.event_us / 1e6 - 1_700_000_000) / 300)) for s in found]


def test_readings_that_are_rounded_from_some_day_on_are_told_until_they_are_fine_again():
    fine = np.round(20 + NOISE, 2)
    broken = np.concatenate([fine[:500], np.round(20 + NOISE[500:900]), fine[900:]])
    (begins, begun), (ends, ended) = play(broken)
    assert (begins, ends) == (True, False)
    assert 500 < begun < 900 <= ended < 1000


def test_a_point_that_moves_by_any_amount_and_then_in_steps():
    assert [active for active, _ in play(np.concatenate([20 + NOISE[:500], np.round(20 + NOISE[500:])]))] == [True]


@pytest.mark.parametrize(
    "values",
    [
        np.round(20 + NOISE, 1),
        20 + NOISE,
        np.round(WALK, 1),
        np.concatenate([np.round(20 + 0.3 * NOISE[:600], 1), np.round(20 + 5 * NOISE[600:], 1)]),  # livelier, same grid
        np.concatenate([np.round(20 + NOISE[:500], 2), 20 + 0.5 * np.arange(600)]),  # a steady rise
        np.concatenate([np.round(20 + NOISE[:500], 2), np.tile([20.0, 20.0], 300)]),  # stuck is another matter
        np.tile([20.0, 25.0], 500),
    ],
    ids=["tenths", "any", "slow", "livelier", "rise", "stuck", "toggle"],
)
def test_what_is_no_change_of_resolution(values):
    assert play(values) == []


def test_what_a_computer_counts_has_no_converter():
    """A disk fills by the block, and by the file as big as eight blocks."""
    blocks = 6000 + np.cumsum(np.r_[RNG.choice([-1, 1], 500), 8 * RNG.choice([-1, 1], 700)])
    free = np.round(0.01 * np.r_[blocks[:500], 8 * np.round(blocks[500:] / 8)], 2)
    assert play(free, "disk_free", "gateway") == []
    assert play(free / 100, "water_level_rate", "sump") == []
    assert [active for active, _ in play(free)] == [True]
