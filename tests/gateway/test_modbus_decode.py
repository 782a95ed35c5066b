"""Registers to values: types, byte orders, scaling, units, maps, strings; and grouping into requests. Pure."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeep_core import vocabulary
from watchkeep_gateway.drivers.modbus.blocks import Block, blocks, without_gaps
from watchkeep_gateway.drivers.modbus.decode import Plan, raw_words
from watchkeep_gateway.drivers.modbus.tables import Cell, EventTable, RegisterTable
from watchkeep_gateway.units import CONVERSIONS
from watchkeep_gateway.values import Reading

METRIC = "battery_voltage"  # of any equipment, a plain number


def register(address: int, metric: str = METRIC, **more: Any) -> RegisterTable:
    return RegisterTable(address=address, metric=metric, **more)


def packed(*words: int) -> bytes:
    """Registers as they come."""
    return struct.pack(f">{len(words)}H", *words)


def decode(cells: list[Cell], answer: list[int], start: int = 0) -> list[float]:
    (block,) = blocks(cells, 125, 100)
    found = Plan(block, "eq").decode(packed(*answer), 1)
    assert block.address == start
    assert not found.missing
    return [reading.value for reading in found.readings]


ORDERS = {
    "ABCD": [0x4226, 0x0000],
    "CDAB": [0x0000, 0x4226],
    "BADC": [0x2642, 0x0000],
    "DCBA": [0x0000, 0x2642],
}


@pytest.mark.parametrize(("order", "words"), ORDERS.items())
def test_word_orders_of_a_float(order: str, words: list[int]) -> None:
    assert decode([register(0, type="float32", order=order)], words) == [41.5]


def in_order(raw: bytes, order: str) -> list[int]:
    """What a device of that order puts into its registers; written another way than the code under test."""
    words = [raw[at : at + 2] for at in range(0, len(raw), 2)]
    if order in ("CDAB", "DCBA"):
        words = words[::-1]
    if order in ("BADC", "DCBA"):
        words = [word[::-1] for word in words]
    return [int.from_bytes(word, "big") for word in words]


TYPES = {
    "int16": ("h", -(2**15), 2**15 - 1),
    "uint16": ("H", 0, 2**16 - 1),
    "int32": ("i", -(2**31), 2**31 - 1),
    "uint32": ("I", 0, 2**32 - 1),
    "int64": ("q", -(2**63), 2**63 - 1),
    "uint64": ("Q", 0, 2**64 - 1),
}


@given(st.data(), st.sampled_from(sorted(TYPES)), st.sampled_from(sorted(ORDERS)), st.integers(0, 5))
def test_every_whole_number_in_every_order(data: st.DataObject, kind: str, order: str, lead: int) -> None:
    code, low, high = TYPES[kind]
    value = data.draw(st.integers(low, high))
    words = in_order(struct.pack(f">{code}", value), order)
    cells: list[Cell] = [register(0, type="uint16"), register(1 + lead, type=kind, order=order)]
    assert decode(cells, [5] + [9] * lead + words) == [5, float(value)]


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(sorted(ORDERS)))
def test_every_float64_in_every_order(value: float, order: str) -> None:
    assert decode([register(3, type="float64", order=order)], in_order(struct.pack(">d", value), order), 3) == [value]


SCALED = [
    ({"scale": 0.1}, 213, 21.3),
    ({"scale": 0.1, "offset": -40}, 213, -18.7),
    ({"scale": 0.001}, 7, 0.007),
    ({"scale": 10}, 5, 50),
    ({"type": "int16", "scale": 0.1}, 0xFFFF, -0.1),
    ({"unit": "mV"}, 3600, 3.6),
    ({"unit": "kV", "scale": 0.1}, 4, 400),
    ({"metric": "discharge_pressure", "unit": "MPa", "scale": 0.01}, 35, 350),
    ({"metric": "discharge_pressure", "unit": "bar", "scale": 0.1}, 35, 350),
    ({"metric": "bearing_temperature", "unit": "K", "scale": 0.1}, 3001, 26.95),
    ({"metric": "bearing_temperature", "unit": "fahrenheit"}, 212, 100),
    ({"metric": "pump_flow", "unit": "L_per_s"}, 10, 36),
    ({"metric": "pump_flow", "unit": "m3_per_h"}, 10, 10),
    ({"type": "bit", "bit": 2}, 0b0100, 1),
    ({"type": "bit", "bit": 3}, 0b0100, 0),
    ({"type": "bit", "bit": 4, "width": 3}, 0b1101_0110, 5),
    ({"type": "bit", "bit": 0, "order": "BADC"}, 0x0100, 1),
    ({"metric": "door_status", "map": {"0": "not_closed", "1": "closed"}}, 1, 1),
    ({"metric": "door_status", "map": {"0": 2, "1": 1}}, 0, 2),
    ({"metric": "door_status", "type": "bit", "bit": 15, "map": {"1": "closed", "0": "not_closed"}}, 0x8000, 1),
    ({"metric": "service_mode", "map": {"3": "normal", "*": "unknown"}}, 99, 7),
    ({"metric": "service_mode", "type": "int16", "map": {"-1": "inspection"}}, 0xFFFF, 2),
]


@pytest.mark.parametrize(("more", "raw", "wanted"), SCALED, ids=[str(row[0]) for row in SCALED])
def test_scale_offset_unit_and_map(more: dict[str, Any], raw: int, wanted: float) -> None:
    (value,) = decode([register(0, **({"metric": METRIC} | more))], [raw])
    assert value == wanted if "fahrenheit" not in more.values() else value == pytest.approx(wanted)


def test_conversions_lead_to_units_of_the_vocabulary_and_round_trip() -> None:
    known = vocabulary.load().units
    for (unit, wanted), (factor, offset) in CONVERSIONS.items():
        assert wanted in known, wanted
        back = CONVERSIONS.get((wanted, unit))
        if back:
            assert factor * back.factor == pytest.approx(1), (unit, wanted)
            assert offset == back.offset == 0


@pytest.mark.parametrize("order", ["ABCD", "BADC"])
def test_a_text_is_a_state_by_its_map(order: str) -> None:
    cell = register(0, "service_mode", type="string", length=4, order=order, map={"AUTO": "normal", "检": 2, "*": 7})
    for text, wanted in {b"AUTO\0\0\0\0": 1, b"AUTO    ": 1, b"?": 7}.items():
        raw = text.ljust(8, b"\0")
        assert decode([cell], in_order(raw, order)) == [wanted]


def test_the_words_of_a_text_stand_in_reading_order_whatever_the_order_of_numbers() -> None:
    cell = register(0, "service_mode", type="string", length=2, order="CDAB", map={"AUTO": "normal", "TOAU": 2})
    assert decode([cell], in_order(b"AUTO", "ABCD")) == [1]


def test_what_has_no_value_says_why() -> None:
    cells: list[Cell] = [
        register(0, type="float32"),
        register(2, "bearing_temperature", type="int16", invalid=(-32768, 32767)),
        register(3, "service_mode", map={"1": "normal"}),
        register(4, "signal_strength"),
    ]
    (block,) = blocks(cells, 125, 0)
    found = Plan(block, "eq").decode(packed(0x7FC0, 0, 0x8000, 2, 5), 9)
    assert list(found.readings) == [Reading("eq", "signal_strength", 9, 5.0)]
    assert {metric: why.partition(":")[0] for (_, metric), why in found.missing.items()} == {
        METRIC: "not_finite",
        "bearing_temperature": "no_value",
        "service_mode": "not_mapped",
    }


def test_codes_and_bits_that_tell_faults() -> None:
    cells: list[Cell] = [
        EventTable(address=0),
        EventTable(address=1, none=65535),
        EventTable(address=2, bit=3, type="bit", condition="alarm_button"),
        EventTable(address=2, bit=4, type="bit", condition="pump_fault", active=0),
        EventTable(address=3, type="string", length=2, none=""),
    ]
    (block,) = blocks(cells, 125, 0)
    plan = Plan(block, "eq")

    def texts(*words: int) -> list[str]:
        return [text for _, text in plan.decode(packed(*words), 1).codes]

    assert texts(0, 65535, 0b10000, 0, 0) == ["", "", "", "", ""]
    assert texts(8, 0, 0b01000, 0x4531, 0x3200) == ["8", "0", "holding 2.3", "holding 2.4", "E12"]


def test_bits_of_coils() -> None:
    cells: list[Cell] = [register(5, "phase_loss", kind="coil"), register(3, "pump_run_state", kind="coil")]
    (block,) = blocks(cells, 125, 8)
    found = Plan(block, "eq").decode([False, True, True, False, False], 1)
    assert [(one.metric, one.value) for one in found.readings] == [("pump_run_state", 0), ("phase_loss", 1)]


def test_a_register_may_name_its_own_equipment_and_raw_words_are_those_of_its_cell() -> None:
    cells: list[Cell] = [register(3, equipment="own"), register(4, type="uint32")]
    (block,) = blocks(cells, 120, 8)
    found = Plan(block, "shared").decode(packed(5, 6, 7), 99)
    assert [one.equipment for one in found.readings] == ["own", "shared"]
    assert raw_words(cells[1], block, packed(5, 6, 7)) == [6, 7]


cells_st = st.lists(
    st.builds(
        RegisterTable,
        metric=st.just(METRIC),
        address=st.integers(0, 400),
        kind=st.sampled_from(["holding", "input"]),
        type=st.sampled_from(["uint16", "int32", "float64"]),
    ),
    min_size=1,
    max_size=40,
)


@given(cells_st, st.integers(4, 125), st.integers(0, 20))
def test_blocks_cover_every_register_within_the_limits(wanted: list[Cell], max_block: int, max_gap: int) -> None:
    found = blocks(wanted, max_block, max_gap)
    assert sorted(map(repr, wanted)) == sorted(repr(cell) for block in found for cell in block.cells)
    for block in found:
        assert block.count <= max_block
        assert_covers(block)
        for smaller in without_gaps(block):
            assert_covers(smaller)


def assert_covers(block: Block) -> None:
    for one in block.cells:
        assert one.kind == block.kind
        assert block.address <= one.address
        assert one.address + one.words <= block.address + block.count


def test_grouping_saves_requests() -> None:
    wanted = [register(address) for address in range(0, 100, 2)]
    assert len(blocks(wanted, 120, 8)) == 1
    assert len(blocks(wanted, 120, 0)) == 50
    assert len(blocks(wanted, 10, 8)) == 10
