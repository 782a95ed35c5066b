"""Elevator collectors that speak GB/T 24476 in JSON: status items and fault records, by the profile's tables."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.conftest import Site, wait_until
from watchkeep_core import vocabulary
from watchkeep_core.errors import MessageError
from watchkeep_gateway.codes import CodeReader
from watchkeep_gateway.elevator_record import floor_of
from watchkeep_gateway.field_payload import FieldMessage, parse
from watchkeep_gateway.spool_reader import rejected

WORDS = vocabulary.load()
NOW = 1_763_800_000_000
CODES = CodeReader(WORDS, {profile: profile for profile in WORDS.profiles} | {"none": ""})
SPEAKING = [name for name, profile in WORDS.profiles.items() if profile.fields]


def said(document: object, equipment: str = "gbt24476_2017", raised: dict[str, str] | None = None) -> FieldMessage:
    return parse(json.dumps(document).encode(), equipment, NOW, CODES, lambda _: raised or {})


STATUS = {
    "reg_cod": "31103710822015010001",
    "timestamp": "2026-11-22 08:00:00",
    "car_status": 1,
    "car_direction": 2,
    "door_zone": 2,
    "car_position": "B1",
    "door_status": 1,
    "passenger_status": 1,
    "service_mode": 1,
    "power_status": 1,
    "total_running_time": 1234,
    "present_counter_value": "98765",
}


@pytest.mark.parametrize("profile", SPEAKING)
def test_the_status_items_of_2017(profile):
    message = said(STATUS, profile)
    assert {reading.metric: reading.value for reading in message.readings} == {
        "car_status": 1,
        "car_direction": 2,
        "door_zone": 2,
        "car_floor": -1,
        "door_status": 1,
        "passenger_status": 1,
        "service_mode": 1,
        "power_status": 1,
        "total_running_time": 1234,
        "ride_count": 98765,
    }
    assert {reading.t_ms for reading in message.readings} == {1_795_305_600_000}, "local time of China"
    assert message.own_time
    assert not message.unread
    assert not message.events


def test_every_item_is_a_metric_of_elevators_with_the_values_of_the_standard():
    fields = WORDS.profiles["gbt24476_2017"].fields
    for metric in fields.values():
        assert "elevator" in WORDS.metrics[metric].kinds
    for name, codes in {
        "car_status": {0, 1},
        "car_direction": {0, 1, 2},
        "door_zone": {1, 2},
        "door_status": {1, 2},
        "passenger_status": {1, 2},
        "service_mode": set(range(8)),
        "power_status": {1, 2},
    }.items():
        assert set(WORDS.metrics[fields[name]].states) == codes


def test_our_own_format_is_still_understood_of_such_equipment():
    assert said({"t": 5, "values": {"car_floor": 3}}).readings[0].value == 3
    (event,) = said({"t": 5, "event": {"code": "04", "active": True}}).events
    assert event.condition == "stop_off_zone"


@pytest.mark.parametrize(
    ("state", "active"),
    [("01", True), ("02", True), ("04", True), (None, True), ("00", False), ("05", False), (0, False), (1, True)],
)  # fmt: skip
def test_fault_records(state, active):
    record = {
        "fault_timestamp": "2026-11-22T08:00:00+08:00",
        "fault_type": "04",
        "car_position": "12",
        "passenger_status": 1,
    }
    if state is not None:
        record["deal_status"] = state
    message = said(record)
    (event,) = message.events
    assert (event.condition, event.active, event.raw_code, event.t_ms) == (
        "stop_off_zone",
        active,
        "04",
        1_795_305_600_000,
    )
    assert event.attributes == {"car_position": "12", "passenger_status": 1.0}
    assert len(message.readings) == 2


@pytest.mark.parametrize(
    ("profile", "code", "condition"),
    [
        ("provincial", "11", "entrapment"),
        ("java_gateway", "11", "overspeed"),
        ("java_gateway", 8, "door_open_running"),
        ("chongqing", "93", "entrapment_in_zone"),
        ("gbt24476_2017", 90, "alarm_button"),
        ("gbt24476_2017", "77", "unknown_code"),
    ],
)
def test_the_code_is_read_by_the_equipment_s_profile(profile, code, condition):
    (event,) = said({"fault_type": code}, profile).events
    assert (event.condition, event.profile) == (condition, profile)


def test_no_fault_clears_what_codes_had_raised():
    events = said({"fault_type": "00"}, raised={"ucm": "05", "door_close_fail": "02"}).events
    assert [(event.condition, event.active) for event in events] == [("door_close_fail", False), ("ucm", False)]


def test_what_cannot_be_read_is_told_and_the_rest_is_taken():
    message = said(
        {"car_status": 7, "car_position": "M2", "door_zone": 1, "timestamp": "yesterday", "power_status": True}
    )
    assert [(reading.metric, reading.t_ms) for reading in message.readings] == [("door_zone", NOW)]
    assert [why.split(":")[1].strip() for why in message.unread] == [
        "car_status",
        "car_position",
        "power_status",
        "timestamp",
    ]
    assert not message.own_time


@pytest.mark.parametrize(
    ("raw", "floor"),
    [("1", 1), ("-1", -1), ("B1", -1), ("b2", -2), ("B-2", -2), ("12F", 12), ("3层", 3), (" 7 ", 7), (5, 5), (-2, -2),
     ("M", None), ("", None), ("1A", None), (None, None), ([], None), (True, None), ("１", None)],
)  # fmt: skip
def test_floor_labels(raw, floor):
    assert floor_of(raw) == floor


@pytest.mark.parametrize(
    ("raw", "t_ms"),
    [
        ("2026-11-22 08:00:00", 1_795_305_600_000),
        ("2026/11/22 08:00:00", 1_795_305_600_000),
        (1_795_305_600, 1_795_305_600_000),
        (1_795_305_600_123, 1_795_305_600_123),
        ("1795305600123", 1_795_305_600_123),
        (1e300, NOW),
        ("9999-99-99", NOW),
    ],
)
def test_times(raw, t_ms):
    assert said({"timestamp": raw, "car_status": 1}).readings[0].t_ms == t_ms


def test_a_record_with_nothing_in_it_is_refused():
    for document in ({"car_status": None}, {"fault_type": ""}, {"fault_type": True}):
        with pytest.raises(MessageError, match="empty"):
            said(document)


def test_over_the_bridge_to_ingest(site: Site):
    ingest, devices = site.ingest(), site.devices()
    site.start()
    now_s = int(time.time())
    devices.say("lift-2", STATUS | {"timestamp": now_s, "fault_type": "11", "deal_status": "01", "car_position": "M"})
    wait_until(lambda: any(one.metric == "ride_count" for birth in ingest.births for one in birth.points))
    wait_until(lambda: len(ingest.readings()) == 9 and ingest.events())
    assert ("lift-2", "door_zone", now_s * 1000, 2.0) in ingest.readings()
    assert ingest.events()[0].condition == "entrapment"
    (kept,) = rejected(site.folder, 10)
    assert kept["reason"].startswith("bad_value: car_position: 'M'")


def test_equipment_without_such_a_profile_is_not_understood_so():
    for equipment in ("none", "bacnet_lift"):
        with pytest.raises(MessageError, match="empty"):
            said({"car_status": 1}, equipment)


@given(
    st.dictionaries(
        st.sampled_from([*STATUS, "fault_type", "deal_status", "fault_timestamp", "values"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), st.lists, max_leaves=3
        ),
    )
)
def test_no_record_raises_anything_but_a_message_error(document):
    try:
        message = said(document)
    except MessageError:
        return
    for reading in message.readings:
        assert isinstance(reading.value, float)
