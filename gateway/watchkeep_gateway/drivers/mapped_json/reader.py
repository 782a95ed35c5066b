"""One payload read by one table: readings, conditions and the link, each row checked by itself; no I/O."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from watchkeep_core.errors import MessageError
from watchkeep_core.messages import MAX_PAYLOAD_BYTES
from watchkeep_core.topics import is_id
from watchkeep_gateway.drivers.mapped_json.pointer import MAX_LEAVES, MISSING, find, leaves, steps_of
from watchkeep_gateway.drivers.mapped_json.tables import LinkRow, MappedJsonTable, ValueRow
from watchkeep_gateway.drivers.mapped_json.times import time_ms
from watchkeep_gateway.drivers.mapping import SILENT, Edges, Told, as_text, is_active, number_of
from watchkeep_gateway.drivers.patterns import Pattern
from watchkeep_gateway.values import DeviceEvent, Reading, Unmapped

MAX_POINTS = 100_000
"""Points whose latest value is known, to tell a repeated one from one that was read anew."""

MAX_LISTED = 10_000

_decoder = msgspec.json.Decoder()


@dataclass(slots=True)
class Found:
    """What one message comes to."""

    readings: list[Reading] = field(default_factory=list)
    events: list[DeviceEvent] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    """Reason → the first example of it."""
    unmapped: list[Unmapped] = field(default_factory=list)
    links: list[tuple[str, bool]] = field(default_factory=list)
    own_time: bool = False
    mine: bool = False
    """The device is one of this table's."""


def document_of(payload: bytes) -> Any:
    """JSON, or text where it is none. Raises MessageError `too_large`, `undecodable`."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise MessageError("too_large", f"{len(payload)} bytes, at most {MAX_PAYLOAD_BYTES}")
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        if len(payload) <= 64 and payload.isascii() and payload[:1].isalpha():
            return payload.decode()
        raise MessageError("undecodable", str(error)[:300]) from None


class TableReader:
    """Keeps the conditions that hold, and the latest value of each point."""

    def __init__(self, table: MappedJsonTable, kinds: Mapping[str, str], edges: Edges) -> None:
        """`table` is completed with its preset. `kinds`: declared equipment → kind."""
        self.table = table
        self._kinds = kinds
        self._edges = edges
        self._topic = Pattern(table.topic)
        self._links = [(Pattern(link.topic), link) for link in table.links]
        self._devices = {device.casefold(): equipment for device, equipment in table.devices.items()}
        self._device = steps_of(table.device) if table.device.startswith("/") else ()
        self._rows: dict[str | None, list[tuple[tuple[str, ...], ValueRow]]] = {}
        self._latest: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()
        self._listed: set[tuple[str, str]] = set()

    def patterns(self) -> list[Pattern]:
        """Topics that must be subscribed to."""
        return list(dict.fromkeys([self._topic, *(pattern for pattern, _ in self._links)]))

    def read(self, topic: str, document: Any, received_ms: int) -> Found | None:
        """None: not a topic of this table."""
        found, heard = Found(), False
        for pattern, link in self._links:
            if (levels := pattern.match(topic)) is not None:
                heard = True
                self._link(link, levels, document, received_ms, found)
        if (levels := self._topic.match(topic)) is not None:
            heard = True
            self._values(topic, levels, document, received_ms, found)
        return found if heard else None

    def _values(self, topic: str, levels: Mapping[str, str], document: Any, received_ms: int, found: Found) -> None:
        equipment = self._equipment(levels, document, found)
        if equipment is None:
            return
        t_ms = self._time(document, received_ms, found)
        if t_ms is None:
            return
        taken: set[tuple[str, ...]] = set()
        for steps, row in self._rows_for(equipment):
            value = find(document, steps)
            if (
                steps in taken
                or value is MISSING
                or any(levels.get(name) != wanted for name, wanted in row.when.items())
            ):
                continue
            taken.add(steps)
            if value is None or any(find(document, steps_of(pointer)) is True for pointer in row.unless):
                continue
            self._value(topic, equipment, row, value, t_ms, found)
        self._list(levels, document, taken, found)

    def _value(self, topic: str, equipment: str, row: ValueRow, value: Any, t_ms: int, found: Found) -> None:
        if isinstance(value, dict | list):
            found.problems.setdefault("bad_value", f"{row.pointer} is no single value")
            return
        try:
            number = number_of(value, row) if row.metric else 0.0
        except MessageError as error:
            found.problems.setdefault(error.reason, f"{row.pointer}: {error.detail}")
            return
        known = self._latest.get((equipment, row.pointer))
        self._note_latest((equipment, row.pointer), t_ms, number)
        # Publishers repeat what they remember: the same value of the same time was not read anew.
        if row.metric and not (found.own_time and known == (t_ms, number)):
            found.readings.append(Reading(equipment, row.metric, t_ms, number))
        is_late = known is not None and t_ms < known[0]
        active = is_active(value, row) if row.condition and not is_late else None
        if active is not None:  # an older value tells how it was, not how it is
            told = Told(t_ms, equipment, row.condition, active, as_text(value), f"{topic} {row.pointer}")
            found.events += self._edges.events(told)

    def _note_latest(self, key: tuple[str, str], t_ms: int, number: float) -> None:
        known = self._latest.get(key)
        if known is None or t_ms >= known[0]:
            self._latest[key] = (t_ms, number)
            self._latest.move_to_end(key)
            if len(self._latest) > MAX_POINTS:
                self._latest.popitem(last=False)

    def _link(self, link: LinkRow, levels: Mapping[str, str], document: Any, received_ms: int, found: Found) -> None:
        equipment = self._equipment(levels, document, found)
        if equipment is None:
            return
        value = document if isinstance(document, str) else find(document, steps_of(link.pointer))
        text = as_text(value) if isinstance(value, str | bool | int | float) else ""
        up = not (link.up or link.down) or text in link.up
        if not up and link.down and text not in link.down:
            found.problems.setdefault("bad_value", f"{link.topic}: {text[:80]!r} is neither up nor down")
            return
        found.links.append((equipment, up))
        told = Told(received_ms, equipment, SILENT, not up, text or "message", link.topic)
        found.events += self._edges.events(told)

    def _equipment(self, levels: Mapping[str, str], document: Any, found: Found) -> str | None:
        device = find(document, self._device) if self._device else levels.get(self.table.device.strip("{}"), "")
        if self._device and not isinstance(device, str):
            device = levels.get("device", "")
        equipment = self._devices.get(device.casefold()) if self._devices else device
        if equipment is None or not is_id(equipment):
            found.unmapped += self._once(self.table.name, f"device {device}")
            return None
        if self.table.undeclared == "reject" and equipment not in self._kinds:
            found.unmapped += self._once(self.table.name, f"device {device} (equipment {equipment} is not declared)")
            return None
        found.mine = True
        return equipment

    def _time(self, document: Any, received_ms: int, found: Found) -> int | None:
        time = self.table.time
        if time is None or time.format == "none":
            return received_ms
        value = find(document, steps_of(time.pointer))
        if value is MISSING or value is None:
            return received_ms
        try:
            t_ms = time_ms(value, time.format)
        except MessageError as error:
            found.problems[error.reason] = error.detail
            return None
        found.own_time = True
        return t_ms

    def _rows_for(self, equipment: str) -> list[tuple[tuple[str, ...], ValueRow]]:
        """Rows that fit the equipment's kind, by pointer."""
        kind = self._kinds.get(equipment)
        if kind not in self._rows:
            self._rows[kind] = [(steps_of(row.pointer), row) for row in self.table.values if row.fits(kind)]
        return self._rows[kind]

    def _list(self, levels: Mapping[str, str], document: Any, taken: set[tuple[str, ...]], found: Found) -> None:
        """Name the fields that no row maps, each once."""
        if self.table.list_unmapped == "-":
            return
        below = find(document, steps_of(self.table.list_unmapped))
        source = f"{self.table.name} {levels.get('device', '')}".strip()
        time = self.table.time.pointer if self.table.time else ""
        for number, pointer in enumerate(leaves(below, self.table.list_unmapped)):
            if number == MAX_LEAVES:
                return
            if steps_of(pointer) not in taken and pointer != time and below is not MISSING:
                found.unmapped += self._once(source, pointer)

    def _once(self, source: str, name: str) -> list[Unmapped]:
        if (source, name) in self._listed or len(self._listed) >= MAX_LISTED:
            return []
        self._listed.add((source, name))
        return [Unmapped(source, name)]
