"""The engine: what reaches detectors, late and bad rows, a detector that fails, state."""

import numpy as np

from tests.analytics.world import T0, limit, point
from watchkeep_analytics.batch import SECOND
from watchkeep_analytics.detectors.limits import Limits
from watchkeep_analytics.engine import Engine
from watchkeep_analytics.rulebook import LimitEdit, Rulebook
from watchkeep_analytics.signals import GatewayState, Signal
from watchkeep_analytics.suppression import Modes, Window


def engine(modes: Modes | None = None, make=None) -> Engine:
    made = Engine(modes or Modes(), make)
    made.update(
        [point(11, "machine_temperature"), point(12, "service_mode"), point(13, "door_zone")],
        [limit(1, 11, "above", 90.0, 85.0), limit(2, 13, "equals", 2.0, condition="stop_off_zone", tier="alarm")],
    )
    return made


def feed(made: Engine, *rows: tuple[int, float, float], quality: int = 0):
    """(series id, seconds, value)"""
    series, seconds, value = (np.array(column) for column in zip(*rows, strict=True))
    t_us = T0 + (seconds * SECOND).astype(np.int64)
    return made.observe(series, t_us, value.astype(np.float64), np.full(len(series), quality))


def test_late_rows_are_counted_and_open_nothing():
    made = engine()
    feed(made, (11, 100, 50))
    assert feed(made, (11, 90, 99), (11, 100, 99)) == []
    assert (made.counts.late, made.counts.rows) == (2, 3)


def test_rows_in_any_order_within_a_batch():
    found = feed(engine(), (11, 30, 80), (11, 10, 95), (11, 20, 95))
    assert [s.active for s in found] == [True, False]


def test_bad_and_unknown_rows_reach_nobody():
    made = engine()
    assert feed(made, (11, 1, 99), quality=2) == []
    assert feed(made, (999, 1, 99)) == []
    assert feed(made, (11, 2, np.nan)) == []
    assert (made.counts.bad, made.counts.unknown) == (2, 1)
    assert list(made.unknown(np.array([999, 11, 999]))) == [999]


def test_impossible_values_reach_only_their_own_detector():
    found = feed(engine(), (11, 1, 999), (11, 2, 999), (11, 3, 999))
    assert {s.condition for s in found} == {"sensor_impossible_value"}


class Broken(Limits):
    """Fails until it is mended."""

    broken = True

    def observe(self, batch):
        if self.broken:
            raise RuntimeError("boom")
        return []


def test_a_detector_that_fails_is_told_once_and_the_others_go_on():
    made = engine(make=lambda registry: [Broken(registry), Limits(registry)])
    found = {signal.condition: signal for signal in feed(made, (11, 1, 99))}
    assert found.keys() == {"machine_temperature_high", "detector_failure"}
    told = found["detector_failure"]
    assert (told.equipment, told.source, told.tier) == ("G1", "limits", "warning")
    assert told.evidence["error"] == "RuntimeError: boom"
    assert feed(made, (11, 2, 99)) == []
    assert made.counts.failures == 2


def test_a_failure_is_over_after_a_calm_hour_even_across_a_restart():
    made = engine(make=lambda registry: [Broken(registry)])
    feed(made, (11, 1, 99))
    again = engine(make=lambda registry: [Broken(registry)])
    again.load(made.save())
    assert feed(again, (11, 1800, 99)) == []  # failed again: the hour begins anew
    (broken,) = [detector for detector in again.detectors if isinstance(detector, Broken)]
    broken.broken = False
    assert again.tick(T0 + 3700 * SECOND, {}) == []
    (over,) = [s for s in again.tick(T0 + 5500 * SECOND, {}) if s.condition == "detector_failure"]
    assert (over.active, over.source) == (False, "limits")


class Restless(Limits):
    """Fails whatever it is asked."""

    name = "restless"

    def ready(self, row):
        raise RuntimeError("ready")

    def tick(self, moment):
        raise RuntimeError("tick")

    def save(self):
        raise RuntimeError("save")


def test_a_detector_that_fails_at_anything_stops_nobody():
    made = engine(make=lambda registry: [Restless(registry), Limits(registry)])
    feed(made, (11, 1, 99))
    made.adopt([Signal("c1", "E1", "power_loss", "warning", True, "restless", "1", T0, "x", "forgotten", series=11)])
    found = made.tick(T0 + 2 * SECOND, {})
    assert [s.source for s in found if s.condition == "detector_failure"] == ["restless"]
    saved = made.save()
    assert "limits" in saved
    assert "restless" not in saved
    again = engine(make=lambda registry: [Limits(registry)])
    again.load(saved | {"limits": ("1", b"torn")})
    assert [s.condition for s in feed(again, (11, 3, 99))] == ["machine_temperature_high"]


def test_nothing_is_learnt_while_people_work_on_it():
    modes = Modes()
    made = engine(modes)
    row = made.registry.row_of(11)

    def held(second: float) -> bool:
        t_us = T0 + round(second * SECOND)
        return bool(made.registry["held_from_us"][row] <= t_us < made.registry["held_until_us"][row])

    feed(made, (12, 0, 1), (11, 0, 50))
    assert not held(1)
    feed(made, (12, 100, 2), (11, 110, 50))
    assert (held(99), held(100), held(10**6)) == (False, True, True)
    feed(made, (11, 200, 95))  # a warning stands, too
    feed(made, (12, 300, 1))
    assert held(400)
    feed(made, (11, 500, 80))
    assert (held(150), held(499), held(500)) == (True, True, False)
    again = engine(Modes())
    again.load(made.save())
    assert again.registry["held_until_us"][again.registry.row_of(11)] == T0 + 500 * SECOND
    modes.plan((Window("c1", "", T0 + 600 * SECOND, T0 + 700 * SECOND, "works"),))
    made.tick(T0 + 650 * SECOND, {})
    assert (held(599), held(600), held(699), held(700)) == (False, True, True, False)


def test_no_detector_is_ever_given_a_value_that_is_no_number():
    seen: list[float] = []

    class Watching(Limits):
        def observe(self, batch):
            seen.extend(batch.value.tolist())
            return super().observe(batch)

    made = engine(make=lambda registry: [Watching(registry)])
    assert made.counts.bad == 0
    feed(made, (11, 1, np.nan), (11, 2, np.inf), (11, 3, 50.0), (12, 4, -np.inf))
    assert seen == [50.0]
    assert made.counts.bad == 3


def test_service_mode_suppresses_and_releases():
    made = engine()
    feed(made, (12, 0, 2))
    (held,) = feed(made, (13, 10, 2))
    assert (held.tier, held.evidence["suppressed"]) == ("notice", "mode: service_mode inspection")
    feed(made, (12, 20, 1))
    (out,) = made.tick(T0 + 30 * SECOND, {})
    assert (out.condition, out.tier) == ("stop_off_zone", "alarm")


def test_state_with_held_signals_survives():
    made = engine()
    feed(made, (12, 0, 2), (11, 0, 95), (13, 10, 2))
    modes = Modes()
    again = engine(modes)
    again.load(made.save())
    assert feed(again, (11, 0, 95)) == []
    assert again.counts.late == 1
    assert [s.active for s in feed(again, (11, 5, 80))] == [False]
    assert [s.condition for s in again.tick(T0 + 30 * SECOND, {})] == ["stop_off_zone"]


def test_a_state_of_another_version_is_left_alone():
    made = engine()
    feed(made, (11, 0, 95))
    again = engine()
    again.load({name: ("0", data) for name, (_, data) in made.save().items() if name == "limits"})
    assert [s.active for s in feed(again, (11, 1, 95))] == [True]


def test_the_present_of_a_replay_is_its_own_watermark():
    made = Engine(Modes())
    made.update([point(11, "machine_temperature", replay=True, period_s=60.0)], [])
    feed(made, (11, 0, 50), (11, 60, 50))
    wall = made.moment(T0 + 10**15, {("c1", "g1"): GatewayState(False, 0, 0)})
    assert (wall.wall_us[0], wall.online[0]) == (T0 + 60 * SECOND, -1)
    assert made.tick(T0 + 10**15, {}) == []


def test_an_edited_rule_counts_from_the_next_update_on():
    made = engine()
    points = [point(11, "machine_temperature"), point(12, "service_mode"), point(13, "door_zone")]
    limits = [limit(1, 11, "above", 90.0, 85.0)]
    assert feed(made, (11, 1, 75)) == []
    id = "elevator.machine_temperature.machine_temperature_high.above.warning"
    made.update(points, limits, Rulebook([LimitEdit(id=id, value=70.0, clear=60.0, basis="b", mark="CP")]))
    (found,) = feed(made, (11, 2, 75))
    assert found.evidence["limit"]["value"] == 70.0
    assert found.evidence["basis"] == "b"


def test_readings_at_the_end_of_the_range_are_the_sensors_own_warning():
    found = feed(engine(), (11, 1, 250), (11, 2, 250), (11, 3, 250))
    assert {s.condition for s in found} == {"sensor_stuck_at_rail"}
