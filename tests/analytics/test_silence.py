"""Silence: sensors, gateways, and what a restart must not say."""

import math

import numpy as np
import pytest

from tests.analytics.world import T0, batch, moment, point, registry
from watchkeep_analytics.batch import SECOND
from watchkeep_analytics.detectors.clocks import Refused, Told
from watchkeep_analytics.detectors.silence import Silence
from watchkeep_analytics.engine import Engine
from watchkeep_analytics.suppression import Modes


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


def stepped(made, t: float, step: float, at: float = 300, **more):
    """Ours or the server's clock is set by `step` seconds at `at`."""
    return moment(made, t + (step if t >= at else 0), steady_s=t, **more)


@pytest.mark.parametrize("step", [600, -600, 400 * 86_400])
def test_a_step_of_our_clock_makes_no_silence_and_hides_none(step):
    made, detector = house(sensors=50)
    found = []
    for t in range(0, 1200, 10):
        if t % 60 == 0:
            report(detector, list(range(50 if t <= 360 else 49)), t)
        found += [(t, s) for s in detector.tick(stepped(made, t, step))]
    ((at, signal),) = found
    assert 540 <= at <= 550  # a look apart, in which the stamp is no help when the clock was set
    assert (signal.equipment, signal.condition) == ("E49", "sensor_silent")
    assert signal.evidence["actual"] == 190


@pytest.mark.parametrize("step", [600, -600])
def test_a_step_of_our_clock_makes_no_gateway_offline_and_hides_none(step):
    made, detector = house()
    report(detector, [0, 1, 2, 3, 4], 0)
    found = []
    for t in range(0, 1200, 10):
        clock = stepped(made, t, step, online=1)
        clock.heard_us[:] = clock.wall_us - 7 * SECOND if t < 600 else T0 + (600 + step - 17) * SECOND
        found += [(t, s.condition, s.tier) for s in detector.tick(clock) if s.condition == "gateway_offline"]
    assert found == [(890, "gateway_offline", "warning")]


@pytest.mark.parametrize("ahead", [600, -600])
def test_a_gateway_whose_clock_is_put_right_is_not_silent(ahead):
    made, detector = house()
    found = []
    for t in range(0, 1500, 10):
        if t % 60 == 0:
            report(detector, [0, 1, 2, 3, 4] if t <= 600 else [1, 2, 3, 4], t + (ahead if t < 300 else 0))
        found += [(t, s.equipment) for s in detector.tick(moment(made, t))]
    assert found == [(790, "E0")]


def test_what_is_late_or_refused_for_its_stamp_is_a_sign_of_life():
    engine = Engine(Modes())
    engine.update([point(10 + k, "machine_temperature", equipment=f"E{k}", period_s=60.0) for k in range(3)], [])
    ids, good = np.array([10, 11, 12]), np.zeros(3, np.int64)
    engine.observe(ids, np.full(3, T0), np.full(3, 40.0), good)
    for t in range(0, 1200, 10):
        if t % 60 == 0:
            engine.observe(ids[:1], np.full(1, T0 - t), np.full(1, 40.0), good[:1])
            engine.tell(Told(refused={("c1", "E1"): Refused(-900.0, T0 + t * SECOND)}))
        found = engine.tick(T0 + t * SECOND, {})
        assert [s.equipment for s in found if s.condition == "sensor_silent"] == (["E2"] if t == 190 else [])


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
