"""Devices that speak Modbus TCP: read at their period, never written to; one that is dead delays no other."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from watchkeep_core.errors import TransientError
from watchkeep_core.logs import get_logger
from watchkeep_gateway.config import ModbusTable
from watchkeep_gateway.drivers.modbus_blocks import Block, blocks, readings
from watchkeep_gateway.errors import SpoolClosed
from watchkeep_gateway.values import Delivery, Emit, Reading

log = get_logger(__name__)

BACK_OFF_MAX_S = 60.0
"""A device that does not answer is asked ever less often, down to this; units behind one address share its line."""

STOP_TIMEOUT_S = 5.0

OnLink = Callable[[str, bool, str], None]


class DeviceSilent(TransientError):
    """A device did not answer, or refused; the text says which request."""


@dataclass(slots=True)
class _Device:
    """One table of the configuration and when it is asked next (monotonic s)."""

    table: ModbusTable
    blocks: list[Block]
    due_s: float
    failures: int = 0
    up: bool | None = None
    why: str = ""


@dataclass(slots=True)
class _Link:
    """One TCP connection: some gateways to serial lines take no second one."""

    client: AsyncModbusTcpClient
    devices: list[_Device] = field(default_factory=list)


class ModbusTcp:
    """All [[modbus_tcp]] tables, in one thread with one task per host and port."""

    name = "modbus_tcp"

    def __init__(
        self,
        tables: Sequence[ModbusTable],
        emit: Emit,
        on_link: OnLink,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """`on_link(name, up, why)` is called when a device begins or ceases to answer."""
        self._tables = tables
        self._emit = emit
        self._on_link = on_link
        self._clock_ms = clock_ms
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="modbus", daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        # It logs an error for each silence; we log, and keep as a link's state, when that changes.
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
        self._thread.start()

    def stop(self) -> None:
        with suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(STOP_TIMEOUT_S)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._main())
        except Exception:
            log.exception("modbus_died")

    async def _main(self) -> None:
        async with asyncio.TaskGroup() as group:
            for link in links(self._tables):
                group.create_task(self._serve(link))

    async def _serve(self, link: _Link) -> None:
        try:
            while not self._ending.is_set():
                device = min(link.devices, key=lambda each: each.due_s)
                if await self._rest(device.due_s - time.monotonic()):
                    return
                await self._poll(link.client, device)
        except SpoolClosed:
            pass
        finally:
            link.client.close()

    async def _rest(self, wait_s: float) -> bool:
        """True when it is time to end."""
        if wait_s <= 0:
            return self._ending.is_set()
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._ending.wait()
        return self._ending.is_set()

    async def _poll(self, client: AsyncModbusTcpClient, device: _Device) -> None:
        try:
            found = await read(client, device.table, device.blocks, self._clock_ms)
        except DeviceSilent as error:
            device.failures += 1
            device.due_s = time.monotonic() + back_off_s(device.table.period_s, device.failures)
            self._note(device, False, str(error))
            return
        device.failures = 0
        device.due_s = max(device.due_s + device.table.period_s, time.monotonic())
        self._note(device, True, "")
        self._emit(Delivery(tuple(found)))

    def _note(self, device: _Device, up: bool, why: str) -> None:
        if device.up is not up or device.why != why:
            device.up, device.why = up, why
            self._on_link(device.table.name, up, why)
            (log.info if up else log.warning)("device_link", device=device.table.name, up=up, why=why)


def links(tables: Sequence[ModbusTable]) -> list[_Link]:
    """One per host and port; starts are spread over the period so that not all are asked in the same moment."""
    found: dict[tuple[str, int], _Link] = {}
    now_s = time.monotonic()
    for number, table in enumerate(tables):
        key = (table.host, table.port)
        if key not in found:
            # retries=0, reconnect_delay=0: when to try again is decided here, in plain sight.
            client = AsyncModbusTcpClient(
                table.host,
                port=table.port,
                name=table.name,
                timeout=max(each.timeout_s for each in tables if (each.host, each.port) == key),
                retries=0,
                reconnect_delay=0,
            )
            found[key] = _Link(client)
        spread_s = min(table.period_s, 1.0) * number / len(tables)
        wanted = blocks(table.registers, table.max_block, table.max_gap)
        found[key].devices.append(_Device(table, wanted, now_s + spread_s))
    return list(found.values())


async def read(
    client: AsyncModbusTcpClient, table: ModbusTable, wanted: Sequence[Block], clock_ms: Callable[[], int]
) -> list[Reading]:
    """All values of a device, each stamped when its block was read. Raises DeviceSilent."""
    try:
        if not client.connected and not await client.connect():
            raise DeviceSilent(f"no connection to {table.host}:{table.port}")
        found: list[Reading] = []
        for block in wanted:
            answer = await _ask(client, table.unit, block)
            found += readings(table, block, answer, clock_ms())
        return found
    except (ModbusException, OSError, TimeoutError) as error:
        client.close()  # else an answer that comes late would be taken for the next one's
        raise DeviceSilent(f"no answer from unit {table.unit} at {table.host}:{table.port}: {error}") from None


async def _ask(client: AsyncModbusTcpClient, unit: int, block: Block) -> Sequence[int] | Sequence[bool]:
    read_block = {
        "holding": client.read_holding_registers,
        "input": client.read_input_registers,
        "coil": client.read_coils,
        "discrete": client.read_discrete_inputs,
    }[block.kind]
    response = await read_block(block.address, count=block.count, device_id=unit)
    if response.isError():
        last = block.address + block.count - 1
        raise DeviceSilent(f"unit {unit} refuses {block.kind} {block.address} to {last}: {response}")
    answer: Sequence[int] | Sequence[bool] = response.registers if block.kind in ("holding", "input") else response.bits
    if len(answer) < block.count:
        raise DeviceSilent(f"unit {unit} sent {len(answer)} of {block.count} {block.kind} registers")
    return answer


def back_off_s(period_s: float, failures: int) -> float:
    """Doubles from the period to BACK_OFF_MAX_S (or the period, when that is longer)."""
    return min(period_s * 2.0 ** min(failures, 16), max(period_s, BACK_OFF_MAX_S))
