"""Modbus TCP, RTU over TCP and RTU on a serial line against pymodbus's own servers; and devices that are dead."""

import asyncio
import math
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from pymodbus import FramerType

import watchkeep_gateway.drivers.modbus as package
from tests.gateway.conftest import wait_until
from tests.gateway.modbus_peer import Peer, serial_simulator, served, simulator
from watchkeep_cli.ports import free_port
from watchkeep_gateway.drivers.modbus.driver import BACK_OFF_MAX_S, PROBE_SHARE, Modbus, back_off_s
from watchkeep_gateway.drivers.modbus.line import Line, Poll, Unit, poll
from watchkeep_gateway.drivers.modbus.tables import (
    EventTable,
    ModbusRtuTable,
    ModbusTcpTable,
    RegisterTable,
    Tables,
)
from watchkeep_gateway.values import Delivery, DeviceEvent, Reading, Rejected


class Sink:
    """What a driver hands over."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.events: list[DeviceEvent] = []
        self.rejected: list[Rejected] = []
        self.memory: dict[str, str] = {}
        self.links: list[tuple[str, bool, str]] = []

    def emit(self, delivery: Delivery) -> "Future[None]":
        self.readings += delivery.readings
        self.events += delivery.events
        self.rejected += delivery.rejected
        for key, value in delivery.remember.items():
            self.memory.pop(key, None)
            if value is not None:
                self.memory[key] = value
        future: Future[None] = Future()
        future.set_result(None)
        return future

    def link(self, name: str, up: bool, why: str) -> None:
        self.links.append((name, up, why))

    def count(self, equipment: str) -> int:
        return sum(reading.equipment == equipment for reading in self.readings)


@contextmanager
def running(sink: Sink, *tables: ModbusTcpTable | ModbusRtuTable, **more: Any) -> Iterator[Modbus]:
    driver = Modbus(tables, sink.emit, sink.link, **more)
    driver.start()
    try:
        yield driver
    finally:
        driver.stop()
        assert not driver.alive


def register(metric: str, address: int, **more: Any) -> RegisterTable:
    return RegisterTable(metric=metric, address=address, **more)


def tcp(port: int, name: str = "eq", unit: int = 1, **more: Any) -> ModbusTcpTable:
    given: dict[str, Any] = {"registers": ALL[:1], "period_s": 0.1, "timeout_s": 10} | more
    return ModbusTcpTable(name=name, host="127.0.0.1", port=port, unit=unit, equipment=name, **given)


ALL = (
    register("ride_count", 0),
    register("levelling_error", 1, type="int16"),
    register("signal_strength", 2, type="int32", kind="input"),
    register("machine_temperature", 4, type="float32", scale=10, offset=-5),
    register("machine_room_temperature", 6, type="float32", order="CDAB"),
    register("phase_loss", 8, type="bit", bit=2),
    register("pit_water", 8, type="bit", bit=4),
    register("car_floor", 100),
    register("cabinet_link", 2, kind="coil"),
    register("car_status", 1, kind="discrete"),
)
WANTED = {
    "ride_count": 7,
    "levelling_error": -1,
    "signal_strength": -70000,
    "machine_temperature": 410,
    "machine_room_temperature": 41.5,
    "phase_loss": 1,
    "pit_water": 0,
    "car_floor": 9,
    "cabinet_link": 1,
    "car_status": 0,
}
READS = {1, 2, 3, 4}
"""Function codes: coils, discrete inputs, holding and input registers."""


@contextmanager
def over_tcp(codes: set[int]) -> Iterator[Tables]:
    with simulator(1, codes=codes) as port:
        yield (tcp(port, registers=ALL),)


@contextmanager
def over_rtu_in_tcp(codes: set[int]) -> Iterator[Tables]:
    with simulator(1, framer=FramerType.RTU, codes=codes) as port:
        yield (tcp(port, registers=ALL, framing="rtu"),)


@contextmanager
def over_a_serial_line(codes: set[int]) -> Iterator[Tables]:
    with serial_simulator(1, 2, codes=codes) as line:
        given: dict[str, Any] = {"line": line, "period_s": 0.1, "baud_rate": 19200}
        one = ModbusRtuTable(name="eq", equipment="eq", registers=ALL, **given)
        yield one, ModbusRtuTable(name="two", equipment="two", unit=2, registers=ALL[:1], **given)


@pytest.mark.parametrize("way", [over_tcp, over_rtu_in_tcp, over_a_serial_line])
def test_values_of_all_kinds_over_every_line_and_nothing_is_ever_written(
    way: Callable[[set[int]], Any],
) -> None:
    sink, codes = Sink(), set[int]()
    before_ms = time.time() * 1000
    with way(codes) as tables, running(sink, *tables):
        wait_until(lambda: sink.count("eq") >= 2 * len(ALL))
        if len(tables) > 1:
            wait_until(lambda: sink.count("two") >= 2)
    found = {one.metric: one for one in [one for one in sink.readings if one.equipment == "eq"][: len(ALL)]}
    assert {metric: one.value for metric, one in found.items()} == WANTED
    assert all(before_ms - 1 <= one.t_ms <= time.time() * 1000 for one in found.values())
    assert ("eq", True, "") in sink.links
    assert codes == READS


def test_no_module_of_the_driver_names_a_write() -> None:
    """pymodbus's client can write; that nothing of ours calls it is seen in the source too."""
    files = list(Path(package.__path__[0]).glob("*.py"))
    assert len(files) > 5
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert not [word for word in ("write_", "readwrite", ".execute(") if word in text], file


def test_a_period_is_kept_and_each_value_is_read_anew() -> None:
    sink = Sink()
    with simulator(1) as port:
        started = time.monotonic()
        with running(sink, tcp(port)):
            wait_until(lambda: len(sink.readings) >= 6)
        assert time.monotonic() - started > 0.45
    stamps = [reading.t_ms for reading in sink.readings]
    assert len(set(stamps)) == len(stamps)


def test_turns_that_are_overdue_never_bear_the_same_millisecond() -> None:
    sink = Sink()
    with simulator(1) as port, running(sink, tcp(port, period_s=1e-6)):
        wait_until(lambda: len(sink.readings) >= 200)
    stamps = [reading.t_ms for reading in sink.readings]
    assert len(set(stamps)) == len(stamps)


@pytest.mark.slow
def test_one_dead_device_delays_no_other_and_comes_back() -> None:
    """Hosts that never answer, one of them waited for longer than the test lasts; and one that refuses."""
    sink = Sink()
    with ExitStack() as stack:
        mute, deaf = (stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(2))
        refusing = free_port("127.0.0.1")
        port = stack.enter_context(simulator(1))
        tables = [
            tcp(mute, "mute", timeout_s=60),
            tcp(deaf, "deaf", timeout_s=0.3),
            tcp(refusing, "refusing"),
            tcp(port, "good"),
        ]
        with running(sink, *tables):
            wait_until(lambda: sink.count("good") >= 15)
            wait_until(lambda: {("deaf", False), ("refusing", False)} <= {link[:2] for link in sink.links})
        assert sink.count("deaf") == sink.count("refusing") == 0

        late = Sink()
        with running(late, tcp(refusing, "late")):
            wait_until(lambda: late.links)
            assert late.links[0] == ("late", False, f"no connection to 127.0.0.1:{refusing}")
            with simulator(1, port=refusing):
                wait_until(lambda: late.readings)
        assert late.links[1] == ("late", True, "")


@pytest.mark.slow
@pytest.mark.parametrize("dead", [1, 5])
def test_dead_units_on_a_shared_connection_take_a_bounded_share_of_its_time(dead: int) -> None:
    """20 units polled as fast as they answer; what the dead cost is counted in timeouts."""
    sink, peer = Sink(), Peer(deaf=range(1, 1 + dead))
    good, timeout_s = [f"eq{unit}" for unit in range(1 + dead, 21)], 0.5
    with peer.listen() as port:
        tables = [tcp(port, f"eq{unit}", unit, period_s=0.05, timeout_s=timeout_s) for unit in range(1, 21)]
        with running(sink, *tables):
            wait_until(lambda: sum(not up for _, up, _ in sink.links) >= dead and all(map(sink.count, good)))
            start, began_s = len(peer.asked), time.monotonic()
            wait_until(lambda: time.monotonic() - began_s > 5)
            asked, window_s = Counter(unit for unit, *_ in peer.asked[start:]), time.monotonic() - began_s
    lost_s = timeout_s * sum(asked[unit] for unit in peer.deaf)
    assert lost_s <= PROBE_SHARE * window_s + 2 * timeout_s  # one more may fall into the window at each end
    turns = [asked[unit] for unit in range(1 + dead, 21)]
    assert min(turns) >= 0.8 * max(turns) - 2  # those that live share the rest evenly
    assert {reading.equipment for reading in sink.readings} == set(good)
    assert peer.connections <= 2  # five that are silent one after the other look like a dead line, once


def test_it_ends_at_once_whatever_it_waits_for() -> None:
    sink, peer = Sink(), Peer(deaf=[1])
    with peer.listen() as port, running(sink, tcp(port, timeout_s=60)):  # which asserts that the driver has ended
        wait_until(lambda: peer.asked)


def test_a_unit_that_is_not_on_the_serial_line_delays_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have the same period; the line's turns are counted, as its time is what a missing unit takes."""
    sink, turns = Sink(), Counter[str]()

    def counted(line: Line, unit: Unit, clock_ms: Callable[[], int]) -> Coroutine[Any, Any, Poll]:
        turns[unit.table.name] += 1
        return poll(line, unit, clock_ms)

    monkeypatch.setattr("watchkeep_gateway.drivers.modbus.driver.poll", counted)
    with serial_simulator(1) as line:

        def rtu(name: str, unit: int) -> ModbusRtuTable:
            given: dict[str, Any] = {"period_s": 0.1, "timeout_s": 0.2, "registers": ALL[:1]}
            return ModbusRtuTable(name=name, equipment=name, line=line, unit=unit, **given)

        with running(sink, rtu("good", 1), rtu("gone", 9)):
            wait_until(lambda: sink.count("good") >= 15)
            wait_until(lambda: ("gone", False) in [link[:2] for link in sink.links])
    assert sink.count("gone") == 0
    assert 2 <= turns["gone"] <= turns["good"] / 2


def test_a_serial_line_that_is_not_there_is_told_and_found_later() -> None:
    sink = Sink()
    table = ModbusRtuTable(name="eq", equipment="eq", line="/dev/no-such-line", registers=ALL[:1], period_s=0.1)
    with running(sink, table):
        wait_until(lambda: sink.links)
    assert sink.links == [("eq", False, "no connection to /dev/no-such-line")]


def test_a_dead_device_is_asked_ever_less_often() -> None:
    """One that hangs up on each request, for as long as a good one takes for 15 periods."""
    sink = Sink()
    calls: list[float] = []
    with ExitStack() as stack:
        rude = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def hang_up() -> None:
            with suppress(OSError):  # closed at the end of the test
                while True:
                    connection, _ = rude.accept()
                    connection.close()
                    calls.append(time.monotonic())

        thread = threading.Thread(target=hang_up)
        thread.start()
        port = stack.enter_context(simulator(1))
        with running(sink, tcp(rude.getsockname()[1], "rude", timeout_s=0.05), tcp(port, "good")):
            wait_until(lambda: sink.count("good") >= 15)
        rude.shutdown(socket.SHUT_RDWR)
        thread.join(60)
    doublings = math.log2(1 + (calls[-1] - calls[0]) / 0.1)
    assert 2 <= len(calls) <= 4 + doublings  # after 0.2, 0.4, 0.8 s …; at each period it would be 15 or more


def test_units_share_one_connection_and_a_refusal_names_the_registers() -> None:
    sink = Sink()
    with simulator(1, 2) as port:
        hole = (register("ride_count", 50),)
        with running(sink, tcp(port, "one"), tcp(port, "two", 2), tcp(port, "hole", registers=hole)):
            wait_until(lambda: sink.count("one") >= 3 and sink.count("two") >= 3)
            wait_until(lambda: any(name == "hole" for name, *_ in sink.links))
    assert sink.count("hole") == 0
    (why,) = {why for name, _, why in sink.links if name == "hole"}
    assert why == "unit 1 refuses holding 50 to 50: illegal data address"


def test_a_refused_block_does_not_silence_the_others_and_gaps_are_left_out_next_time() -> None:
    sink, peer = Sink(), Peer()
    peer.holes = {2, 60}
    registers = (register("ride_count", 0), register("car_floor", 4), register("levelling_error", 60))
    with peer.listen() as port, running(sink, tcp(port, registers=registers)):
        wait_until(lambda: sink.count("eq") >= 4)
    assert Counter(reading.metric for reading in sink.readings).keys() == {"ride_count", "car_floor"}
    assert peer.asked[0] == (1, 0, 5)
    assert {(1, 0, 1), (1, 4, 1)} <= set(peer.asked)
    assert peer.asked.count((1, 0, 5)) == 1
    assert sink.links[-1][1:] == (True, "unit 1 refuses holding 60 to 60: illegal data address")


def test_an_answer_of_another_length_is_no_value() -> None:
    async def short(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(12):
            writer.write(request[:4] + b"\0\5" + request[6:8] + b"\2\0\7")  # one register
        writer.close()

    sink, port = Sink(), free_port("127.0.0.1")
    table = tcp(port, registers=(register("ride_count", 0), register("car_floor", 1)))
    with served(lambda: asyncio.start_server(short, "127.0.0.1", port)), running(sink, table):
        wait_until(lambda: sink.links)
    assert sink.links[0] == ("eq", False, "unit 1 sent 1 registers for holding 0 to 1")
    assert not sink.readings


def test_a_point_without_a_value_is_told_once() -> None:
    sink, peer = Sink(), Peer([0x7FC0, 0x0000])
    registers = (register("machine_temperature", 0, type="float32"), register("ride_count", 3))
    with peer.listen() as port, running(sink, tcp(port, registers=registers)):
        wait_until(lambda: sink.count("eq") >= 3)
        peer.registers = [0x4226, 0x0000]
        wait_until(lambda: any(one.metric == "machine_temperature" for one in sink.readings))
        peer.registers = [0x7FC0, 0x0000]
        wait_until(lambda: len(sink.rejected) >= 2)
    assert [(one.origin, one.reason) for one in sink.rejected] == [("eq: eq machine_temperature", "not_finite")] * 2


def test_fault_codes_are_told_at_their_edges() -> None:
    sink, peer = Sink(), Peer([0])
    table: dict[str, Any] = {"registers": (), "events": (EventTable(address=0),)}
    with peer.listen() as port, running(sink, tcp(port, **table)):
        for code in (0, 8, 8, 9, 0):
            peer.registers = [code]
            asked = len(peer.asked)
            wait_until(lambda asked=asked: len(peer.asked) >= asked + 3)  # type: ignore[misc]
    told = [(event.active, event.raw_code) for event in sink.events]
    assert told == [(True, "8"), (True, "9"), (False, "9")]  # one condition, unknown_code, with another code
    assert sink.memory == {}


def test_a_fault_over_a_restart_is_neither_told_twice_nor_lost() -> None:
    sink, peer = Sink(), Peer([8])
    table: dict[str, Any] = {"registers": (), "events": (EventTable(address=0),)}
    with peer.listen() as port:
        with running(sink, tcp(port, **table)):
            wait_until(lambda: sink.events)
        with running(sink, tcp(port, **table), memory=dict(sink.memory)):
            asked = len(peer.asked)
            wait_until(lambda: len(peer.asked) >= asked + 3)
        assert [event.active for event in sink.events] == [True]
        peer.registers = [0]
        with running(sink, tcp(port, **table), memory=dict(sink.memory)):
            wait_until(lambda: len(sink.events) == 2)
    assert (sink.events[1].active, sink.events[1].raw_code) == (False, "8")
    assert sink.memory == {}


def test_back_off() -> None:
    assert [back_off_s(5, failures, 0.5) for failures in (1, 2, 3, 50)] == [10, 20, 40, BACK_OFF_MAX_S]
    assert back_off_s(300, 1, 0.5) == 300
    assert [round(back_off_s(5, 1, fraction), 6) for fraction in (0, 1)] == [8, 12]
