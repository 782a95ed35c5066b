"""Devices that speak MQTT themselves: a message is acknowledged to the broker after it is on disk, never before."""

import time
from collections import defaultdict, deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock

from watchkeep_core.broker import Received
from watchkeep_core.errors import MessageError
from watchkeep_core.logs import get_logger
from watchkeep_core.topics import require_id
from watchkeep_gateway.codes import CodeReader
from watchkeep_gateway.errors import SpoolClosed
from watchkeep_gateway.field_payload import digest, parse
from watchkeep_gateway.line import Line
from watchkeep_gateway.values import Delivery, DeviceEvent, Emit, Rejected

log = get_logger(__name__)

LOG_EVERY_S = 10.0
"""Rejected messages are counted all, kept all, and logged this often."""


class MqttBridge:
    """Reads `TOPIC/EQUIPMENT`; the line belongs to the caller."""

    def __init__(
        self,
        name: str,
        topic: str,
        line: Line,
        emit: Emit,
        codes: CodeReader,
        *,
        declared: frozenset[str] | None = None,
        raised: frozenset[tuple[str, str]] = frozenset(),
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`declared`: equipment that may speak, None = any. `raised`: (equipment, condition) active by code."""
        self.name = name
        self._prefix = f"{topic}/"
        self._line = line
        self._emit = emit
        self._codes = codes
        self._declared = declared
        self._now_s = now_s
        self._raised: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for equipment, condition in raised:
            self._raised[equipment][condition] = ""
        self._lock = Lock()
        self._unacked: deque[tuple[Received, Future[None]]] = deque()
        self._stopping = False
        self._logged_s = 0.0
        line.subscribe([f"{topic}/#"], self._prefix, self._receive)

    @property
    def alive(self) -> bool:
        return True  # it lives in the line's thread, which has a check of its own

    def start(self) -> None:
        """Nothing to do: messages come when the line starts."""

    def stop(self) -> None:
        """Take no more; what is not acknowledged then, the broker delivers again."""
        self._stopping = True

    def _receive(self, received: Received) -> None:
        """In the line's thread: decode, hand over, return."""
        if self._stopping:
            return
        try:
            future = self._emit(self._delivery(received))
        except SpoolClosed:
            return
        with self._lock:
            self._unacked.append((received, future))
        future.add_done_callback(lambda _: self._ack_done())

    def _ack_done(self) -> None:
        """In the spool's thread: PUBACK in the order of arrival (MQTT-4.6.0-2), as far as all is on disk."""
        with self._lock:
            while self._unacked and self._unacked[0][1].done():
                received, future = self._unacked.popleft()
                if future.exception() is None:
                    self._line.ack(received)

    def _delivery(self, received: Received) -> Delivery:
        mark = digest(received.topic, received.payload)
        received_ms = received.received_at_ns // 1_000_000
        try:
            equipment = require_id("equipment", received.topic.removeprefix(self._prefix))
            if self._declared is not None and equipment not in self._declared:
                raise MessageError("undeclared", f"no [[device]] declares {equipment}")
            message = parse(received.payload, equipment, received_ms, self._codes, self._raised_by)
        except MessageError as error:
            self._log(received.topic, error)
            rejected = Rejected(received_ms, received.topic, str(error), received.payload)
            return Delivery(rejected=(rejected,), digest=mark, once=received.duplicate)
        for event in message.events:
            self._remember(event)
        # Without a time of its own the same bytes may be a new message, so only what the broker marks is taken as a
        # redelivery, and an event not even then: told twice is better than never.
        once = message.own_time or (received.duplicate and not message.events)
        # A retained message is what the broker remembers, not what was read anew; a condition it tells still holds.
        readings = () if received.retain else message.readings
        return Delivery(readings, message.events, digest=mark, once=once)

    def _raised_by(self, equipment: str) -> dict[str, str]:
        return self._raised.get(equipment, {})

    def _remember(self, event: DeviceEvent) -> None:
        """As the spool does in `active_codes`."""
        if event.raw_code and event.active:
            self._raised[event.equipment][event.condition] = event.raw_code
        elif event.raw_code:
            self._raised[event.equipment].pop(event.condition, None)

    def _log(self, topic: str, error: MessageError) -> None:
        if self._now_s() - self._logged_s >= LOG_EVERY_S:
            self._logged_s = self._now_s()
            log.warning("field_message_rejected", driver=self.name, topic=topic, why=str(error))
