"""Fire transmission devices at the gateway: over real sockets, onto a real spool, through a real broker."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.gateway.conftest import PASSWORD, REF, FakeIngest, Site, wait_until
from tests.gateway.test_spool import stored
from watchkeep_cli.ports import free_port
from watchkeep_core import messages, vocabulary
from watchkeep_core.gbt26875 import (
    ACK,
    CONTROL,
    REFUSE,
    REQUEST,
    RESPONSE,
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
from watchkeep_core.gbt26875.objects import DUTY_CHECK, SYNC_CLOCK
from watchkeep_firmware_sim.gbt26875 import BURST, TransmissionDevices
from watchkeep_firmware_sim.gbt26875_device import TransmissionDevice
from watchkeep_firmware_sim.gbt26875_fleet import Component, FireAddress, Transmission
from watchkeep_gateway.config import SpoolTable
from watchkeep_gateway.config_file import read
from watchkeep_gateway.drivers.gbt26875 import driver as driver_module
from watchkeep_gateway.drivers.gbt26875 import listener as listener_module
from watchkeep_gateway.drivers.gbt26875.driver import Gbt26875
from watchkeep_gateway.drivers.gbt26875.tables import ComponentTable, ListenerTable, TransmissionTable
from watchkeep_gateway.errors import ConfigError
from watchkeep_gateway.spool import Spool
from watchkeep_gateway.spool_file import open_spool
from watchkeep_gateway.spool_reader import rejected
from watchkeep_gateway.transaction import Rules

WORDS = vocabulary.load()
DETECTORS = 20
KINDS = {"utd-1": "fire_transmission_device"} | {f"smoke-{n}": "smoke_detector" for n in range(DETECTORS)}
PLAIN = Dialect()
ADDRESS = 889


class Client:
    """A transmission device by hand."""

    def __init__(self, port: int, address: int = ADDRESS) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 5)
        self.address = address
        self.frames: list[Frame] = []
        self._reader = FrameReader(PLAIN)

    def frame(self, serial: int, unit: bytes, command: int = SEND, shift_s: float = 0) -> bytes:
        at = datetime.fromtimestamp(int(time.time()) + shift_s, UTC)
        return Frame(serial, command, self.address, 1, unit, at).encode(PLAIN)

    def say(self, serial: int, unit: bytes = b"", command: int = SEND, shift_s: float = 0) -> None:
        self.socket.sendall(self.frame(serial, unit, command, shift_s))

    def poll(self, wait_s: float = 0.01) -> bool:
        """Take what came; false when the gateway closed the line."""
        self.socket.settimeout(wait_s)
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            return True
        except ConnectionError:
            return False
        self.frames += [found for found in self._reader.feed(data) if isinstance(found, Frame)]
        return bool(data)

    def wait(self, command: int, serial: int) -> Frame:
        def there() -> Frame | None:
            self.poll()
            return next((one for one in self.frames if (one.command, one.serial) == (command, serial)), None)

        wait_until(there, what=f"command {command} for {serial}")
        found = there()
        assert found
        return found

    def asked(self, kind: int) -> list[Frame]:
        return [one for one in self.frames if one.command == CONTROL and one.unit[:1] == bytes((kind,))]

    def close(self) -> None:
        self.socket.close()


def status(bits: int, part: int = 1, at: datetime | None = None) -> bytes:
    thing = Object(1, 1, 40, Place(1, part), status=bits, at=at or datetime.now(UTC).replace(microsecond=0))
    return encode_unit(Unit(2, (thing,)), PLAIN)


class House:
    """A driver, a spool, and clients."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port("127.0.0.1")
        self.links: list[tuple[str, bool]] = []
        self.now_s = 1000.0
        self.synchronised = True
        self._stack = ExitStack()
        self.spool: Spool
        self.driver: Gbt26875

    def open(self, **more: object) -> "House":
        rules = Rules(
            "g1", {row.id: row.unit for row in WORDS.metrics.values()}, SpoolTable(min_free_bytes=0), 0.0, 1000
        )
        self.spool = Spool(open_spool(self.folder, REF), rules)
        components = tuple(ComponentTable(f"smoke-{n}", place=f"1-{n}", type=40) for n in range(DETECTORS))
        device = TransmissionTable(ADDRESS, "utd-1", components=components, duty_check_h=1, duty_answer_min=10)
        table = ListenerTable("fire", "127.0.0.1", self.port, (device,), **more)  # type: ignore[arg-type]  # of a test
        self.driver = Gbt26875(
            (table,),
            WORDS,
            KINDS,
            self.spool.put,
            lambda name, up, why: self.links.append((name, up)),
            memory=self.spool.memory,
            digests=self.spool.digests,
            synchronised=lambda: self.synchronised,
            now_s=lambda: self.now_s,
        )
        self.driver.start()
        return self

    def client(self, address: int = ADDRESS) -> Client:
        made = Client(self.port, address)
        self._stack.callback(made.close)
        return made

    def shut(self) -> None:
        self.driver.stop()
        assert not self.driver.alive
        self.spool.close()

    def close(self) -> None:
        self._stack.close()
        self.shut()

    def events(self) -> list[tuple[str, str, bool]]:
        found = [body for _, body in stored(self.folder, "event") if isinstance(body, messages.Event)]
        return [(event.equipment, event.condition, event.active) for event in found]

    def reasons(self) -> list[str]:
        return [one["reason"].partition(":")[0] for one in rejected(self.folder, 1000)]

    def values(self, metric: str) -> list[float]:
        aliases = {alias for (_, name, _), alias in self.spool.aliases.items() if name == metric}
        found = [body for _, body in stored(self.folder, "data") if isinstance(body, messages.Data)]
        return [v for data in found for a, v in zip(data.alias, data.value, strict=True) if a in aliases]


@pytest.fixture
def house(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(driver_module, "TICK_S", 0.05)
    monkeypatch.setattr(driver_module, "STALL_S", 0.5)
    made = House(folder)
    yield made
    made.close()


def test_an_alarm_is_on_disk_before_it_is_confirmed(house: House) -> None:
    client = house.open().client()
    client.say(5, status(2))
    answer = client.wait(ACK, 5)
    assert house.events() == [("smoke-1", "fire_alarm", True)]
    assert (answer.source, answer.destination, answer.unit) == (1, ADDRESS, b"")
    client.say(6, status(1))
    client.wait(ACK, 6)
    assert house.events() == [("smoke-1", "fire_alarm", True), ("smoke-1", "fire_alarm", False)]


def test_nothing_is_confirmed_while_the_disk_refuses(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.open()
    held: list[Callable[[], None]] = []
    put = house.spool.put
    from concurrent.futures import Future

    def slow(delivery):  # the spool as it is while it cannot write
        mine: Future[None] = Future()
        held.append(lambda: put(delivery).add_done_callback(lambda _: mine.set_result(None)))
        return mine

    house.driver._emit = slow
    client = house.client()
    client.say(5, status(2))
    client.say(6)  # a heartbeat, which needs no disk
    client.wait(ACK, 6)
    assert [one.serial for one in client.frames if one.command == ACK] == [6]
    for release in held:
        release()
    client.wait(ACK, 5)
    assert house.events() == [("smoke-1", "fire_alarm", True)]


def test_frames_in_pieces_joined_and_behind_rubbish(house: House) -> None:
    client = house.open().client()
    stream = (
        b"\x00@"
        + client.frame(1, status(2, 1))
        + b"@@@#"
        + client.frame(2, status(2, 2))
        + client.frame(3, status(2, 3))
    )
    for at in range(0, len(stream), 11):
        client.socket.sendall(stream[at : at + 11])
    for serial in (1, 2, 3):
        client.wait(ACK, serial)
    assert house.events() == [(f"smoke-{n}", "fire_alarm", True) for n in (1, 2, 3)]


def test_a_bad_checksum_is_refused_kept_and_taken_when_it_comes_right(house: House) -> None:
    client = house.open().client()
    raw = bytearray(client.frame(9, status(2)))
    raw[-3] ^= 1
    client.socket.sendall(bytes(raw))
    client.wait(REFUSE, 9)
    assert house.events() == []
    client.say(9, status(2))
    client.wait(ACK, 9)
    assert house.events() == [("smoke-1", "fire_alarm", True)]
    wait_until(lambda: house.reasons() == ["bad_checksum"])


def test_a_wrong_length_delays_the_next_frames_a_little_and_loses_none(house: House) -> None:
    client = house.open().client()
    raw = bytearray(client.frame(1, status(2, 1)))
    raw[24] = 0xFF
    client.socket.sendall(bytes(raw) + client.frame(2, status(2, 2)))
    client.wait(ACK, 2)
    assert house.events() == [("smoke-2", "fire_alarm", True)]


def test_one_who_sends_nothing_but_rubbish_is_cut_off(house: House) -> None:
    client = house.open().client()
    client.socket.sendall(b"@@" * 40_000)
    wait_until(lambda: not client.poll())
    other = house.client()
    other.say(1, status(2))
    other.wait(ACK, 1)
    assert len(house.reasons()) == driver_module.MAX_STRIKES, "and not one for each byte"


def test_what_has_no_place_is_kept_with_the_reason_and_confirmed(house: House) -> None:
    client = house.open().client()
    client.say(1, b"\x09\x01\x00")
    client.say(2, bytes.fromhex("02 01 00"))
    client.say(3, encode_unit(Unit(3, (Object(1, 1, 40, Place(99, 1), number=5, value=1),)), PLAIN))
    client.say(4, b"\x01\x02\x03", 200)
    client.say(5, b"", REQUEST)
    client.say(6, status(2, 1), CONTROL)
    for serial in (1, 2, 3, 4):
        client.wait(ACK, serial)
    for serial in (5, 6):
        client.wait(REFUSE, serial)
    wait_until(lambda: len(house.reasons()) == 6)
    assert sorted(house.reasons()) == ["bad_command"] * 3 + ["bad_size", "unknown_address", "unknown_type"]
    assert house.events() == []


def test_an_answer_is_taken_and_not_answered(house: House) -> None:
    client = house.open().client()
    client.say(1, status(2), RESPONSE)
    client.say(2)
    client.wait(ACK, 2)
    wait_until(lambda: house.events() == [("smoke-1", "fire_alarm", True)])
    assert [one.serial for one in client.frames if one.command == ACK] == [2]


def test_the_same_frame_again_is_confirmed_and_not_told_again(house: House) -> None:
    client = house.open().client()
    at = datetime.now(UTC).replace(microsecond=0)
    for serial, bits in ((1, 2), (2, 1)):
        client.say(serial, status(bits, 1, at))
        client.wait(ACK, serial)
    client.frames.clear()
    again = house.client()
    again.say(1, status(2, 1, at))
    again.wait(ACK, 1)
    assert house.events() == [("smoke-1", "fire_alarm", True), ("smoke-1", "fire_alarm", False)]
    again.say(1, status(2, 2, at))  # the serial began anew, the content is new
    again.wait(ACK, 1)
    wait_until(lambda: ("smoke-2", "fire_alarm", True) in house.events())


def test_over_a_restart_nothing_is_told_twice_and_nothing_is_lost(house: House) -> None:
    client = house.open().client()
    at = datetime.now(UTC).replace(microsecond=0)
    for serial, bits in ((1, 2), (2, 1), (3, 4)):
        client.say(serial, status(bits, 1, at))
        client.wait(ACK, serial)
    house.shut()
    client = house.open().client()
    for serial, bits in ((1, 2), (2, 1), (3, 4), (4, 1)):  # as if no confirmation had come, and one more
        client.say(serial, status(bits, 1, at))
        client.wait(ACK, serial)
    told = ["fire_alarm+", "fire_alarm-", "fire_fault+", "fire_fault-"]
    assert [f"{name}{'+' if active else '-'}" for _, name, active in house.events()] == told


def test_unknown_devices_are_taken_under_a_name_of_their_own(house: House) -> None:
    client = house.open().client(address=0x0A0000000001)
    client.say(1, status(2))
    client.wait(ACK, 1)
    assert house.events() == [("gbt26875-01000000000a", "fire_alarm", True)]
    assert client.asked(SYNC_CLOCK) == [], "nobody said that its clock may be set"


def test_only_so_many_unknown_devices_are_taken(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener_module, "MAX_UNKNOWN", 2)
    house.open()
    for number in (1, 2, 3):
        client = house.client(address=number)
        client.say(1, status(2))
        client.wait(ACK if number < 3 else REFUSE, 1)
    assert len(house.events()) == 2


def test_unknown_devices_may_be_refused(house: House) -> None:
    client = house.open(unknown="reject").client(address=4711)
    client.say(1, status(2))
    client.wait(REFUSE, 1)
    wait_until(lambda: house.reasons() == ["unknown_device"])
    assert house.events() == []


def test_the_clock_is_set_at_the_beginning_and_when_it_is_off(house: House) -> None:
    client = house.open().client()
    client.say(1)
    wait_until(lambda: client.poll() and client.asked(SYNC_CLOCK))
    (order,) = client.asked(SYNC_CLOCK)
    (thing,) = decode_unit(order.unit, PLAIN).objects
    assert thing.at
    assert abs(thing.at.timestamp() - time.time()) < 60
    assert (order.source, order.destination) == (1, ADDRESS)
    client.say(order.serial, b"", ACK)
    client.say(2)
    client.wait(ACK, 2)
    house.now_s += 700
    client.say(3, shift_s=3600)
    wait_until(lambda: client.poll() and len(client.asked(SYNC_CLOCK)) == 2)
    house.now_s += 61
    wait_until(lambda: any(abs(value - 3600) < 60 for value in house.values("clock_offset")))


def test_a_gateway_that_does_not_know_the_time_sets_no_clock(house: House) -> None:
    house.synchronised = False
    client = house.open().client()
    client.say(1, shift_s=3600)
    client.wait(ACK, 1)
    house.now_s += 10
    wait_until(lambda: house.values("cabinet_link"))
    client.poll()
    assert client.asked(SYNC_CLOCK) == []


def test_duty_check_answered(house: House) -> None:
    client = house.open().client()
    client.say(1)
    client.wait(ACK, 1)
    house.now_s += 3601
    client.say(2)
    wait_until(lambda: client.poll() and client.asked(DUTY_CHECK))
    (order,) = client.asked(DUTY_CHECK)
    assert decode_unit(order.unit, PLAIN).objects[0].number == 10
    client.say(order.serial, b"", ACK)
    client.say(3, encode_unit(Unit(24, (Object(status=32, number=1, at=datetime.now(UTC)),)), PLAIN))
    client.wait(ACK, 3)
    wait_until(lambda: house.values("duty_check_result") == [1.0])
    assert house.events() == [("utd-1", "fire_operation", True)]


def test_duty_check_unanswered_and_told_over_by_a_later_answer_even_after_a_restart(house: House) -> None:
    client = house.open().client()
    client.say(1)
    client.wait(ACK, 1)
    house.now_s += 3601
    client.say(2)
    wait_until(lambda: client.poll() and client.asked(DUTY_CHECK))
    for _ in range(9):  # the device is there all the time
        house.now_s += 80
        client.say(3)
        client.frames.clear()
        client.wait(ACK, 3)
    wait_until(lambda: house.events() == [("utd-1", "duty_check_unanswered", True)])
    wait_until(lambda: house.values("duty_check_result") == [2.0])
    house.shut()
    client = house.open().client()
    client.say(9, encode_unit(Unit(24, (Object(status=32, at=datetime.now(UTC)),)), PLAIN))
    client.wait(ACK, 9)
    assert ("utd-1", "duty_check_unanswered", False) in house.events()


def test_a_device_that_says_nothing_is_told_and_so_is_its_return(house: House) -> None:
    client = house.open().client()
    client.say(1)
    wait_until(lambda: house.links == [("utd-1", True)])
    house.now_s += 91
    wait_until(lambda: house.links[1:] == [("utd-1", False)])
    wait_until(lambda: house.values("cabinet_link") == [1.0, 0.0])
    client.say(2)
    wait_until(lambda: house.links[2:] == [("utd-1", True)])
    wait_until(lambda: house.values("cabinet_link") == [1.0, 0.0, 1.0])


def test_a_device_that_never_came_is_told(house: House) -> None:
    house.open()
    house.now_s += 91
    wait_until(lambda: house.links == [("utd-1", False)])


def test_a_device_that_comes_again_leaves_its_old_line(house: House) -> None:
    first = house.open().client()
    first.say(1)
    first.wait(ACK, 1)
    second = house.client()
    second.say(2)
    second.wait(ACK, 2)
    wait_until(lambda: not first.poll())


def test_too_many_connections_are_refused(house: House) -> None:
    house.open(max_connections=2)
    for number in (1, 2):
        client = house.client(address=number)
        client.say(number)
        client.wait(ACK, number)
    third = house.client(address=3)
    wait_until(lambda: not third.poll())


def test_stopping_takes_no_time_whoever_is_connected(house: House) -> None:
    house.open()
    clients = [house.client() for _ in range(5)]
    for client in clients:
        client.socket.sendall(b"@@\x01")
    house.driver.stop()
    assert not house.driver.alive, "it waits 4 s at most"


def test_an_address_that_is_taken_is_a_plain_mistake(house: House) -> None:
    from watchkeep_core.errors import SettingsError

    house.open()
    table = ListenerTable("second", "127.0.0.1", house.port)
    again = Gbt26875((table,), WORDS, {}, house.spool.put, lambda *_: None, memory={})
    with pytest.raises(SettingsError, match=f"gbt26875 second: cannot listen on 127.0.0.1:{house.port}"):
        again.start()
    again.stop()


# --- with the simulator's transmission device


def simulated(port: int, detectors: int = DETECTORS) -> TransmissionDevices:
    spec = Transmission(
        community="c1", gateway="g1", equipment="utd-1", address=ADDRESS, to=f"127.0.0.1:{port}", answer_s=0
    )
    components = {"c1/utd-1": Component("fire_transmission_device", None, WORDS)}
    for n in range(detectors):
        address = FireAddress(type=40, place=f"1-{n}", text=f"{n}号")
        components[f"c1/smoke-{n}"] = Component("smoke_detector", address, WORDS)
    return TransmissionDevices([spec], components, dict.fromkeys(components, "c1/utd-1"), WORDS)


def the_client(devices: TransmissionDevices) -> TransmissionDevice:
    (client,) = devices.clients.values()
    return client


@pytest.mark.parametrize("wire", [None, "checksum", "split", "joined"])
def test_a_panel_burst_of_200_events_loses_none(house: House, wire) -> None:
    house.open()
    devices = simulated(house.port)
    try:
        wait_until(lambda: house.links == [("utd-1", True)])
        now_ms = time.time_ns() // 1_000_000
        devices.fault("c1/utd-1", wire, 0, True, now_ms)
        devices.fault("c1/utd-1", "burst", 0, True, now_ms)
        client = the_client(devices)
        wait_until(lambda: client.kept == 0)
    finally:
        devices.close()
    of_detectors = [event for event in house.events() if event[0] != "utd-1"]
    assert of_detectors == [
        (f"smoke-{n // 2 % DETECTORS}", "fire_alarm", n % 2 == 0) for n in range(BURST)
    ]  # each, once, in order
    assert (client.resent > 0) == (wire == "checksum")


GATEWAY = """
version = "fire-1"

[gateway]
community = "c1"
id = "g1"

[spool]
min_free_bytes = 0

[[device]]
equipment = "utd-1"
kind = "fire_transmission_device"
{declared}

[[gbt26875]]
name = "fire"
host = "127.0.0.1"
port = {port}

[[gbt26875.devices]]
address = {address}
equipment = "utd-1"
components = [
{components}
]
"""


def write_config(site: Site, port: int, detectors: int = DETECTORS) -> None:
    site.config_file.write_text(
        GATEWAY.format(
            port=port,
            address=ADDRESS,
            declared="\n".join(
                f'[[device]]\nequipment = "smoke-{n}"\nkind = "smoke_detector"' for n in range(detectors)
            ),
            components=",\n".join(f'  {{ equipment = "smoke-{n}", place = "1-{n}" }}' for n in range(detectors)),
        ),
        encoding="utf-8",
    )


def test_from_the_simulated_device_to_ingest(site: Site) -> None:
    port = free_port("127.0.0.1")
    write_config(site, port)
    ingest = site.ingest()
    site.start()
    devices = simulated(port)
    try:
        now_ms = time.time_ns() // 1_000_000
        devices.event("c1/smoke-3", now_ms, "fire_alarm", True)
        devices.readings("c1/smoke-3", now_ms, {"fire_temperature": 61.5})
        devices.event("c1/smoke-3", now_ms + 5000, "fire_alarm", False)
        wait_until(lambda: len(ingest.events()) == 2)
        wait_until(lambda: any(one.metric == "fire_temperature" for birth in ingest.births for one in birth.points))
    finally:
        devices.close()
    alarm, clearing = ingest.events()
    assert (alarm.equipment, alarm.condition, alarm.active) == ("smoke-3", "fire_alarm", True)
    assert (clearing.equipment, clearing.condition, clearing.active) == ("smoke-3", "fire_alarm", False)
    assert alarm.t == now_ms // 1000 * 1000, "to the second, as the device tells it"
    assert alarm.attributes["text"] == "3号"
    wait_until(lambda: ("smoke-3", "fire_temperature", now_ms // 1000 * 1000, 61.5) in ingest.readings())
    wait_until(lambda: any(metric == "cabinet_link" for _, metric, _, _ in ingest.readings()))


@pytest.fixture
def children() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start_process(site: Site, tmp_path: Path, children: ExitStack) -> "subprocess.Popen[bytes]":
    environ = os.environ | {
        "WATCHKEEP_GATEWAY_MQTT_PASSWORD": PASSWORD,
        "WATCHKEEP_GATEWAY_SPOOL_DIR": str(site.folder),
        "WATCHKEEP_GATEWAY_RESEND_AFTER_S": "1",
    }
    command = [sys.executable, "-m", "watchkeep_gateway", "run", "--config", str(site.config_file)]
    with (tmp_path / "log").open("ab") as log:
        process = subprocess.Popen([*command, "--mqtt-url", site.broker.url], env=environ, stderr=log)
    children.callback(process.wait)
    children.callback(process.kill)
    return process


def patient_client(port: int) -> Client:
    found: list[Client] = []

    def there() -> bool:
        try:
            found.append(Client(port))
        except OSError:
            return False
        return True

    wait_until(there)
    return found[0]


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before the disk", "before the confirmation is read"])
def test_killed_between_receipt_and_confirmation_there_is_exactly_one_event(
    site: Site, tmp_path: Path, children: ExitStack, moment: str
) -> None:
    port = free_port("127.0.0.1")
    write_config(site, port)
    ingest = site.ingest()
    at = datetime.now(UTC).replace(microsecond=0)
    process = start_process(site, tmp_path, children)
    client = patient_client(port)
    children.callback(client.close)
    client.say(1)
    client.wait(ACK, 1)
    if moment == "before the disk":
        process.send_signal(signal.SIGSTOP)
        client.say(2, status(2, 1, at))
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        assert not [event for event in ingest.events() if event.equipment == "smoke-1"]
    else:
        client.say(2, status(2, 1, at))  # … and the confirmation is lost on its way
        wait_until(lambda: any(event.equipment == "smoke-1" for event in ingest.events()))
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    start_process(site, tmp_path, children)
    again = patient_client(port)
    children.callback(again.close)
    again.say(2, status(2, 1, at))
    again.wait(ACK, 2)
    again.say(3, status(1, 1, at))
    again.wait(ACK, 3)
    wait_until(lambda: len([event for event in ingest.events() if event.equipment == "smoke-1"]) == 2)
    assert [event.active for event in ingest.events() if event.equipment == "smoke-1"] == [True, False]


@pytest.mark.slow
def test_killed_again_and_again_under_load_every_event_comes_once(
    site: Site, tmp_path: Path, children: ExitStack
) -> None:
    port = free_port("127.0.0.1")
    write_config(site, port)
    ingest = site.ingest()
    process = start_process(site, tmp_path, children)
    devices = simulated(port)
    children.callback(devices.close)
    client = the_client(devices)
    told: list[tuple[str, bool]] = []
    began_ms = time.time_ns() // 1_000_000

    def tell(count: int) -> None:
        for _ in range(count):
            n = len(told)
            name, active = f"smoke-{n // 2 % DETECTORS}", n % 2 == 0
            devices.event(f"c1/{name}", began_ms + 1000 * n, "fire_alarm", active)
            told.append((name, active))

    for _ in range(3):
        confirmed = client.confirmed
        tell(100)
        wait_until(lambda: client.confirmed >= confirmed + 20)  # noqa: B023 - called in this round only
        process.kill()
        process.wait(60)
        process = start_process(site, tmp_path, children)
    tell(20)
    wait_until(lambda: client.kept == 0)
    wait_until(lambda: len(_of_detectors(ingest)) >= len(told))
    assert _of_detectors(ingest) == told


def _of_detectors(ingest: FakeIngest) -> list[tuple[str, bool]]:
    return [(event.equipment, event.active) for event in ingest.events() if event.equipment.startswith("smoke")]


# --- configuration


@pytest.mark.parametrize(
    ("old", "new", "field", "problem"),
    [
        ("address = 889", 'address = "79 03"', "devices[0].address", "is no number below"),
        (
            'equipment = "utd-1"\ncomponents',
            'equipment = "smoke-1"\ncomponents',
            "devices[0].equipment",
            "clock_offset",
        ),
        ('equipment = "utd-1"\ncomponents', 'equipment = "nobody"\ncomponents', "devices[0].equipment", "not declared"),
        ("components = [", 'profile = "gbt"\ncomponents = [', "devices[0].profile", "is none of gbt26875_2011"),
        ('place = "1-0"', 'place = "1_0"', "components[0].place", "is no ZONE-PART"),
        ('place = "1-1"', 'place = "1-0"', "components[1].place", "is there twice"),
        ('"smoke-0", place = "1-0"', '"smoke-0", type = 40', "components[0].place", "is needed with a type"),
        ("components = [", 'duty_equipment = "smoke-1"\ncomponents = [', "duty_equipment", "duty_check_result"),
        ("components = [", "duty_answer_min = 0\ncomponents = [", "duty_answer_min", "0"),
    ],
)
def test_mistakes_are_named_with_field_and_line(tmp_path: Path, old: str, new: str, field: str, problem: str) -> None:
    text = GATEWAY.format(
        port=5001,
        address=889,
        declared="\n".join(f'[[device]]\nequipment = "smoke-{n}"\nkind = "smoke_detector"' for n in range(2)),
        components=",\n".join(f'  {{ equipment = "smoke-{n}", place = "1-{n}" }}' for n in range(2)),
    )
    file = tmp_path / "gateway.toml"
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read(file)
    line = next(mistake for mistake in caught.value.mistakes if field in mistake.field)
    assert problem in line.text
    assert line.line > 0


def test_refused_frames_carry_what_came() -> None:
    (found,) = FrameReader(PLAIN).feed(b"hello")
    assert isinstance(found, Refused)
    assert found.raw == b"hello"
