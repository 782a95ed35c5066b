"""NAB's scoring against the published description, by cases worked out by hand; notices at every level."""

import math
from pathlib import Path

import numpy as np
import pytest

from watchkeep_analytics import bench_nab as nab

ROWS = 100
WINDOW = [(40, 49)]


def series(found: list[int], windows=WINDOW, level: int = 0) -> nab.Series:
    """A hundred rows, one a microsecond, with notices at these rows up to this level."""
    weight, window = nab.weigh(np.arange(ROWS), windows)
    told = np.zeros((len(nab.LEVELS), ROWS), np.bool_)
    told[: level + 1, found] = True
    return nab.Series("f", len(windows), weight, window, np.arange(ROWS) >= nab.probation(ROWS), told)


def score(found: list[int], false: float = nab.FALSE_STANDARD, missed: float = 1.0, windows=WINDOW) -> float:
    return nab.tally([series(found, windows)], 0, false, missed).score


def test_probation_is_fifteen_percent_and_750_rows_at_most():
    assert nab.probation(100) == 15
    assert nab.probation(4000) == 600
    assert nab.probation(22_000) == 750


def test_silence_is_0_and_the_left_edge_of_every_window_is_100():
    assert score([]) == 0
    assert score([40]) == pytest.approx(100)
    assert score([20, 60], windows=[(20, 29), (60, 69)]) == pytest.approx(100)


def test_within_a_window_only_the_best_placed_detection_counts():
    assert score([40, 41, 45, 49]) == pytest.approx(100)


def test_a_late_detection_is_worth_less():
    # Right edge: position -1/10 of the window; 2 / (1 + e^-0.5) - 1 = 0.24492, over that of the left edge, 0.98661.
    assert score([49]) == pytest.approx(100 * (0.24492 / 0.98661 + 1) / 2, abs=0.01)


@pytest.mark.parametrize(
    ("row", "weight"),
    [
        (20, -1.0),  # before every window
        (50, 2 / (1 + math.exp(5 / 9)) - 1),  # one row behind: 1/9 of a width
        (58, 2 / (1 + math.exp(5)) - 1),  # nine rows behind: one width
        (80, -1.0),  # more than three widths behind
    ],
)
def test_outside_a_detection_costs_less_just_behind_a_window(row, weight):
    assert score([40, row]) == pytest.approx(100 * (1 + 0.11 * weight + 1) / 2)
    assert score([40, row], false=nab.FALSE_LOW_FP) == pytest.approx(100 * (1 + 0.22 * weight + 1) / 2)


def test_a_missed_window_costs_twice_in_the_low_fn_profile():
    assert score([20, 40], windows=[(40, 49), (70, 79)], missed=2.0) == pytest.approx(100 * (1 - 0.11 - 2 + 4) / 6)


def test_rows_of_the_probation_are_not_scored():
    assert score([3]) == 0


def test_the_level_is_the_best_of_all():
    made = [series([40, 60], level=30), series([45], level=20), series([20, 21, 70], windows=[], level=10)]
    worth = {level: nab.tally(made, level, 0.11).score for level in (10, 20, 30)}
    assert max(worth, key=worth.__getitem__) == 20
    assert nab.best_level(made, 0.11) == 20  # of all that are as good the quietest


def test_a_detector_that_only_harms_gets_the_level_that_says_nothing():
    made = [series([20, 21, 70], windows=[], level=len(nab.LEVELS) - 2)]
    assert np.isinf(nab.LEVELS[nab.best_level(made, 0.11)])


def test_every_level_has_a_bar_of_its_own():
    told = nab.notices(np.array([0.0, 50.0, 70.0, 0.0]))
    low, high, highest = (int(np.searchsorted(nab.LEVELS, value)) for value in (15.0, 45.0, 60.0))
    assert told[low].tolist() == [False, True, True, False]  # 20 above the bar that the first one left
    assert told[high].tolist() == [False, True, False, False]
    assert told[highest].tolist() == [False, False, True, False]  # the first one was none, and left no bar


def test_half_splits_score_the_other_half():
    made = [series([40], level=8 * k) for k in range(6)]
    splits = nab.held_out(made, 0.11, seed=1)
    assert len(splits) == nab.SPLITS
    assert {split.hit for split in splits} <= {0, 1, 2, 3}
    assert min(split.score for split in splits) < 100  # a level from louder files misses quieter ones


@pytest.mark.slow
def test_the_learned_levels_reach_what_is_written(recorded_data: Path):
    made = nab.load(recorded_data)
    assert len(made) == 29
    assert sum(item.windows for item in made) == 60
    for price, least in ((nab.FALSE_STANDARD, 64), (nab.FALSE_LOW_FP, 54)):  # docs/detection.md
        splits = nab.held_out(made, price, seed=20_261_122)
        assert sum(split.score for split in splits) / len(splits) >= least
