"""Modbus TCP against pymodbus's own simulator: values, grouping, and a device that is dead."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from tests.gateway.conftest import wait_until
from watchkeep_cli.ports import free_port
from watchkeep_gateway.config import ModbusTable, RegisterTable
from watchkeep_gateway.drivers.modbus_blocks import blocks, readings, words
from watchkeep_gateway.drivers.modbus_tcp import BACK_OFF_MAX_S, ModbusTcp, back_off_s
from watchkeep_gateway.values import Delivery, Reading


@contextmanager
def simulator(*units: int, port: int = 0) -> Iterator[int]:
    """pymodbus's server with the same registers in each unit; yields its port."""
    registers = [
        SimData(0, values=[7, 65535], datatype=DataType.REGISTERS),
        SimData(2, values=-70000, datatype=DataType.INT32),
        SimData(4, values=41.5, datatype=DataType.FLOAT32),
        SimData(6, values=[0x0000, 0x4226], datatype=DataType.REGISTERS),  # 41.5, low word first
        SimData(8, values=0b100, datatype=DataType.REGISTERS),
        SimData(100, values=9, datatype=DataType.REGISTERS),
    ]
    bits = [SimData(0, values=[True, False, True], datatype=DataType.BITS)]
    devices = [SimDevice(unit, simdata=(bits, bits, registers, registers)) for unit in units]
    loop, there, ends = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    port = port or free_port("127.0.0.1")

    async def serve() -> None:
        server = ModbusTcpServer(devices, address=("127.0.0.1", port))
        await server.serve_forever(background=True)
        there.set()
        await ends.wait()
        await server.shutdown()

    thread = threading.Thread(target=lambda: asyncio.Runner(loop_factory=lambda: loop).run(serve()))
    thread.start()
    assert there.wait(10)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(ends.set)
        thread.join(10)
        loop.close()


class Sink:
    """What a driver hands over."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.links: list[tuple[str, bool, str]] = []

    def emit(self, delivery: Delivery) -> "Future[None]":
        self.readings += delivery.readings
        future: Future[None] = Future()
        future.set_result(None)
        return future

    def link(self, name: str, up: bool, why: str) -> None:
        self.links.append((name, up, why))

    def count(self, equipment: str) -> int:
        return sum(reading.equipment == equipment for reading in self.readings)


@contextmanager
def running(sink: Sink, *tables: ModbusTable) -> Iterator[ModbusTcp]:
    driver = ModbusTcp(tables, sink.emit, sink.link)
    driver.start()
    try:
        yield driver
    finally:
        driver.stop()
        assert not driver.alive


def register(metric: str, address: int, **more: object) -> RegisterTable:
    return RegisterTable(metric=metric, address=address, **more)  # type: ignore[arg-type]  # test convenience


ALL = (
    register("a", 0),
    register("b", 1, type="int16"),
    register("c", 2, type="int32", kind="input"),
    register("d", 4, type="float32", scale=10, offset=-5),
    register("e", 6, type="float32", word_order="little"),
    register("f", 8, type="bit", bit=2),
    register("g", 8, type="bit", bit=3),
    register("h", 100),
    register("i", 2, kind="coil", type="bit"),
    register("j", 1, kind="discrete", type="bit"),
)
WANTED = {"a": 7, "b": -1, "c": -70000, "d": 410, "e": 41.5, "f": 1, "g": 0, "h": 9, "i": 1, "j": 0}


def test_values_of_all_kinds_and_types() -> None:
    sink = Sink()
    before = time.time() * 1000
    with simulator(1) as port, running(sink, ModbusTable("x", "127.0.0.1", ALL, port=port, equipment="eq")):
        wait_until(lambda: len(sink.readings) >= len(ALL))
    found = {reading.metric: reading for reading in sink.readings[: len(ALL)]}
    assert {metric: reading.value for metric, reading in found.items()} == WANTED
    assert all(before - 1 <= reading.t_ms <= time.time() * 1000 for reading in found.values())
    assert sink.links[0] == ("x", True, "")


def test_a_period_is_kept_and_each_value_is_read_anew() -> None:
    sink = Sink()
    with simulator(1) as port:
        started = time.monotonic()
        with running(sink, ModbusTable("x", "127.0.0.1", ALL[:1], port=port, equipment="eq", period_s=0.1)):
            wait_until(lambda: len(sink.readings) >= 6)
        assert time.monotonic() - started > 0.45
    stamps = [reading.t_ms for reading in sink.readings]
    assert len(set(stamps)) == len(stamps)


@pytest.mark.slow
def test_one_dead_device_delays_no_other_and_comes_back() -> None:
    """A host that takes the connection and never answers, one that refuses it, and a unit that is not there."""
    sink = Sink()
    with ExitStack() as stack:
        deaf = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        refusing = free_port("127.0.0.1")
        port = stack.enter_context(simulator(1, 2))

        def table(name: str, at: int, unit: int = 1) -> ModbusTable:
            return ModbusTable(
                name, "127.0.0.1", ALL[:1], port=at, unit=unit, equipment=name, period_s=0.1, timeout_s=0.3
            )

        tables = [table("deaf", deaf.getsockname()[1]), table("refusing", refusing), table("good", port)]
        with running(sink, *tables):
            started = time.monotonic()
            wait_until(lambda: sink.count("good") >= 15)
            assert time.monotonic() - started < 1.5 * 1.4 + 0.5
            wait_until(lambda: {("deaf", False), ("refusing", False)} <= {link[:2] for link in sink.links})
        assert sink.count("deaf") == sink.count("refusing") == 0

        late = Sink()
        with running(late, table("late", refusing)):
            wait_until(lambda: late.links)
            assert late.links[0][:2] == ("late", False)
            with simulator(1, port=refusing):
                wait_until(lambda: late.readings)
        assert late.links[1] == ("late", True, "")


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
        tables = [
            ModbusTable(name, "127.0.0.1", ALL[:1], port=at, equipment=name, period_s=0.1, timeout_s=0.05)
            for name, at in (("rude", rude.getsockname()[1]), ("good", port))
        ]
        with running(sink, *tables):
            wait_until(lambda: sink.count("good") >= 15)
        rude.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    assert 2 <= len(calls) <= 6  # after 0.2, 0.4, 0.8 s …; at each period it would be 15


def test_units_share_one_connection_and_a_refusal_names_the_registers() -> None:
    sink = Sink()
    with simulator(1, 2) as port:

        def table(name: str, unit: int, address: int) -> ModbusTable:
            wanted = (register("a", address),)
            return ModbusTable(name, "127.0.0.1", wanted, port=port, unit=unit, equipment=name, period_s=0.1)

        with running(sink, table("one", 1, 0), table("two", 2, 0), table("hole", 1, 50)):
            wait_until(lambda: sink.count("one") >= 3 and sink.count("two") >= 3)
            wait_until(lambda: any(name == "hole" for name, *_ in sink.links))
    assert sink.count("hole") == 0
    (why,) = {why for name, _, why in sink.links if name == "hole"}
    assert "holding 50 to 50" in why


def test_back_off() -> None:
    assert [back_off_s(5, failures) for failures in (1, 2, 3, 50)] == [10, 20, 40, BACK_OFF_MAX_S]
    assert back_off_s(300, 1) == 300


@given(
    st.lists(
        st.builds(
            RegisterTable,
            metric=st.just("m"),
            address=st.integers(0, 400),
            kind=st.sampled_from(["holding", "input"]),
            type=st.sampled_from(["uint16", "int32"]),
        ),
        min_size=1,
        max_size=40,
    ),
    st.integers(2, 125),
    st.integers(0, 20),
)
def test_blocks_cover_every_register_within_the_limits(
    wanted: list[RegisterTable], max_block: int, max_gap: int
) -> None:
    found = blocks(wanted, max_block, max_gap)
    key = [(one.kind, one.address, one.type) for block in found for one in block.registers]
    assert sorted(key) == sorted((one.kind, one.address, one.type) for one in wanted)
    for block in found:
        assert block.count <= max_block
        for one in block.registers:
            assert one.kind == block.kind
            assert block.address <= one.address
            assert one.address + words(one.type) <= block.address + block.count


def test_grouping_saves_requests() -> None:
    wanted = [register("m", address) for address in range(0, 100, 2)]
    assert len(blocks(wanted, 120, 8)) == 1
    assert len(blocks(wanted, 120, 0)) == 50
    assert len(blocks(wanted, 10, 8)) == 10


def test_a_register_may_name_its_own_equipment() -> None:
    table = ModbusTable("x", "h", (register("a", 3, equipment="own"), register("b", 4)), equipment="shared")
    (block,) = blocks(table.registers, 120, 8)
    found = list(readings(table, block, [5, 6], 99))
    assert found == [Reading("own", "a", 99, 5.0), Reading("shared", "b", 99, 6.0)]
