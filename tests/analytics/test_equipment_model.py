"""The model of one piece of equipment: what the channels say of each other."""

from pathlib import Path

import numpy as np
import pytest

from watchkeep_analytics import bench_recorded as recorded
from watchkeep_analytics.detectors import equipment_model as model


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


def test_a_broken_relation_is_found_although_every_channel_stays_in_its_range():
    learnt = model.train(pump(4000))
    assert learnt.kind == "season"
    rows = pump(1000, seed=2)
    rows[600:700, 1] = 40 - 2 * rows[599, 0] + 2  # the pressure no longer follows the flow
    verdicts = model.judge(learnt, rows)
    assert rows[600:700, 1].max() < pump(4000)[:, 1].max()
    assert verdicts.open[600:700].mean() > 0.9
    assert verdicts.open[:600].mean() < 0.1
    assert (np.abs(verdicts.z[605:690]).argmax(axis=1) == 1).mean() > 0.4


def test_a_short_stretch_gives_a_chart_that_leaves_wandering_channels_out():
    rows = pump(400)
    rows[:, 3] = np.linspace(0, 10, 400)
    learnt = model.train(rows)
    assert learnt.kind == "chart"
    assert learnt.scale[3] == 0
    later = rows[200:].copy()
    later[100:, 3] += 50
    assert not model.judge(learnt, later).open.any()


def test_the_first_row_and_constant_channels_say_nothing():
    rows = np.hstack([pump(2500), np.full((2500, 1), 7.0)])
    verdicts = model.judge(model.train(rows), rows)
    assert np.all(verdicts.z[0] == 0)
    assert np.all(verdicts.z[:, 4] == 0)


def test_too_few_rows_are_refused():
    with pytest.raises(ValueError, match="59 rows"):
        model.train(pump(59))


def test_off_delay():
    said = model.hold(np.array([0, 1, 0, 0, 0, 1, 0, 0, 0, 0], bool), 2)
    assert said.tolist() == [False, True, True, True, False, True, True, True, False, False]


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
    assert found.s > 0.9
    assert found.found == 7
