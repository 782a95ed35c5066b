"""Reading every device of a configuration once: what it says, what the registers held, how long it took."""

import asyncio
import logging
import time

from msgspec import Struct

from watchkeep_core import vocabulary
from watchkeep_gateway.drivers.modbus.decode import Answer, Plan, raw_words
from watchkeep_gateway.drivers.modbus.driver import FaultOf, faults_of
from watchkeep_gateway.drivers.modbus.line import DeviceSilent, Line, Unit, connect, lines, poll
from watchkeep_gateway.drivers.modbus.tables import EventTable, RegisterTable, Tables


class ProbedValue(Struct, frozen=True):
    """One cell; `value` None = the device has none, `why` says so."""

    equipment: str
    metric: str
    """Empty = a fault code or bit."""
    value: float | str | None
    unit: str
    registers: list[int]
    """As they came; of a coil or discrete input its bit."""
    at: str
    meaning: str = ""
    """State of the metric, or condition that a code means."""
    why: str = ""


class ProbedDevice(Struct, frozen=True):
    name: str
    line: str
    unit: int
    ok: bool
    ms: float
    """Time for all its requests."""
    values: list[ProbedValue]
    why: str = ""


async def probe(tables: Tables, fault_of: FaultOf) -> list[ProbedDevice]:
    """All devices, in the order of the file; units on one line take turns, lines are read at the same time."""
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    found = await asyncio.gather(*(_probe_line(line, fault_of) for line in lines(tables)))
    order = {table.name: number for number, table in enumerate(tables)}
    return sorted((device for devices in found for device in devices), key=lambda device: order[device.name])


async def _probe_line(line: Line, fault_of: FaultOf) -> list[ProbedDevice]:
    try:
        return [await _probe_unit(line, unit, fault_of) for unit in line.units]
    finally:
        line.client.close()


async def _probe_unit(line: Line, unit: Unit, fault_of: FaultOf) -> ProbedDevice:
    began_s = time.monotonic()
    values: list[ProbedValue] = []
    try:
        if not line.client.connected:
            await connect(line)
        found = await poll(line, unit, lambda: 0)
        why = "; ".join([*found.refused, found.silent] if found.silent else found.refused)
        for plan, answer, _ in found.answers:
            values += _values(plan, answer, fault_of)
    except DeviceSilent as error:
        why = str(error)
    ms = round((time.monotonic() - began_s) * 1000, 1)
    return ProbedDevice(unit.table.name, line.name, unit.table.unit, not why, ms, values, why)


def _values(plan: Plan, answer: Answer, fault_of: FaultOf) -> list[ProbedValue]:
    decoded = plan.decode(answer, 0)
    values = {(reading.equipment, reading.metric): reading.value for reading in decoded.readings}
    codes = {code.table: (code, text) for code, text in decoded.codes}
    found = []
    for cell in plan.block.cells:
        equipment, registers, at = cell.equipment or plan.equipment, raw_words(cell, plan.block, answer), cell.place
        if isinstance(cell, EventTable):
            code, text = codes[cell]
            meaning = ", ".join(fault.condition for fault in faults_of(code, text, fault_of))
            found.append(ProbedValue(equipment, "", text, "", registers, at, meaning or "no fault"))
        elif isinstance(cell, RegisterTable):
            metric, key = vocabulary.load().metrics[cell.metric], (equipment, cell.metric)
            value, why = values.get(key), decoded.missing.get(key, "")
            state = metric.states.get(int(value)) if value is not None and metric.states else None
            meaning = state.id if state else ""
            found.append(ProbedValue(equipment, cell.metric, value, metric.unit, registers, at, meaning, why))
    return found
