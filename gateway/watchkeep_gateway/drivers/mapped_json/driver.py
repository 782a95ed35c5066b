"""The rim of the JSON bridge: all tables of one line, each message to the first table that knows its device."""

from collections.abc import Callable, Mapping, Sequence

from watchkeep_core.broker import Received
from watchkeep_core.errors import MessageError
from watchkeep_gateway.drivers.intake import Intake, LineDriver
from watchkeep_gateway.drivers.mapped_json.reader import Found, TableReader, document_of
from watchkeep_gateway.drivers.mapped_json.tables import MappedJsonTable, completed
from watchkeep_gateway.drivers.mapping import Edges
from watchkeep_gateway.field_payload import digest
from watchkeep_gateway.line import Line
from watchkeep_gateway.values import NOTHING, Delivery, Emit, Readings, Rejected


class MappedJson(LineDriver):
    """The line belongs to the caller; nothing is ever published."""

    def __init__(
        self,
        tables: Sequence[MappedJsonTable],
        line: Line,
        emit: Emit,
        *,
        kinds: Mapping[str, str],
        raised: frozenset[tuple[str, str]],
        link: Callable[[str, bool, str], None],
    ) -> None:
        """`kinds`: declared equipment → kind. `raised`: (equipment, condition) active by code. `link(name, up, why)`
        is told of devices that come and go."""
        self.name = "mapped_json-" + "-".join(table.name for table in tables)
        self._link = link
        edges = Edges(raised)
        self._readers = [TableReader(completed(table), kinds, edges) for table in tables]
        self._intake = Intake(self.name, line, emit, self._understand)
        patterns = dict.fromkeys(pattern for reader in self._readers for pattern in reader.patterns())
        for prefix in dict.fromkeys(pattern.topic_prefix for pattern in patterns):
            filters = dict.fromkeys(pattern.topic_filter for pattern in patterns if pattern.topic_prefix == prefix)
            line.subscribe(list(filters), prefix, self._intake.take)

    def _understand(self, received: Received) -> Delivery:
        received_ms = received.received_at_ns // 1_000_000
        document = document_of(received.payload)
        heard = [found for reader in self._readers if (found := reader.read(received.topic, document, received_ms))]
        if not heard:
            raise MessageError("bad_topic", f"{received.topic[:200]!r} is no table's")
        found = next((one for one in heard if one.mine), None)
        if found is None:  # nobody's device: listed once, and no place taken among the digests
            return Delivery(unmapped=tuple(one for found in heard for one in found.unmapped))
        for equipment, up in found.links:
            self._link(f"{self.name} {equipment}", up, "" if up else "its publisher says so")
        return self._delivery(received, found)

    def _delivery(self, received: Received, found: Found) -> Delivery:
        return Delivery(
            # A retained message is what the broker remembers, not what was read anew; a condition it tells still holds.
            NOTHING if received.retain else Readings.of(found.readings),
            tuple(found.events),
            tuple(
                Rejected(received.received_at_ns // 1_000_000, received.topic, f"{reason}: {text}", received.payload)
                for reason, text in found.problems.items()
            ),
            digest(received.topic, received.payload),
            # An event is told only when something changed, so it is never the same one again.
            once=not found.events and (found.own_time or received.duplicate),
            unmapped=tuple(found.unmapped),
        )
