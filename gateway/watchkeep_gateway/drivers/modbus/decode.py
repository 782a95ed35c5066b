"""Registers to values: a plan is made once per block, then each answer is unpacked in one go; pure."""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from math import isfinite
from operator import itemgetter
from typing import NamedTuple

from watchkeep_core import vocabulary
from watchkeep_gateway.drivers.modbus.blocks import Block
from watchkeep_gateway.drivers.modbus.tables import Cell, EventTable, RegisterTable
from watchkeep_gateway.units import SAME, Conversion, conversion
from watchkeep_gateway.values import Point, Points, Reading, Readings

Raw = int | float | bytes
Answer = bytes | Sequence[bool]
"""Registers as they came, two bytes each, most significant first; or bits."""

_FORMATS = {
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
    "bit": "H",
}


class NoValue(ValueError):
    """The raw value stands for none; the text says why."""


class Code(NamedTuple):
    """A register or bit that tells faults."""

    equipment: str
    source: str
    """Name of the cell: "holding 40", "holding 40.3"."""
    table: EventTable
    text: Callable[[Raw], str]
    """The code as the profile spells it; "" = no fault."""


class Found(NamedTuple):
    readings: Readings
    codes: list[tuple[Code, str]]
    missing: dict[Point, str]
    """Why there is no value."""


class Plan:
    """How the cells of one block are taken out of an answer."""

    def __init__(self, block: Block, equipment: str) -> None:
        """`equipment`: of cells that name none."""
        self.block = block
        self.equipment = equipment
        registers = [(at, cell) for at, cell in enumerate(block.cells) if isinstance(cell, RegisterTable)]
        self._points = Points((cell.equipment or equipment, cell.metric) for _, cell in registers)
        self._converters = [_converter(cell) for _, cell in registers]
        self._good = (0,) * len(registers)
        self._codes = [
            (at, Code(cell.equipment or equipment, cell.place, cell, _code_text(cell)))
            for at, cell in enumerate(block.cells)
            if isinstance(cell, EventTable)
        ]
        self._at = [at for at, _ in registers]
        self._bits = [cell.address - block.address for cell in block.cells]
        indexes = [index for cell in block.cells for index in _bytes_of(cell, cell.address - block.address)]
        self._gather = None if indexes == list(range(2 * block.count)) else itemgetter(*indexes)
        self._unpack = struct.Struct(">" + "".join(_format(cell) for cell in block.cells))

    def decode(self, answer: Answer, t_ms: int) -> Found:
        """What the registers or bits of the block say, read at `t_ms`."""
        raws = self._raws(answer)
        codes = [(code, code.text(raws[at])) for at, code in self._codes]
        if codes:
            raws = [raws[at] for at in self._at]
        try:
            values = tuple([convert(raw) for convert, raw in zip(self._converters, raws, strict=True)])
        except NoValue:
            return self._one_by_one(raws, codes, t_ms)
        if not isfinite(sum(values)):
            return self._one_by_one(raws, codes, t_ms)
        return Found(Readings((self._points,), (t_ms,) * len(values), values, self._good), codes, {})

    def _one_by_one(self, raws: Sequence[Raw], codes: list[tuple[Code, str]], t_ms: int) -> Found:
        """Where at least one has no value."""
        readings: list[Reading] = []
        missing: dict[Point, str] = {}
        for (equipment, metric), convert, raw in zip(self._points.keys, self._converters, raws, strict=True):
            try:
                readings.append(Reading(equipment, metric, t_ms, _finite(convert(raw))))
            except NoValue as error:
                missing[equipment, metric] = str(error)
        return Found(Readings.of(readings), codes, missing)

    def _raws(self, answer: Answer) -> Sequence[Raw]:
        if not isinstance(answer, bytes):
            return [int(answer[at]) for at in self._bits]
        return self._unpack.unpack(answer if self._gather is None else bytes(self._gather(answer)))


def raw_words(cell: Cell, block: Block, answer: Answer) -> list[int]:
    """The registers of a cell as they came."""
    start = cell.address - block.address
    if not isinstance(answer, bytes):
        return [int(answer[start])]
    return list(struct.unpack_from(f">{cell.words}H", answer, 2 * start))


def sources(cells: Sequence[Cell], equipment: str) -> Iterator[tuple[str, str]]:
    """(equipment, source) of all that tell faults."""
    for cell in cells:
        if isinstance(cell, EventTable):
            yield cell.equipment or equipment, cell.place


def _format(cell: Cell) -> str:
    return f"{2 * cell.words}s" if cell.value_type == "string" else _FORMATS[cell.value_type]


def _bytes_of(cell: Cell, start: int) -> list[int]:
    """Indexes of its bytes in the block, most significant first."""
    words = list(range(start, start + cell.words))
    if cell.order in ("CDAB", "DCBA") and cell.value_type != "string":
        words.reverse()
    swapped = cell.order in ("BADC", "DCBA")
    return [2 * word + (1 - byte if swapped else byte) for word in words for byte in (0, 1)]


def _converter(cell: RegisterTable) -> Callable[[Raw], float]:
    metric = vocabulary.load().metrics[cell.metric]
    if cell.value_type == "string" or cell.map:
        ids = {state.id: code for code, state in metric.states.items()}
        values = {raw: float(ids[value] if isinstance(value, str) else value) for raw, value in cell.map.items()}
        return _mapped(values, _reader_of(cell))
    unit = (conversion(cell.unit, metric.unit) if cell.unit else None) or SAME
    convert = _linear(cell.scale, cell.offset, unit)
    if cell.value_type == "bit":
        take = _bits(cell)
        plain = convert
        convert = lambda raw: plain(take(raw))  # noqa: E731 - composed once, called per reading
    return _valid(convert, cell.invalid) if cell.invalid else convert


@cache
def _linear(scale: float, offset: float, unit: Conversion) -> Callable[[Raw], float]:
    """Shared between points. Decimal scales divide: 213 × 0.1 is 21.3 and not 21.300000000000004."""
    factor, shift = scale * unit.factor, offset * unit.factor + unit.offset
    inverse = round(1 / factor) if abs(factor) < 1 else 0
    if factor == 1 and shift == 0:
        return float
    if inverse and abs(factor * inverse - 1) < 1e-12:
        return (lambda raw: round(raw / inverse + shift, 12)) if shift else (lambda raw: raw / inverse)  # type: ignore[operator]  # strings have maps
    return lambda raw: raw * factor + shift  # type: ignore[operator]


def _finite(value: float) -> float:
    if not isfinite(value):
        raise NoValue("not_finite")
    return value


def _valid(convert: Callable[[Raw], float], invalid: Sequence[int]) -> Callable[[Raw], float]:
    def valid(raw: Raw) -> float:
        if raw in invalid:
            raise NoValue(f"no_value: the device sends {raw!r}")
        return convert(raw)

    return valid


def _bits(cell: Cell) -> Callable[[Raw], int]:
    shift, mask = cell.bit or 0, (1 << cell.width) - 1
    return lambda raw: int(raw) >> shift & mask


def _reader_of(cell: Cell) -> Callable[[Raw], str]:
    """The raw value as text: the key in a map, the code in a profile."""
    if cell.value_type == "string":
        return _text
    if cell.value_type == "bit":
        take = _bits(cell)
        return lambda raw: str(take(raw))
    return lambda raw: str(int(raw))


def _text(raw: Raw) -> str:
    assert isinstance(raw, bytes)  # noqa: S101 - the plan unpacks strings as bytes
    return raw.decode("latin-1").strip("\0 \t\r\n")


def _mapped(values: Mapping[str, float], read: Callable[[Raw], str]) -> Callable[[Raw], float]:
    other = values.get("*")

    def mapped(raw: Raw) -> float:
        text = read(raw)
        value = values.get(text, other)
        if value is None:
            raise NoValue(f"not_mapped: the device sends {text[:60]!r}")
        return value

    return mapped


def _code_text(cell: EventTable) -> Callable[[Raw], str]:
    read = _reader_of(cell)
    if cell.condition:
        name, lasting = cell.place, str(cell.active)
        return lambda raw: name if read(raw) == lasting else ""
    none = str(cell.none)

    def code(raw: Raw) -> str:
        text = read(raw)
        return "" if text == none else text

    return code
