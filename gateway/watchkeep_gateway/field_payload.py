"""The JSON of field devices on the MQTT bridge: bytes to values, checked once; pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from watchkeep_core.errors import MessageError
from watchkeep_core.messages import MAX_PAYLOAD_BYTES, AttributeValue, Event, Id, Text, decode, encode
from watchkeep_gateway.batching import event_message
from watchkeep_gateway.codes import CodeReader
from watchkeep_gateway.elevator_record import Record, is_record, read_record
from watchkeep_gateway.values import DeviceEvent, Reading

MAX_VALUES = 10_000
"""Values in one field message."""

_TimeMs = Annotated[int, Meta(ge=0, le=253_402_300_799_999)] | Annotated[float, Meta(ge=0, le=253_402_300_799_999)]
_Quality = Annotated[int, Meta(ge=0, le=2)]


class _Said(Struct, frozen=True):
    active: bool
    code: Annotated[str, Meta(max_length=64)] | int | None = None
    condition: Id | None = None
    attributes: dict[str, AttributeValue] = {}


class _Row(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    t: _TimeMs
    metric: Text
    value: float
    quality: _Quality = 0


class _Payload(Struct, frozen=True):
    t: _TimeMs | None = None
    values: dict[Text, float] = {}
    quality: dict[Text, _Quality] = {}
    event: _Said | None = None
    readings: Annotated[list[_Row], Meta(max_length=MAX_VALUES)] = []


@dataclass(frozen=True, slots=True)
class FieldMessage:
    """What one message of a device says."""

    readings: tuple[Reading, ...]
    events: tuple[DeviceEvent, ...]
    own_time: bool
    """The device stamped all of it, so that the same bytes again are the same message."""
    unread: tuple[str, ...] = ()
    """Why a field of an elevator record could not be read; the rest of it was."""


_decoder = msgspec.json.Decoder(_Payload)


def digest(topic: str, payload: bytes) -> bytes:
    """Of a message, whatever its message id."""
    return blake2b(topic.encode() + b"\0" + payload, digest_size=16).digest()


def parse(
    payload: bytes, equipment: str, received_ms: int, codes: CodeReader, active: Callable[[str], Mapping[str, str]]
) -> FieldMessage:
    """Decode a message of one piece of equipment.

    `active` tells the conditions that its codes have raised. Raises MessageError with reason `too_large`,
    `undecodable`, `bad_shape`, `bad_text` or `empty`.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise MessageError("too_large", f"{len(payload)} bytes, at most {MAX_PAYLOAD_BYTES}")
    profile = codes.profile_of(equipment)
    if profile is not None and (profile.fields or profile.fault):
        document = _any(payload)
        if is_record(document, profile):
            return _of_record(
                read_record(document, profile, codes.vocabulary.metrics), equipment, received_ms, codes, active
            )
    try:
        message = _decoder.decode(payload)
    except msgspec.ValidationError as error:
        raise MessageError("bad_shape", str(error)) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError) as error:
        raise MessageError("undecodable", str(error)[:300]) from None
    t_ms = received_ms if message.t is None else int(message.t)
    readings = [
        Reading(equipment, metric, t_ms, value, message.quality.get(metric, 0))
        for metric, value in message.values.items()
    ]
    readings += [Reading(equipment, row.metric, int(row.t), row.value, row.quality) for row in message.readings]
    events: tuple[DeviceEvent, ...] = ()
    if message.event is not None:
        events = _events(message.event, equipment, t_ms, codes, active)
    elif not readings:
        raise MessageError("empty", "neither values, readings nor event in it")
    own_time = message.t is not None or (not message.values and message.event is None)
    return FieldMessage(tuple(readings), events, own_time)


def _any(payload: bytes) -> Any:
    """As it is, or None: what is no JSON is refused by the decoder of our own format."""
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError):
        return None


def _of_record(
    record: Record,
    equipment: str,
    received_ms: int,
    codes: CodeReader,
    active: Callable[[str], Mapping[str, str]],
) -> FieldMessage:
    t_ms = received_ms if record.t_ms is None else record.t_ms
    readings = tuple(Reading(equipment, metric, t_ms, value) for metric, value in record.values.items())
    events: tuple[DeviceEvent, ...] = ()
    if record.code is not None:
        said = _Said(record.active, record.code, attributes=dict(record.attributes))
        events = _events(said, equipment, t_ms, codes, active)
    if not (readings or events or record.unread):
        raise MessageError("empty", "no status item and no fault in it")
    return FieldMessage(readings, events, record.t_ms is not None, record.unread)


def _events(
    said: _Said, equipment: str, t_ms: int, codes: CodeReader, active: Callable[[str], Mapping[str, str]]
) -> tuple[DeviceEvent, ...]:
    if (said.code is None) == (said.condition is None):
        raise MessageError("bad_shape", "event: needs either code or condition")
    if said.condition is not None:
        found = [DeviceEvent(t_ms, equipment, said.condition, said.active, attributes=said.attributes)]
    else:
        found = codes.read(equipment, str(said.code), said.active, t_ms, active(equipment), said.attributes)
    for event in found:
        _check(event)
    return tuple(found)


def _check(event: DeviceEvent) -> None:
    """Against the wire contract, by its own decoder: what it refuses would end in the dead letter."""
    decode(Event, encode(event_message(event)))
