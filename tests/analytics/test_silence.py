"""Silence: sensors, gateways, and what a restart must not say."""

import math

import numpy as np
import pytest

from tests.analytics.world import T0, batch, moment, point, registry
from watchkeep_analytics.batch import SECOND
from watchkeep_analytics.detectors.silence import Silence


def house(sensors: int = 5, **more):
    """Sensors of one gateway that report every minute, heard at second 0."""
    points = [point(10 + k, "machine_temperature", equipment=f"E{k}", period_s=60.0, **more) for k in range(sensors)]
    made = registry(points)
    detector = Silence(made)
    detector.tick(moment(made, 0))
    return made, detector


def report(detector: Silence, rows: list[int], t: float) -> None:
    detector.observe(batch([(row, t, 1.0) for row in rows]))


def conditions(signals) -> list[tuple[str, str, str, bool]]:
    return [(s.equipment, s.condition, s.tier, s.active) for s in signals]


def test_one_of_five_falls_silent_and_comes_back():
    made, detector = house()
    report(detector, [0, 1, 2, 3, 4], 0)
    report(detector, [1, 2, 3, 4], 170)
    assert detector.tick(moment(made, 180)) == []
    found = detector.tick(moment(made, 181))
    assert conditions(found) == [("E0", "sensor_silent", "warning", True)]
    assert found[0].event_us == T0 + 180 * SECOND
    report(detector, [0, 1, 2, 3, 4], 200)
    assert conditions(detector.tick(moment(made, 201))) == [("E0", "sensor_silent", "warning", False)]


def test_a_gateway_offline_is_one_warning():
    made, detector = house(sensors=200)
    report(detector, list(range(200)), 0)
    found = [s for t in range(0, 4000, 10) for s in detector.tick(moment(made, t))]
    assert conditions(found) == [
        ("G1", "gateway_offline", "warning", True),
        ("G1", "gateway_offline", "alarm", True),
    ]
    report(detector, list(range(200)), 4000)
    back = detector.tick(moment(made, 4001))
    assert conditions(back) == [("G1", "gateway_offline", "warning", False), ("G1", "gateway_offline", "alarm", False)]


def test_a_gateway_that_says_it_is_offline_folds_its_sensors_at_once():
    made, detector = house()
    report(detector, [0, 1, 2, 3, 4], 0)
    found = [s for t in range(0, 290, 5) for s in detector.tick(moment(made, t, online=0))]
    assert found == []
    assert conditions(detector.tick(moment(made, 301, online=0))) == [("G1", "gateway_offline", "warning", True)]


def test_a_gateway_heard_of_is_not_offline_but_its_sensors_are_silent():
    made, detector = house(sensors=2)
    report(detector, [0, 1], 0)
    clock = moment(made, 200, online=1)
    clock.heard_us[:] = T0 + 199 * SECOND
    assert [s.condition for s in detector.tick(clock)] == ["sensor_silent", "sensor_silent"]


def test_a_restart_says_nothing_of_the_time_it_was_down():
    made, detector = house()
    report(detector, [0, 1, 2, 3, 4], 0)
    again = Silence(made)
    again.load(detector.save())
    assert again.tick(moment(made, 36_000)) == []
    report(again, [1, 2, 3, 4], 36_100)
    assert again.tick(moment(made, 36_170)) == []
    assert conditions(again.tick(moment(made, 36_181))) == [("E0", "sensor_silent", "warning", True)]


def test_blind_time_does_not_count():
    made, detector = house()
    report(detector, [0, 1, 2, 3, 4], 0)
    detector.blind(moment(made, 10_000))
    assert detector.tick(moment(made, 10_100)) == []


def test_the_interval_is_learnt_where_nobody_told_it():
    made = registry([point(10 + k, "machine_temperature", equipment=f"E{k}", period_s=math.nan) for k in range(2)])
    detector = Silence(made)
    detector.tick(moment(made, 0))
    for t in range(0, 600 * 30, 600):
        report(detector, [0, 1], t)
    last = 600 * 29
    report(detector, [1], last + 1790)
    assert detector.ready(0)
    assert detector.tick(moment(made, last + 1799)) == []
    assert conditions(detector.tick(moment(made, last + 1801))) == [("E0", "sensor_silent", "warning", True)]


@pytest.mark.parametrize("period_s", [0.0, math.nan])
def test_per_event_and_unlearnt_points_are_never_silent(period_s):
    made = registry([point(10, "machine_temperature", period_s=period_s)])
    detector = Silence(made)
    detector.tick(moment(made, 0))
    report(detector, [0], 0)
    report(detector, [0], 1)
    assert detector.tick(moment(made, 1e6)) == []
    assert not detector.ready(0)


def test_never_reported_is_not_silent():
    made, detector = house()
    report(detector, [0], 0)
    found = detector.tick(moment(made, 170))
    assert [s for s in found if s.condition == "sensor_silent"] == []
    assert np.all(detector._state["silent"] == 0)
