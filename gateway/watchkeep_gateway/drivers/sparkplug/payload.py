"""Sparkplug B bytes to typed values; pure."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError

from watchkeep_core.errors import MessageError
from watchkeep_gateway.drivers.sparkplug.wire import payload_class

MAX_BYTES = 2_000_000
"""Of one payload, unpacked: the birth of a large edge node; foreign brokers take more than ours."""

MAX_METRICS = 20_000
"""In one payload, members of templates counted."""

_MAX_DEPTH = 4  # of templates within templates

COMPRESSED = "SPBV1.0_COMPRESSED"
"""In `uuid`: `body` holds the payload, packed by deflate or gzip."""

Value = float | bool | str | None

BOOLEAN, STRING, TEXT, UUID, TEMPLATE = 11, 12, 14, 15, 19
_INTEGERS = {1: (8, True), 2: (16, True), 3: (32, True), 4: (64, True)}
_INTEGERS |= {5: (8, False), 6: (16, False), 7: (32, False), 8: (64, False), 13: (64, False)}
"""Data type → bits, signed; 13 = DateTime, ms since 1970."""
_FLOATS = {9, 10}
_ARRAYS = {22: "b", 23: "h", 24: "i", 25: "q", 26: "B", 27: "H", 28: "I", 29: "Q", 30: "f", 31: "d", 34: "q"}
"""Data type → struct code of one little-endian element."""
_BOOLEAN_ARRAY, _STRING_ARRAY = 32, 33
_NAMES = {16: "DataSet", 17: "Bytes", 18: "File", 19: "Template", 20: "PropertySet", 21: "PropertySetList"}


class Metric(NamedTuple):
    """One metric as it stands in a payload; members of a template are metrics of their own."""

    name: str
    """Empty when only the alias is given."""
    alias: int | None
    member: str
    """Path within the template that `name` or `alias` is; empty when it is none."""
    t_ms: int | None
    datatype: int
    """0 = not given, as the birth told it."""
    null: bool
    historical: bool
    quality: int
    raw: Any
    """The protobuf metric, for `value_of`."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A decoded payload."""

    t_ms: int | None
    seq: int | None
    metrics: tuple[Metric, ...]


def decode(data: bytes) -> Payload:
    """Raises MessageError: `too_large`, `undecodable`."""
    metrics: list[Metric] = []
    try:
        message = _parse(data)
        if message.uuid == COMPRESSED:
            message = _parse(_unpacked(message.body))
        _collect(message.metrics, metrics, None, 0)
    except DecodeError as error:
        raise MessageError("undecodable", f"no Sparkplug B payload: {str(error)[:200]}") from None
    seq = message.seq if message.HasField("seq") else None
    t_ms = message.timestamp if message.HasField("timestamp") else None
    return Payload(t_ms, seq, tuple(metrics))


def encode_command(name: str, t_ms: int) -> bytes:
    """The payload of a command that sets one boolean metric."""
    message = payload_class()(timestamp=t_ms)
    message.metrics.add(name=name, timestamp=t_ms, datatype=BOOLEAN, boolean_value=True)
    encoded: bytes = message.SerializeToString()
    return encoded


def value_of(metric: Metric, datatype: int, element: int | None = None) -> Value:
    """The value, read as `datatype`; of an array its `element`. Raises MessageError `bad_type`, `bad_value`."""
    raw, kind = metric.raw, metric.raw.WhichOneof("value")
    if metric.null or kind is None:
        return None
    if datatype in _ARRAYS or datatype in (_BOOLEAN_ARRAY, _STRING_ARRAY):
        return _element(_array(datatype, raw.bytes_value), element)
    if element is not None:
        raise MessageError("bad_type", f"element {element} is wanted, data type {datatype} is no array")
    if datatype in _INTEGERS and kind in ("int_value", "long_value"):
        return float(_integer(getattr(raw, kind), *_INTEGERS[datatype]))
    if datatype in _FLOATS and kind in ("float_value", "double_value"):
        return float(getattr(raw, kind))
    if datatype == BOOLEAN and kind == "boolean_value":
        return bool(raw.boolean_value)
    if datatype in (STRING, TEXT, UUID) and kind == "string_value":
        return _text(raw)
    if datatype in _NAMES:
        raise MessageError("bad_type", f"{_NAMES[datatype]} is no single value")
    raise MessageError("bad_value", f"{kind} does not fit data type {datatype}")


def plain_value(metric: Metric) -> Value:
    """Of metrics like bdSeq, whatever integer type they are declared as."""
    kind = metric.raw.WhichOneof("value")
    return getattr(metric.raw, kind) if kind in ("int_value", "long_value", "boolean_value") else None


def _parse(data: bytes) -> Any:
    if len(data) > MAX_BYTES:
        raise MessageError("too_large", f"{len(data)} bytes, at most {MAX_BYTES}")
    message = payload_class()()
    message.ParseFromString(data)
    return message


def _unpacked(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(32 + zlib.MAX_WBITS)  # 32: zlib or gzip, by its header
    try:
        data = unpacker.decompress(body, MAX_BYTES + 1)
    except zlib.error as error:
        raise MessageError("undecodable", f"packed body: {error}") from None
    return data


def _collect(raws: Sequence[Any], found: list[Metric], outer: Metric | None, depth: int) -> None:
    """Flat, in order; the members of a template follow under the name or alias of the outermost one."""
    for raw in raws:
        if len(found) >= MAX_METRICS:
            raise MessageError("too_large", f"more than {MAX_METRICS} metrics")
        metric = _metric(raw, outer)
        if raw.WhichOneof("value") == "template_value" and not raw.template_value.is_definition:
            if depth == _MAX_DEPTH:
                raise MessageError("too_large", f"templates more than {_MAX_DEPTH} deep")
            if outer is None:
                found.append(metric)  # in a birth it ties the alias to the template's name
            _collect(raw.template_value.metrics, found, metric, depth + 1)
        else:
            found.append(metric)


def _metric(raw: Any, outer: Metric | None) -> Metric:
    if not isinstance(raw.name, str):  # protobuf hands out bytes where a string is no UTF-8
        raise MessageError("undecodable", "a metric's name is no UTF-8")
    t_ms = raw.timestamp if raw.HasField("timestamp") else None
    own = (raw.datatype, raw.is_null, raw.is_historical, _quality(raw))
    if outer is None:
        return Metric(raw.name, raw.alias if raw.HasField("alias") else None, "", t_ms, *own, raw)
    member = f"{outer.member}/{raw.name}" if outer.member else raw.name
    t_ms = outer.t_ms if t_ms is None else t_ms
    datatype, null, historical, quality = own
    inherited = (datatype, null, historical or outer.historical, max(quality, outer.quality))
    return Metric(outer.name, outer.alias, member, t_ms, *inherited, raw)


def _quality(raw: Any) -> int:
    """OPC quality in property `Quality`: 192 and up good, 64 and up uncertain, 500 stale, below bad."""
    if not raw.HasField("properties"):
        return 0
    for key, value in zip(raw.properties.keys, raw.properties.values, strict=False):
        if key == "Quality" and not value.is_null:
            number = value.int_value or value.long_value
            return 1 if number == 500 or 64 <= number < 192 else (0 if number >= 192 else 2)
    return 0


def _integer(number: int, bits: int, signed: bool) -> int:
    """Smaller signed types come sign-extended or not, by publisher: only their own bits count."""
    number &= (1 << bits) - 1
    return number - (1 << bits) if signed and number >> (bits - 1) else number


def _text(raw: Any) -> str:
    if not isinstance(raw.string_value, str):
        raise MessageError("bad_value", "text that is no UTF-8")
    return raw.string_value


def _array(datatype: int, data: bytes) -> list[Any]:
    try:
        if datatype == _STRING_ARRAY:
            return data.decode().split("\0")[:-1]
        if datatype == _BOOLEAN_ARRAY:
            (count,) = struct.unpack_from("<I", data)
            return list(_bits(data[4:]))[:count]
        size = struct.calcsize(f"<{_ARRAYS[datatype]}")
        return [number for (number,) in struct.iter_unpack(f"<{_ARRAYS[datatype]}", data[: len(data) // size * size])]
    except (struct.error, UnicodeDecodeError) as error:
        raise MessageError("bad_value", f"array of data type {datatype}: {error}") from None


def _bits(data: bytes) -> Iterator[bool]:
    return (bool(byte >> (7 - bit) & 1) for byte in data for bit in range(8))


def _element(values: list[Any], element: int | None) -> Value:
    if element is None:
        raise MessageError("bad_type", "an array: say which element")
    if element >= len(values):
        raise MessageError("bad_value", f"no element {element} in an array of {len(values)}")
    value = values[element]
    return value if isinstance(value, bool | str) else float(value)
