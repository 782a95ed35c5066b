"""JSON of foreign publishers: what pointers, presets and times make of real-looking payloads."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from tests.gateway.conftest import PASSWORD, USERS, Devices, Site, wait_until
from watchkeep_cli.acl import AclRule, default_acl
from watchkeep_cli.broker import RunningBroker, mosquitto_installed, start_broker
from watchkeep_core.broker import BrokerAddress, Received
from watchkeep_core.errors import MessageError
from watchkeep_gateway.config_file import read
from watchkeep_gateway.drivers.intake import Intake
from watchkeep_gateway.drivers.mapped_json.pointer import MISSING, find, steps_of
from watchkeep_gateway.drivers.mapped_json.reader import Found, TableReader, document_of
from watchkeep_gateway.drivers.mapped_json.tables import MappedJsonTable, Preset, completed, problems
from watchkeep_gateway.drivers.mapped_json.times import time_ms
from watchkeep_gateway.drivers.mapping import Edges
from watchkeep_gateway.drivers.patterns import Pattern, fill, topic_problem
from watchkeep_gateway.errors import ConfigError
from watchkeep_gateway.line import Line, Login
from watchkeep_gateway.spool_reader import rejected, unmapped
from watchkeep_gateway.tables import Declared
from watchkeep_gateway.values import Delivery, Reading

NOW = 1_800_000_000_000
KINDS = {"smoke-3": "smoke_detector", "pump-room": "pump_room", "lift-1": "elevator", "tank-1": "water_tank"}
EUI = "0018b20000002215"

UPLINK: dict[str, Any] = {
    "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
    "time": "2026-11-20T08:00:00.123456+00:00",
    "deviceInfo": {"tenantName": "Harbour", "applicationName": "Tanks", "deviceName": "tank level", "devEui": EUI},
    "devAddr": "00189440",
    "dr": 1,
    "fCnt": 12,
    "fPort": 2,
    "confirmed": False,
    "data": "AWcA4g==",
    "object": {"level_mm": 1500, "alarms": {"overflow": False}, "battery": 87, "firmware": "1.2"},
    "rxInfo": [{"gatewayId": "0016c001f153a14c", "uplinkId": 4217106255, "rssi": -57, "snr": 10.2}],
    "txInfo": {"frequency": 868100000},
}
ZIGBEE: dict[str, Any] = {
    "battery": 74,
    "battery_low": False,
    "linkquality": 120,
    "smoke": False,
    "tamper": False,
    "last_seen": "2026-11-20T16:00:00+08:00",
}


def table(text: str) -> MappedJsonTable:
    return msgspec.toml.decode(f'name = "x"\n{text}', type=MappedJsonTable)


def reader(text: str, raised: frozenset[tuple[str, str]] = frozenset()) -> TableReader:
    found = table(text)
    assert list(problems([found], Declared(dict(KINDS)))) == []
    return TableReader(completed(found), KINDS, Edges(raised))


def read_one(made: TableReader, topic: str, document: object, now: int = NOW) -> Found:
    found = made.read(topic, document, now)
    assert found is not None
    return found


CHIRPSTACK = f"""
preset = "chirpstack"
devices = {{ "{EUI.upper()}" = "tank-1" }}
values = [
  {{ pointer = "/object/level_mm", metric = "water_level", scale = 0.05, when = {{ event = "up" }} }},
  {{ pointer = "/object/alarms/overflow", metric = "overflow", condition = "tank_overflow" }},
]
"""
T_UP = 1_763_625_600_123 + 31_536_000_000  # 2026-11-20T08:00:00.123Z


def chirpstack(event: str) -> str:
    return f"application/17c82e96-be03-4f38-aef3-f83d48582d97/device/{EUI}/event/{event}"


def test_an_uplink_of_chirpstack() -> None:
    made = reader(CHIRPSTACK)
    found = read_one(made, chirpstack("up"), UPLINK)
    assert (
        datetime.fromtimestamp(T_UP / 1000, UTC).isoformat(timespec="milliseconds") == "2026-11-20T08:00:00.123+00:00"
    )
    assert found.readings == [
        Reading("tank-1", "water_level", T_UP, 75.0),
        Reading("tank-1", "overflow", T_UP, 0.0),
        Reading("tank-1", "signal_strength", T_UP, -57.0),
        Reading("tank-1", "battery_level", T_UP, 87.0),
    ]
    assert (found.events, found.problems, found.own_time) == ([], {}, True)
    assert [one.name for one in found.unmapped] == ["/object/firmware"]
    assert read_one(made, chirpstack("up"), UPLINK | {"time": "2026-11-20T09:00:00Z"}).unmapped == [], "once"
    flood = UPLINK | {"time": "2026-11-20T10:00:00Z", "object": {"alarms": {"overflow": True}}}
    assert [(event.condition, event.active) for event in read_one(made, chirpstack("up"), flood).events] == [
        ("tank_overflow", True)
    ]


def test_status_and_join_of_chirpstack() -> None:
    made = reader(CHIRPSTACK, frozenset({("tank-1", "sensor_silent")}))
    status = {"time": "2026-11-20T08:00:00Z", "deviceInfo": {"devEui": EUI}, "margin": 7, "batteryLevel": 75.5}
    found = read_one(made, chirpstack("status"), status)
    assert [(reading.metric, reading.value) for reading in found.readings] == [("battery_level", 75.5)]
    mains = status | {"externalPowerSource": True, "batteryLevel": 0, "time": "2026-11-20T09:00:00Z"}
    assert read_one(made, chirpstack("status"), mains).readings == [], "mains power is no empty battery"
    joined = read_one(made, chirpstack("join"), {"deviceInfo": {"devEui": EUI}, "devAddr": "00189440"})
    assert joined.links == [("tank-1", True)]
    assert [(event.condition, event.active) for event in joined.events] == [("sensor_silent", False)]


Z2M = 'preset = "zigbee2mqtt"\ndevices = { "0x00158d0001a2b3c4" = "smoke-3", flood = "pump-room", pit = "lift-1" }'
T_Z = T_UP - 123


def zigbee(device: str = "0x00158d0001a2b3c4") -> str:
    return f"zigbee2mqtt/{device}"


def test_a_smoke_detector_of_zigbee2mqtt() -> None:
    made = reader(Z2M)
    quiet = read_one(made, zigbee(), ZIGBEE)
    assert quiet.readings == [Reading("smoke-3", "battery_level", T_Z, 74.0)]
    assert quiet.events == []
    assert {one.name for one in quiet.unmapped} == {"/linkquality", "/tamper"}
    alarm = read_one(made, zigbee(), ZIGBEE | {"smoke": True, "last_seen": T_Z + 1000})
    assert [(event.equipment, event.condition, event.active, event.t_ms) for event in alarm.events] == [
        ("smoke-3", "fire_alarm", True, T_Z + 1000)
    ]
    again = read_one(made, zigbee(), ZIGBEE | {"smoke": True, "last_seen": T_Z + 2000})
    assert again.events == [], "told once"
    over = read_one(made, zigbee(), ZIGBEE | {"smoke": False, "last_seen": T_Z + 3000})
    assert [event.active for event in over.events] == [False]


def test_what_a_publisher_repeats_from_its_memory_was_not_read_anew() -> None:
    made = reader(Z2M)
    assert read_one(made, zigbee(), ZIGBEE).readings
    assert read_one(made, zigbee(), ZIGBEE | {"linkquality": 99}).readings == []
    later = ZIGBEE | {"last_seen": "2026-11-20T16:05:00+08:00"}
    assert read_one(made, zigbee(), later).readings, "the same value of a later time was"


def test_one_pointer_means_what_the_equipment_can_have() -> None:
    made = reader(Z2M)
    wet = {"water_leak": True, "last_seen": T_Z}
    for device, metric, condition in (
        ("flood", "water_leak", "pump_room_wet"),
        ("pit", "pit_water", "pit_water_present"),
    ):
        found = read_one(made, zigbee(device), wet)
        assert [reading.metric for reading in found.readings] == [metric]
        assert [event.condition for event in found.events] == [condition]


@pytest.mark.parametrize("down", [{"state": "offline"}, "offline"])
def test_availability_of_zigbee2mqtt(down: object) -> None:
    made = reader(Z2M)
    topic = f"{zigbee()}/availability"
    gone = read_one(made, topic, document_of(down.encode() if isinstance(down, str) else json.dumps(down).encode()))
    assert gone.links == [("smoke-3", False)]
    assert [(event.condition, event.active, event.t_ms) for event in gone.events] == [("sensor_silent", True, NOW)]
    back = read_one(made, topic, {"state": "online"})
    assert [event.active for event in back.events] == [False]
    assert read_one(made, topic, {"state": "asleep"}).problems.keys() == {"bad_value"}


def test_an_unknown_device_is_listed_once() -> None:
    made = reader(Z2M)
    first = read_one(made, zigbee("kitchen"), ZIGBEE)
    assert (first.readings, first.mine) == ([], False)
    assert [one.name for one in first.unmapped] == ["device kitchen"]
    assert read_one(made, zigbee("kitchen"), ZIGBEE).unmapped == []


GENERIC = """
topic = "vendor/{site}/{device}"
time = { pointer = "/ts", format = "s" }
values = [
  { pointer = "/p", metric = "outlet_pressure", unit = "MPa" },
  { pointer = "/state", metric = "pumps_running", map = { RUN = 1, "*" = 0 } },
  { pointer = "/alarm/0/code", condition = "pump_room_wet", active = ["E7"], cleared = ["E0"] },
]
"""


def test_a_generic_mapping() -> None:
    made = reader(GENERIC)
    found = read_one(made, "vendor/east/set-1", {"ts": 1.5, "p": "0.45", "state": "RUN", "alarm": [{"code": "E7"}]})
    assert found.readings == [
        Reading("set-1", "outlet_pressure", 1500, 450.0),
        Reading("set-1", "pumps_running", 1500, 1.0),
    ]
    assert [(event.condition, event.active, event.raw_code) for event in found.events] == [
        ("pump_room_wet", True, "E7")
    ]
    other = read_one(made, "vendor/east/set-1", {"ts": 2, "p": "n/a", "state": "HALT", "alarm": [{"code": "E3"}]})
    assert [(reading.metric, reading.value) for reading in other.readings] == [("pumps_running", 0.0)]
    assert other.problems.keys() == {"bad_value"}
    assert other.events == [], "a code that says nothing of it"
    assert made.read("vendor/east", {}, NOW) is None
    assert read_one(made, "vendor/east/set-1", {"p": 1}).readings[0].t_ms == NOW


def test_an_older_value_does_not_end_what_holds_now() -> None:
    made = reader(GENERIC)
    read_one(made, "vendor/e/d", {"ts": 10, "alarm": [{"code": "E7"}]})
    assert [event.active for event in read_one(made, "vendor/e/d", {"ts": 5, "alarm": [{"code": "E0"}]}).events] == []


@pytest.mark.parametrize(
    ("value", "form", "expected"),
    [
        (1_800_000_000_000, "ms", 1_800_000_000_000),
        ("1800000000", "s", 1_800_000_000_000),
        (1_800_000_000.25, "s", 1_800_000_000_250),
        ("2027-01-15T08:00:00Z", "iso", 1_800_000_000_000),
        ("2027-01-15T16:00:00.5+08:00", "iso", 1_800_000_000_500),
        ("2027-01-15 08:00:00", "iso", 1_800_000_000_000),
        (1_800_000_000, "auto", 1_800_000_000_000),
        (1_800_000_000_000, "auto", 1_800_000_000_000),
        ("2027-01-15T08:00:00Z", "auto", 1_800_000_000_000),
    ],
)
def test_times(value: object, form: Any, expected: int) -> None:
    assert time_ms(value, form) == expected


@pytest.mark.parametrize(
    ("value", "form"), [("soon", "iso"), (5, "iso"), (True, "ms"), ("x", "s"), ([], "ms"), (1e400, "s")]
)
def test_what_is_no_time(value: object, form: Any) -> None:
    with pytest.raises(MessageError, match="bad_time"):
        time_ms(value, form)


def test_pointers() -> None:
    document = {"a/b": [{"~": 1}, None], "": 2}
    assert find(document, steps_of("/a~1b/0/~0")) == 1
    assert find(document, steps_of("/")) == 2
    assert find(document, steps_of("")) == document
    for pointer in ("/a~1b/2", "/a~1b/-1", "/a~1b/x", "/no", "/a~1b/0/~0/deeper"):
        assert find(document, steps_of(pointer)) is MISSING


def test_patterns() -> None:
    pattern = Pattern("application/{app}/device/{device}/event/up")
    assert pattern.topic_filter == "application/+/device/+/event/up"
    assert pattern.topic_prefix == "application/"
    assert pattern.match("application/a/device/b/event/up") == {"app": "a", "device": "b"}
    assert pattern.match("application/a/device/b/c/event/up") is None
    assert Pattern("Lift*").match("Lift A/x") == {}
    assert fill("pump-{n}-{m}", {"n": "1"}) == "pump-1-{m}"
    for text in ("a/{b}c", "a/+", "{a}/b", "", "wk/1", "a/{b}/{b}", "a b", "a/*"):
        assert topic_problem(text), text


@pytest.mark.parametrize("payload", [b"{", b"\xff\xfe", b'{"a":' * 10_000, b"x" * 300_000])
def test_garbage(payload: bytes) -> None:
    with pytest.raises(MessageError):
        document_of(payload)


@pytest.mark.parametrize("name", [name for name in get_args(Preset) if name])
def test_presets_are_right(name: str) -> None:
    made = completed(table(f'preset = "{name}"'))
    explicit = msgspec.structs.replace(made, preset="")
    assert list(problems([explicit], Declared(dict(KINDS)))) == []
    assert made.values
    assert made.links


HEAD = '[gateway]\ncommunity = "c1"\nid = "g1"\n[[mapped_json]]\nname = "x"\n'


@pytest.mark.parametrize(
    ("text", "field", "problem"),
    [
        ("", "mapped_json[0].topic", "or a preset"),
        ('topic = "a/{device}"', "mapped_json[0].values", "at least one"),
        ('preset = "zigbee"', "mapped_json[0].preset", "did you mean"),
        ('preset = "zigbee2mqtt"\ntopic = "z/{name}"', "mapped_json[0].device", "neither"),
        ('preset = "zigbee2mqtt"\ntopic = "z/+"', "mapped_json[0].topic", "blanks"),
        ('preset = "zigbee2mqtt"\ntime = { pointer = "t", format = "s" }', "mapped_json[0].time.pointer", "begins"),
        (
            'preset = "zigbee2mqtt"\nvalues = [{ pointer = "p", metric = "ph" }]',
            "mapped_json[0].values[0].pointer",
            "begins",
        ),
        (
            'preset = "chirpstack"\nvalues = [{ pointer = "/p", metric = "ph", when = { x = "y" } }]',
            "mapped_json[0].values[0].when.x",
            "no named level",
        ),
        (
            'preset = "zigbee2mqtt"\nundeclared = "reject"\ndevices = { a = "b" }',
            "mapped_json[0].devices.a",
            "not declared",
        ),
        ('preset = "zigbee2mqtt"\nlinks = [{ topic = "z/up" }]', "mapped_json[0].links[0].topic", "no level"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, field: str, problem: str) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(HEAD + text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read(file)
    assert [field] == [one.field for one in caught.value.mistakes if problem in one.text], caught.value


class Broken:
    """A mistake of ours, which must not stop a driver."""

    def __call__(self, received: Received) -> Delivery:
        raise ZeroDivisionError


def test_a_mistake_of_ours_is_kept_as_rejected_and_the_message_acknowledged() -> None:
    line = Line(Login(BrokerAddress("127.0.0.1", 1), "u", "p"))
    given: list[Delivery] = []
    futures: list[Future[None]] = []

    def emit(delivery: Delivery) -> "Future[None]":
        given.append(delivery)
        futures.append(Future())
        return futures[-1]

    intake = Intake("x", line, emit, Broken())
    for mid in (1, 2):
        intake.take(Received("a/b", b"%d" % mid, 1, mid, NOW * 1_000_000, retain=False, duplicate=False))
    assert [one.rejected[0].reason for one in given] == ["internal: ZeroDivisionError()"] * 2
    futures[1].set_result(None)
    assert line._early == [], "in the order of arrival"
    futures[0].set_result(None)
    assert [received.mid for received in line._early] == [1, 2]
    intake.stop()
    intake.take(Received("a/b", b"3", 1, 3, NOW, retain=False, duplicate=False))
    assert len(given) == 2


SITE = """
[gateway]
community = "c1"
id = "g1"
[spool]
min_free_bytes = 0
[[device]]
equipment = "smoke-3"
kind = "smoke_detector"
[[device]]
equipment = "tank-1"
kind = "water_tank"
[[mapped_json]]
name = "zigbee"
preset = "zigbee2mqtt"
devices = { det = "smoke-3" }
[[mapped_json]]
name = "lora"
preset = "chirpstack"
devices = { 0018b20000002215 = "tank-1" }
values = [{ pointer = "/object/level_mm", metric = "water_level", scale = 0.05 }]
"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    if not mosquitto_installed():
        pytest.skip("needs Mosquitto")
    rules = [AclRule("c1/g1", "read", "zigbee2mqtt/#"), AclRule("c1/g1", "read", "application/#")]
    rules += [AclRule("sim", "readwrite", "zigbee2mqtt/#"), AclRule("sim", "readwrite", "application/#")]
    with start_broker(tmp_path / "broker", USERS, default_acl() + rules, prefer="mosquitto") as running:
        yield running


def say(devices: Devices, topic: str, document: object, *, retain: bool = False) -> None:
    root, _, leaf = topic.rpartition("/")
    devices.say(leaf, document, root=root, retain=retain)


def test_both_presets_over_the_gateway_s_own_line(site: Site) -> None:
    site.config_file.write_text(SITE, encoding="utf-8")
    devices = site.devices()
    now = int(time.time() * 1000)
    say(devices, "zigbee2mqtt/det", ZIGBEE | {"last_seen": now - 60_000, "smoke": True}, retain=True)
    ingest = site.ingest()
    site.start()
    wait_until(lambda: ingest.events(), what="a retained alarm still holds")
    up = UPLINK | {"time": datetime.fromtimestamp(now / 1000, UTC).isoformat()}
    say(devices, "zigbee2mqtt/det", ZIGBEE | {"last_seen": now})
    for _ in range(3):
        say(devices, chirpstack("up"), up)
    say(devices, "zigbee2mqtt/other", ZIGBEE)
    say(devices, "zigbee2mqtt/det", b"{broken")
    say(devices, "zigbee2mqtt/det/availability", {"state": "offline"})
    wait_until(lambda: len(ingest.events()) == 3 and len(ingest.readings()) == 4)
    assert sorted(ingest.readings()) == [
        ("smoke-3", "battery_level", now, 74.0),
        ("tank-1", "battery_level", now, 87.0),
        ("tank-1", "signal_strength", now, -57.0),
        ("tank-1", "water_level", now, 75.0),
    ]
    assert [(event.condition, event.active) for event in ingest.events()] == [
        ("fire_alarm", True),
        ("fire_alarm", False),
        ("sensor_silent", True),
    ]
    wait_until(lambda: rejected(site.folder, 10))
    assert [one["reason"].partition(":")[0] for one in rejected(site.folder, 10)] == ["undecodable"]
    assert "device other" in [one["name"] for one in unmapped(site.folder, 100)]
    assert PASSWORD
