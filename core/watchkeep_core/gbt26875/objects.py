"""Application data units (7, 8): a type, a count, and the objects that the type prescribes, with time or without.

A byte count decides whether the objects carry times: makers add and leave out what the standard says per type.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from watchkeep_core.gbt26875.dialect import Dialect
from watchkeep_core.gbt26875.errors import FrameError
from watchkeep_core.gbt26875.frames import MAX_UNIT
from watchkeep_core.gbt26875.places import NOWHERE, Place
from watchkeep_core.gbt26875.times import TIME_BYTES
from watchkeep_core.vocabulary_fire import ComponentField

SYSTEM_STATUS, COMPONENT_STATUS, ANALOG, OPERATION, VERSION, CONFIG, COMPONENT_CONFIG, SYSTEM_TIME = range(1, 9)
DEVICE_STATUS, DEVICE_OPERATION, DEVICE_VERSION, DEVICE_CONFIG, DEVICE_TIME = 21, 24, 25, 26, 28
SYNC_CLOCK, DUTY_CHECK = 90, 91

TEXT_BYTES = 31
"""Of a component's description, GB 18030."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One application data unit."""

    type: int
    objects: tuple["Object", ...]


@dataclass(frozen=True, slots=True)
class Object:
    """One information object. Which fields a type has stands in `_FIELDS`; the others keep their defaults."""

    system: int = 0
    """Type of the fire system, `fire.system_types`."""
    address: int = 0
    """Of the system, set on site."""
    component: int = 0
    """Type of the component, `fire.component_types`."""
    place: Place = NOWHERE
    status: int = 0
    """Status bits, or operation bits (types 4 and 24)."""
    number: int = 0
    """Operator (4, 24), type of an analog value (3), minutes to answer (91)."""
    value: int = 0
    """Raw analog value, -32768 to 32767 (3)."""
    version: tuple[int, int] = (0, 0)
    text: str = ""
    at: datetime | None = None
    """When it happened, UTC; None = no time, or one that is no date."""


_CODES: dict[str, str] = {
    "system": "B",
    "address": "B",
    "type": "B",
    "zone": "H",
    "part": "H",
    "status": "H",
    "status8": "B",
    "analog": "B",
    "value": "h",
    "operator": "B",
    "minutes": "B",
    "major": "B",
    "minor": "B",
    "text": f"{TEXT_BYTES}s",
}
_COMPONENT = ("system", "address", "type", "zone", "part")

_FIELDS: dict[int, tuple[str, ...]] = {
    SYSTEM_STATUS: ("system", "address", "status"),
    COMPONENT_STATUS: (*_COMPONENT, "status", "text"),  # replaced by the dialect's
    ANALOG: (*_COMPONENT, "analog", "value"),
    OPERATION: ("system", "address", "status8", "operator"),
    VERSION: ("system", "address", "major", "minor"),
    COMPONENT_CONFIG: (*_COMPONENT, "text"),
    SYSTEM_TIME: ("system", "address"),
    DEVICE_STATUS: ("status8",),
    DEVICE_OPERATION: ("status8", "operator"),
    DEVICE_VERSION: ("major", "minor"),
    DEVICE_TIME: (),
    SYNC_CLOCK: (),
    DUTY_CHECK: ("minutes",),
}
_LONG_TEXT: dict[int, tuple[str, ...]] = {CONFIG: ("system", "address"), DEVICE_CONFIG: ()}
"""Types whose objects end with a length byte and that many bytes of text."""

_TIMELESS = frozenset({VERSION, COMPONENT_CONFIG, DEVICE_VERSION, DUTY_CHECK})
"""The standard gives them no time; makers do."""


def decode_unit(raw: bytes, dialect: Dialect) -> Unit:
    """Raises FrameError `bad_size` or `unknown_type`."""
    if len(raw) < 2:
        raise FrameError("bad_size", f"{len(raw)} bytes are no type and count")
    kind, count, body = raw[0], raw[1], raw[2:]
    if kind in _LONG_TEXT:
        return Unit(kind, tuple(_decode_texts(kind, count, body)))
    if kind not in _FIELDS:
        raise FrameError("unknown_type", f"type {kind}, {count} objects in {len(body)} bytes")
    fields = _fields(kind, dialect)
    layout = _layout(fields)
    for stride in (layout.size + TIME_BYTES, layout.size):
        if count and stride and len(body) == count * stride:
            parts = [body[at : at + stride] for at in range(0, len(body), stride)]
            return Unit(kind, tuple(_decode(fields, layout, part, dialect) for part in parts))
    raise FrameError(
        "bad_size",
        f"{count} objects of type {kind} in {len(body)} bytes; each has {layout.size}, or {layout.size + TIME_BYTES}",
    )


def encode_unit(unit: Unit, dialect: Dialect, *, with_time: bool | None = None) -> bytes:
    """`with_time`: None = as the standard says for the type.

    Raises FrameError `unknown_type` or `too_large`, ValueError for what does not fit its field.
    """
    timed = unit.type not in _TIMELESS if with_time is None else with_time
    if unit.type in _LONG_TEXT:
        parts = [_encode_text(unit.type, found) for found in unit.objects]
    elif unit.type in _FIELDS:
        fields = _fields(unit.type, dialect)
        layout = _layout(fields)
        parts = [_encode(fields, layout, found) + (dialect.label(found.at) if timed else b"") for found in unit.objects]
    else:
        raise FrameError("unknown_type", f"type {unit.type}")
    body = b"".join(parts)
    if len(parts) > 255 or len(body) + 2 > MAX_UNIT:
        raise FrameError("too_large", f"{len(parts)} objects of type {unit.type} in {len(body)} bytes")
    return bytes((unit.type, len(parts))) + body


def object_bytes(kind: int, dialect: Dialect) -> int:
    """One object with the time that the standard gives it; 0 = of variable size."""
    if kind in _LONG_TEXT:
        return 0
    return _layout(_fields(kind, dialect)).size + (0 if kind in _TIMELESS else TIME_BYTES)


def _fields(kind: int, dialect: Dialect) -> tuple[str, ...] | tuple[ComponentField, ...]:
    return dialect.component if kind == COMPONENT_STATUS else _FIELDS[kind]


def _layout(fields: Sequence[str]) -> struct.Struct:
    return struct.Struct("<" + "".join(_CODES[field] for field in fields))


def _decode(fields: Sequence[str], layout: struct.Struct, raw: bytes, dialect: Dialect) -> Object:
    found = dict(zip(fields, layout.unpack_from(raw), strict=True))
    label = raw[layout.size :]
    return Object(
        system=found.get("system", 0),
        address=found.get("address", 0),
        component=found.get("type", 0),
        place=Place(found.get("zone", 0), found.get("part", 0)),
        status=found.get("status", found.get("status8", 0)),
        number=found.get("analog", found.get("operator", found.get("minutes", 0))),
        value=found.get("value", 0),
        version=(found.get("major", 0), found.get("minor", 0)),
        text=_text(found.get("text", b"")),
        at=dialect.time(label) if label else None,
    )


def _encode(fields: Sequence[str], layout: struct.Struct, found: Object) -> bytes:
    values = {
        "system": found.system,
        "address": found.address,
        "type": found.component,
        "zone": found.place.zone,
        "part": found.place.part,
        "status": found.status,
        "status8": found.status,
        "analog": found.number,
        "operator": found.number,
        "minutes": found.number,
        "value": found.value,
        "major": found.version[0],
        "minor": found.version[1],
        "text": _bytes(found.text, TEXT_BYTES),
    }
    try:
        return layout.pack(*(values[field] for field in fields))
    except struct.error as error:
        raise ValueError(f"{', '.join(fields)}: {error}") from None


def _decode_texts(kind: int, count: int, body: bytes) -> list[Object]:
    head = _layout(_LONG_TEXT[kind])
    found: list[Object] = []
    at = 0
    for _ in range(count):
        end = at + head.size + 1
        size = body[end - 1] if end <= len(body) else 0
        if end + size > len(body):
            break
        system, address = head.unpack_from(body, at) if head.size else (0, 0)
        found.append(Object(system=system, address=address, text=_text(body[end : end + size])))
        at = end + size
    if len(found) < count or at != len(body):
        raise FrameError("bad_size", f"{count} objects of type {kind} in {len(body)} bytes, {len(found)} of them whole")
    return found


def _encode_text(kind: int, found: Object) -> bytes:
    text = _bytes(found.text, 255).rstrip(b"\0")
    try:
        head = bytes((found.system, found.address)) if _LONG_TEXT[kind] else b""
    except ValueError:
        raise ValueError(f"system {found.system}, address {found.address}: are one byte each") from None
    return head + bytes((len(text),)) + text


def _text(raw: bytes) -> str:
    """Up to the first NUL, without what cannot be shown; devices pad with NUL or spaces, some with rubbish behind."""
    text = raw.partition(b"\0")[0].decode("gb18030", errors="replace")
    return "".join(sign for sign in text if sign.isprintable()).strip()


def _bytes(text: str, size: int) -> bytes:
    """Cut at a whole character, filled with NUL."""
    raw = text.encode("gb18030", errors="replace")
    while len(raw) > size:
        text = text[:-1]
        raw = text.encode("gb18030", errors="replace")
    return raw.ljust(size, b"\0")
