"""Sparkplug B payloads written byte by byte from the specification: independent of what the gateway reads them with."""

import struct
from collections.abc import Sequence

INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64 = range(1, 9)
FLOAT, DOUBLE, BOOLEAN, STRING, DATETIME, TEXT, UUID, DATASET, BYTES, FILE, TEMPLATE = range(9, 20)
INT16_ARRAY, DOUBLE_ARRAY, BOOLEAN_ARRAY, STRING_ARRAY = 23, 31, 32, 33


def varint(number: int) -> bytes:
    out = bytearray()
    number &= 2**64 - 1
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def integer(field: int, number: int) -> bytes:
    return varint(field << 3) + varint(number)


def block(field: int, data: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(data)) + data


def value_of(datatype: int, value: object) -> bytes:
    if datatype in (INT64, UINT64, DATETIME):
        assert isinstance(value, int)
        return integer(11, value)
    if datatype <= UINT32:
        assert isinstance(value, int)
        return integer(10, value & (2**32 - 1))
    if datatype == FLOAT:
        return varint(12 << 3 | 5) + struct.pack("<f", value)
    if datatype == DOUBLE:
        return varint(13 << 3 | 1) + struct.pack("<d", value)
    if datatype == BOOLEAN:
        return integer(14, bool(value))
    if datatype == TEMPLATE:
        assert isinstance(value, bytes)
        return block(18, block(2, value) if value else b"")
    if isinstance(value, str):
        return block(15, value.encode())
    assert isinstance(value, bytes)
    return block(16, value)


def metric(
    name: str = "",
    value: object = None,
    datatype: int = DOUBLE,
    *,
    alias: int | None = None,
    t: int | None = None,
    typed: bool = True,
    historical: bool = False,
    quality: int | None = None,
) -> bytes:
    """`value` None = is_null."""
    out = block(1, name.encode()) if name else b""
    out += b"" if alias is None else integer(2, alias)
    out += b"" if t is None else integer(3, t)
    out += integer(4, datatype) if typed else b""
    out += integer(5, 1) if historical else b""
    if quality is not None:
        out += block(9, block(1, b"Quality") + block(2, integer(1, INT32) + integer(3, quality)))
    return out + (integer(7, 1) if value is None else value_of(datatype, value))


def payload(metrics: Sequence[bytes], seq: int | None = None, t: int | None = None) -> bytes:
    out = b"" if t is None else integer(1, t)
    out += b"".join(block(2, one) for one in metrics)
    return out + (b"" if seq is None else integer(3, seq))


def bd_seq(number: int) -> bytes:
    return metric("bdSeq", number, INT64)
