"""Readings as numpy columns: from data messages in, to sorted rows, `rows` messages and binary COPY out."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from watchkeep_core import rows
from watchkeep_core.messages import Data
from watchkeep_core.topics import GatewayRef

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
class Portion:
    """The readings of one data message (or of one parked row)."""

    source: GatewayRef
    partition: int
    epoch: str
    seq: int
    received_us: int
    data: Data
    parked_id: int | None = None
    """Its row, when it comes from `parked`."""
    parked_reason: str = ""


@dataclass(frozen=True, slots=True)
class Columns:
    """All readings of several portions of one gateway and epoch, in order of arrival. Arrays of equal length."""

    portion: Ints
    """Which portion a reading is of."""
    alias: Ints
    time_us: Ints
    received_us: Ints
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]

    @classmethod
    def of(cls, portions: Sequence[Portion]) -> Self:
        sizes = [len(portion.data.alias) for portion in portions]
        count = sum(sizes)
        time_ms = np.fromiter(chain.from_iterable(p.data.dt_ms for p in portions), np.int64, count)
        time_ms += np.repeat(np.array([p.data.t0 for p in portions], np.int64), sizes)
        return cls(
            portion=np.repeat(np.arange(len(portions)), sizes),
            alias=np.fromiter(chain.from_iterable(p.data.alias for p in portions), np.int64, count),
            time_us=time_ms * 1000,
            received_us=np.repeat(np.array([p.received_us for p in portions], np.int64), sizes),
            value=np.fromiter(chain.from_iterable(p.data.value for p in portions), np.float64, count),
            quality=_quality(portions, count),
        )


def _quality(portions: Sequence[Portion], count: int) -> NDArray[np.uint8]:
    if all(portion.data.quality is None for portion in portions):
        return np.zeros(count, np.uint8)
    parts = (portion.data.quality or [0] * len(portion.data.alias) for portion in portions)
    return np.fromiter(chain.from_iterable(parts), np.uint8, count)


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
        return self.where(np.lexsort((self.time_us, self.series)))

    def to_message(self, batch: int, partition: int) -> bytes:
        return rows.encode_readings(
            batch,
            partition,
            self.series.astype("<i4").tobytes(),
            self.time_us.astype("<i8").tobytes(),
            self.value.astype("<f8").tobytes(),
            self.quality.tobytes(),
        )

    def to_copy(self) -> bytes:
        """The whole input of `COPY readings (series_id, ts, value, quality) FROM STDIN (FORMAT binary)`."""
        packed = np.empty(len(self), _COPY_ROW)
        packed["fields"] = 4
        packed["series_size"], packed["series"] = 4, self.series
        packed["ts_size"], packed["ts"] = 8, self.time_us - _POSTGRES_EPOCH_US
        packed["value_size"], packed["value"] = 8, self.value
        packed["quality_size"], packed["quality"] = 2, self.quality
        return b"".join((_COPY_HEADER, packed.tobytes(), _COPY_TRAILER))
