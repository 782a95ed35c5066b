"""Modbus registers to requests and back to values: pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from pymodbus.client.mixin import ModbusClientMixin

from watchkeep_gateway.config import ModbusTable, RegisterKind, RegisterTable, RegisterType
from watchkeep_gateway.values import Reading

_TYPES = {
    "int16": ModbusClientMixin.DATATYPE.INT16,
    "uint16": ModbusClientMixin.DATATYPE.UINT16,
    "int32": ModbusClientMixin.DATATYPE.INT32,
    "uint32": ModbusClientMixin.DATATYPE.UINT32,
    "float32": ModbusClientMixin.DATATYPE.FLOAT32,
}


@dataclass(frozen=True, slots=True)
class Block:
    """One request: `count` registers or bits of one kind, and the values in them."""

    kind: RegisterKind
    address: int
    count: int
    registers: tuple[RegisterTable, ...]


def blocks(registers: Sequence[RegisterTable], max_block: int, max_gap: int) -> list[Block]:
    """Group registers into as few requests as the block size and the gaps allow."""
    ordered = sorted(registers, key=lambda register: (register.kind, register.address))
    found: list[Block] = []
    for kind, group in groupby(ordered, key=lambda register: register.kind):
        members: list[RegisterTable] = []
        start = end = 0
        for register in group:
            stop = register.address + words(register.type)
            if members and (register.address - end > max_gap or stop - start > max_block):
                found.append(Block(kind, start, end - start, tuple(members)))
                members = []
            if not members:
                start = end = register.address
            members.append(register)
            end = max(end, stop)
        found.append(Block(kind, start, end - start, tuple(members)))
    return found


def words(kind: RegisterType) -> int:
    return 2 if kind.endswith("32") else 1


def readings(table: ModbusTable, block: Block, answer: Sequence[int] | Sequence[bool], t_ms: int) -> Iterator[Reading]:
    """Values of a block that was read at `t_ms`, scaled; `answer` holds its registers or bits."""
    for register in block.registers:
        raw = _raw(register, answer[register.address - block.address :])
        value = raw * register.scale + register.offset
        yield Reading(register.equipment or table.equipment or "", register.metric, t_ms, value)


def _raw(register: RegisterTable, answer: Sequence[int] | Sequence[bool]) -> float:
    if register.type == "bit":
        return float(int(answer[0]) >> (register.bit or 0) & 1)
    taken = [int(word) for word in answer[: words(register.type)]]
    value = ModbusClientMixin.convert_from_registers(taken, _TYPES[register.type], register.word_order)
    if not isinstance(value, int | float):
        raise TypeError(f"{register.type} decoded to {type(value)}")
    return float(value)
