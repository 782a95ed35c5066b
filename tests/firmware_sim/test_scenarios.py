"""Faults: each does what it promises, and leaves nothing behind."""

import pytest

from tests.firmware_sim.limits import MIDNIGHT, device, metrics_of, opened, simulate, told
from watchkeep_core.vocabulary import load
from watchkeep_firmware_sim.errors import ScenarioError
from watchkeep_firmware_sim.fleet import Fleet, PlannedFault
from watchkeep_firmware_sim.scenario import scenarios
from watchkeep_firmware_sim.simulation import FaultNote, Readings, Simulation

VOCABULARY = load()
ALL = scenarios()
AT = 600.0
START = MIDNIGHT + 8 * 3600

BY_LIMIT_OR_EVENT = sorted(
    name
    for name, scenario in ALL.items()
    if scenario.kinds != ["*"] and name not in ("night_flow_leak",)  # judged against its own nights
)


def play(name, kind, *, for_s=None, after_s=7200.0, **given):
    one = device(kind, VOCABULARY, **given)
    length = for_s or ALL[name].for_s
    fault = PlannedFault(equipment=one.name, scenario=name, at_s=AT, for_s=for_s)
    outputs = simulate(VOCABULARY, [one], fault, hours=(AT + length + after_s) / 3600, start=START)
    return outputs, START + AT, START + AT + length


def readings(outputs):
    return [output for output in outputs if isinstance(output, Readings)]


@pytest.mark.parametrize("scenario", ALL.values(), ids=ALL.keys())
def test_scenarios_speak_the_vocabulary(scenario):
    assert scenario.zh
    assert scenario.en
    kinds = list(VOCABULARY.kinds) if scenario.kinds == ["*"] else scenario.kinds
    assert set(kinds) <= set(VOCABULARY.kinds)
    conditions = {*scenario.expects, *scenario.also, *(name for event in scenario.event for name in event.condition)}
    assert conditions - {"*"} <= set(VOCABULARY.conditions)
    for condition in scenario.expects:
        owners = VOCABULARY.conditions[condition].kinds
        assert owners == ("*",) or set(owners) & set(kinds), condition
    metrics = {metric for kind in kinds for metric in metrics_of(kind, VOCABULARY)}
    assert {effect.metric for effect in scenario.effect} | set(scenario.needs_any) <= metrics


def test_a_scenario_file_bears_its_id():
    assert all(name == scenario.id for name, scenario in ALL.items())
    assert len(ALL) >= 20


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name in BY_LIMIT_OR_EVENT for kind in ALL[name].kinds])
def test_a_fault_breaks_a_limit_or_tells_of_itself_and_then_is_gone(name, kind):
    outputs, begins, ends = play(name, kind)
    broken = [(t, limit.condition) for t, limit in opened(outputs, VOCABULARY)]
    events = [(t, condition) for t, condition, active in told(outputs, VOCABULARY) if active]
    promised = {*ALL[name].expects, *ALL[name].also}
    assert {condition for _, condition in broken + events} & set(ALL[name].expects), "nothing of what was promised"
    assert {condition for _, condition in broken + events} <= promised, "something that was not promised"
    assert all(begins <= t <= ends for t, _ in broken + events if t < ends + 1800), "outside the fault"
    assert not [t for t, _ in broken if t > ends + 1800], "not back to normal"


def test_the_event_is_taken_back_at_the_end():
    outputs, begins, ends = play("fire_alarm", "smoke_detector")
    assert list(told(outputs, VOCABULARY)) == [(begins, "fire_alarm", True), (ends, "fire_alarm", False)]


@pytest.mark.parametrize(
    ("profile", "codes"),
    [
        (None, ["entrapment_off_zone", "alarm_button"]),
        ("gbt24476_2017", ["04", "90"]),
        ("provincial", ["11", "90"]),
        ("government_1_33", ["8", "21"]),
    ],
)
def test_events_carry_the_code_of_the_vendor(profile, codes):
    outputs, _, _ = play("elevator_entrapment", "elevator", after_s=60.0, vendor_profile=profile)
    active = [output for output in outputs if getattr(output, "active", False) is True]
    assert [output.value for output in active] == codes
    assert {output.field for output in active} == {"condition" if profile is None else "code"}


def test_nobody_rides_while_somebody_is_trapped_and_doors_free_them():
    outputs, begins, ends = play("elevator_entrapment", "elevator")
    during = [sent for sent in readings(outputs) if begins <= sent.t_ms / 1000 < ends]
    assert {sent.values.get("car_status", 0) for sent in during} == {0}
    assert not [sent for sent in during if "car_vibration_vertical" in sent.values]
    after = [sent.values for sent in readings(outputs) if ends <= sent.t_ms / 1000 < ends + 60]
    freed = next(index for index, values in enumerate(after) if values.get("passenger_status") == 2)
    assert any(values.get("door_status") == 2 for values in after[:freed]), "left through closed doors"
    assert any("car_vibration_vertical" in sent.values for sent in readings(outputs)[-500:]), "never ran again"


def test_readings_change_at_once_when_a_state_fault_begins():
    outputs, begins, _ = play("power_loss", "elevator", period_s=3600.0, after_s=10.0)
    first = next(sent for sent in readings(outputs) if sent.t_ms / 1000 >= begins)
    assert first.t_ms / 1000 == begins
    assert first.values["power_status"] == 2


def test_a_silent_sensor_sends_nothing():
    outputs, begins, ends = play("sensor_silent", "sump", after_s=600.0)
    assert not [sent for sent in readings(outputs) if begins <= sent.t_ms / 1000 < ends]
    assert [sent for sent in readings(outputs) if sent.t_ms / 1000 >= ends]


def test_a_frozen_sensor_repeats_its_number_with_fresh_stamps():
    outputs, begins, ends = play("sensor_flatline", "water_tank", after_s=600.0)
    during = [sent for sent in readings(outputs) if begins <= sent.t_ms / 1000 < ends]
    assert len({sent.t_ms for sent in during}) > 100
    assert len({sent.values["water_level"] for sent in during}) == 1
    assert len({sent.values["water_level"] for sent in readings(outputs) if sent.t_ms / 1000 > ends}) > 3


def test_an_impossible_value_is_finite_and_beyond_physics():
    outputs, begins, ends = play("sensor_impossible", "hydrant_system", after_s=600.0)
    for sent in readings(outputs):
        beyond = {m for m, value in sent.values.items() if value > VOCABULARY.metrics[m].max}
        assert bool(beyond) == (begins <= sent.t_ms / 1000 < ends)
        assert len(beyond) <= 1


@pytest.mark.parametrize(("name", "shift_s"), [("clock_skew", 900), ("clock_timezone", -28_800), ("clock_2036", 3e8)])
def test_a_wrong_clock_shifts_the_stamps(name, shift_s):
    outputs, begins, ends = play(name, "sump", after_s=600.0)
    notes = [index for index, output in enumerate(outputs) if isinstance(output, FaultNote)]
    during = readings(outputs[notes[0] : notes[1]])
    assert during[0].t_ms == round((begins + shift_s) * 1000)
    assert all(begins <= sent.t_ms / 1000 - shift_s < ends for sent in during)
    assert all(START <= sent.t_ms / 1000 <= ends + 600 for sent in readings(outputs[: notes[0]] + outputs[notes[1] :]))


def test_duplicates_are_exact():
    outputs, begins, ends = play("duplicate_messages", "sump", after_s=60.0)
    during = [sent for sent in readings(outputs) if begins <= sent.t_ms / 1000 < ends]
    assert during[::2] == during[1::2]


def test_a_flapping_alarm_comes_and_goes_every_three_seconds():
    outputs, begins, _ = play("alarm_flapping", "smoke_detector", after_s=10.0)
    events = list(told(outputs, VOCABULARY))
    assert len(events) == 80
    assert events[:3] == [
        (begins, "fire_alarm", True),
        (begins + 1.5, "fire_alarm", False),
        (begins + 3, "fire_alarm", True),
    ]


def test_two_triggers_two_milliseconds_apart():
    outputs, _, _ = play("double_trigger", "smoke_detector", after_s=10.0)
    times = [t for t, _, active in told(outputs, VOCABULARY) if active]
    assert times[1] - times[0] == pytest.approx(0.002, abs=1e-6)


def test_a_leak_doubles_the_night_flow():
    meter = device("dma_meter", VOCABULARY, period_s=900.0)
    fault = PlannedFault(equipment=meter.name, scenario="night_flow_leak", at_s=86_400)
    outputs = readings(simulate(VOCABULARY, [meter], fault, hours=24 * 5, start=MIDNIGHT))
    nights = [
        min(sent.values["inlet_flow"] for sent in outputs if 2 <= (sent.t_ms / 1000 - MIDNIGHT) / 3600 - 24 * day < 4)
        for day in range(5)
    ]
    assert all(night > 1.3 * nights[0] for night in nights[1:])


def test_notes_are_the_ground_truth():
    outputs, begins, ends = play("machine_room_hot", "elevator", for_s=1000.0)
    notes = [output for output in outputs if isinstance(output, FaultNote)]
    assert [(note.t, note.begins, note.fault.scenario.id) for note in notes] == [
        (begins, True, "machine_room_hot"),
        (ends, False, "machine_room_hot"),
    ]


@pytest.mark.parametrize(
    ("scenario", "equipment", "problem"),
    [
        ("no_such_thing", "c1/sump-1", "no scenario 'no_such_thing'; there are:"),
        ("fire_alarm", "c1/sump-1", "fire_alarm happens to"),
        ("sump_high", "c1/sump-1", "sump_high needs one of the metrics water_level"),
        ("sump_high", "c1/nothing", "no device 'c1/nothing'"),
    ],
)
def test_a_fault_that_does_not_fit_is_refused(scenario, equipment, problem):
    fleet = Fleet(seed=1, device=[device("sump", VOCABULARY, metrics=["power_status"])])
    with pytest.raises(ScenarioError, match=problem):
        Simulation(fleet, VOCABULARY, START).add_fault(equipment, scenario, START, None, planned=False)


def test_what_only_events_tell_does_not_fit_a_transport_without_codes():
    alarm = PlannedFault(equipment="c1/smoke_detector-1", scenario="fire_alarm", at_s=0)
    polled = device("smoke_detector", VOCABULARY, transport="modbus", unit_id=1)
    fleet = Fleet(seed=1, device=[polled])
    with pytest.raises(ScenarioError, match="transport does not carry"):
        Simulation(fleet, VOCABULARY, START).add_fault(alarm.equipment, alarm.scenario, START, None, planned=False)
