"""The wire contract: typed messages and their JSON codec (ARCHITECTURE §3).

Everything a gateway sends is decoded here, once; after `decode` no part checks the shape again.
All times are device times in milliseconds since 1970 UTC; all values are finite numbers.
"""

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from watchkeep_core.errors import MessageError
from watchkeep_core.topics import ID_PATTERN, MAX_SEQ

MAX_PAYLOAD_BYTES = 261_632
"""Mosquitto's max_packet_size in our configuration is 262,144; the longest topic and the header take 300 of it."""

MAX_READINGS = 5_000
"""Readings in one data message: the batch a gateway may send at once."""

_MAX_TIME_MS = 253_402_300_799_999  # the end of the year 9999, datetime's last
_MAX_POINTS = 10_000  # MAX_PAYLOAD_BYTES holds about 5,000 declarations with ids of usual length

Id = Annotated[str, Meta(pattern=f"^{ID_PATTERN}$")]
Seq = Annotated[int, Meta(ge=0, le=MAX_SEQ)]
TimeMs = Annotated[int, Meta(ge=0, le=_MAX_TIME_MS)]
Alias = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Text = Annotated[str, Meta(max_length=256)]


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of all messages: immutable; unknown fields are ignored so that newer gateways can talk to older servers."""


class ClockState(Message, frozen=True):
    """What the gateway knows about its own clock."""

    synchronised: bool
    offset_ms: float | None = None
    """Estimated offset to its NTP source, in ms; positive = the gateway is ahead."""
    source: Text = ""
    server_offset_ms: float | None = None
    """Offset to the server's clock, measured on acks, in ms; positive = the gateway is ahead."""
    server_error_ms: float | None = None
    """The true offset is within ± this of it: half the round trip to the database."""
    stamp_lead_ms: float = 0.0
    """By how much stamps are ahead of its clock, in ms: not 0 while it lives down a clock that was set."""


class PointDeclaration(NamedTuple):
    """Within an epoch an alias means one (equipment, metric, unit) for ever."""

    alias: int
    equipment: str
    metric: str
    unit: str
    period_s: float | None = None


class Point(Message, frozen=True, array_like=True):
    """A point below its equipment; an array, so that the birth of 5,000 points fits one packet (ADR 0003)."""

    alias: Alias
    metric: Id
    unit: Annotated[str, Meta(max_length=32)]
    period_s: Annotated[float, Meta(gt=0, le=31_536_000)] | None = None
    """Expected interval between readings, in seconds; absent = learnt."""


class Birth(Message, frozen=True):
    """Retained: who the gateway is and what its aliases mean. Lists every alias still in the spool."""

    software: Text
    data_epoch: Id
    event_epoch: Id
    clock: ClockState
    equipment: dict[Id, list[Point]]
    """Points by equipment; `declare` makes it."""
    configuration: Text = ""

    @property
    def points(self) -> list[PointDeclaration]:
        """All points, flat."""
        return [
            PointDeclaration(point.alias, equipment, point.metric, point.unit, point.period_s)
            for equipment, points in self.equipment.items()
            for point in points
        ]


def declare(points: Iterable[PointDeclaration]) -> dict[str, list[Point]]:
    """Points as a birth lists them."""
    found: dict[str, list[Point]] = {}
    for alias, equipment, metric, unit, period_s in points:
        found.setdefault(equipment, []).append(Point(alias=alias, metric=metric, unit=unit, period_s=period_s))
    return found


class Data(Message, frozen=True):
    """One batch of readings in columns: `alias`, `dt_ms`, `value` (and `quality`) have equal length.

    Reading i was taken at `t0 + dt_ms[i]`. Quality: 0 good, 1 uncertain, 2 bad; absent = all good.
    """

    floor: Seq
    t0: TimeMs
    alias: Annotated[list[Alias], Meta(min_length=1, max_length=MAX_READINGS)]
    dt_ms: Annotated[list[Annotated[int, Meta(ge=-(2**31), le=2**31)]], Meta(min_length=1, max_length=MAX_READINGS)]
    value: Annotated[list[float], Meta(min_length=1, max_length=MAX_READINGS)]
    quality: Annotated[list[Annotated[int, Meta(ge=0, le=2)]], Meta(max_length=MAX_READINGS)] | None = None


AttributeValue = Annotated[str, Meta(max_length=256)] | float | bool | None


class Event(Message, frozen=True):
    """A device says so: `condition` became active or cleared at device time `t`."""

    floor: Seq
    t: TimeMs
    equipment: Id
    condition: Id
    active: bool
    raw_code: Text = ""
    profile: Text = ""
    attributes: Annotated[dict[Annotated[str, Meta(max_length=64)], AttributeValue], Meta(max_length=64)] = {}


class State(Message, frozen=True):
    """Retained, and the will: is the gateway's connection up."""

    online: bool
    t: TimeMs | None = None
    """When the gateway said so; absent in the will, which was written at connect time."""


class Ack(Message, frozen=True):
    """Retained: everything of this lane up to and including `seq` is committed in the database (or declared lost)."""

    epoch: Id
    seq: Annotated[int, Meta(ge=-1, le=MAX_SEQ)]
    t: TimeMs | None = None
    """When it was committed, by the server's clock: gateways measure theirs on it. Absent from older servers."""


class Cmd(Message, frozen=True):
    """To a gateway. None of these can write to a device."""

    action: Literal["rebirth", "resend", "configuration"]
    lane: Literal["data", "event"] | None = None
    seq: Seq | None = None
    """With `resend`: the first seq wanted again."""
    version: Text = ""
    """With `configuration`: the version that the gateway should run."""


MESSAGES: tuple[type[Message], ...] = (Birth, Data, Event, State, Ack, Cmd)

_M = TypeVar("_M", bound=Message)
_encoder = msgspec.json.Encoder()
_decoders: dict[type[Message], msgspec.json.Decoder[Any]] = {kind: msgspec.json.Decoder(kind) for kind in MESSAGES}


def encode(message: Message) -> bytes:
    """To JSON. Raises MessageError for a message that `decode` would refuse in its columns."""
    if isinstance(message, Data):
        _check_data(message)
    return _encoder.encode(message)


def decode(kind: type[_M], payload: bytes) -> _M:
    """From JSON, fully checked.

    Raises MessageError with reason `too_large`, `too_deep`, `undecodable`, `bad_shape` or `bad_text`.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise MessageError("too_large", f"{len(payload)} bytes, at most {MAX_PAYLOAD_BYTES}")
    try:
        decoded: _M = _decoders[kind].decode(payload)
    except msgspec.ValidationError as error:
        raise MessageError("bad_shape", str(error)) from None
    except RecursionError:
        raise MessageError("too_deep", "nested deeper than the decoder goes") from None
    except (msgspec.DecodeError, UnicodeError, ValueError) as error:
        raise MessageError("undecodable", str(error)[:300]) from None
    if isinstance(decoded, Data):
        _check_data(decoded)
    elif isinstance(decoded, Event):
        _check_event(decoded)
    elif isinstance(decoded, Birth):
        _check_birth(decoded)
    return decoded


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of every message, for publication."""
    _, components = msgspec.json.schema_components(MESSAGES, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Watchkeep messages",
        "description": "Payloads below wk/1/{partition}/{community}/{gateway}/",
        "$defs": components,
    }


def _check_data(data: Data) -> None:
    lengths = {"dt_ms": len(data.dt_ms), "value": len(data.value)}
    if data.quality is not None:
        lengths["quality"] = len(data.quality)
    for column, length in lengths.items():
        if length != len(data.alias):
            raise MessageError("bad_shape", f"{column} has {length} entries, alias has {len(data.alias)}")
    if not all(map(isfinite, data.value)):
        raise MessageError("bad_shape", "value: not a finite number")
    if data.t0 + max(data.dt_ms) > _MAX_TIME_MS or data.t0 + min(data.dt_ms) < 0:
        raise MessageError("bad_shape", "t0 + dt_ms: outside the years 1970 to 9999")


def _check_event(event: Event) -> None:
    for key, value in event.attributes.items():
        if isinstance(value, float) and not isfinite(value):
            raise MessageError("bad_shape", f"attributes.{key}: not a finite number")
    _check_text([event.raw_code, event.profile, *event.attributes, *_strings(event.attributes.values())])


def _check_birth(birth: Birth) -> None:
    points = birth.points
    _check_text([birth.software, birth.configuration, birth.clock.source, *(point.unit for point in points)])
    if len(points) > _MAX_POINTS:
        raise MessageError("bad_shape", f"equipment: {len(points)} points, at most {_MAX_POINTS}")
    seen: set[int] = set()
    for point in points:
        if point.alias in seen:
            raise MessageError("bad_shape", f"equipment.{point.equipment}: alias {point.alias} is declared twice")
        seen.add(point.alias)


def _check_text(texts: Sequence[str]) -> None:
    """PostgreSQL's text and jsonb refuse NUL and lone surrogates."""
    for text in texts:
        if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
            raise MessageError("bad_text", f"{text[:40]!r} holds NUL or a lone surrogate")


def _strings(values: Any) -> list[str]:
    return [value for value in values if isinstance(value, str)]
