"""Faults: each does what it promises, and leaves nothing behind."""

import tomllib
from functools import cache
from pathlib import Path

import pytest

from tests.firmware_sim.limits import MIDNIGHT, device, metrics_of, opened, opened_on_grid, simulate, told
from watchkeep_core.vocabulary import load
from watchkeep_firmware_sim.errors import ScenarioError
from watchkeep_firmware_sim.fleet import Fleet, PlannedFault
from watchkeep_firmware_sim.generate import Wish, generate
from watchkeep_firmware_sim.ledger import describe
from watchkeep_firmware_sim.scenario import Effect, find, require_fit, scenarios, variants
from watchkeep_firmware_sim.scenario_duties import expected
from watchkeep_firmware_sim.simulation import FaultNote, Readings, Simulation

VOCABULARY = load()
ALL = scenarios()
AT = 600.0
START = MIDNIGHT + 8 * 3600

EXCEPTIONS = {
    "maintenance_overdue": "a calendar tells, no device",
    "planned_supply_interruption": "announced by people",
    "unlicensed_building": "seen by people",
    "fire_lane_occupied": "seen by people",
    "ebike_charging_violation": "seen by people",
    "waste_dumped": "seen by people",
    "illegal_parking": "seen by people",
    "resident_repair_urgent": "told by residents",
    "resident_repair": "told by residents",
    "hotline_case": "told by residents",
    "hotline_utility_outage": "told by residents",
    "hotline_life_risk": "told by residents",
    "telemetry_lost": "a gateway's spool must overflow: fleet mode and system tests",
    "detector_failure": "the platform's own software, no device",
    "sensor_quantised": "no fault of the simulator rounds readings yet; tests/analytics/test_steps.py plays it",
    "high_reading": "only where a person set a limit",
    "low_reading": "only where a person set a limit",
}
"""Conditions that no scenario can bring about, and why."""

ANCHORS = {
    "two triggers 2 ms apart": "double_trigger",
    "reconnect with 1 h backlog in random order": "backlog_shuffled",
    "duplicate delivery": "duplicate_messages",
    "future clock (2036)": "clock_2036",
    "-8 h time-zone error": "clock_timezone",
    "value frozen with fresh stamps": "sensor_flatline",
    "flapping every 3 s": "alarm_flapping",
    "187 k messages in 5 min from one device": "message_flood",
    "200 sensors offline through one gateway": "gateway_silent",
}
"""The cases of ANCHORS §6 that a device can play; the others (seq reset, broker, database, restart, import, people) are
system tests or the fleet mode's."""

BY_LOGIC = {"elevator_entrapment", "elevator_entrapment_in_zone", "elevator_entrapment_power_loss"}
"""Told by an event, and found by state logic rather than by a limit."""

PLAYED_LIVE = [
    ("power_loss", "elevator"),
    ("power_loss", "sump"),
    ("hydrant_pressure_low", "outdoor_hydrant"),
    ("machine_room_hot", "elevator"),
    ("sump_high", "sump"),
    ("water_pressure_loss", "supply_pump_set"),
    ("pump_bearing_hot", "fire_pump"),
    ("fire_alarm", "smoke_detector"),
    ("elevator_door_fault", "elevator"),
    ("elevator_vibration_high", "elevator"),
    ("pump_overload", "supply_pump"),
    ("gas_alarm", "gas_detector"),
]


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
    assert set(scenario.kinds) <= {"*"} or all(fits(scenario, kind) for kind in scenario.kinds)
    assert all(spread.scenario in ALL for spread in scenario.spread)


def test_a_scenario_file_bears_its_id():
    assert all(name == scenario.id for name, scenario in ALL.items())
    assert len(ALL) >= 150


def fits(scenario, kind):
    require_fit(scenario, kind, metrics_of(kind, VOCABULARY), sends_events=True)
    return True


def test_every_condition_that_a_device_can_show_has_a_scenario():
    told = {name for scenario in ALL.values() for event in scenario.event for name in event.condition}
    covered = {name for scenario in ALL.values() for name in scenario.expects}
    covered |= {name for name in told if not VOCABULARY.conditions[name].opens_warning}
    assert set(VOCABULARY.conditions) - covered == set(EXCEPTIONS), "update EXCEPTIONS or add a scenario"


def test_every_case_of_the_anchors_that_a_device_can_play_is_there():
    assert set(ANCHORS.values()) <= set(ALL)


def test_slow_and_weak_variants_are_there():
    slow = [name for name in variants() if name.endswith(":gradual")]
    weak = [s.id for s in ALL.values() if any(e.near is not None for e in s.effect)]
    assert len(slow) >= 35
    assert len(weak) >= 55
    assert find("sump_high:gradual").effect[0].over_s == 3600
    assert "drift_towards_limit" in find("sump_high:gradual").also


@cache
def _duties():
    path = Path(__file__).parents[2] / "dispatch" / "watchkeep_dispatch" / "default_duties.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))["duty"]


@pytest.mark.parametrize("handed_over", [False, True])
@pytest.mark.parametrize("in_warranty", [False, True])
@pytest.mark.parametrize("ownership", ["owners_common", "utility", "municipal"])
def test_class_and_party_agree_with_the_default_responsibility_list(handed_over, in_warranty, ownership):
    facts = {"handed_over": handed_over, "in_warranty": in_warranty, "ownership": ownership}
    rows = {condition: duty for duty in _duties() for condition in duty.get("conditions", [])}
    for condition in VOCABULARY.conditions.values():
        kinds = list(VOCABULARY.kinds) if condition.kinds == ("*",) else condition.kinds
        for kind in kinds:
            domain = VOCABULARY.kinds[kind].domain
            duty = rows[condition.id] if condition.id in rows else _catch_all(condition.domain)
            fitting = [duty] + [
                v for v in duty.get("variants", []) if _matches(v, facts, kind, {domain, condition.domain})
            ]
            best = max(
                fitting,
                key=lambda v: ("kind" in v, "domain" in v, len(v.keys() & facts.keys()) if v is not duty else -1),
            )
            mine = expected(condition.id, kind)
            assert mine.case_class == duty["class"], condition.id
            assert mine.responsible(**facts) == best.get("responsible", duty["responsible"]), (
                condition.id,
                kind,
                facts,
            )


def _matches(variant, facts, kind, domains):
    return (
        variant.get("kind", kind) == kind
        and variant.get("domain", next(iter(domains))) in domains
        and "urban" not in variant
        and all(variant.get(name, value) == value for name, value in facts.items())
    )


def _catch_all(domain):
    return next(duty for duty in _duties() if duty.get("domain") == domain and "conditions" not in duty)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), PLAYED_LIVE)
def test_a_fault_breaks_a_limit_or_tells_of_itself_and_then_is_gone(name, kind):
    outputs, begins, ends = play(name, kind)
    broken = [(t, limit.condition) for t, limit in opened(outputs, VOCABULARY)]
    events = [(t, condition) for t, condition, active in told(outputs, VOCABULARY) if active]
    promised = {*ALL[name].expects, *ALL[name].also}
    assert {condition for _, condition in broken + events} & set(ALL[name].expects), "nothing of what was promised"
    assert {condition for _, condition in broken + events} <= promised, "something that was not promised"
    assert all(begins <= t <= ends for t, _ in broken + events if t < ends + 1800), "outside the fault"
    assert not [t for t, _ in broken if t > ends + 1800], "not back to normal"


def limit_scenarios(kind, *, slow):
    """Those that a limit should find in readings of this kind."""
    found = []
    for name, scenario in variants().items():
        limited = {limit.condition for e in scenario.effect for limit in VOCABULARY.limits_for(kind, e.metric)}
        if (":gradual" in name) == slow and kind in scenario.kinds and limited & set(scenario.expects):
            found += [name] if not scenario.learnt and name not in BY_LOGIC else []
    return found


LIMITED = {kind: names for kind in VOCABULARY.kinds if (names := limit_scenarios(kind, slow=False))}
SLOW = {kind: names for kind in VOCABULARY.kinds if (names := limit_scenarios(kind, slow=True))}


@pytest.mark.slow
@pytest.mark.parametrize("kind", LIMITED)
def test_every_severity_breaks_a_limit_and_then_is_gone(kind):
    short = [name for name in LIMITED[kind] if find(name).for_s <= 1800]
    for names, step_s in ((short, 5.0 if kind == "elevator" else 20.0), (set(LIMITED[kind]) - set(short), 30.0)):
        if names:
            check_on_grid(kind, sorted(names), step_s=step_s, settle_s=1800)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SLOW)
def test_every_slow_variant_breaks_its_limit_in_the_end(kind):
    check_on_grid(kind, SLOW[kind], step_s=600.0, settle_s=14_400)


def check_on_grid(kind, names, *, step_s, settle_s):
    wishes = [Wish(0, name, AT, severity=severity) for name in names for severity in (1.0, 0.0)]
    wishes = [wish._replace(device=number) for number, wish in enumerate(wishes)]
    last = max(find(name).for_s + find(name).recovered_after_s() for name in names)
    made = generate(kind, len(wishes), START, START + AT + last + settle_s, step_s, 1, faults=wishes)
    truth = {record["device"]: record for record in made.truth}
    for wish in wishes:
        scenario, about = find(wish.scenario), (wish.scenario, wish.severity)
        broken = opened_on_grid(made, wish.device, VOCABULARY)
        if step_s > 20:
            broken.pop("door_held_open", None)  # seen open at some polls in a row is several visits
        assert set(broken) & set(scenario.expects), (*about, "nothing of what was promised", set(broken))
        assert set(broken) <= {*scenario.expects, *scenario.also}, (*about, "something that was not promised")
        ends = START + AT + scenario.for_s
        assert all(START + AT <= t <= ends + 1800 for times in broken.values() for t in times), (*about, "outside")
        assert truth[wish.device]["failed_at"] is not None, about
        if ":gradual" in wish.scenario:
            assert truth[wish.device]["failed_at"] > truth[wish.device]["begins"], about


def test_severity_draws_the_effect_down_to_the_limit():
    wishes = [Wish(n, "machine_room_hot", 0.0, severity=severity) for n, severity in enumerate((0.0, 0.5, 1.0))]
    made = generate("elevator", 3, START, START + 1100, 20, 1, metrics=["machine_room_temperature"], faults=wishes)
    weakest, half, full = made.series("machine_room_temperature")[-10:].mean(axis=0)
    assert 40 < weakest < 41.5
    assert weakest + 2.5 < half < full - 2.5
    assert full == pytest.approx(48, abs=1)


def test_a_power_loss_of_a_building_takes_what_hangs_on_it():
    mains = device("power_supply", VOCABULARY, equipment="mains-1")
    lift = device("elevator", VOCABULARY, equipment="lift-1", powered_by="mains-1")
    panel = device("fire_detector", VOCABULARY, equipment="detector-1", powered_by="mains-1")
    other = device("elevator", VOCABULARY, equipment="lift-2", powered_by="mains-2")
    fault = PlannedFault(equipment=mains.name, scenario="building_power_loss", at_s=AT)
    outputs = simulate(VOCABULARY, [mains, lift, panel, other], fault, hours=0.5, start=START)
    notes = [output for output in outputs if isinstance(output, FaultNote) and output.begins]
    assert [(n.device.equipment, n.fault.scenario.id, n.fault.cause) for n in notes] == [
        ("mains-1", "building_power_loss", None),
        ("lift-1", "power_loss", 1),
        ("detector-1", "unpowered", 1),
    ]
    during = [s for s in readings(outputs) if START + AT <= s.t_ms / 1000 < START + AT + 900]
    assert {s.values.get("power_status", 2) for s in during if s.device.equipment == "lift-1"} == {2}
    assert {s.values.get("power_status", 1) for s in during if s.device.equipment == "lift-2"} == {1}
    assert not [s for s in during if s.device.equipment == "detector-1"]


def test_an_offline_gateway_silences_all_it_reads():
    gateway = device("gateway", VOCABULARY, gateway="g1")
    mine, other = device("sump", VOCABULARY), device("sump", VOCABULARY, gateway="g2", equipment="sump-2")
    fault = PlannedFault(equipment=gateway.name, scenario="gateway_silent", at_s=AT, for_s=600)
    outputs = simulate(VOCABULARY, [gateway, mine, other], fault, hours=0.5, start=START)
    during = [s.device.equipment for s in readings(outputs) if START + AT <= s.t_ms / 1000 < START + AT + 600]
    assert set(during) == {"sump-2"}


def test_a_backlog_comes_back_complete_and_out_of_order():
    outputs, begins, ends = play("backlog_shuffled", "sump", after_s=60.0)
    notes = [index for index, output in enumerate(outputs) if isinstance(output, FaultNote)]
    assert not readings(outputs[notes[0] + 1 : notes[1]])[:-1], "nothing while the line is down"
    stamps = [s.t_ms / 1000 for s in readings(outputs) if begins <= s.t_ms / 1000 < ends]
    assert len(stamps) == pytest.approx(3600 / 20, abs=20)
    assert stamps != sorted(stamps)
    assert len(set(stamps)) >= len(stamps) - 1, "one each, and one more at the moment when the fault began"


def test_out_of_order_messages_are_late_by_half_a_minute_at_most():
    outputs, begins, ends = play("out_of_order", "sump", after_s=60.0)
    stamps = [s.t_ms / 1000 for s in readings(outputs) if begins <= s.t_ms / 1000 < ends]
    behind = [max(stamps[:i], default=0) - t for i, t in enumerate(stamps)]
    assert 0 < max(behind) <= 30


def test_a_flood_is_as_large_as_the_recorded_one():
    outputs, begins, ends = play("message_flood", "sump", for_s=20.0, after_s=0.0)
    sent = [s for s in readings(outputs) if begins <= s.t_ms / 1000 < ends]
    assert len(sent) == pytest.approx(187_000 / 300 * 20, rel=0.05)
    assert ALL["message_flood"].for_s == 300


def test_sensor_faults_break_one_number_in_their_own_way():
    def level(name, hours=2.0):
        made = generate("water_tank", 1, START, START + hours * 3600, 60, 1, faults=[Wish(0, name, 600.0)])
        return made.series(made.metrics[0])[:, 0], made

    plain = generate("water_tank", 1, START, START + 7200, 60, 1)
    healthy, rows = plain.values[:, :, 0], [VOCABULARY.metrics[name] for name in plain.metrics]
    first = min(row.id for row in rows if row.value == "number" and row.period_s > 0)
    for name in ("sensor_rail", "sensor_spikes", "sensor_drift", "sensor_missing", "sensor_impossible"):
        _, made = level(name)
        column = made.metrics.index(first)
        values, truth = made.values[:, column, 0], healthy[:, column]
        row = VOCABULARY.metrics[first]
        if name == "sensor_rail":
            assert (values[12:120] == row.max).all()
        elif name == "sensor_spikes":
            wild = (values > truth + 1e-6).nonzero()[0]
            assert 4 <= len(wild) <= 5
            assert set(range(wild[0], wild[-1] + 1, 15)) == set(wild.tolist())
        elif name == "sensor_drift":
            assert 0 < values[60] - truth[60] < values[119] - truth[119]
        elif name == "sensor_missing":
            assert (values[11:40] != values[11:40]).all()
        else:
            assert (values[12:20] > row.max).all()


def test_a_replaced_meter_counts_from_zero():
    made = generate("dma_meter", 1, START, START + 7200, 60, 1, faults=[Wish(0, "sensor_counter_reset", 1200.0)])
    volume = made.series("water_volume")[:, 0]
    assert volume[19] > 1000
    assert volume[21] < 10
    assert (volume[21:70][1:] >= volume[21:70][:-1]).all()


def test_the_ledger_says_who_must_get_the_order():
    outputs, _, _ = play("elevator_entrapment", "elevator", after_s=10.0)
    note = next(output for output in outputs if isinstance(output, FaultNote))
    record = describe(note)
    assert (record["class"], record["party"]) == ("A", "lift_maintainer")
    assert record["duties"]["alarm_button"].party == "lift_maintainer"
    assert record["full_at"] == record["t"] < record["ends_at"] <= record["recovered_at"]


def test_an_effect_says_one_thing():
    with pytest.raises(ValueError, match="exactly one of to, add and times"):
        Effect(metric="water_level", to=1, add=2)


def test_an_unknown_code_is_sent_as_the_device_says_it():
    outputs, _, _ = play("unknown_code", "elevator", after_s=10.0, vendor_profile="gbt24476_2017")
    codes = {output.value for output in outputs if getattr(output, "active", False) is True}
    assert codes == {"777"}


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
