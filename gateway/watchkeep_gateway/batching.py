"""Readings and events to message payloads without floor; the floor is put in when one is published."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from watchkeep_core.messages import MAX_READINGS, Data, Event, encode
from watchkeep_gateway.values import DeviceEvent, PointKey

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


class Columns(NamedTuple):
    """Readings with the aliases of their points, as a message carries them."""

    alias: Sequence[int]
    t_ms: Sequence[int]
    values: Sequence[float]
    quality: Sequence[int]

    def part(self, start: int, end: int) -> "Columns":
        return Columns(self.alias[start:end], self.t_ms[start:end], self.values[start:end], self.quality[start:end])

    def by_time(self) -> "Columns":
        """In the order of their times; what has the same time keeps its order."""
        times = sorted(self.t_ms)
        if times == list(self.t_ms):  # as always, but for replays and gateways with several drivers
            return self
        order = sorted(range(len(times)), key=self.t_ms.__getitem__)
        return Columns(
            [self.alias[index] for index in order],
            times,
            [self.values[index] for index in order],
            [self.quality[index] for index in order],
        )


def data_payloads(columns: Columns, max_readings: int = MAX_READINGS) -> Iterator[Payload]:
    """Pack them into as few messages as the limits of readings, bytes and time span allow.

    Sorted by time: a replay hands over years at once, and columns that rise compress better.
    """
    columns = columns.by_time()
    times = columns.t_ms
    start = 0
    while start < len(times):
        end = min(start + max_readings, len(times))
        latest = times[start] + _MAX_SPAN_MS
        if times[end - 1] > latest:
            end = bisect_right(times, latest, start, end)
        yield from _within_bytes(columns.part(start, end))
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


def _within_bytes(columns: Columns) -> Iterator[Payload]:
    t0, readings = columns.t_ms[0], len(columns.t_ms)
    message = Data(
        floor=0,
        t0=t0,
        alias=list(columns.alias),
        dt_ms=[t_ms - t0 for t_ms in columns.t_ms],
        value=list(columns.values),
        quality=list(columns.quality) if any(columns.quality) else None,
    )
    body = encode(message)[_NO_FLOOR:]
    if len(body) <= MAX_BYTES:
        yield Payload(body, readings)
        return
    yield from _within_bytes(columns.part(0, readings // 2))
    yield from _within_bytes(columns.part(readings // 2, readings))


def point_bytes(key: PointKey, known_equipment: set[str]) -> int:
    """Upper bound of one declaration in a birth, where equipment stands once above its points; notes it as known."""
    equipment, metric, unit = key
    size = len(metric.encode()) + len(unit.encode()) + 22  # brackets, quotes, commas: 11; alias: 4; period: 7
    if equipment not in known_equipment:
        known_equipment.add(equipment)
        size += len(equipment.encode()) + 6
    return size
