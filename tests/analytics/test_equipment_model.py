"""The model of one piece of equipment: what the channels say of each other."""

from pathlib import Path

import numpy as np
import pytest

from watchkeep_analytics import bench_recorded as recorded
from watchkeep_analytics.detectors.equipment_model import charted, scaled
from watchkeep_analytics.detectors.equipment_rows import SETTLE_ROWS, Stand, move
from watchkeep_analytics.models.fitted import ModelError
from watchkeep_analytics.models.learning import chart, season


def pump(rows: int, seed: int = 1) -> np.ndarray:
    """Flow drives pressure and current; temperature stands alone."""
    rng = np.random.default_rng(seed)
    flow = 10 + 3 * np.sin(2 * np.pi * np.arange(rows) / 288) + rng.normal(size=rows)
    return np.column_stack(
        [
            flow,
            40 - 2 * flow + rng.normal(size=rows) * 0.2,
            3 * flow + rng.normal(size=rows) * 0.3,
            rng.normal(size=rows),
        ]
    )


def test_the_regression_weighs_the_others_and_never_the_channel_itself():
    rows = pump(4000)
    learnt = season(rows[1:], rows[:-1])
    assert np.all(np.diag(learnt.weights[:4]) == 0)
    assert learnt.spread[1] < 0.1  # flow tells the pressure …
    assert learnt.spread[3] > 0.9  # … and nothing the temperature


def test_a_short_stretch_gives_a_chart_that_leaves_wandering_channels_out():
    rows = pump(400)
    rows[:, 3] = np.linspace(0, 10, 400)
    learnt = chart(rows, 1.5)
    assert learnt.scale[3] == 0
    later = rows[200:].copy()
    later[100:, 3] += 50
    assert np.abs(charted(learnt, later)).max() <= learnt.limit[0] * 1.2
    later[100:, np.flatnonzero(learnt.scale)[0]] += 50
    assert np.abs(charted(learnt, later)).max() > learnt.limit[0] * 1.2


def test_constant_channels_say_nothing():
    rows = np.hstack([pump(2500), np.full((2500, 1), 7.0)])
    learnt = season(rows[1:], rows[:-1])
    assert np.all(learnt.weights[:, 4] == 0)
    assert np.all(scaled(learnt, rows + 1)[:, 4] == 0)


def test_too_few_rows_are_refused():
    with pytest.raises(ModelError, match="59 rows"):
        chart(pump(59), 1.5)


def test_points_are_counted_row_by_row():
    found = recorded.points(np.array([1, 1, 1, 0, 0], bool), np.array([1, 0, 1, 1, 0], bool))
    assert found == pytest.approx((4 / 6, 1 / 2, 1 / 3))


def test_attacks_are_counted_by_time_to_detection_and_by_rows():
    truth = np.array([0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0], bool)
    said = np.array([1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0], bool)
    found = recorded.attacks(truth, said)
    # Late by 1/4 and not at all; true positives 3 of 6, true negatives 4 of 5.
    assert found.s == pytest.approx(0.5 * (1 - (0.25 + 1) / 2) + 0.25 * (3 / 6 + 4 / 5))
    assert (found.found, found.attacks, found.false_episodes) == (1, 2, 1)


@pytest.mark.slow
def test_recorded_rigs_reach_what_is_written(recorded_data: Path):
    splits = recorded.skab(recorded_data, 20, seed=20_261_122)
    assert sum(split.f1 for split in splits) / 20 >= 0.82  # docs/detection.md
    assert sum(split.far for split in splits) / 20 <= 0.20
    found = recorded.batadal(recorded_data)
    assert found.s >= 0.95
    assert found.found == 7
    assert found.false_episodes <= 3


@pytest.mark.parametrize(("step_s", "quiet", "openings"), [(300.0, 27, 2), (300.0, 400, 8), (3600.0, 27, 8)])
def test_what_comes_again_within_a_day_of_its_end_stays_longer_up_to_a_day(step_s, quiet, openings):
    stand, opened = Stand(seen=100, agreed=SETTLE_ROWS), 0
    for _ in range(8):
        for excess in [2.0] * 3 + [0.1] * quiet:
            was, stand = stand, move(stand, excess, step_s)
            opened += stand.open and not was.open
    assert opened == openings
