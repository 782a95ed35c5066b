"""Healthy devices: every metric of every kind, within physics and limits, repeatable."""

import hashlib
import itertools
import subprocess
import sys

import msgspec
import pytest

from tests.firmware_sim.limits import MIDNIGHT, device, metrics_of, opened, simulate
from watchkeep_core.vocabulary import load
from watchkeep_firmware_sim.models.typical import BY_KIND, BY_METRIC, typical
from watchkeep_firmware_sim.simulation import Readings

VOCABULARY = load()
KINDS = list(VOCABULARY.kinds)
HOURS = {"night": (1.0, 2.0, 240.0), "morning": (7.0, 0.5, 60.0), "evening": (18.5, 0.5, 60.0)}
"""Local hour at the start, length in hours, period in seconds; days on end are tested on a grid."""


def readings(outputs):
    return [output for output in outputs if isinstance(output, Readings)]


@pytest.mark.slow
@pytest.mark.parametrize(("hour", "hours", "period_s"), HOURS.values(), ids=HOURS.keys())
def test_every_metric_of_every_kind_is_produced_and_normal(hour, hours, period_s):
    devices = [device(kind, VOCABULARY, period_s=period_s) for kind in KINDS]
    outputs = simulate(VOCABULARY, devices, hours=hours, start=MIDNIGHT + hour * 3600)
    produced = {(sent.device.kind, metric) for sent in readings(outputs) for metric in sent.values}
    assert produced == {(kind, metric) for kind in KINDS for metric in metrics_of(kind, VOCABULARY)}
    for sent in readings(outputs):
        for metric, value in sent.values.items():
            row = VOCABULARY.metrics[metric]
            assert row.min <= value <= row.max, (sent.device.kind, metric, value)
            assert not row.states or value in row.states
    assert [(limit.id, t) for t, limit in opened(outputs, VOCABULARY)] == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", ["elevator", "supply_pump", "sump", "jockey_pump", "water_tank", "supply_pump_set"])
def test_machines_stay_within_limits_through_a_morning(kind, seed):
    outputs = simulate(
        VOCABULARY, [device(kind, VOCABULARY, period_s=120.0)], hours=6, start=MIDNIGHT + 5 * 3600, seed=seed
    )
    assert [(limit.id, t) for t, limit in opened(outputs, VOCABULARY)] == []


def test_typical_values_are_known_to_the_vocabulary_and_within_its_limits():
    for metric in BY_METRIC:
        assert metric in VOCABULARY.metrics
    for kind, metric in BY_KIND:
        assert metric in metrics_of(kind, VOCABULARY)
    for kind in KINDS:
        for metric in metrics_of(kind, VOCABULARY):
            row = VOCABULARY.metrics[metric]
            if row.value != "state":
                usual = typical(kind, row, VOCABULARY)
                assert row.min <= usual.low <= usual.high <= row.max, (kind, metric)


def test_a_metric_without_a_row_lies_between_its_limits(monkeypatch):
    monkeypatch.delitem(BY_METRIC, "conductor_temperature")
    usual = typical("power_supply", VOCABULARY.metrics["conductor_temperature"], VOCABULARY)
    assert -60 < usual.low < usual.high < 70


def test_the_same_seed_gives_the_same_readings_and_another_seed_others():
    devices = [device("elevator", VOCABULARY), device("sump", VOCABULARY)]
    first, again = (simulate(VOCABULARY, devices, seed=3) for _ in range(2))
    assert first == again
    assert simulate(VOCABULARY, devices, seed=4) != first


def test_a_device_does_not_depend_on_its_neighbours():
    alone = [device("supply_pump", VOCABULARY)]
    among = [*alone, device("elevator", VOCABULARY)]
    mine = [sent for sent in readings(simulate(VOCABULARY, among)) if sent.device.kind == "supply_pump"]
    assert mine == readings(simulate(VOCABULARY, alone))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_readings_in_another_process():
    program = (
        "from tests.firmware_sim import test_models as m;"
        "print(m.digest(m.simulate(m.VOCABULARY, [m.device('elevator', m.VOCABULARY)])))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest(simulate(VOCABULARY, [device("elevator", VOCABULARY)]))


def digest(outputs):
    return hashlib.sha256(msgspec.json.encode([(sent.t_ms, sent.values) for sent in readings(outputs)])).hexdigest()


def test_a_lift_obeys_its_own_logic():
    outputs = simulate(VOCABULARY, [device("elevator", VOCABULARY)], start=MIDNIGHT + 8 * 3600)
    state: dict[str, float] = {}
    rides = 0
    for sent in readings(outputs):
        before = dict(state)
        state |= sent.values
        if "door_status" not in before:
            continue
        assert not (state["car_status"] == 1 and state["door_status"] == 2), "runs with open doors"
        assert not (state["car_status"] == 0 and state["door_zone"] == 2), "stands between floors"
        if state["passenger_status"] != before["passenger_status"]:
            assert state["door_status"] == 2, "somebody came or went through closed doors"
        if state["car_floor"] != before["car_floor"]:
            assert before["car_status"] == 1, "changed floor without travel"
        if state["car_status"] == 1 and "motor_current_percent" in sent.values:
            assert state["motor_current_percent"] > 25
        if "car_vibration_vertical" in sent.values:
            rides += 1
            assert before["car_status"] == 1, "felt a ride without one"
        assert state["ride_count"] >= before["ride_count"]
    assert rides > 50


def test_lifts_ride_more_in_the_morning_than_at_night():
    lift = [device("elevator", VOCABULARY)]
    rides = [
        sum("car_vibration_vertical" in sent.values for sent in readings(simulate(VOCABULARY, lift, start=start)))
        for start in (MIDNIGHT + 2 * 3600, MIDNIGHT + 8 * 3600)
    ]
    assert rides[0] * 5 < rides[1]


def test_a_pump_draws_and_moves_only_while_it_runs():
    for sent in readings(simulate(VOCABULARY, [device("supply_pump", VOCABULARY)], hours=6)):
        running = sent.values["pump_run_state"] == 1
        assert (sent.values["pump_current_percent"] > 40) == running
        assert (sent.values["pump_flow"] > 1) == running


def test_a_tank_level_changes_by_what_flows():
    levels = [sent.values["water_level"] for sent in readings(simulate(VOCABULARY, [device("water_tank", VOCABULARY)]))]
    assert max(abs(b - a) for a, b in itertools.pairwise(levels)) < 0.45  # what flows, and the sensor's noise
    assert max(levels) - min(levels) > 5


def test_a_district_uses_least_water_at_night():
    outputs = readings(simulate(VOCABULARY, [device("dma_meter", VOCABULARY, period_s=600.0)], hours=24))
    by_hour = {int((sent.t_ms / 1000 - MIDNIGHT) / 3600): sent.values["inlet_flow"] for sent in outputs}
    assert min(by_hour, key=by_hour.__getitem__) in (1, 2, 3)
    volumes = [sent.values["water_volume"] for sent in outputs]
    assert volumes == sorted(volumes)


def test_readings_are_spread_over_the_period():
    devices = [device("smoke_detector", VOCABULARY, equipment=f"s{n}", period_s=60.0) for n in range(60)]
    sent = readings(simulate(VOCABULARY, devices, hours=0.05))
    per_second = [int(one.t_ms / 1000 - MIDNIGHT) for one in sent if one.t_ms / 1000 < MIDNIGHT + 60]
    assert max(per_second.count(second) for second in per_second) <= 2
