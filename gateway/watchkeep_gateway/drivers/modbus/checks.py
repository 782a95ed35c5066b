"""What well-formed Modbus tables can have wrong."""

from collections.abc import Iterator, Sequence
from typing import Any

from watchkeep_core import vocabulary
from watchkeep_core.vocabulary_rows import Metric
from watchkeep_gateway.drivers.modbus.tables import (
    Cell,
    EventTable,
    ModbusRtuTable,
    ModbusTable,
    ModbusTcpTable,
    RegisterTable,
)
from watchkeep_gateway.report_tables import report_problems
from watchkeep_gateway.tables import Declared, Path, Problem, nearest
from watchkeep_gateway.units import conversion, convertible

LINE_FIELDS = ("baud_rate", "data_bits", "parity", "stop_bits")


def problems(tcp: Sequence[ModbusTcpTable], rtu: Sequence[ModbusRtuTable], declared: Declared) -> Iterator[Problem]:
    names, points = set[str](), set[tuple[str, str]]()
    places: list[tuple[Path, ModbusTable]] = [(("modbus_tcp", number), table) for number, table in enumerate(tcp)]
    places += [(("modbus_rtu", number), table) for number, table in enumerate(rtu)]
    for path, table in places:
        if table.name in names:
            yield Problem((*path, "name"), f"{table.name!r} is there twice")
        names.add(table.name)
        if not table.registers and not table.events:
            yield Problem((*path, "registers"), "is missing: nothing is read here")
        for index, register in enumerate(table.registers):
            yield from _register_problems((*path, "registers", index), register, table, declared, points)
        for index, event in enumerate(table.events):
            yield from _event_problems((*path, "events", index), event, table, declared)
    yield from _line_problems(tcp, rtu)


def _line_problems(tcp: Sequence[ModbusTcpTable], rtu: Sequence[ModbusRtuTable]) -> Iterator[Problem]:
    """Units that share a line must agree on it, and each have a number of its own."""
    first: dict[object, Any] = {}
    for field, tables, key, agree in (
        ("modbus_tcp", tcp, ("host", "port"), ("framing",)),
        ("modbus_rtu", rtu, ("line",), LINE_FIELDS),
    ):
        for number, table in enumerate(tables):
            other = first.setdefault(tuple(getattr(table, name) for name in key), table)
            for name in agree:
                if getattr(table, name) != getattr(other, name):
                    text = f"{getattr(table, name)!r}, but {other.name!r} on the same line has {getattr(other, name)!r}"
                    yield Problem((field, number, name), text)
    for number, table in enumerate(rtu):
        if not 1 <= table.unit <= 247:
            yield Problem(("modbus_rtu", number, "unit"), f"{table.unit}: units on a serial line are 1 to 247")


def _register_problems(
    path: Path, register: RegisterTable, table: ModbusTable, declared: Declared, seen: set[tuple[str, str]]
) -> Iterator[Problem]:
    equipment = register.equipment or table.equipment
    if problem := declared.equipment_problem(equipment):
        yield Problem((*path, "equipment"), problem)
    elif problem := declared.metric_problem(equipment, register.metric):
        yield Problem((*path, "metric"), problem)
    elif (equipment or "", register.metric) in seen:
        yield Problem((*path, "metric"), f"{equipment} {register.metric} is read twice")
    seen.add((equipment or "", register.metric))
    yield from _cell_problems(path, register, table)
    if register.scale == 0:
        yield Problem((*path, "scale"), "must not be 0")
    if metric := vocabulary.load().metrics.get(register.metric):
        yield from _value_problems(path, register, metric)
        yield from report_problems(path, register, metric, table.period_s)


def _value_problems(path: Path, register: RegisterTable, metric: Metric) -> Iterator[Problem]:
    if register.unit and conversion(register.unit, metric.unit) is None:
        known = ", ".join(convertible(metric.unit))
        yield Problem((*path, "unit"), f"{register.unit!r} cannot become {metric.unit}; known are {known}")
    if register.map and (register.scale, register.offset, register.unit) != (1.0, 0.0, ""):
        yield Problem((*path, "map"), "says the value itself: not together with scale, offset or unit")
    if register.value_type == "string" and not register.map:
        yield Problem((*path, "map"), "is needed with type string: values are numbers")
    for raw, value in register.map.items():
        if register.value_type != "string" and raw != "*" and not raw.removeprefix("-").isdecimal():
            yield Problem((*path, "map", raw), f"{raw!r} is no whole number")
        ids = {state.id: code for code, state in metric.states.items()}
        if isinstance(value, str) and value not in ids:
            hint = nearest(value, ids) if ids else f"; {metric.id} has no states"
            yield Problem((*path, "map", raw), f"{value!r} is no state of {metric.id}{hint}")
        elif ids and not isinstance(value, str) and value not in metric.states:
            known = ", ".join(f"{code} {state.id}" for code, state in metric.states.items())
            yield Problem((*path, "map", raw), f"{value:g} is no state of {metric.id}: {known}")


def _event_problems(path: Path, event: EventTable, table: ModbusTable, declared: Declared) -> Iterator[Problem]:
    equipment = event.equipment or table.equipment
    known = vocabulary.load().conditions
    if problem := declared.equipment_problem(equipment):
        yield Problem((*path, "equipment"), problem)
    elif not event.condition and not declared.profiles.get(equipment or "", "?"):
        yield Problem(path, f"{equipment} needs a vendor_profile in its [[device]], to know what the codes mean")
    if event.condition and event.condition not in known:
        yield Problem((*path, "condition"), f"{event.condition!r} is no condition{nearest(event.condition, known)}")
    if event.condition and (event.value_type != "bit" or event.width != 1):
        yield Problem((*path, "condition"), "is what one bit says: type must be bit, width 1")
    if event.value_type.startswith("float"):
        yield Problem((*path, "type"), "a code is a whole number, bits or a string")
    yield from _cell_problems(path, event, table)


def _cell_problems(path: Path, cell: Cell, table: ModbusTable) -> Iterator[Problem]:
    bit, in_words = cell.value_type == "bit", cell.kind in ("holding", "input")
    if not in_words and not bit:
        yield Problem((*path, "type"), f"a {cell.kind} register holds one bit: type must be bit")
    if in_words and bit != (cell.bit is not None):
        yield Problem((*path, "bit"), "is needed with type bit, and only there")
    if not in_words and cell.bit is not None:
        yield Problem((*path, "bit"), f"a {cell.kind} register has no bit number")
    if cell.width > 1 and (not bit or not in_words or (cell.bit or 0) + cell.width > 16):
        yield Problem((*path, "width"), "is for bits of one register, 16 at most")
    if (cell.value_type == "string") != (cell.length is not None):
        yield Problem((*path, "length"), "is needed with type string, and only there")
    if cell.address + cell.words > 65536:
        yield Problem((*path, "address"), "no room for its last register")
    if cell.words > table.max_block:
        yield Problem((*path, "address"), f"takes {cell.words} registers, and max_block is {table.max_block}")
