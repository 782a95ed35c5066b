"""Readings as numpy columns: from data messages in, to sorted rows, `rows` messages and binary COPY out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from watchkeep_core import rows
from watchkeep_core.messages import MAX_READINGS, Data
from watchkeep_core.topics import GatewayRef
from watchkeep_ingest.streams import Stream

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_POSTGRES_EPOCH_US = 946_684_800_000_000
"""2000-01-01 UTC, where PostgreSQL's binary timestamps begin, in µs since 1970."""

_COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_TRAILER = b"\xff\xff"
_COPY_ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("series_size", ">i4"),
        ("series", ">i4"),
        ("ts_size", ">i4"),
        ("ts", ">i8"),
        ("value_size", ">i4"),
        ("value", ">f8"),
        ("quality_size", ">i4"),
        ("quality", ">i2"),
    ]
)
"""One tuple of COPY … (FORMAT binary): field count, then each field's size in bytes and its big-endian value."""


@dataclass(frozen=True, slots=True)
class Readings:
    """The content of a data message; arrays of equal length."""

    floor: int
    t0: int
    """Milliseconds since 1970 UTC."""
    alias: Ints
    time_ms: Ints
    value: NDArray[np.float64]
    quality: NDArray[np.uint8] | None
    """None: all good."""

    @classmethod
    def of(cls, data: Data) -> Self:
        return cls(
            floor=data.floor,
            t0=data.t0,
            alias=_array("q", data.alias),
            time_ms=_array("q", data.dt_ms) + data.t0,
            value=_array("d", data.value),
            quality=None if data.quality is None else _array("B", data.quality),
        )

    def __len__(self) -> int:
        return len(self.alias)

    def to_data(self, places: Ints) -> Data:
        """Some of them as a data message of their own, without floor."""
        return Data(
            floor=0,
            t0=self.t0,
            alias=self.alias[places].tolist(),
            dt_ms=(self.time_ms[places] - self.t0).tolist(),
            value=self.value[places].tolist(),
            quality=None if self.quality is None else self.quality[places].tolist(),
        )


def _array(kind: str, values: Sequence[float]) -> NDArray[Any]:
    """A read-only array of one of struct's kinds: `pack` reads a list three times as fast as numpy."""
    packer = _packer(kind, len(values))
    return np.frombuffer(packer.pack(*values), kind)


@lru_cache(MAX_READINGS)
def _packer(kind: str, count: int) -> Struct:
    return Struct(f"{count}{kind}")


class Portion(NamedTuple):
    """The readings of one data message (or of one parked row)."""

    stream: Stream
    seq: int
    received_us: int
    readings: Readings
    parked_id: int | None = None
    """Its row, when it comes from `parked`."""
    parked_reason: str = ""

    @property
    def source(self) -> GatewayRef:
        return self.stream.source


@dataclass(frozen=True, slots=True)
class Columns:
    """All readings of several portions, in order of arrival.

    Three kinds of arrays: one element per reading, per portion, and per stream, of which there are few.
    """

    streams: tuple[Stream, ...]
    stream: Ints
    """Of each portion: which of the streams it belongs to."""
    sizes: Ints
    """Readings of each portion."""
    starts: Ints
    """Where each portion begins: one more than there are portions."""
    newest_us: Ints
    """Newest stamp of each portion."""
    arrival_us: Ints
    """Receive time of each portion."""
    alias: Ints
    time_us: Ints
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]

    @classmethod
    def of(cls, portions: Sequence[Portion]) -> Self:
        """At least one portion."""
        readings = [portion.readings for portion in portions]
        numbers: dict[Stream, int] = {}
        stream = np.array([numbers.setdefault(portion.stream, len(numbers)) for portion in portions], np.int64)
        sizes = np.array([len(each.alias) for each in readings], np.int64)
        starts = np.zeros(len(readings) + 1, np.int64)
        np.cumsum(sizes, out=starts[1:])
        time_us = np.concatenate([each.time_ms for each in readings])
        time_us *= 1000
        arrival_us = np.array([each.received_us for each in portions], np.int64)
        quality = np.zeros(starts[-1], np.uint8)
        for number, each in enumerate(readings):
            if each.quality is not None:
                quality[starts[number] : starts[number + 1]] = each.quality
        return cls(
            streams=tuple(numbers),
            stream=stream,
            sizes=sizes,
            starts=starts,
            newest_us=np.maximum.reduceat(time_us, starts[:-1]),
            arrival_us=arrival_us,
            alias=np.concatenate([each.alias for each in readings]),
            time_us=time_us,
            value=np.concatenate([each.value for each in readings]),
            quality=quality,
        )

    @property
    def received_us(self) -> Ints:
        """Of each reading."""
        return np.repeat(self.arrival_us, self.sizes)

    def of_each(self, values: Sequence[int], dtype: Any = np.int64) -> NDArray[Any]:
        """One value per stream → one per reading."""
        return np.repeat(np.array(values, dtype)[self.stream], self.sizes)

    def portion_of(self, chosen: Bools) -> Ints:
        """Which portions the chosen readings are of."""
        found: Ints = np.searchsorted(self.starts, np.flatnonzero(chosen), side="right") - 1
        return found


@dataclass(frozen=True, slots=True)
class Rows:
    """Resolved readings. Arrays of equal length."""

    series: NDArray[np.int32]
    time_us: Ints
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    partition: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.series)

    @classmethod
    def joined(cls, parts: Sequence["Rows"]) -> "Rows":
        if len(parts) == 1:
            return parts[0]
        if not parts:
            empty: Any = np.empty
            return cls(empty(0, "i4"), empty(0, "i8"), empty(0, "f8"), empty(0, "u1"), empty(0, "u1"))
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))

    def where(self, chosen: Bools | Ints) -> "Rows":
        """Rows chosen by mask, or in the order of an index array."""
        return Rows(*(getattr(self, name)[chosen] for name in Rows.__slots__))

    def slice(self, start: int, end: int) -> "Rows":
        return Rows(*(getattr(self, name)[start:end] for name in Rows.__slots__))

    def sorted(self) -> "Rows":
        """By series, then time; equal ones stay in order of arrival."""
        rows = self.where(_by_series(self.series))
        backwards = (np.diff(rows.time_us) < 0) & (rows.series[1:] == rows.series[:-1])
        return self.where(np.lexsort((self.time_us, self.series))) if backwards.any() else rows

    def to_message(self, batch: int, partition: int) -> bytes:
        return rows.encode_readings(
            batch,
            partition,
            self.series.astype("<i4", copy=False).tobytes(),
            self.time_us.astype("<i8", copy=False).tobytes(),
            self.value.astype("<f8", copy=False).tobytes(),
            self.quality.tobytes(),
        )

    def to_copy(self) -> memoryview:
        """The whole input of `COPY readings (series_id, ts, value, quality) FROM STDIN (FORMAT binary)`."""
        whole = np.empty(len(_COPY_HEADER) + len(self) * _COPY_ROW.itemsize + len(_COPY_TRAILER), np.uint8)
        whole[: len(_COPY_HEADER)] = np.frombuffer(_COPY_HEADER, np.uint8)
        whole[-len(_COPY_TRAILER) :] = np.frombuffer(_COPY_TRAILER, np.uint8)
        packed = whole[len(_COPY_HEADER) : -len(_COPY_TRAILER)].view(_COPY_ROW)
        packed["fields"] = 4
        packed["series_size"], packed["series"] = 4, self.series
        packed["ts_size"], packed["ts"] = 8, self.time_us - _POSTGRES_EPOCH_US
        packed["value_size"], packed["value"] = 8, self.value
        packed["quality_size"], packed["quality"] = 2, self.quality
        return whole.data


def _by_series(series: NDArray[np.int32]) -> Ints:
    """Stable order by series: series and place in one integer is the fastest sort numpy has (1 ms for 100,000)."""
    bits = max(1, (len(series) - 1).bit_length())
    keys: Ints = series.astype(np.int64)
    keys <<= bits
    keys |= np.arange(len(series))
    keys.sort()
    keys &= (1 << bits) - 1
    return keys
