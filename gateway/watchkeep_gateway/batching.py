"""Readings and events to message payloads without floor; the floor is put in when one is published."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from watchkeep_core.messages import MAX_READINGS, Data, Event, encode
from watchkeep_gateway.values import DeviceEvent, PointKey, Reading

MAX_BYTES = 200_000
"""Of one payload: under the broker's 262,144 with room for the topic and a long floor."""

_MAX_SPAN_MS = 2**31
"""Range of dt_ms around t0."""

_FLOOR = b'{"floor":'
_NO_FLOOR = len(_FLOOR) + len(b"0,")


class Payload(NamedTuple):
    """A message as it lies in the spool."""

    body: bytes
    readings: int


def data_payloads(readings: Sequence[tuple[int, Reading]], max_readings: int = MAX_READINGS) -> Iterator[Payload]:
    """Pack (alias, reading) into as few messages as the limits of readings, bytes and time span allow.

    Sorted by time: a replay hands over years at once, and columns that rise compress better.
    """
    ordered = sorted(readings, key=_time)
    start = 0
    while start < len(ordered):
        end = min(start + max_readings, len(ordered))
        latest = _time(ordered[start]) + _MAX_SPAN_MS
        if _time(ordered[end - 1]) > latest:
            end = bisect_right(ordered, latest, start, end, key=_time)
        yield from _within_bytes(ordered[start:end])
        start = end


def event_message(event: DeviceEvent) -> Event:
    """On the wire, but for the floor."""
    return Event(
        floor=0,
        t=event.t_ms,
        equipment=event.equipment,
        condition=event.condition,
        active=event.active,
        raw_code=event.raw_code,
        profile=event.profile,
        attributes=dict(event.attributes),
    )


def event_payload(event: DeviceEvent) -> Payload:
    return Payload(encode(event_message(event))[_NO_FLOOR:], 0)


def with_floor(body: bytes, floor: int) -> bytes:
    """The payload as it goes out: `floor` = lowest seq the lane's spool still holds."""
    return b"%b%d,%b" % (_FLOOR, floor, body)


def _time(item: tuple[int, Reading]) -> int:
    return item[1].t_ms


def _within_bytes(readings: Sequence[tuple[int, Reading]]) -> Iterator[Payload]:
    aliases, said = zip(*readings, strict=True)
    _, _, times, values, qualities = zip(*said, strict=True)  # by columns: 100,000 a second pass here in a replay
    t0 = times[0]
    message = Data(
        floor=0,
        t0=t0,
        alias=list(aliases),
        dt_ms=[t_ms - t0 for t_ms in times],
        value=list(map(float, values)),
        quality=list(qualities) if any(qualities) else None,
    )
    body = encode(message)[_NO_FLOOR:]
    if len(body) <= MAX_BYTES:
        yield Payload(body, len(readings))
        return
    half = len(readings) // 2
    yield from _within_bytes(readings[:half])
    yield from _within_bytes(readings[half:])


def point_bytes(key: PointKey, known_equipment: set[str]) -> int:
    """Upper bound of one declaration in a birth, where equipment stands once above its points; notes it as known."""
    equipment, metric, unit = key
    size = len(metric.encode()) + len(unit.encode()) + 22  # brackets, quotes, commas: 11; alias: 4; period: 7
    if equipment not in known_equipment:
        known_equipment.add(equipment)
        size += len(equipment.encode()) + 6
    return size
