"""Stuck and impossible sensors."""

import pytest

from tests.analytics.world import batch, brief, point, registry
from watchkeep_analytics.detectors.flatline import LONGEST_TIMES, READY_SAMPLES, SHORTEST, Flatline
from watchkeep_analytics.detectors.impossible import IN_A_ROW, Impossible

STEP = 300.0


def series(metric: str = "machine_temperature"):
    return registry([point(11, metric)])


def moving(samples: int = READY_SAMPLES + 10) -> list[tuple[int, float, float]]:
    """Never twice the same, but for one run of ten."""
    return [(0, k * STEP, 50.0 if 100 <= k < 110 else 40 + k % 7) for k in range(samples)]


def test_stuck_is_longer_than_twice_the_longest_run():
    detector = Flatline(series())
    rows = moving()
    start = rows[-1][1]
    stuck = [(0, start + (k + 1) * STEP, 77.0) for k in range(30)]
    assert detector.observe(batch(rows)) == []
    found = detector.observe(batch(stuck))
    assert [s.condition for s in found] == ["sensor_flatline"]
    assert found[0].evidence["samples"] == LONGEST_TIMES * 10 + 1
    assert brief(detector.observe(batch([(0, start + 50 * STEP, 78.0)])))[0][1] is False


def test_a_run_called_stuck_teaches_nothing():
    detector = Flatline(series())
    rows = moving()
    start = rows[-1][1]
    detector.observe(batch(rows))
    for again in range(2):
        offset = start + (1 + 50 * again) * STEP
        stuck = [(0, offset + k * STEP, 77.0) for k in range(40)]
        assert [s.active for s in detector.observe(batch(stuck))] == [True]
        assert [s.active for s in detector.observe(batch([(0, offset + 40 * STEP, 1.0)]))] == [False]


def test_short_runs_never_count_and_the_first_day_neither():
    quiet = Flatline(series())
    rows = [(0, k * STEP, 40 + k % 7) for k in range(READY_SAMPLES + 10)]
    quiet.observe(batch(rows))
    short = [(0, rows[-1][1] + (k + 1) * STEP, 5.0) for k in range(SHORTEST)]
    assert quiet.observe(batch(short)) == []
    young = Flatline(series())
    assert young.observe(batch([(0, k * STEP, 5.0) for k in range(100)])) == []
    assert not young.ready(0)


def test_a_figure_of_the_day_that_is_repeated_at_every_poll_is_not_stuck():
    made = registry([point(11, "night_minimum_flow", kind="dma_meter", equipment="D1", period_s=86_400.0)])
    rows = [(0, k * STEP, 5.0 + (k * STEP // 86_400) % 5) for k in range(10 * READY_SAMPLES)]
    detector = Flatline(made)
    assert detector.observe(batch(rows)) == []
    stuck = [(0, rows[-1][1] + (k + 1) * STEP, 99.0) for k in range(2 * READY_SAMPLES + 10)]
    assert [s.condition for s in detector.observe(batch(stuck))] == ["sensor_flatline"]


def test_a_disk_that_is_not_written_to_is_not_stuck():
    made = registry([point(11, "disk_free", kind="gateway", equipment="G1")])
    assert Flatline(made).observe(batch([(0, k * STEP, 50.0 if k > 1000 else 40 + k % 7) for k in range(3000)])) == []


@pytest.mark.parametrize(("metric", "value"), [("car_status", 0.0), ("ride_count", 4.0), ("pump_flow", 0.0)])
def test_states_counters_and_natural_rest_may_stand_still(metric, value):
    made = series(metric)
    made["lower"][0] = 0.0
    detector = Flatline(made)
    assert detector.observe(batch([(0, k * STEP, value) for k in range(2000)])) == []


def test_one_impossible_value_is_a_notice_three_are_a_warning():
    detector = Impossible(series())
    found = detector.observe(batch([(0, 0, 50), (0, 1, 999), (0, 2, 50), (0, 3, 999), (0, 4, 999), (0, 5, 999)]))
    assert [(s.tier, s.active) for s in found] == [("notice", True), ("notice", True), ("warning", True)]
    assert found[-1].evidence["expected"] == {"low": -40, "high": 250}
    back = detector.observe(batch([(0, 6 + k, 50) for k in range(IN_A_ROW)]))
    assert [(s.tier, s.active) for s in back] == [("warning", False)]


def test_the_ends_of_the_range_are_possible():
    assert Impossible(series()).observe(batch([(0, 0, -40), (0, 1, 250)])) == []
