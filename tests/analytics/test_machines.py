"""Rules over several points, rates, starts, ratios, night flow, rides: what opens them, and what must not."""

import numpy as np
import pytest

from tests.analytics.world import T0, batch, brief, moment, point, registry
from watchkeep_analytics.detectors.battery import Battery
from watchkeep_analytics.detectors.combinations import Combinations
from watchkeep_analytics.detectors.counters import Counters
from watchkeep_analytics.detectors.drift import Drift
from watchkeep_analytics.detectors.night_flow import NightFlow
from watchkeep_analytics.detectors.rails import Rails
from watchkeep_analytics.detectors.rates import Rates
from watchkeep_analytics.detectors.ratios import Ratios
from watchkeep_analytics.detectors.rides import Rides
from watchkeep_analytics.detectors.silence import Silence
from watchkeep_analytics.detectors.spikes import Spikes
from watchkeep_analytics.detectors.starts import Starts
from watchkeep_analytics.rulebook import Rulebook, parse

DAY = 86_400


def of(kind: str, *metrics: str):
    return registry([point(11 + k, metric, kind=kind) for k, metric in enumerate(metrics)])


def pump() -> Combinations:
    return Combinations(of("fire_pump", "pump_run_state", "discharge_pressure"))


def test_a_pump_that_runs_without_pressure():
    found = pump().observe(batch([(0, 0, 1), (1, 0, 50), (1, 30, 50), (1, 65, 40), (1, 200, 600), (1, 260, 600)]))
    assert brief(found) == [("fire_pump_fault", True, 65), ("fire_pump_fault", False, 260)]
    assert [clause["value"] for clause in found[0].evidence["clauses"]] == [1.0, 40.0]


def test_a_number_must_be_seen_at_both_ends():
    detector = pump()
    found = detector.observe(batch([(0, 0, 1), (1, 0, 50), (0, 120, 1)]))
    assert found + detector.tick(moment(detector._registry, 300)) == []


def test_a_point_that_was_not_heard_for_long_proves_nothing():
    rows = [(0, 0, 1), *((1, t, 500) for t in range(0, 3000, 60)), *((1, t, 50) for t in range(3000, 3300, 60))]
    assert pump().observe(batch(rows)) == []
    assert brief(pump().observe(batch([*rows, (0, 3300, 1), (1, 3330, 50), (1, 3400, 50)]))) == [
        ("fire_pump_fault", True, 3400)
    ]


def test_states_alone_run_out_by_the_watermark():
    detector = Combinations(of("fire_door", "door_contact"))
    assert detector.observe(batch([(0, 0, 1)])) == []
    assert detector.tick(moment(detector._registry, 301)) == []
    assert brief(detector.tick(moment(detector._registry, 302))) == [("fire_door_open", True, 300)]


def test_the_difference_of_two_points():
    detector = Combinations(of("supply_pump_set", "outlet_pressure", "outlet_pressure_setpoint"))
    found = detector.observe(batch([(1, 0, 400), (0, 0, 280), (0, 60, 280)]))
    assert brief(found) == [("supply_pressure_loss", True, 60)]
    measured = Combinations(
        of("supply_pump_set", "outlet_pressure", "outlet_pressure_setpoint", "outlet_pressure_deviation")
    )
    assert measured.observe(batch([(1, 0, 400), (0, 0, 280), (0, 60, 280)])) == []


def test_an_edit_is_taken_over_while_it_runs():
    made = of("fire_door", "door_contact")
    detector = Combinations(made)
    detector.observe(batch([(0, 0, 1)]))
    text = '[[rule]]\nid = "fire_door.open"\nkind = "fire_door"\ncondition = "fire_door_open"\ntier = "warning"\n'
    text += 'when = [{ metric = "door_contact", op = "equals", value = 1 }]\nfor_s = 30\nbasis = "b"\nmark = "CP"\n'
    made.update([], [], Rulebook(parse(text)))
    detector.configure()
    assert brief(detector.tick(moment(made, 40))) == [("fire_door_open", True, 30)]
    made.update([], [], Rulebook(parse(text + "enabled = false\n")))
    assert [s.active for s in detector.configure()] == [False]


def test_a_conductor_that_heats_up_fast():
    slow = [(0, 60 * k, 30 + k) for k in range(30)]  # 15 °C in 15 min
    assert Rates(of("electrical_fire_detector", "conductor_temperature")).observe(batch(slow)) == []
    fast = [(0, 60 * k, 30 + 2 * k) for k in range(20)]
    found = Rates(of("electrical_fire_detector", "conductor_temperature")).observe(batch(fast))
    assert [(s.condition, s.active) for s in found] == [("cable_temperature_high", True)]
    assert found[0].event_us <= T0 + 900 * 1_000_000


def test_one_wild_reading_is_no_rate():
    rows = [(0, 60 * k, 90.0 if k == 15 else 30.0) for k in range(40)]
    assert Rates(of("electrical_fire_detector", "conductor_temperature")).observe(batch(rows)) == []


@pytest.mark.parametrize(("every_s", "opens"), [(200, True), (300, False)])
def test_a_jockey_pump_that_starts_too_often(every_s, opens):
    rows = [(0, every_s * k + half, half > 0) for k in range(20) for half in (0, 30)]
    found = Starts(of("jockey_pump", "pump_run_state")).observe(batch(rows))
    assert [(s.condition, s.active) for s in found] == [("jockey_pump_cycling", True)] * opens
    assert Starts(of("jockey_pump", "pump_run_state", "starts_per_hour")).observe(batch(rows)) == []


def test_a_door_that_grows_slow():
    rng = np.random.default_rng(1)
    rides = [(0, 1800 * k, 2.4 + 0.1 * rng.normal()) for k in range(500)]
    slow = [(0, 1800 * (500 + k), 3.3 + 0.1 * rng.normal()) for k in range(40)]
    assert Ratios(of("elevator", "door_open_time")).observe(batch(rides)) == []
    (found,) = Ratios(of("elevator", "door_open_time")).observe(batch(rides + slow))
    assert found.condition == "door_timing_abnormal"
    assert found.evidence["expected"]["value"] == pytest.approx(2.4, abs=0.05)


def meter(nights: int, from_night: int = 99, more: float = 0.0) -> list[tuple[int, float, float]]:
    """Flow each 15 min from local midnight on; `more` m³/h from some night on."""
    start = DAY - 22_400.0  # T0 is 06:13:20 in China
    rows = []
    for k in range(nights * 96):
        hour = k % 96 / 4
        flow = 2.0 if 1 <= hour < 5 else 20.0
        rows.append((0, start + 900 * k, flow + (more if k >= 96 * from_night else 0)))
    return rows


def test_a_leak_is_told_after_three_nights():
    found = NightFlow(of("dma_meter", "inlet_flow")).observe(batch(meter(14, from_night=10, more=1.0)))
    assert [(s.condition, s.active) for s in found] == [("night_flow_leak", True)]
    assert (found[0].event_us - T0) // 1_000_000 == DAY - 22_400 + 12 * DAY + 4 * 3600
    assert NightFlow(of("dma_meter", "inlet_flow")).observe(batch(meter(14))) == []


def test_a_burst_is_told_within_the_hour():
    rows = meter(12)
    burst = [(0, t, x * 2.8 if k >= 11 * 96 + 48 else x) for k, (_, t, x) in enumerate(rows)]
    found = NightFlow(of("dma_meter", "inlet_flow")).observe(batch(burst))
    assert found[0].condition == "pipe_burst"
    assert found[0].event_us - T0 == (rows[11 * 96 + 48][1] + 1800) * 1_000_000


RIDE = ("car_status", "car_floor", "door_status", "door_zone", "passenger_status")


def lift(*more: tuple[int, float, float], rides: int = 25) -> list[tuple[str, bool, float]]:
    """So many ordinary rides 60 s apart, then more, counted from their end."""
    rows = [(3, -1.0, 1.0)]
    for k in range(rides):
        t = 60.0 * k
        rows += [(0, t, 1), (1, t + 20, float(k % 5)), (0, t + 20, 0), (2, t + 22, 2), (2, t + 30, 1)]
    rows += [(row, 60.0 * rides + t, x) for row, t, x in more]
    detector = Rides(of("elevator", *RIDE))
    found = detector.observe(batch(rows))
    found += detector.tick(moment(detector._registry, 60.0 * rides + 1000))
    return [(c, a, t - 60.0 * rides) for c, a, t in brief(found)]


def test_ordinary_rides_are_nothing():
    assert lift() == []


def test_a_floor_that_changes_without_a_ride():
    assert lift((1, 0, 4), (1, 60, 4), (1, 70, 9)) == [("position_lost", True, 70)]


def test_a_polled_lift_is_not_judged():
    assert lift((1, 0, 4), (1, 60, 4), (1, 70, 9), rides=5) == []


def test_a_motor_that_runs_on_at_one_floor():
    assert lift((0, 0, 1), (1, 20, 4), (1, 44, 4)) == []
    found = lift((0, 0, 1), (1, 20, 4), (1, 50, 4), (0, 60, 0))
    assert found == [("runtime_limit", True, 50), ("runtime_limit", False, 60)]


def test_doors_that_cycle():
    again = [(2, 10.0 * k + half, 2 - half / 5) for k in range(1, 6) for half in (0, 5)]
    found = lift(*again)
    assert found == [("door_cycling", True, 30), ("door_cycling", True, 50)]


def test_a_car_that_leaves_with_open_doors_by_itself():
    assert lift((2, 0, 2), (3, 10, 2)) == [("ucm", True, 12)]
    assert lift((2, 0, 2), (3, 10, 2), (0, 11, 1)) == []  # told a moment later that it rides
    assert lift((2, 0, 1), (3, 5, 2), (2, 10, 2)) == []  # opened between landings by a rescuer


def test_people_ride_but_the_door_never_opens():
    rides = [(row, 60.0 * k + t, x) for k in range(6) for row, t, x in ((0, 0, 1), (1, 20, k % 5), (0, 20, 0))]
    found = lift((4, 0, 1), *rides)
    assert [(c, a) for c, a, _ in found] == [("sensor_inconsistent", True)]
    assert lift((4, 0, 2), *rides) == []


def test_a_sensor_at_the_end_of_its_range():
    made = of("elevator", "machine_temperature")
    rows = [(0, 0, 60), (0, 60, 250), (0, 120, 250), (0, 180, 250), (0, 240, 60), (0, 300, 60), (0, 360, 60)]
    found = Rails(made).observe(batch(rows))
    assert brief(found) == [("sensor_stuck_at_rail", True, 180), ("sensor_stuck_at_rail", False, 360)]
    assert Rails(made).observe(batch([(0, 0, 60), (0, 60, 250), (0, 120, 60), (0, 180, 250), (0, 240, 250)])) == []


@pytest.mark.parametrize(
    ("kind", "metric", "value"),
    [
        ("smoke_detector", "battery_level", 100),
        ("manhole", "cover_tilt", 180),  # upside down: the warning is that it is open
        ("power_supply", "supply_voltage_deviation", -100),  # no voltage: the warning is that power is lost
        ("dma_meter", "pump_flow", 0),
    ],
)
def test_an_end_that_is_a_reading_like_any_other(kind, metric, value):
    made = of(kind, metric)
    rows = batch([(0, 60 * k, value) for k in range(9)])
    assert Rails(made).observe(rows) == []
    assert not Rails(made).at_end(rows).any()


def room(*spikes: int, stays: bool = False) -> list[tuple[str, bool, float]]:
    rng = np.random.default_rng(3)
    rows = [(0, 300.0 * k, 20 + rng.normal()) for k in range(400)]
    for k in spikes:
        rows[k] = (0, rows[k][1], 70.0)
        if stays:
            rows[k + 1] = (0, rows[k + 1][1], 70.0)
    return brief(Spikes(of("pump_room", "room_temperature")).observe(batch(rows)))


def test_three_spikes_within_an_hour():
    assert room(320, 324, 328) == [
        ("sensor_impossible_jump", True, 329 * 300),
        ("sensor_impossible_jump", False, 353 * 300),
    ]
    assert room(320, 324) == []
    assert room(320, 335, 350) == []
    assert room(320, 324, 328, stays=True) == []


def test_a_counter_that_falls():
    found = Counters(of("dma_meter", "water_volume")).observe(
        batch([(0, 0, 5000), (0, 900, 5001), (0, 1800, 3), (0, 5400, 4)])
    )
    assert brief(found) == [("sensor_counter_decrease", True, 1800), ("sensor_counter_decrease", False, 5400)]
    assert found[0].evidence["expected"]["low"] == 5001


def test_a_battery_that_will_be_empty():
    def level(per_day: float) -> list[tuple[str, bool, float]]:
        rows = [(0, DAY * k, round(60 - per_day * k)) for k in range(30)]
        return brief(Battery(of("smoke_detector", "battery_level")).observe(batch([*rows, (0, DAY * 30, 100)])))

    assert [(c, a) for c, a, _ in level(1.0)] == [("sensor_battery_low", True), ("sensor_battery_low", False)]
    assert level(0.2) == []


def test_registered_and_never_heard():
    made = of("smoke_detector", "battery_level")
    detector = Silence(made)
    assert [detector.tick(moment(made, t, online=1)) for t in (0, DAY - 1)] == [[], []]
    assert [s.condition for s in detector.tick(moment(made, DAY + 1, online=1))] == ["sensor_never_reported"]
    detector.observe(batch([(0, DAY + 5, 80)]))
    assert [s.active for s in detector.tick(moment(made, DAY + 6, online=1))] == [False]


def test_a_daily_mean_that_goes_one_way_is_a_hint():
    rng = np.random.default_rng(5)

    def days(per_day: float) -> list[tuple[str, str, bool, int]]:
        rows = []
        for k in range(22 * 24):
            swing, gone = 4 * np.sin(k / 24 * 2 * np.pi), per_day * max(k / 24 - 15, 0)
            rows.append((0, 3600.0 * k, 20 + swing + rng.normal() + gone))
        made = of("pump_room", "room_temperature")
        whole, parts = Drift(made), Drift(made)
        found = whole.observe(batch(rows))
        again = Drift(made)
        split = parts.observe(batch(rows[:401]))
        again.load(parts.save())
        assert brief(split + again.observe(batch(rows[401:]))) == brief(found)
        return [(s.condition, s.tier, s.active, (s.event_us - T0) // (DAY * 1_000_000)) for s in found]

    assert days(0.0) == []
    (hint,) = days(3.0)
    assert hint[:3] == ("sensor_drift", "notice", True)
    assert 17 <= hint[3] <= 20
