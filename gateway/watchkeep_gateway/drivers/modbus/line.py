"""One TCP connection or serial line with the units on it, and asking one of them: read requests only."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pymodbus import FramerType
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ExceptionResponse

from watchkeep_core.errors import PermanentError, TransientError
from watchkeep_gateway.drivers.modbus.blocks import Block, blocks, without_gaps
from watchkeep_gateway.drivers.modbus.decode import Answer, Plan
from watchkeep_gateway.drivers.modbus.raw_registers import HoldingRegisters, InputRegisters
from watchkeep_gateway.drivers.modbus.tables import ModbusRtuTable, ModbusTcpTable, Tables
from watchkeep_gateway.values import Point

NO_TIMEOUT: Any = None
"""For pymodbus, which hands it to asyncio: the timeout is ours, per device, and two of them cost 5 µs a request."""

CONNECT_S = 3.0

FRAME_GAP_CHARACTERS = 3.5
LEAST_FRAME_GAP_S = 0.00175
"""Silence between RTU frames (Modbus over serial line 1.02, §2.5.1.1)."""

REFUSED = {1: "illegal function", 2: "illegal data address", 3: "illegal data value"}
"""Exception codes of a unit that is there and will not answer this request; other codes say it cannot now."""

_OTHER = {4: "device failure", 5: "still working", 6: "device busy", 10: "no path to it", 11: "no answer behind it"}


class DeviceSilent(TransientError):
    """A unit did not answer, or cannot now; the text says why."""


class RequestRefused(PermanentError):
    """A unit will not answer a request; the text says which and why."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(slots=True)
class Unit:
    """One table of the configuration and when it is asked next (monotonic s)."""

    table: ModbusTcpTable | ModbusRtuTable
    plans: list[Plan]
    due_s: float
    failures: int = 0
    up: bool | None = None
    why: str = ""
    missing: dict[Point, str] = field(default_factory=dict)
    """Points that had no value when last read, and why."""


@dataclass(slots=True)
class Line:
    """Some gateways to serial lines take one connection only, and a serial line is one: its units take turns."""

    name: str
    client: AsyncModbusTcpClient | AsyncModbusSerialClient
    gap_s: float
    units: list[Unit] = field(default_factory=list)
    failures: int = 0
    """To connect, in a row."""
    silences: int = 0
    """Requests in a row that nobody answered."""
    probe_from_s: float = 0.0
    """Until then no unit is asked that did not answer last time (monotonic s)."""


@dataclass(slots=True)
class Poll:
    """One turn of a unit: what was read, each with its time (ms UTC), and what was not."""

    answers: list[tuple[Plan, Answer, int]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    silent: str = ""


def lines(tables: Tables) -> list[Line]:
    """One per host and port, or serial port; units are spread over their period so that not all are due at once."""
    found: dict[str, Line] = {}
    now_s = time.monotonic()
    for number, table in enumerate(tables):
        line = found.get(table.address) or found.setdefault(table.address, _line(table))
        spread_s = min(table.period_s, 1.0) * number / len(tables)
        wanted = blocks([*table.registers, *table.events], table.max_block, table.max_gap)
        plans = [Plan(block, table.equipment or "") for block in wanted]
        line.units.append(Unit(table, plans, now_s + spread_s))
    return list(found.values())


def _line(table: ModbusTcpTable | ModbusRtuTable) -> Line:
    client, gap_s = _client(table)
    client.register(HoldingRegisters)
    client.register(InputRegisters)
    return Line(table.address, client, gap_s)


def _client(table: ModbusTcpTable | ModbusRtuTable) -> tuple[AsyncModbusTcpClient | AsyncModbusSerialClient, float]:
    """And the silence between frames, in s."""
    # retries=0, reconnect_delay=0: when to try again is decided by the driver, in plain sight.
    if isinstance(table, ModbusTcpTable):
        framer = FramerType.RTU if table.framing == "rtu" else FramerType.SOCKET
        tcp = AsyncModbusTcpClient(
            table.host, port=table.port, framer=framer, timeout=NO_TIMEOUT, retries=0, reconnect_delay=0
        )
        return tcp, 0.0
    serial = AsyncModbusSerialClient(
        table.line,
        framer=FramerType.RTU,
        baudrate=table.baud_rate,
        bytesize=table.data_bits,
        parity=table.parity[0].upper(),
        stopbits=table.stop_bits,
        timeout=NO_TIMEOUT,
        retries=0,
        reconnect_delay=0,
    )
    bits = 1 + table.data_bits + (table.parity != "none") + table.stop_bits
    return serial, max(LEAST_FRAME_GAP_S, FRAME_GAP_CHARACTERS * bits / table.baud_rate)


async def connect(line: Line) -> None:
    """Raises DeviceSilent."""
    try:
        async with asyncio.timeout(CONNECT_S):
            if await line.client.connect():
                return
    except (ModbusException, OSError, TimeoutError):
        pass
    line.client.close()
    raise DeviceSilent(f"no connection to {line.name}")


async def poll(line: Line, unit: Unit, clock_ms: Callable[[], int]) -> Poll:
    """Read all blocks of a unit, each stamped when it was read; stops at the first silence."""
    found = Poll()
    for plan in list(unit.plans):
        try:
            answer = await _ask(line, unit.table, plan.block)
        except RequestRefused as error:
            found.refused.append(str(error))
            if error.code == 2:  # perhaps only what was read along
                _split(unit, plan)
        except DeviceSilent as error:
            found.silent = str(error)
            break
        else:
            found.answers.append((plan, answer, clock_ms()))
    return found


def _split(unit: Unit, plan: Plan) -> None:
    """From the next turn on ask for what is wanted only."""
    at = unit.plans.index(plan)
    unit.plans[at : at + 1] = [Plan(block, unit.table.equipment or "") for block in without_gaps(plan.block)]


async def _ask(line: Line, table: ModbusTcpTable | ModbusRtuTable, block: Block) -> Answer:
    if line.gap_s:
        await asyncio.sleep(line.gap_s)  # the line's own timing, milliseconds
    read = {
        "holding": line.client.read_holding_registers,
        "input": line.client.read_input_registers,
        "coil": line.client.read_coils,
        "discrete": line.client.read_discrete_inputs,
    }[block.kind]
    try:
        async with asyncio.timeout(table.timeout_s):
            response = await read(block.address, count=block.count, device_id=table.unit)
    except TimeoutError:
        _note_silence(line)
        raise DeviceSilent(f"no answer from unit {table.unit} at {line.name} in {table.timeout_s:g} s") from None
    except (ModbusException, OSError) as error:
        line.client.close()
        raise DeviceSilent(f"unit {table.unit} at {line.name}: {error}") from None
    line.silences = 0
    if isinstance(response, ExceptionResponse):
        raise _exception(table.unit, block, response.exception_code)
    if isinstance(response, HoldingRegisters):
        if len(response.raw) != 2 * block.count:
            raise DeviceSilent(f"unit {table.unit} sent {len(response.raw) / 2:g} registers for {block.text}")
        return response.raw
    if len(response.bits) < block.count:
        raise DeviceSilent(f"unit {table.unit} sent {len(response.bits)} bits for {block.text}")
    return response.bits


def _exception(unit: int, block: Block, code: int) -> DeviceSilent | RequestRefused:
    if code in REFUSED:
        return RequestRefused(code, f"unit {unit} refuses {block.text}: {REFUSED[code]}")
    return DeviceSilent(f"unit {unit} says {_OTHER.get(code, 'exception')} ({code}) for {block.text}")


def _note_silence(line: Line) -> None:
    """A connection on which nobody answers is made anew; a serial line has nothing to make anew."""
    line.silences += 1
    if line.silences >= min(3, len(line.units)) and isinstance(line.client, AsyncModbusTcpClient):
        line.silences = 0
        line.client.close()
