"""The `rows` message, ingest → analytics: rows just committed, as binary columns.

Layout, little-endian, without padding: header `<4sBBHqII` = magic `WKR1`, kind (0 readings, 1 events), partition,
reserved, batch number, row count, length of the tail; then the columns series int32[n], time int64[n] (µs UTC),
value float64[n], quality uint8[n] for readings. Events travel as a JSON array of `CommittedEvent` in the tail.
A batch number rises by one per partition and lane; a hole tells the reader to re-read from the database.
"""

import struct
from itertools import pairwise
from typing import NamedTuple

import msgspec

from watchkeep_core.errors import MessageError

MAGIC = b"WKR1"
_HEADER = struct.Struct("<4sBBHqII")
_ROW_BYTES = 4 + 8 + 8 + 1

MAX_ROWS = 10_000
"""Rows in one message: 210 kB, below the broker's max_packet_size; more rows in one commit make several batches."""


class CommittedEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One device event as the database holds it. Times in µs UTC."""

    event_id: int
    community: str
    equipment: str
    condition: str
    active: bool
    t_us: int
    received_us: int
    trusted: bool = True
    """False when the device's stamp is out of bounds: judge by `received_us`."""
    attributes: dict[str, str | float | bool | None] = {}


class Columns(NamedTuple):
    """Readings of one rows message; buffers of equal row count, ready for numpy.frombuffer."""

    batch: int
    partition: int
    size: int
    """Number of rows."""
    series: memoryview
    """int32[size]"""
    time_us: memoryview
    """int64[size]"""
    value: memoryview
    """float64[size]"""
    quality: memoryview
    """uint8[size]"""


class Events(NamedTuple):
    """Events of one rows message."""

    batch: int
    partition: int
    events: list[CommittedEvent]


_events_encoder = msgspec.json.Encoder()
_events_decoder = msgspec.json.Decoder(list[CommittedEvent])


def encode_readings(batch: int, partition: int, series: bytes, time_us: bytes, value: bytes, quality: bytes) -> bytes:
    """Columns as little-endian bytes of int32, int64, float64 and uint8."""
    count = len(quality)
    if (len(series), len(time_us), len(value)) != (4 * count, 8 * count, 8 * count):
        raise ValueError("columns of unequal length")
    return b"".join((_HEADER.pack(MAGIC, 0, partition, 0, batch, count, 0), series, time_us, value, quality))


def encode_events(batch: int, partition: int, events: list[CommittedEvent]) -> bytes:
    tail = _events_encoder.encode(events)
    return _HEADER.pack(MAGIC, 1, partition, 0, batch, len(events), len(tail)) + tail


def decode(payload: bytes) -> Columns | Events:
    """Raises MessageError (`bad_rows`) for anything that `encode_*` did not write."""
    if len(payload) < _HEADER.size:
        raise MessageError("bad_rows", "shorter than its header")
    magic, kind, partition, _, batch, count, tail = _HEADER.unpack_from(payload)
    body = memoryview(payload)[_HEADER.size :]
    expected = count * _ROW_BYTES if kind == 0 else tail
    if magic != MAGIC or kind not in (0, 1) or len(body) != expected:
        raise MessageError("bad_rows", f"magic {magic!r}, kind {kind}, {len(body)} bytes for {count} rows")
    if kind == 1:
        try:
            return Events(batch, partition, _events_decoder.decode(body))
        except msgspec.DecodeError as error:
            raise MessageError("bad_rows", str(error)) from None
    ends = [0, 4 * count, 12 * count, 20 * count, 21 * count]
    series, time_us, value, quality = (body[a:b] for a, b in pairwise(ends))
    return Columns(batch, partition, count, series, time_us, value, quality)
