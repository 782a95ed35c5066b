"""The rim of the Sparkplug bridge: topics in, deliveries out; all it publishes is rebirth requests and our STATE."""

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from functools import partial

from watchkeep_core.broker import BrokerUnreachable, PublishRefused, Received, TooManyOutstanding, Will
from watchkeep_core.errors import MessageError, WatchkeepError
from watchkeep_core.logs import get_logger
from watchkeep_gateway.drivers.intake import Intake, LineDriver
from watchkeep_gateway.drivers.mapping import Edges
from watchkeep_gateway.drivers.sparkplug.memory import recall, to_remember
from watchkeep_gateway.drivers.sparkplug.nodes import KINDS, MAX_NODES, Kind, Nodes
from watchkeep_gateway.drivers.sparkplug.payload import encode_command
from watchkeep_gateway.drivers.sparkplug.rebirths import Rebirths
from watchkeep_gateway.drivers.sparkplug.tables import SparkplugTable
from watchkeep_gateway.drivers.sparkplug.targets import Source, Targets
from watchkeep_gateway.drivers.sparkplug.values import Outcome
from watchkeep_gateway.field_payload import digest
from watchkeep_gateway.line import Line
from watchkeep_gateway.values import Delivery, Emit, Readings, Rejected, Unmapped

log = get_logger(__name__)

ROOT = "spBv1.0"
REBIRTH = "Node Control/Rebirth"

FAREWELL_S = 2.0
"""At the end of the process the broker gets this long to take our STATE."""


def host_state(host_id: str, online: bool, t_ms: int) -> Will:
    """Topic and payload of STATE; that of the will carries the time of the connection it belongs to."""
    return Will(f"{ROOT}/STATE/{host_id}", json.dumps({"online": online, "timestamp": t_ms}).encode())


class Sparkplug(LineDriver):
    """Hears the groups of one table; the line belongs to the caller."""

    def __init__(
        self,
        table: SparkplugTable,
        line: Line,
        emit: Emit,
        *,
        host: Will | None,
        kinds: Mapping[str, str],
        raised: frozenset[tuple[str, str]],
        memory: Mapping[str, str],
        link: Callable[[str, bool, str], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`host`: the will of the line, when it is our STATE. `kinds`: declared equipment → kind. `raised`:
        (equipment, condition) active by code. `memory`: what deliveries of an earlier run told it to remember.
        `link(name, up, why)` is told of nodes that come and go."""
        self.name = f"sparkplug-{table.name}"
        self._table = table
        self._line = line
        self._emit = emit
        self._host = host
        self._link = link
        self._now_s = now_s
        self._nodes = Nodes(Targets(table, kinds), Edges(raised))
        self._rebirths = Rebirths()
        self._unasked: dict[Source, str] = {}
        self._stopping = False
        self._intake = Intake(self.name, line, emit, self._understand)
        remembered = recall(self.name, memory)
        self._order = remembered.order
        self._known = self._nodes.restore(remembered.births, remembered.counts)
        topics = [f"{ROOT}/{group}/{kind}/#" for group in table.groups or ("+",) for kind in KINDS]
        line.subscribe([*topics, *([host.topic] if host else [])], f"{ROOT}/", self._receive)
        line.watch(self._line_changed)

    def start(self) -> None:
        """Messages come when the line starts; what an earlier run knew is told at once."""
        for source in self._known:
            if not source.device:
                self._link(f"{self.name} {source}", True, "as last known")
        unmapped = tuple(Unmapped(str(source), name) for source, names in self._known.items() for name in names)
        self._known = {}
        if unmapped:
            self._emit(Delivery(unmapped=unmapped))

    def stop(self) -> None:
        self._stopping = True
        self._intake.stop()
        if self._host and (future := self._tell_state(False)):
            try:
                future.result(FAREWELL_S)
            except (WatchkeepError, FutureTimeout) as error:
                log.warning("state_not_told", driver=self.name, why=str(error))

    def _line_changed(self, up: bool, _why: str) -> None:
        if not up:
            return
        if self._host:
            self._tell_state(True)
        unasked, self._unasked = self._unasked, {}
        for node, why in unasked.items():
            self._ask_rebirth(node, why)

    def _receive(self, received: Received) -> None:
        """In the line's thread."""
        if self._host and received.topic == self._host.topic:
            self._line.ack(received)
            if not (self._stopping or received.retain or b'"online": true' in received.payload):
                self._tell_state(True)  # a late will of our own earlier connection
        elif received.retain:
            self._line.ack(received)  # Sparkplug retains STATE only; what is remembered was not read anew
        else:
            self._intake.take(received)

    def _understand(self, received: Received) -> Delivery:
        kind, source = _parse_topic(received.topic)
        received_ms = received.received_at_ns // 1_000_000
        outcome = self._nodes.take(kind, source, received.payload, received_ms, received.duplicate)
        if outcome.rebirth and self._table.rebirth:
            self._ask_rebirth(source.node, outcome.rebirth)
        if kind == "NBIRTH":
            self._rebirths.born(source)
            self._unasked.pop(source, None)
        if outcome.link is not None:
            self._link(f"{self.name} {source}", outcome.link, "" if outcome.link else "it said so, or its will did")
        return self._delivery(kind, source, received, outcome)

    def _delivery(self, kind: Kind, source: Source, received: Received, outcome: Outcome) -> Delivery:
        is_data = kind.endswith("DATA")
        received_ms = received.received_at_ns // 1_000_000
        urgent = bool(outcome.events) and is_data
        self._order += 1
        return Delivery(
            Readings.of(outcome.readings),
            tuple(outcome.events),
            tuple(
                Rejected(received_ms, received.topic, f"{reason}: {text}", received.payload)
                for reason, text in outcome.problems.items()
            ),
            digest(received.topic, received.payload),
            # An event is told only when something changed, so it is never the same one again.
            once=not outcome.events and (received.duplicate or (is_data and outcome.own_time)),
            # Births and deaths keep their turn: data before them must be on disk while its aliases are still known.
            in_turn=not urgent,
            remember=to_remember(self.name, source.node, outcome, self._order, urgent=urgent),
            unmapped=tuple(Unmapped(str(source), name) for name in outcome.unmapped),
        )

    def _ask_rebirth(self, node: Source, why: str) -> None:
        if not self._line.connected:  # a kept session sends before the line is ours: asked when it is
            if len(self._unasked) < MAX_NODES:
                self._unasked[node] = why
        elif self._rebirths.ask(node, self._now_s()):
            log.info("rebirth_asked", driver=self.name, node=str(node), why=why)
            command = encode_command(REBIRTH, time.time_ns() // 1_000_000)
            self._publish(f"{ROOT}/{node.group}/NCMD/{node.edge}", command)

    def _tell_state(self, online: bool) -> "Future[None] | None":
        if not self._host:
            return None
        t_ms = json.loads(self._host.payload)["timestamp"]
        state = host_state(self._host.topic.rpartition("/")[2], online, t_ms if online else time.time_ns() // 1_000_000)
        log.info("state_told", driver=self.name, topic=state.topic, online=online)
        return self._publish(state.topic, state.payload, retain=True)

    def _publish(self, topic: str, payload: bytes, *, retain: bool = False) -> "Future[None] | None":
        try:
            future = self._line.publish(topic, payload, retain=retain)
        except (BrokerUnreachable, TooManyOutstanding, PublishRefused) as error:
            log.warning("not_published", driver=self.name, topic=topic, why=str(error))
            return None
        future.add_done_callback(partial(_log_refusal, self.name))
        return future


def _log_refusal(driver: str, future: "Future[None]") -> None:
    if error := future.exception():
        log.warning("not_published", driver=driver, why=str(error))


def _parse_topic(topic: str) -> tuple[Kind, Source]:
    parts = topic.split("/")
    for kind in KINDS:
        if parts[0] == ROOT and len(parts) == (5 if kind.startswith("D") else 4) and parts[2] == kind:
            source = Source(parts[1], *parts[3:])
            if all(part for part in parts) and len(topic.encode()) <= 512:
                return kind, source
    raise MessageError("bad_topic", f"{topic[:200]!r} is none of Sparkplug's")
