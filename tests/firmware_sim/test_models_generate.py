"""Many devices at once: the same as each alone, coupled where they share a place, and normal through the seasons."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.firmware_sim.limits import MIDNIGHT, opened_on_grid
from watchkeep_core.vocabulary import load
from watchkeep_firmware_sim.commands import app
from watchkeep_firmware_sim.errors import ScenarioError
from watchkeep_firmware_sim.generate import Wish, blocks, generate, metrics_of, random_faults
from watchkeep_firmware_sim.models import BY_KIND, Devices, Group, Place
from watchkeep_firmware_sim.models.surroundings import Moment
from watchkeep_firmware_sim.models.two_marks import Sumps
from watchkeep_firmware_sim.signals import Wander, keys, normal, uniform

VOCABULARY = load()
DAY = 86_400.0
SATURDAY = MIDNIGHT + 4 * DAY
NATIONAL_DAY = MIDNIGHT + 9 * DAY
START = MIDNIGHT + 8 * 3600


def sample(kind, places, start=START, steps=60, step_s=60.0, metrics=None):
    names = metrics or metrics_of(kind, VOCABULARY)
    devices = Devices(Group.of(1, places, start), kind, names, VOCABULARY)
    found = [devices.sample(start + step * step_s) for step in range(steps)]
    return {name: np.array([readings[name] for readings in found]) for name in names}


def places(count, *, community="c1", building="b1", stem="x"):
    return [Place(community, building, f"{stem}-{number}") for number in range(1, count + 1)]


@pytest.mark.parametrize("kind", sorted(BY_KIND))
def test_a_device_among_many_reads_what_it_reads_alone(kind):
    many, alone = sample(kind, places(7)), sample(kind, places(7)[4:5])
    for name, values in many.items():
        assert np.array_equal(values[:, 4], alone[name][:, 0], equal_nan=True), name
    numbers = [name for name in many if VOCABULARY.metrics[name].value == "number" and np.nanstd(many[name]) > 0]
    assert any(not np.array_equal(many[name][:, 3], many[name][:, 4]) for name in numbers)


def test_lifts_are_in_the_same_state_however_often_they_are_asked():
    states = ["car_status", "door_status", "car_floor", "ride_count", "passenger_status"]
    often = sample("elevator", places(5), steps=721, step_s=5.0, metrics=states)
    seldom = sample("elevator", places(5), steps=13, step_s=300.0, metrics=states)
    for name in states:
        assert np.array_equal(often[name][::60], seldom[name], equal_nan=True), name
    assert (often["ride_count"][-1] > often["ride_count"][0]).all()


def test_people_use_less_in_the_early_morning_of_days_off():
    def rides(day):
        counts = sample("elevator", places(30), day + 6.5 * 3600, 2, 3600.0, ["ride_count"])["ride_count"]
        return (counts[1] - counts[0]).sum()

    assert rides(SATURDAY) < 0.8 * rides(MIDNIGHT + DAY)
    assert rides(NATIONAL_DAY) < 0.8 * rides(MIDNIGHT + DAY)
    assert Moment.of(NATIONAL_DAY + 3600, 8).rest
    assert not Moment.of(MIDNIGHT + 3600, 8).rest


def test_equipment_of_one_community_shares_its_demand():
    metrics = ["inlet_flow"]
    mine = sample("dma_meter", places(2), steps=240, metrics=metrics)["inlet_flow"]
    other = sample("dma_meter", places(1, community="c9"), steps=240, metrics=metrics)["inlet_flow"]
    trend = np.convolve(mine[:, 0] / mine[:, 0].mean(), np.ones(5) / 5, "valid")
    near, far = mine[:, 1] / mine[:, 1].mean(), other[:, 0] / other[:, 0].mean()
    near, far = (np.convolve(one, np.ones(5) / 5, "valid") for one in (near, far))
    assert np.std(trend - near) < 0.75 * np.std(trend - far)


def test_the_pumps_of_a_set_are_those_that_the_set_runs():
    steps = {"steps": 24 * 12, "step_s": 300.0, "start": MIDNIGHT}
    pumps = sample("supply_pump", places(3, stem="pump"), metrics=["pump_run_state", "pump_flow"], **steps)
    the_set = sample("supply_pump_set", places(1, stem="set"), metrics=["pumps_running", "pump_flow"], **steps)
    assert np.array_equal(pumps["pump_run_state"].sum(axis=1), the_set["pumps_running"][:, 0])
    assert set(the_set["pumps_running"][:, 0]) == {1.0, 2.0}
    assert pumps["pump_flow"].sum(axis=1) == pytest.approx(the_set["pump_flow"][:, 0], rel=0.08)


def test_equipment_of_one_building_shares_its_mains():
    metrics = ["supply_voltage_deviation"]
    lifts = sample("elevator", places(1), steps=200, metrics=metrics)[metrics[0]][:, 0]
    mains = sample("power_supply", places(1, stem="mains"), steps=200, metrics=metrics)[metrics[0]][:, 0]
    elsewhere = sample("power_supply", places(1, building="b2", stem="mains"), steps=200, metrics=metrics)[metrics[0]][
        :, 0
    ]
    assert np.std(lifts - mains) < np.std(lifts - elsewhere)


def test_rain_fills_the_sumps_of_a_community_faster():
    group = Group.of(1, places(1), MIDNIGHT)
    moments = [MIDNIGHT + hour * 3600 for hour in range(24 * 60)]
    rain = np.array([group.surroundings.rain(group.moment(t))[0] for t in moments])
    assert 0.01 < (rain > 0).mean() < 0.15
    wet, dry = moments[int(rain.argmax())], moments[int(np.flatnonzero(rain == 0)[0])]
    sumps = Sumps(group)
    assert sumps.rates(wet)[1] > 1.3 * sumps.rates(dry)[1]


def test_draws_are_spread_evenly_and_bounded():
    of = keys(f"k{n}" for n in range(200))
    flat = np.concatenate([uniform(of, count) for count in range(200)])
    bell = np.concatenate([normal(of, count) for count in range(200)])
    assert abs(flat.mean() - 0.5) < 0.005
    assert np.histogram(flat, 10, (0, 1))[0] == pytest.approx(4000, rel=0.07)
    assert abs(bell.mean()) < 0.02
    assert abs(bell.std() - 1) < 0.02
    assert np.abs(bell).max() < 3.47
    wander = np.array([Wander(of, 60.0).at(t) for t in np.arange(0.0, 6000.0, 37.0)])
    assert abs(wander.std() - 1) < 0.05
    assert np.abs(wander).max() <= 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(BY_KIND))
@pytest.mark.parametrize("season", [0, 120], ids=["autumn", "winter"])
def test_machines_stay_within_limits_for_days(kind, season):
    start = MIDNIGHT + season * DAY
    step_s = 600.0
    made = generate(kind, 8, start, start + 3 * DAY, step_s, 5)
    for device in range(8):
        broken = opened_on_grid(made, device, VOCABULARY)
        broken.pop("door_held_open", None)  # seen open at two polls 10 min apart is two visits
        assert not broken, (kind, device)
    for row, metric in enumerate(made.metrics):
        known = made.values[:, row][~np.isnan(made.values[:, row])]
        assert VOCABULARY.metrics[metric].min <= known.min() <= known.max() <= VOCABULARY.metrics[metric].max


def test_blocks_are_the_whole_in_pieces():
    faults = [Wish(1, "sump_high", 3000.0)]
    whole = generate("sump", 3, START, START + 7200, 60, 1, faults=faults)
    pieces = list(blocks("sump", 3, START, START + 7200, 60, 1, faults=faults, block_steps=50))
    assert [len(piece.t) for piece in pieces] == [50, 50, 20]
    assert np.array_equal(np.concatenate([piece.values for piece in pieces]), whole.values, equal_nan=True)
    assert [record for piece in pieces for record in piece.truth] == whole.truth
    assert len(whole.truth) == 1
    assert whole.series("water_level").shape == (120, 3)
    assert whole.equipment == ("c1/sump-1", "c1/sump-2", "c1/sump-3")


def test_a_fault_changes_its_device_only_and_only_while_it_lasts():
    common = ("water_tank", 4, START, START + 4 * 3600, 60, 1)
    healthy, faulty = generate(*common), generate(*common, faults=[Wish(2, "tank_level_low", 3600.0, 1800.0)])
    differs = np.any(healthy.values != faulty.values, axis=1) & ~np.any(np.isnan(healthy.values), axis=1)
    assert not differs[:, [0, 1, 3]].any()
    touched = np.flatnonzero(differs[:, 2])
    assert 60 < touched[0] <= 62
    assert 100 < touched[-1] <= 60 + 30 + 20
    truth = faulty.truth[0]
    assert truth["equipment"] == "water_tank-3"
    assert truth["class"] == "B"
    assert truth["begins"] < truth["failed_at"] < truth["t"]


def test_a_silent_device_gives_no_numbers():
    made = generate("sump", 2, START, START + 3600, 60, 1, faults=[Wish(0, "sensor_silent", 600.0, 900.0)])
    assert np.isnan(made.values[11:25, :, 0]).all()
    assert not np.isnan(made.values[:, :, 1]).any()
    assert not np.isnan(made.values[26:, :, 0]).any()


def test_battery_radios_lose_some_messages():
    made = generate("smoke_detector", 50, START, START + DAY, 300, 1, metrics=["battery_voltage", "signal_strength"])
    assert 0.0005 < np.isnan(made.values).mean() < 0.005


def test_random_faults_come_as_often_as_in_life_one_at_a_time():
    kinds = metrics_of("elevator", VOCABULARY)
    once = random_faults("elevator", kinds, 1000, 30 * DAY, 1, 1.0)
    more = random_faults("elevator", kinds, 1000, 30 * DAY, 1, 3.0)
    trapped = [w for w in random_faults("elevator", kinds, 1500, 365 * DAY, 1, 1.0) if "entrapment" in w.scenario]
    assert 0.04 < len(trapped) / 1500 < 0.16, "0.053 to 0.16 for a lift and year (Chizhou, Huai'an)"
    assert 2 * len(once) < len(more)
    by_device: dict[int, list[float]] = {}
    for wish in more:
        by_device.setdefault(wish.device, []).append(wish.at_s)
    assert all(times == sorted(set(times)) for times in by_device.values())


@pytest.mark.parametrize(
    ("kind", "more", "problem"),
    [
        ("spaceship", {}, "no kind 'spaceship'"),
        ("sump", {"metrics": ["car_status"]}, "'car_status' does not belong to kind 'sump'"),
        ("sump", {"faults": [Wish(0, "clock_skew", 0.0)]}, "clock_skew is about messages"),
        ("sump", {"faults": [Wish(0, "frost", 0.0)]}, "frost happens to"),
    ],
)
def test_what_cannot_be_generated_is_refused(kind, more, problem):
    with pytest.raises(ScenarioError, match=problem):
        generate(kind, 1, START, START + 600, 60, 1, **more)


def test_a_file_of_readings_and_truth_can_be_written(tmp_path):
    path = tmp_path / "lifts.npz"
    options = ["--kind", "elevator", "--count", "20", "--days", "1", "--fault-rate", "400", "--output", str(path)]
    done = CliRunner().invoke(app, ["generate", *options])
    told = json.loads(done.stdout)
    with np.load(path) as made:
        assert made["values"].shape == (288, len(metrics_of("elevator", VOCABULARY)), 20)
        truth = json.loads(str(made["truth"]))
    assert told["readings"] == 288 * len(metrics_of("elevator", VOCABULARY)) * 20
    assert told["faults"] == len(truth) > 3
    assert {"class", "party", "begins", "expects_any"} <= truth[0].keys()
