"""The event lane: what devices said, births and states as the gateways' status. It never waits for telemetry."""

import time
from collections.abc import Sequence
from dataclasses import replace

import msgspec
from psycopg import Connection
from psycopg.sql import SQL
from psycopg.types.json import Jsonb

from watchkeep_core.clock import from_ms, from_us
from watchkeep_core.database import queries
from watchkeep_core.logs import get_logger
from watchkeep_core.messages import Birth, Event, State
from watchkeep_core.rows import CommittedEvent
from watchkeep_core.topics import GatewayRef, Lane
from watchkeep_ingest import batches
from watchkeep_ingest.accounts import Tally
from watchkeep_ingest.incoming import Decoded, Problem
from watchkeep_ingest.lane import UNKNOWN_GATEWAY, Handled, out_of_bounds
from watchkeep_ingest.register import FOREIGN, Register, foreign
from watchkeep_ingest.status import Notes

log = get_logger(__name__)

_YEAR_2000_MS = 946_684_800_000


class EventLane:
    """Implements `LaneWork` for events, and is the only writer of births and states to `gateway_status`."""

    lane: Lane = "event"

    def __init__(self, notes: Notes) -> None:
        self._register = Register()
        self._notes = notes
        self._fresh: list[tuple[GatewayRef, int, int | None]] = []
        self._watermarks: dict[str, int] = {}
        self._status: dict[tuple[GatewayRef, type], Decoded] = {}

    def waiting(self) -> set[int]:
        return set()

    def handle(self, conn: Connection, accepted: Sequence[Decoded], tally: Tally) -> Handled:
        self._fresh, self._watermarks, self._status = [], {}, {}
        handled = Handled()
        modes = self._register.modes(conn, {m.topic.source for m in accepted if m.topic}, time.monotonic())
        events: list[tuple[Decoded, bool]] = []
        for message in accepted:
            if message.topic is None or message.content is None:
                continue
            source = message.topic.source
            if source not in modes:
                if not isinstance(message.content, Birth):  # the data lane has it too, and says so
                    problem = Problem(UNKNOWN_GATEWAY, f"{source.user} is not in the register")
                    handled.dead.append(message.refused(problem))
            elif isinstance(message.content, Event):
                events.append((message, modes[source]))
                self._fresh.append((source, message.incoming.received_us, None))
            else:
                self._status[source, type(message.content)] = message
        if events:
            stored = self._store(conn, events)
            for partition, _ in stored:
                tally[partition]["decoded"] += 1
                tally[partition]["stored"] += 1
            handled.rows = batches.of_events(conn, stored)
        return handled

    def resume(self, conn: Connection, tally: Tally) -> Handled:
        return Handled()

    def finish(self, conn: Connection) -> None:
        """In the order of gateways, as the keeper does: two that lock in one order cannot deadlock."""
        for (source, _), message in sorted(self._status.items(), key=_status_order):
            _save_status(conn, source, message)
        if self._watermarks:
            row = {
                "community": list(self._watermarks),
                "ts": [from_us(mark) for mark in self._watermarks.values()],
            }
            conn.execute(_sql("save_watermarks"), row)

    def committed(self) -> None:
        self._notes.add(self._fresh)
        self._fresh = []

    def rolled_back(self) -> None:
        self._register.forget()
        self._fresh = []

    def _store(self, conn: Connection, events: Sequence[tuple[Decoded, bool]]) -> list[tuple[int, CommittedEvent]]:
        """Insert; `replay` communities are judged by the years of recorded data and move their watermark."""
        events = self._marked(conn, events)
        columns: dict[str, list[object]] = {name: [] for name in _COLUMNS}
        trusted: list[bool] = []
        for message, replay in events:
            content, topic = message.content, message.topic
            if not isinstance(content, Event) or topic is None:
                continue
            trusted.append(not out_of_bounds(content.t * 1000, message.incoming.received_us, replay))
            if replay and trusted[-1]:
                community = topic.source.community
                self._watermarks[community] = max(content.t * 1000, self._watermarks.get(community, 0))
            row = (
                topic.source.community,
                topic.source.gateway,
                topic.epoch,
                topic.seq,
                content.equipment,
                content.condition,
                content.active,
                from_ms(content.t),
                from_us(message.incoming.received_us),
                trusted[-1],
                content.raw_code,
                content.profile,
                msgspec.json.encode(content.attributes).decode(),
            )
            for name, value in zip(_COLUMNS, row, strict=True):
                columns[name].append(value)
        ids = {tuple(key): number for *key, number in conn.execute(_sql("insert_events"), columns)}
        return [_committed(message, ids, sure) for (message, _), sure in zip(events, trusted, strict=True)]

    def _marked(self, conn: Connection, events: Sequence[tuple[Decoded, bool]]) -> list[tuple[Decoded, bool]]:
        """Events of another gateway's equipment say so in their attributes: refusing a true alarm could cost a life."""
        named = [
            (message.topic.source, message.content.equipment)
            for message, _ in events
            if message.topic is not None and isinstance(message.content, Event)
        ]
        marked = list(events)
        for number in foreign(conn, named):
            message, replay = events[number]
            if isinstance(message.content, Event):
                attributes = {**message.content.attributes, FOREIGN: True}
                content = msgspec.structs.replace(message.content, attributes=attributes)
                marked[number] = replace(message, content=content), replay
                log.warning("foreign_event", topic=message.incoming.topic, equipment=content.equipment)
        return marked


_COLUMNS = (
    "community",
    "gateway",
    "epoch",
    "seq",
    "equipment",
    "condition",
    "active",
    "ts",
    "received_at",
    "trusted",
    "raw_code",
    "profile",
    "attributes",
)


def _committed(message: Decoded, ids: dict[tuple[object, ...], int], trusted: bool) -> tuple[int, CommittedEvent]:
    topic, event = message.topic, message.content
    if topic is None or not isinstance(event, Event):
        raise ValueError("an event has a topic and a content")
    source = topic.source
    return topic.partition, CommittedEvent(
        event_id=ids[source.community, source.gateway, topic.epoch, topic.seq],
        community=source.community,
        equipment=event.equipment,
        condition=event.condition,
        active=event.active,
        t_us=event.t * 1000,
        received_us=message.incoming.received_us,
        trusted=trusted,
        attributes=event.attributes,
    )


def _status_order(item: tuple[tuple[GatewayRef, type], Decoded]) -> tuple[str, str, str]:
    (source, kind), _ = item
    return source.community, source.gateway, kind.__name__


def _save_status(conn: Connection, source: GatewayRef, message: Decoded) -> None:
    received = from_us(message.incoming.received_us)
    row = {"community": source.community, "gateway": source.gateway}
    if isinstance(message.content, Birth):
        birth = message.content
        said = {
            "software": birth.software,
            "configuration": birth.configuration,
            "clock": Jsonb(msgspec.to_builtins(birth.clock)),
            "points": len(birth.points),
            "at": received,
        }
        conn.execute(_sql("save_birth"), {**row, **said})
    elif isinstance(message.content, State):
        state = message.content
        # An old stamp is a clock that was never set; the receive time is the better guess.
        at = from_ms(state.t) if state.t is not None and state.t > _YEAR_2000_MS else received
        conn.execute(_sql("save_state"), {**row, "online": state.online, "at": min(at, received)})


def _sql(name: str) -> SQL:
    return queries("watchkeep_ingest", "sql/content.sql")[name]
