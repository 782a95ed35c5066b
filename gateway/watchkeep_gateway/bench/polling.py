"""Points polled per second, CPU per point and memory: the gateway process against a bare pymodbus loop.

Both read the same registers in the same blocks of the same pymodbus server as fast as it answers, over one connection,
and make numbers of them. "gateway" is the whole process as it is installed: decode, spool with a sync to disk, uplink
to a broker, acks; "driver" is its Modbus driver alone. Rates depend on what else the machine does (server, broker and
the acking side share its cores with the gateway); CPU time of the process hardly does.
"""

import asyncio
import logging
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from watchkeep_core import logs, topics
from watchkeep_core.bench import Measure, at_least, at_most
from watchkeep_core.broker import Received
from watchkeep_core.messages import Ack, encode
from watchkeep_core.mqtt import connect
from watchkeep_gateway.bench.process import START_S, Figures, running_gateway
from watchkeep_gateway.bench.target import INGEST, REF, BenchFailed, Target
from watchkeep_gateway.drivers.modbus.blocks import Block, blocks
from watchkeep_gateway.drivers.modbus.driver import Modbus
from watchkeep_gateway.drivers.modbus.tables import ModbusTcpTable, RegisterTable
from watchkeep_gateway.values import Delivery

METRICS = (
    "machine_temperature",
    "machine_room_temperature",
    "motor_current_percent",
    "car_vibration_vertical",
    "levelling_error",
    "door_open_time",
    "door_close_time",
    "car_noise",
    "ride_count",
    "battery_voltage",
)
"""Of one lift; a unit carries ten lifts, each metric as a float32."""

POINTS_PER_UNIT = 10 * len(METRICS)
WARM_UP_S = 2.0
READ = "watchkeep_gateway_readings_total"


def measures(target: Target, *, points: int, seconds: float, runs: int) -> list[Measure]:
    """In turns, as the machine may be busy with other things."""
    units = max(1, points // POINTS_PER_UNIT)
    bare, driver, gateway = list[Figures](), list[Figures](), list[Figures]()
    port = target.free_port()
    with _server(port, units), _acking(target):
        for _ in range(runs):
            bare.append(_in_process(_bare, port, units, seconds))
            driver.append(_in_process(_driver, port, units, seconds))
            gateway.append(_gateway(target, port, units, seconds))
    return [
        _column("bare_points_per_s", "points/s", bare, "rate"),
        _column("driver_points_per_s", "points/s", driver, "rate"),
        _column("gateway_points_per_s", "points/s", gateway, "rate"),
        at_least("gateway_rate_of_bare", "ratio", 0.8, _ratios(gateway, bare, "rate")),
        _column("bare_cpu_us_per_point", "µs", bare, "cpu_us"),
        _column("driver_cpu_us_per_point", "µs", driver, "cpu_us"),
        _column("gateway_cpu_us_per_point", "µs", gateway, "cpu_us"),
        at_least("driver_cpu_of_bare", "ratio", 0.8, _ratios(bare, driver, "cpu_us")),
        at_least("gateway_cpu_of_bare", "ratio", 0.8, _ratios(bare, gateway, "cpu_us")),
        at_most(f"gateway_rss_mb_{units * POINTS_PER_UNIT}_points", "MB", 80, [found["rss_mb"] for found in gateway]),
    ]


def _column(name: str, unit: str, found: list[Figures], key: str) -> Measure:
    return at_least(name, unit, None, [round(one[key], 2) for one in found])


def _ratios(above: list[Figures], below: list[Figures], key: str) -> list[float]:
    return [round(one[key] / other[key], 3) for one, other in zip(above, below, strict=True)]


def _table(unit: int, port: int) -> ModbusTcpTable:
    registers = tuple(
        RegisterTable(
            equipment=f"lift-{unit}-{index // len(METRICS)}",
            metric=METRICS[index % len(METRICS)],
            address=2 * index,
            type="float32",
        )
        for index in range(POINTS_PER_UNIT)
    )
    return ModbusTcpTable(
        name=f"unit-{unit}", host="127.0.0.1", port=port, unit=unit, period_s=0.01, registers=registers
    )


def _toml(port: int, units: int) -> str:
    """The same tables as a technician writes them."""
    lines = [f'[gateway]\ncommunity = "{REF.community}"\nid = "{REF.gateway}"']
    for unit in range(1, units + 1):
        table = _table(unit, port)
        for equipment in sorted({register.equipment for register in table.registers if register.equipment}):
            lines.append(f'[[device]]\nequipment = "{equipment}"\nkind = "elevator"')
        lines.append(f'[[modbus_tcp]]\nname = "{table.name}"\nhost = "{table.host}"\nport = {port}\nunit = {unit}')
        lines.append(f"period_s = {table.period_s}\nregisters = [")
        lines += [
            f'{{ equipment = "{one.equipment}", metric = "{one.metric}", address = {one.address}, type = "float32" }},'
            for one in table.registers
        ]
        lines.append("]")
    return "\n".join(lines)


@contextmanager
def _server(port: int, units: int) -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(port, units), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join(10)


def _serve(port: int, units: int) -> None:
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # a client that ends in the middle of an answer
    values = [20 + index / 7 for index in range(POINTS_PER_UNIT)]
    data = [SimData(0, values=values, datatype=DataType.FLOAT32)]
    devices = [SimDevice(unit, simdata=data) for unit in range(1, units + 1)]

    async def serve() -> None:
        await ModbusTcpServer(devices, address=("127.0.0.1", port)).serve_forever()

    asyncio.run(serve())


def _in_process(what: Callable[[int, int, float], Figures], port: int, units: int, seconds: float) -> Figures:
    """In an interpreter of its own, so that none warms the other up."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(what, (port, units, seconds))


def _bare(port: int, units: int, seconds: float) -> Figures:
    """What anybody would write with pymodbus: read each block, convert it."""
    return asyncio.run(_bare_loop(port, units, seconds))


async def _bare_loop(port: int, units: int, seconds: float) -> Figures:
    table = _table(1, port)
    wanted = blocks(table.registers, table.max_block, table.max_gap)
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await _connected(client)
    async with asyncio.timeout(START_S + seconds):
        await _bare_turns(client, wanted, units, WARM_UP_S / 2)
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        points = await _bare_turns(client, wanted, units, seconds)
        figures = _figures(points, time.perf_counter() - began_s, time.process_time() - began_cpu_s)
    client.close()
    return figures


async def _connected(client: AsyncModbusTcpClient) -> None:
    deadline = time.monotonic() + START_S
    while not await client.connect():
        if time.monotonic() > deadline:
            raise BenchFailed("the Modbus server did not come up")
        await asyncio.sleep(0.1)


async def _bare_turns(client: AsyncModbusTcpClient, wanted: list[Block], units: int, seconds: float) -> int:
    points, ends_s = 0, time.perf_counter() + seconds
    while time.perf_counter() < ends_s:
        for unit in range(1, units + 1):
            for block in wanted:
                answer = await client.read_holding_registers(block.address, count=block.count, device_id=unit)
                values = client.convert_from_registers(answer.registers, client.DATATYPE.FLOAT32)
                points += len(values)  # type: ignore[arg-type]  # a list, as there are many
    return points


def _driver(port: int, units: int, seconds: float) -> Figures:
    """The driver with a spool that forgets."""
    logs.configure("bench", "error")
    taken = 0
    done: Future[None] = Future()
    done.set_result(None)

    def emit(delivery: Delivery) -> "Future[None]":
        nonlocal taken
        taken += len(delivery.readings)
        return done

    driver = Modbus([_table(unit, port) for unit in range(1, units + 1)], emit, lambda *_: None)
    driver.start()
    time.sleep(WARM_UP_S)
    before, began_s, began_cpu_s = taken, time.perf_counter(), time.process_time()
    time.sleep(seconds)
    figures = _figures(taken - before, time.perf_counter() - began_s, time.process_time() - began_cpu_s)
    driver.stop()
    return figures


def _figures(points: int, wall_s: float, cpu_s: float) -> Figures:
    if not points:
        raise BenchFailed("nothing was read")
    return {"rate": points / wall_s, "cpu_us": cpu_s / points * 1e6}


def _gateway(target: Target, port: int, units: int, seconds: float) -> Figures:
    """The installed command, looked at through its own /metrics."""
    with (
        tempfile.TemporaryDirectory(prefix="watchkeep-bench-") as folder,
        running_gateway(target, Path(folder), _toml(port, units)) as gateway,
    ):
        gateway.wait_for(READ)
        time.sleep(WARM_UP_S)
        before, began_s = gateway.scrape(), time.perf_counter()
        time.sleep(seconds)
        gateway.wait_for(READ, above=before[READ])  # a disk that is busy may take longer for one commit
        after, wall_s = gateway.scrape(), time.perf_counter() - began_s
    figures = _figures(
        int(after[READ] - before[READ]),
        wall_s,
        after["process_cpu_seconds_total"] - before["process_cpu_seconds_total"],
    )
    return figures | {"rss_mb": after["process_resident_memory_bytes"] / 1e6}


@contextmanager
def _acking(target: Target) -> Iterator[None]:
    """Ingest, as far as the gateway can tell: everything that comes is said to be in the database."""

    def take(received: Received) -> None:
        topic = topics.parse_up(received.topic)
        if topic.kind == "message":
            ack = Ack(epoch=topic.epoch, seq=topic.seq)
            connection.publish(topics.ack(REF, "data"), encode(ack), retain=True)

    login: dict[str, Any] = {"client_id": INGEST, "user": INGEST, "password": target.password}
    connection = connect(target.broker, on_message=take, reconnect_jitter_s=0, **login)
    try:
        connection.subscribe(topics.ingest_filters("data", topics.partition_of(REF.community)))
        yield
    finally:
        connection.close()
