"""Simulated transmission devices: what they send, and that they keep what nobody confirmed."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from watchkeep_cli.acl import default_acl
from watchkeep_cli.broker import start_broker
from watchkeep_cli.ports import free_port
from watchkeep_core.gbt26875 import (
    ACK,
    CONTROL,
    REFUSE,
    SEND,
    Dialect,
    Frame,
    FrameReader,
    Object,
    Place,
    Refused,
    Unit,
    decode_unit,
    encode_unit,
)
from watchkeep_core.gbt26875.objects import DEVICE_OPERATION, DUTY_CHECK, SYNC_CLOCK
from watchkeep_core.service import Stop
from watchkeep_core.settings import load
from watchkeep_core.vocabulary import load as load_vocabulary
from watchkeep_firmware_sim import service
from watchkeep_firmware_sim.errors import FleetError, ScenarioError
from watchkeep_firmware_sim.fleet import Fleet, checked, scenario_for
from watchkeep_firmware_sim.fleet import load as load_fleet
from watchkeep_firmware_sim.gbt26875 import BURST, TransmissionDevices
from watchkeep_firmware_sim.gbt26875_device import TransmissionDevice
from watchkeep_firmware_sim.gbt26875_fleet import Component, FireAddress, Transmission
from watchkeep_firmware_sim.ledger import Ledger, describe, run_record
from watchkeep_firmware_sim.score import Warning, score
from watchkeep_firmware_sim.score_ledger import read as read_ledger
from watchkeep_firmware_sim.settings import SimSettings
from watchkeep_firmware_sim.simulation import FaultNote, Simulation

VOCABULARY = load_vocabulary()
PLAIN = Dialect()
NOW_MS = 1_795_305_600_000


def wait_for(what: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


class Centre:
    """Plays the gateway: takes frames, and answers as told."""

    def __init__(self, port: int = 0) -> None:
        self.answer: int | None = ACK
        self.frames: list[Frame] = []
        self.refused: list[Refused] = []
        self.sizes: list[int] = []
        self.connections = 0
        self._sockets: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", port))
        self.port: int = self._server.getsockname()[1]
        self._server.settimeout(0.05)
        self._closing = False
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def data(self) -> list[Frame]:
        return [frame for frame in self.frames if frame.unit]

    def units(self, kind: int) -> list[Object]:
        return [
            thing for frame in self.data() for thing in decode_unit(frame.unit, PLAIN).objects if frame.unit[0] == kind
        ]

    def order(self, unit: Unit, serial: int = 7) -> None:
        raw = encode_unit(unit, PLAIN)
        self._sockets[-1].sendall(Frame(serial, CONTROL, 1, 889, raw, datetime.now(UTC)).encode(PLAIN))

    def cut(self) -> None:
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._sockets.clear()

    def close(self) -> None:
        self._closing = True
        self._threads[0].join(60)
        self._server.close()
        self.cut()
        for thread in self._threads:
            thread.join(60)

    def _accept(self) -> None:
        while not self._closing:
            try:
                peer, _ = self._server.accept()
            except TimeoutError:
                continue
            peer.settimeout(None)
            self.connections += 1
            self._sockets.append(peer)
            self._threads.append(threading.Thread(target=self._serve, args=(peer,), daemon=True))
            self._threads[-1].start()

    def _serve(self, peer: socket.socket) -> None:
        reader = FrameReader(PLAIN)
        with peer, suppress(OSError):
            while data := peer.recv(65536):
                self.sizes.append(len(data))
                for found in reader.feed(data):
                    if isinstance(found, Frame):
                        self._take(peer, found)
                    else:
                        self.refused.append(found)
                        if found.frame:
                            peer.sendall(found.frame.answer(REFUSE, datetime.now(UTC)).encode(PLAIN))

    def _take(self, peer: socket.socket, frame: Frame) -> None:
        self.frames.append(frame)
        if frame.command == SEND and self.answer is not None:
            peer.sendall(frame.answer(self.answer, datetime.now(UTC)).encode(PLAIN))


@pytest.fixture
def centre() -> Iterator[Centre]:
    made = Centre()
    yield made
    made.close()


ADDRESSES = {
    "c1/utd-1": ("fire_transmission_device", None),
    "c1/smoke-1": ("smoke_detector", FireAddress(type=40, place="3-7", text="三楼东")),
    "c1/hydrant-1": ("hydrant_system", FireAddress(type=99, place="1-1", system=11, address=2)),
    "c1/pump-1": ("fire_pump", FireAddress(type=91, place="1-2")),
}


@pytest.fixture
def devices(centre: Centre) -> Iterator[TransmissionDevices]:
    to = f"127.0.0.1:{centre.port}"
    spec = Transmission(community="c1", gateway="g1", equipment="utd-1", address=889, to=to, answer_s=0)
    components = {name: Component(kind, address, VOCABULARY) for name, (kind, address) in ADDRESSES.items()}
    made = TransmissionDevices([spec], components, dict.fromkeys(components, "c1/utd-1"), VOCABULARY)
    yield made
    made.close()


def test_it_introduces_itself_and_beats(centre: Centre, devices: TransmissionDevices) -> None:
    wait_for(lambda: centre.units(21) and any(not frame.unit for frame in centre.frames))
    assert [thing.status for thing in centre.units(21)] == [1]
    assert {frame.source for frame in centre.frames} == {889}


def test_events_and_values_in_the_words_of_the_protocol(centre: Centre, devices: TransmissionDevices) -> None:
    assert devices.event("c1/smoke-1", NOW_MS, "fire_alarm", True)
    assert devices.event("c1/pump-1", NOW_MS, "fire_pump_fault", True)
    assert devices.event("c1/smoke-1", NOW_MS + 9000, "fire_alarm", False)
    assert not devices.event("c1/smoke-1", NOW_MS, "ucm", True)
    assert devices.readings("c1/hydrant-1", NOW_MS, {"static_pressure": 412.34, "battery_voltage": 3.6}) == 1
    wait_for(lambda: len(centre.units(2)) == 3 and centre.units(3))
    alarm, pump, over = centre.units(2)
    assert (alarm.place, alarm.component, alarm.status, alarm.text) == (Place(3, 7), 40, 2, "三楼东")
    assert alarm.at == datetime.fromtimestamp(NOW_MS / 1000, UTC)
    assert (pump.component, pump.status) == (91, 4)
    assert over.status == 1, "all is well"
    (value,) = centre.units(3)
    assert (value.system, value.address, value.number, value.value) == (11, 2, 5, 4123), "kPa, not MPa"


def test_power_of_the_device_itself(centre: Centre, devices: TransmissionDevices) -> None:
    devices.readings("c1/utd-1", NOW_MS, {"power_status": 2, "backup_power_status": 1})
    wait_for(lambda: [thing.status for thing in centre.units(21)][-1:] == [8])
    devices.readings("c1/utd-1", NOW_MS, {"power_status": 1})
    wait_for(lambda: [thing.status for thing in centre.units(21)][-1:] == [1])


def test_what_nobody_confirms_is_kept_and_sent_again_on_the_next_line(
    centre: Centre, devices: TransmissionDevices
) -> None:
    centre.answer = None
    for second in range(3):
        devices.event("c1/smoke-1", NOW_MS + second * 1000, "fire_alarm", second % 2 == 0)
    wait_for(lambda: len(centre.units(2)) == 3)
    (client,) = devices.clients.values()
    assert client.kept >= 3
    before = {frame.serial: frame.unit for frame in centre.data() if frame.unit[0] == 2}
    centre.frames.clear()
    centre.answer = ACK
    centre.cut()
    wait_for(lambda: client.kept == 0)
    assert {frame.serial: frame.unit for frame in centre.data() if frame.unit[0] == 2} == before
    assert centre.connections == 2


def test_a_refusal_is_answered_by_sending_again(centre: Centre, devices: TransmissionDevices) -> None:
    wait_for(lambda: centre.units(21))
    centre.answer = REFUSE
    devices.event("c1/smoke-1", NOW_MS, "fire_alarm", True)
    wait_for(lambda: len(centre.units(2)) >= 2)
    centre.answer = ACK
    (client,) = devices.clients.values()
    wait_for(lambda: client.kept == 0)


def test_the_clock_is_wrong_until_it_is_set(centre: Centre, devices: TransmissionDevices) -> None:
    wait_for(lambda: centre.units(21))
    (client,) = devices.clients.values()
    devices.fault("c1/utd-1", None, 3600, True, NOW_MS)
    devices.event("c1/smoke-1", NOW_MS, "fire_alarm", True)
    wait_for(lambda: centre.units(2))
    ahead = next(frame for frame in centre.data() if frame.unit[0] == 2).at
    assert ahead
    assert 3540 < ahead.timestamp() - time.time() < 3660
    centre.order(Unit(SYNC_CLOCK, (Object(at=datetime.now(UTC)),)))
    wait_for(lambda: client.clock_set == 1)
    assert any(frame.command == ACK and frame.serial == 7 for frame in centre.frames) or client.clock_shift_s == 0


def test_duty_checks_are_answered_unless_nobody_is_there(centre: Centre, devices: TransmissionDevices) -> None:
    wait_for(lambda: centre.units(21))
    (client,) = devices.clients.values()
    devices.fault("c1/utd-1", "unmanned", 0, True, NOW_MS)
    centre.order(Unit(DUTY_CHECK, (Object(number=10),)))
    wait_for(lambda: client.duty_checks == 1)
    devices.fault("c1/utd-1", "unmanned", 0, False, NOW_MS)
    centre.order(Unit(DUTY_CHECK, (Object(number=10),)), serial=8)
    wait_for(lambda: centre.units(DEVICE_OPERATION))
    assert [thing.status for thing in centre.units(DEVICE_OPERATION)] == [32]
    wait_for(lambda: {7, 8} <= {frame.serial for frame in centre.frames if frame.command == ACK})


def test_orders_it_does_not_know_are_refused(centre: Centre, devices: TransmissionDevices) -> None:
    wait_for(lambda: centre.units(21))
    centre.order(Unit(21, (Object(),)))
    wait_for(lambda: [frame.serial for frame in centre.frames if frame.command == REFUSE] == [7])


@pytest.mark.parametrize("wire", ["checksum", "split", "joined"])
def test_wire_faults(centre: Centre, devices: TransmissionDevices, wire) -> None:
    wait_for(lambda: centre.units(21))
    (client,) = devices.clients.values()
    centre.sizes.clear()
    devices.fault("c1/utd-1", wire, 0, True, NOW_MS)
    for second in range(10):
        devices.event("c1/smoke-1", NOW_MS + second * 1000, "fire_alarm", second % 2 == 0)
    wait_for(lambda: client.kept == 0)
    assert [thing.status for thing in centre.units(2)] == [2, 1] * 5
    if wire == "checksum":
        assert {found.error.reason for found in centre.refused} == {"bad_checksum"}
    if wire == "joined":
        assert centre.refused
        assert max(centre.sizes) > 200
    devices.fault("c1/utd-1", wire, 0, False, NOW_MS)
    assert client.wire == frozenset()


def test_a_burst_is_two_hundred_events_at_once(centre: Centre, devices: TransmissionDevices) -> None:
    wait_for(lambda: centre.units(21))
    (client,) = devices.clients.values()
    devices.fault("c1/utd-1", "burst", 0, True, NOW_MS)
    devices.fault("c1/utd-1", "burst", 0, False, NOW_MS)
    wait_for(lambda: client.kept == 0)
    assert len(centre.units(2)) == BURST


def test_a_device_that_is_off_says_nothing_and_comes_back(centre: Centre, devices: TransmissionDevices) -> None:
    wait_for(lambda: centre.units(21))
    devices.silence("c1/utd-1", True)
    devices.silence("c1/smoke-1", True)  # no line of its own
    (client,) = devices.clients.values()
    wait_for(lambda: client._writer is None)
    devices.event("c1/smoke-1", NOW_MS, "fire_alarm", True)
    assert client.kept == 1
    devices.silence("c1/utd-1", False)
    wait_for(lambda: client.kept == 0 and centre.units(2))


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watchkeep_firmware_sim.gbt26875_device.MAX_KEPT", 5)
    spec = Transmission(community="c1", gateway="g1", equipment="utd-1", address=1, to="127.0.0.1:1")
    client = TransmissionDevice(spec, PLAIN, lambda: datetime.now(UTC))
    for _ in range(8):
        client.tell(Unit(25, (Object(),)))
    assert (client.kept, client.dropped) == (5, 3)


FLEET = """
seed = 5

[[gbt26875]]
community = "c1"
gateway = "g1"
equipment = "utd-1"
address = "79 03 00 00 00 00"
to = "127.0.0.1:{port}"

[[device]]
community = "c1"
gateway = "g1"
equipment = "utd-1"
kind = "fire_transmission_device"
metrics = ["power_status", "backup_power_status"]
period_s = 10
transport = "gbt26875"

[[device]]
community = "c1"
gateway = "g1"
equipment = "hydrant-1"
kind = "hydrant_system"
metrics = ["static_pressure"]
period_s = 0.5
transport = "gbt26875"
fire = {{ type = 99, place = "1-1", system = 11 }}

[[device]]
community = "c1"
gateway = "g1"
equipment = "smoke-1"
kind = "smoke_detector"
metrics = ["fire_temperature"]
period_s = 5
transport = "gbt26875"
fire = {{ type = 40, place = "3-7", text = "三楼东" }}

[[fault]]
equipment = "c1/smoke-1"
scenario = "fire_alarm"
at_s = 5
for_s = 20
"""


def fleet_of(text: str, tmp_path) -> Fleet:
    file = tmp_path / "fleet.toml"
    file.write_text(text, encoding="utf-8")
    return load_fleet(file, VOCABULARY)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('address = "79 03 00 00 00 00"', 'address = "79 03"', r"gbt26875\[0\].address: '79 03' is no number"),
        ('to = "127.0.0.1:', 'profile = "x"\nto = "127.0.0.1:', r"gbt26875\[0\].profile: 'x' is none of"),
        ("127.0.0.1:1234", "127.0.0.1:70000", r"gbt26875\[0\].to: 70000 is no port"),
        ('place = "3-7"', 'place = "3_7"', r"device\[2\].fire.place: '3_7' is no"),
        ('fire = { type = 40, place = "3-7", text = "三楼东" }', "", r"device\[2\].fire: is needed"),
        ('["fire_temperature"]', '["signal_strength"]', r"device\[2\].metrics: 'signal_strength' cannot be"),
        ('"fire_alarm"', '"fire_panel_burst"', r"fault\[0\].scenario: fire_panel_burst happens to"),
        ('"g1"\nequipment = "utd-1"\naddress', '"g2"\nequipment = "utd-1"\naddress', r"no \[\[gbt26875\]\]"),
    ],
)  # fmt: skip
def test_mistakes_in_a_fleet_name_the_field(tmp_path, old, new, message):
    text = FLEET.format(port=1234)
    assert text.count(old) == 1
    with pytest.raises(FleetError, match=message):
        fleet_of(text.replace(old, new), tmp_path)


def test_the_example_of_a_fire_panel_is_valid():
    example = Path(__file__).parents[2] / "firmware-sim" / "fleet-fire-example.toml"
    assert {device.transport for device in load_fleet(example, VOCABULARY).device} == {"gbt26875"}


def test_addresses_are_used_once(tmp_path):
    fleet = fleet_of(FLEET.format(port=1234), tmp_path)
    twin = {"equipment": "smoke-2"}
    import msgspec

    devices = [*fleet.device, msgspec.structs.replace(fleet.device[2], **twin)]
    with pytest.raises(FleetError, match="3-7 is used twice"):
        checked(msgspec.structs.replace(fleet, device=devices), "fleet", VOCABULARY)


def test_scenarios_fit_what_the_protocol_can_tell(tmp_path):
    fleet = fleet_of(FLEET.format(port=1234), tmp_path)
    device, hydrant, smoke = fleet.device
    assert scenario_for(device, "fire_panel_burst", VOCABULARY).wire == "burst"
    assert scenario_for(smoke, "fire_alarm", VOCABULARY)
    with pytest.raises(ScenarioError, match="happens to transmission devices"):
        scenario_for(hydrant, "fire_line_split", VOCABULARY)


def test_what_a_burst_makes_the_zone_say_is_no_false_warning(tmp_path):
    text = FLEET.format(port=1234).replace("c1/smoke-1", "c1/utd-1").replace('"fire_alarm"', '"fire_panel_burst"')
    fleet, start = fleet_of(text, tmp_path), 1_795_305_600.0
    file = tmp_path / "ledger.jsonl"
    ledger = Ledger(file)
    ledger.write(run_record(fleet, start, 1.0))
    for output in Simulation(fleet, VOCABULARY, start).run_to(start + 60):
        if isinstance(output, FaultNote):
            ledger.write(describe(output))
    ledger.close()
    end = datetime.fromtimestamp(start + 60, UTC)
    runs, truths = read_ledger(file, end)
    assert [(one.equipment, one.scenario, one.cause) for one in truths] == [
        ("utd-1", "fire_panel_burst", None),
        ("hydrant-1", "fire_panel_burst_zone", 1),
        ("smoke-1", "fire_panel_burst_zone", 1),
    ]
    at = datetime.fromtimestamp(start + 6, UTC)
    warnings = [
        Warning(
            warning_id=number, community="c1", equipment=equipment, condition="fire_alarm", event_at=at, detected_at=at
        )
        for number, equipment in enumerate(["utd-1", "hydrant-1", "smoke-1"])
    ]
    report = score(runs, truths, warnings, [], {}, end)
    assert (report.total.recall, report.precision, report.hits, report.symptoms) == (1, 1, 1, 2)


@pytest.mark.slow
def test_a_fleet_with_fire_devices_runs(centre: Centre, tmp_path) -> None:
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(FLEET.format(port=centre.port), encoding="utf-8")
    ledger = tmp_path / "ledger.jsonl"
    with start_broker(tmp_path / "broker", {"sim": "only-in-tests"}, default_acl()) as broker:
        settings = load(
            SimSettings,
            {},
            fleet=fleet,
            ledger=ledger,
            mqtt_url=broker.url,
            mqtt_password="only-in-tests",
            for_s=3.0,
            speed=20.0,
        )
        totals = service.run(settings, Stop())
    assert [thing.status for thing in centre.units(2)] == [2, 1], "the alarm, and its end"
    pressures = [thing.value / 10 for thing in centre.units(3) if thing.number == 5]
    assert len(pressures) > 50
    assert all(70 < value < 2000 for value in pressures)
    assert totals["gbt26875"]["kept"] == 0
    assert totals["gbt26875"]["confirmed"] == len({(frame.serial, frame.unit) for frame in centre.data()})
    assert [json.loads(line)["what"] for line in ledger.read_text().splitlines()] == [
        "run",
        "fault_start",
        "fault_stop",
        "end",
    ]


def test_nothing_listens_and_nothing_breaks() -> None:
    port = free_port("127.0.0.1")
    spec = Transmission(community="c1", gateway="g1", equipment="utd-1", address=1, to=f"127.0.0.1:{port}")
    component = Component("fire_transmission_device", None, VOCABULARY)
    devices = TransmissionDevices([spec], {"c1/utd-1": component}, {"c1/utd-1": "c1/utd-1"}, VOCABULARY)
    devices.event("c1/utd-1", NOW_MS, "line_fault", True)
    centre = Centre(port)
    try:
        wait_for(lambda: 64 in [thing.status for thing in centre.units(21)])
    finally:
        devices.close()
        centre.close()
