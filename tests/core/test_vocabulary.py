import copy
import math
import tomllib
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeep_core import vocabulary as module
from watchkeep_core.vocabulary import VocabularyError, load, parse
from watchkeep_core.vocabulary_rows import ANY

DOCUMENT = tomllib.loads(resources.files("watchkeep_core").joinpath("vocabulary.toml").read_text("utf-8"))

CANONICAL = """
entrapment_in_zone entrapment_off_zone stop_off_zone ucm door_open_running overspeed top_overrun
bottom_overrun safety_chain_open lock_chain_open door_close_fail door_open_fail door_cycling
door_held_open runtime_limit position_lost restart_lockout brake_fault power_loss button_stuck
alarm_button mode_change gateway_offline
"""

DUTY_ROWS = """
maintenance_overdue fire_alarm fire_pump_fault main_power_fault smoke_control_fault fire_fault
fire_shielded fire_static_pressure_low fire_tank_low residual_current_high duty_check_unanswered
control_room_understaffed supply_pressure_loss pipe_burst night_flow_leak
planned_supply_interruption residual_chlorine_low turbidity_high ph_out_of_range tank_overflow
pump_fault sump_overflow_risk basement_water sewage_overflow manhole_cover_displaced
resident_repair_urgent resident_repair hotline_case hotline_utility_outage hotline_life_risk
unlicensed_building waste_dumped fire_lane_occupied vibration_high levelling_poor
"""

SENSOR_HEALTH = """
sensor_silent sensor_flatline sensor_stuck_at_rail sensor_impossible_jump sensor_clock_skew
sensor_battery_low sensor_never_reported abnormal_reading high_reading low_reading
"""

LIFE_SAFETY = """
entrapment entrapment_in_zone entrapment_off_zone alarm_button ucm door_open_running overspeed
top_overrun bottom_overrun escalator_reversal fire_alarm gas_alarm
"""


def row(document, section, **match):
    return next(raw for raw in document[section] if all(raw.get(key) == value for key, value in match.items()))


def test_is_loaded_once():
    assert load() is load()


def test_vocabulary_has_a_field_for_each_section():
    assert {*module.SECTIONS.values(), "fire"} == set(module.Vocabulary.__struct_fields__)


@pytest.mark.parametrize("section", module.SECTIONS)
def test_both_languages_are_complete(section):
    for entry in getattr(load(), module.SECTIONS[section]).values():
        texts = [getattr(entry, field) for field in ("zh", "en", "advice_zh", "advice_en") if hasattr(entry, field)]
        for state in getattr(entry, "states", {}).values():
            texts += [state.zh, state.en]
        assert all(text.strip() for text in texts), entry.id
    for condition in load().conditions.values():
        assert condition.advice_en.isascii(), condition.id
        assert not condition.advice_zh.isascii(), condition.id


@pytest.mark.parametrize("condition", (CANONICAL + DUTY_ROWS + SENSOR_HEALTH).split())
def test_condition_exists(condition):
    assert condition in load().conditions


def test_life_safety_is_exactly_entrapment_fire_gas_and_uncontrolled_movement():
    flagged = [condition for condition in load().conditions.values() if condition.life_safety]
    assert sorted(condition.id for condition in flagged) == sorted(LIFE_SAFETY.split())
    assert {condition.default_class for condition in flagged} == {"A"}
    assert all(condition.opens_warning and not condition.suppresses for condition in flagged)


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ("00 40", {""}),
        ("01 02 03 04 05 06 07 08 41 42 43 44 45 46 47 61 62 63 64 65 90", None),
    ],
)
def test_every_code_of_the_core_set_maps(codes, expected):
    for code in codes.split():
        condition = load().condition_of("gbt24476_2017", code)
        assert condition in (load().conditions if expected is None else expected), code


@pytest.mark.parametrize(
    ("profile", "code", "condition"),
    [
        ("gbt24476_2017", "08", "restart_lockout"),
        ("provincial", "08", "restart_lockout"),
        ("java_gateway", "08", "door_open_running"),
        ("bacnet_lift", "8", "stop_off_zone"),
        ("government_1_33", "8", "entrapment_off_zone"),
        ("provincial", "11", "entrapment"),
        ("java_gateway", "11", "overspeed"),
        ("government_1_33", "11", "door_open_fail"),
        ("chongqing", "91", "bottom_overrun"),
        ("chongqing", "90", "alarm_button"),
        ("java_gateway", "05", "ucm"),
        ("java_gateway", "98", None),
        ("gbt24476_2017", "09", None),
        ("dtu_legacy", "18", "escalator_reversal"),
    ],
)
def test_the_same_code_means_different_things(profile, code, condition):
    assert load().condition_of(profile, code) == condition


def test_unknown_profile_is_a_mistake():
    with pytest.raises(KeyError):
        load().condition_of("nobody", "01")


@pytest.mark.parametrize(
    ("profile", "codes"),
    [
        ("government_1_33", range(1, 34)),
        ("bacnet_lift", range(17)),
        ("dtu_legacy", range(16, 27)),
    ],
)
def test_numbered_profiles_have_no_holes(profile, codes):
    assert set(load().profiles[profile].codes) == {str(code) for code in codes}


def test_every_figure_has_basis_and_mark():
    v = load()
    entries: list[Any] = [
        *v.limits.values(),
        *v.parameters.values(),
        *v.profiles.values(),
        v.fire,
        v.fire.bit0,
    ]
    for entry in entries:
        assert entry.basis.strip()
        assert entry.mark.strip()
    for limit in v.limits.values():
        if limit.mark == "CP":  # an engineering default must not borrow a standard's name as its only basis
            assert "GB" not in limit.basis, limit.id


def test_alarm_is_never_milder_than_warning():
    limits = load().limits
    for limit in limits.values():
        warning = limits.get(limit.id.replace(".alarm", ".warning")) if limit.tier == "alarm" else None
        if warning and limit.side != "equals":
            sign = 1 if limit.side == "above" else -1
            assert sign * limit.value > sign * warning.value, limit.id


@pytest.mark.parametrize(
    ("kind", "metric", "variant", "expected"),
    [
        ("hydrant_system", "static_pressure", None, {("warning", 70), ("alarm", 50)}),
        ("hydrant_system", "static_pressure", "public_above_100_m", {("warning", 150), ("alarm", 105)}),
        ("elevator", "car_vibration_vertical", "older_ride_code", {("warning", 0.25), ("alarm", 0.45)}),
        ("supply_pump", "pump_vibration", "iso10816_7_category_1", {("warning", 4.0), ("alarm", 6.6)}),
        ("sump", "battery_level", None, {("warning", 20), ("alarm", 10)}),
        ("sump", "static_pressure", None, set()),
    ],
)
def test_limits_for(kind, metric, variant, expected):
    found = load().limits_for(kind, metric, variant)
    assert {(limit.tier, limit.value) for limit in found} == expected


def test_every_limited_or_postponed_metric_is_one_or_the_other():
    v = load()
    limited = {(limit.kind, limit.metric) for limit in v.limits.values()}
    both = {(later.kind, later.metric) for later in v.later.values()} & limited
    assert both <= {("electrical_fire_detector", "residual_current"), ("elevator", "running_speed_percent")}


@pytest.mark.parametrize(("code", "size"), [(1, 10), (2, 46), (3, 16), (4, 10)])
def test_fire_object_sizes(code, size):
    assert load().fire.upload_types[code].object_bytes == size


@pytest.mark.parametrize(
    ("code", "raw", "kind", "metric", "value"),
    [
        (5, 700, "hydrant_system", "static_pressure", 70.0),
        (5, 1, "smoke_detector", "fire_pressure", 0.1),
        (4, 1, "hydrant_system", "static_pressure", 100.0),
        (3, 235, "electrical_fire_detector", "conductor_temperature", 23.5),
        (9, 3, "electrical_fire_detector", "fire_current", 0.3),
        (2, 150, "fire_tank", "fire_height", 1.5),
    ],
)
def test_fire_analog_values(code, raw, kind, metric, value):
    analog = load().fire.analog_types[code]
    assert analog.metric_for(kind) == metric
    assert math.isclose(raw * analog.resolution, value)


def test_fire_bits():
    fire = load().fire
    assert fire.bit0.normal_value == 1
    assert {bits[1].condition for bits in (fire.system_bits, fire.component_bits, fire.device_bits)} == {"fire_alarm"}
    assert fire.system_bits[8].condition == fire.device_bits[3].condition == "main_power_fault"
    assert fire.component_bits[8].condition == "component_power_fault"
    assert fire.component_types[91].conditions[2] == "fire_pump_fault"
    assert fire.component_types[10].conditions[1] == "gas_alarm"
    assert set(fire.upload_types) == {*range(1, 9), 21, 24, 25, 26, 28}
    assert set(fire.commands) == set(range(1, 7))


def test_fire_profiles_cover_the_known_deviations():
    profiles = load().fire.profiles
    assert {profile.bit0 for profile in profiles.values()} == {"normal", "test", "ignore"}
    assert any("status8" in profile.component for profile in profiles.values())
    assert any(profile.component.index("part") < profile.component.index("zone") for profile in profiles.values())


def test_no_operation_of_a_person_suppresses_anything():
    v = load()
    for bit in v.fire.operation_bits.values():
        assert bit.condition
        assert not v.conditions[bit.condition].suppresses


def test_pressures_in_mpa_are_too_coarse_to_be_trusted():
    assert {code for code, analog in load().fire.analog_types.items() if analog.quality} == {4}


def test_profiles_that_extend_another_speak_its_records_too():
    base = load().profiles["gbt24476_2017"]
    for id in ("provincial", "java_gateway", "chongqing"):
        assert load().profiles[id].fields == base.fields
        assert load().profiles[id].fault == base.fault
    assert not load().profiles["bacnet_lift"].fields


def test_maintenance_and_fire_modes_suppress():
    states = load().metrics["service_mode"].states
    assert {code for code, state in states.items() if state.suppresses} == {2, 3, 4}


MUTATIONS = [
    ("kind", {"id": "sump"}, {"domain": "nowhere"}, "kind 'sump': domain: 'nowhere'"),
    ("kind", {"id": "sump"}, {"zh": "  "}, "kind 'sump': .*zh"),
    ("kind", {"id": "sump"}, {"en": ""}, "kind 'sump': .*en"),
    ("kind", {"id": "sump"}, {"id": "Sump!"}, "kind 'Sump!': .*id"),
    ("kind", {"id": "sump"}, {"id": "manhole"}, "kind 'manhole': id: is there twice"),
    ("kind", {"id": "sump"}, {"colour": "red"}, "kind 'sump': .*colour"),
    ("unit", {"id": "kPa"}, {"en": ""}, "unit 'kPa': .*en"),
    ("class", {"id": "A"}, {"id": "D"}, "class 'D'"),
    ("quality", {"id": "good"}, {"code": "0"}, "quality 'good': .*code"),
    ("metric", {"id": "ph"}, {"unit": "litmus"}, "metric 'ph': unit: 'litmus'"),
    ("metric", {"id": "ph"}, {"kinds": ["sink"]}, "metric 'ph': kinds: 'sink'"),
    ("metric", {"id": "ph"}, {"min": 14}, "metric 'ph': min"),
    ("metric", {"id": "ph"}, {"max": math.nan}, "metric 'ph': min"),
    ("metric", {"id": "ph"}, {"max": math.inf}, "metric 'ph': min"),
    ("metric", {"id": "ph"}, {"period_s": -1}, "metric 'ph': .*period_s"),
    ("metric", {"id": "ph"}, {"value": "state"}, "metric 'ph': states"),
    ("metric", {"id": "pit_water"}, {"max": 0.5}, "metric 'pit_water': states: \\[1\\]"),
    ("condition", {"id": "ucm"}, {"domain": "lift"}, "condition 'ucm': domain: 'lift'"),
    ("condition", {"id": "ucm"}, {"kinds": ["lift"]}, "condition 'ucm': kinds: 'lift'"),
    ("condition", {"id": "ucm"}, {"default_class": "D"}, "condition 'ucm': .*default_class"),
    ("condition", {"id": "ucm"}, {"advice_en": ""}, "condition 'ucm': .*advice_en"),
    (
        "parameter",
        {"id": "runtime_limit_longest"},
        {"unit": "days"},
        "parameter 'runtime_limit_longest': unit",
    ),
    (
        "parameter",
        {"id": "runtime_limit_longest"},
        {"value": math.inf},
        "parameter 'runtime_limit_longest': value",
    ),
    ("later", {"metric": "tank_volume"}, {"metric": "size"}, "later 'fire_tank.size': metric"),
    (
        "profile",
        {"id": "java_gateway"},
        {"extends": "bacnet_lift"},
        "profile 'java_gateway': extends: no 'bacnet_lift'",
    ),
    (
        "profile",
        {"id": "java_gateway"},
        {"codes": {"08": "doors"}},
        "profile 'java_gateway': codes.08: 'doors'",
    ),
    ("profile", {"id": "java_gateway"}, {"codes": {"08": "*"}}, "profile 'java_gateway'"),
    ("profile", {"id": "java_gateway"}, {"fields": {"x": "moon"}}, "profile 'java_gateway': fields.x: 'moon'"),
    ("profile", {"id": "java_gateway"}, {"mark": "trust me"}, "profile 'java_gateway': .*mark"),
]


@pytest.mark.parametrize(("section", "match", "change", "message"), MUTATIONS)
def test_bad_row_is_refused_by_name(section, match, change, message):
    document = copy.deepcopy(DOCUMENT)
    row(document, section, **match).update(change)
    with pytest.raises(VocabularyError, match=message) as caught:
        parse(document)
    assert caught.value.section == section


@pytest.mark.parametrize(
    ("metric", "change", "message"),
    [
        ("machine_temperature", {"clear": 91}, "clear: 91.0 is on the wrong side of value 90.0"),
        ("machine_temperature", {"clear": math.nan}, "clear: nan is outside"),
        ("machine_temperature", {"clear": None}, "clear: is needed"),
        ("machine_temperature", {"value": 251, "clear": 85}, "value: 251.0 is outside min and max"),
        ("machine_temperature", {"value": math.nan}, "value: nan is outside"),
        (
            "machine_temperature",
            {"condition": "sump_level_high"},
            "condition: 'sump_level_high' does not belong",
        ),
        ("machine_temperature", {"condition": "too_hot"}, "condition: 'too_hot'"),
        (
            "machine_temperature",
            {"kind": "sump"},
            "metric: 'machine_temperature' does not belong to kind 'sump'",
        ),
        ("machine_temperature", {"kind": "lift"}, "kind: 'lift'"),
        ("machine_temperature", {"side": "equals"}, "clear: has no meaning"),
        ("machine_temperature", {"basis": " "}, "basis"),
        ("machine_temperature", {"mark": "S"}, "mark"),
        ("machine_temperature", {"for_s": -1}, "for_s"),
        ("machine_temperature", {"applies": "sauna"}, "applies: 'sauna'"),
        ("machine_temperature", {"when": {"metric": "moon", "equals": 1}}, "when.metric: 'moon'"),
        ("machine_temperature", {"when": {"metric": "ph", "equals": 7}}, "when.metric: 'ph' does not belong"),
        (
            "machine_temperature",
            {"when": {"metric": "car_status", "equals": 9}},
            "when.equals: 9.0 is no state",
        ),
        ("power_status", {"value": 1.5}, "value: 1.5 is no state"),
    ],
)
def test_bad_limit_is_refused_by_name(metric, change, message):
    document = copy.deepcopy(DOCUMENT)
    raw = row(document, "limit", metric=metric)
    raw.update(change)
    if raw.get("clear", 0) is None:
        del raw["clear"]
    with pytest.raises(VocabularyError, match=message) as caught:
        parse(document)
    assert caught.value.section == "limit"
    assert metric in caught.value.id


@pytest.mark.parametrize(
    ("table", "code", "change", "message"),
    [
        ("system_types", "11", {"kind": "hose"}, "fire.system_types '11': kind: 'hose'"),
        (
            "component_types",
            "91",
            {"conditions": {"2": "broken"}},
            "fire.component_types '91': conditions.2: 'broken'",
        ),
        ("component_types", "40", {"zh": ""}, "fire.component_types '40': .*zh"),
        ("system_bits", "1", {"condition": "hot"}, "fire.system_bits '1': condition: 'hot'"),
        ("upload_types", "2", {"object_bytes": -1}, "fire.upload_types '2': .*object_bytes"),
        ("analog_types", "5", {"unit": "V"}, "fire.analog_types '5': unit"),
        ("analog_types", "5", {"resolution": 0}, "fire.analog_types '5': .*resolution"),
        ("analog_types", "5", {"quality": 2}, "fire.analog_types '5': .*quality"),
        ("operation_bits", "0", {"clears": ["fire"]}, "fire.operation_bits '0': clears: no bit 'fire'"),
        ("profiles", "gbt26875_2011", {"bit0": "on"}, "fire.profiles 'gbt26875_2011': .*bit0"),
        ("profiles", "gbt26875_2011", {"component": ["zone"]}, "fire.profiles 'gbt26875_2011': component: zone is not"),
        (
            "analog_types",
            "5",
            {"metric_by_kind": {"hose": "ph"}},
            "fire.analog_types '5': metric_by_kind: 'hose'|hose",
        ),
    ],
)
def test_bad_fire_row_is_refused_by_name(table, code, change, message):
    document = copy.deepcopy(DOCUMENT)
    document["fire"][table][code].update(change)
    with pytest.raises(VocabularyError, match=message):
        parse(document)


def test_missing_and_unknown_sections_are_refused():
    for document in ({**DOCUMENT, "colour": []}, {key: DOCUMENT[key] for key in DOCUMENT if key != "role"}):
        with pytest.raises(VocabularyError, match=r"colour|role"):
            parse(document)


@pytest.mark.parametrize("change", [{"bit0": 1}, {"basis": ""}, {"more": 1}])
def test_bad_fire_header_is_refused(change):
    with pytest.raises(VocabularyError, match=f"fire.*{next(iter(change))}"):
        parse({**DOCUMENT, "fire": {**DOCUMENT["fire"], **change}})


@given(st.sampled_from(sorted(load().kinds)), st.sampled_from(sorted(load().metrics)))
def test_limits_belong_to_the_point(kind, metric):
    for limit in load().limits_for(kind, metric):
        assert limit.metric == metric
        assert limit.kind in (kind, ANY)
        assert limit.applies is None
