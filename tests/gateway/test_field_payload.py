"""What devices say on the bridge, and what their codes mean."""

import json

import pytest

from watchkeep_core import vocabulary
from watchkeep_core.errors import MessageError
from watchkeep_gateway.codes import CodeReader
from watchkeep_gateway.field_payload import FieldMessage, digest, parse
from watchkeep_gateway.values import DeviceEvent, Reading

NOW = 1_700_000_000_000
PROFILES = {"gbt": "gbt24476_2017", "java": "java_gateway", "gov": "government_1_33", "none": ""}
CODES = CodeReader(vocabulary.load(), PROFILES)


def said(document: object, equipment: str = "gbt", raised: dict[str, str] | None = None) -> FieldMessage:
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse(payload, equipment, NOW, CODES, lambda _: raised or {})


def test_values_with_device_time() -> None:
    message = said({"t": 5, "values": {"car_floor": 3, "machine_temperature": 41.5}, "quality": {"car_floor": 1}})
    assert message.own_time
    assert message.readings == (
        Reading("gbt", "car_floor", 5, 3.0, 1),
        Reading("gbt", "machine_temperature", 5, 41.5, 0),
    )


def test_without_device_time_it_is_the_receive_time() -> None:
    message = said({"values": {"car_floor": 3}})
    assert not message.own_time
    assert message.readings[0].t_ms == NOW


def test_batched_rows() -> None:
    message = said({"readings": [[1, "car_floor", 2], [3.9, "car_floor", 4.5, 2]]})
    assert message.own_time
    assert message.readings == (Reading("gbt", "car_floor", 1, 2.0), Reading("gbt", "car_floor", 3, 4.5, 2))


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"{", "undecodable"),
        (b"\xff", "undecodable"),
        (b'{"x":' * 50_000, "undecodable"),
        (b"x" * 300_000, "too_large"),
        (b'{"values": {"a": NaN}}', "undecodable"),
        (b'{"values": {"a": 1e999}}', "bad_shape"),
        ({"values": {"a": True}}, "bad_shape"),
        ({"values": {"a": "3"}}, "bad_shape"),
        ({"t": -1, "values": {"a": 1}}, "bad_shape"),
        ({"t": 1e300, "values": {"a": 1}}, "bad_shape"),
        ({"readings": [[1, "a"]]}, "bad_shape"),
        ({"readings": [[1, "a", 2, 0, 9]]}, "bad_shape"),
        ({"readings": [[1, "a", 2, 3]]}, "bad_shape"),
        ([], "bad_shape"),
        ({}, "empty"),
        ({"vaules": {"a": 1}}, "empty"),
        ({"event": {"active": True}}, "bad_shape"),
        ({"event": {"active": True, "code": "05", "condition": "ucm"}}, "bad_shape"),
        ({"event": {"code": "05"}}, "bad_shape"),
        ({"event": {"active": True, "condition": "no spaces"}}, "bad_shape"),
        ({"event": {"active": True, "condition": "ucm", "attributes": {"a": [1]}}}, "bad_shape"),
        ({"event": {"active": True, "condition": "ucm", "attributes": {"a": "\x00"}}}, "bad_text"),
    ],
)
def test_what_cannot_be_understood_says_why(document: object, reason: str) -> None:
    with pytest.raises(MessageError) as caught:
        said(document)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("equipment", "code", "condition"),
    [
        ("gbt", "08", "restart_lockout"),
        ("java", "08", "door_open_running"),  # the same number, another meaning
        ("gov", "8", "entrapment_off_zone"),
        ("gov", "08", "entrapment_off_zone"),
        ("gbt", 8, "restart_lockout"),
        ("gbt", "77", "unknown_code"),
        ("gov", "E8", "unknown_code"),
        ("none", "08", "unknown_code"),
        ("never-declared", "08", "unknown_code"),
    ],
)
def test_codes_are_read_by_the_profile_of_the_equipment(equipment: str, code: object, condition: str) -> None:
    (event,) = said({"t": 7, "event": {"code": code, "active": True, "attributes": {"floor": 3}}}, equipment).events
    assert event == DeviceEvent(7, equipment, condition, True, str(code), PROFILES.get(equipment, ""), {"floor": 3.0})


def test_every_condition_a_profile_can_give_is_known() -> None:
    known = vocabulary.load()
    assert "unknown_code" in known.conditions
    assert "telemetry_lost" in known.conditions


def test_no_fault_clears_what_codes_had_raised_and_nothing_else() -> None:
    message = said({"t": 7, "event": {"code": "00", "active": True}}, raised={"ucm": "05", "door_close_fail": "02"})
    assert [(event.condition, event.active, event.raw_code) for event in message.events] == [
        ("door_close_fail", False, "00"),
        ("ucm", False, "00"),
    ]
    assert said({"event": {"code": "00", "active": True}}).events == ()
    assert said({"event": {"code": "00", "active": False}}, raised={"ucm": "05"}).events == ()


def test_a_canonical_condition_needs_no_profile() -> None:
    (event,) = said({"event": {"condition": "fire_alarm", "active": False}}, "none").events
    assert event == DeviceEvent(NOW, "none", "fire_alarm", False)


def test_digest_tells_topics_and_payloads_apart() -> None:
    assert digest("a", b"b") == digest("a", b"b")
    assert len({digest("a", b"b"), digest("ab", b""), digest("", b"ab"), digest("a", b"c")}) == 4
