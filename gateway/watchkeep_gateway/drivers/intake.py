"""The way of a field message from a broker to the spool: acknowledged after it is on disk, never before."""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock

from watchkeep_core.broker import Received
from watchkeep_core.errors import MessageError
from watchkeep_core.logs import get_logger
from watchkeep_gateway.errors import SpoolClosed
from watchkeep_gateway.field_payload import digest
from watchkeep_gateway.line import Line
from watchkeep_gateway.values import Delivery, Emit, Rejected

log = get_logger(__name__)

LOG_EVERY_S = 10.0
"""Rejected messages are counted all, kept all, and logged this often."""


class LineDriver:
    """What drivers have in common that live in a line's thread; messages come when the line starts."""

    _intake: "Intake"

    @property
    def alive(self) -> bool:
        return True  # the line's thread has a check of its own

    def start(self) -> None:
        """Nothing to do."""

    def stop(self) -> None:
        self._intake.stop()


class Intake:
    """One per driver; `take` runs in the line's thread and returns at once."""

    def __init__(
        self,
        name: str,
        line: Line,
        emit: Emit,
        understand: Callable[[Received], Delivery],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`understand` makes a delivery of a message, or raises MessageError: then it is kept as rejected."""
        self._name = name
        self._line = line
        self._emit = emit
        self._understand = understand
        self._now_s = now_s
        self._lock = Lock()
        self._unacked: deque[tuple[Received, Future[None]]] = deque()
        self._stopping = False
        self._logged_s = -LOG_EVERY_S

    def stop(self) -> None:
        """Take no more; what is not acknowledged then, the broker delivers again."""
        self._stopping = True

    def take(self, received: Received) -> None:
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
        try:
            return self._understand(received)
        except MessageError as error:
            reason = str(error)
        except Exception as error:
            log.exception("field_message_failed", driver=self._name, topic=received.topic)
            reason = f"internal: {error!r}"
        if self._now_s() - self._logged_s >= LOG_EVERY_S:
            self._logged_s = self._now_s()
            log.warning("field_message_rejected", driver=self._name, topic=received.topic, why=reason)
        rejected = Rejected(received.received_at_ns // 1_000_000, received.topic, reason, received.payload)
        mark = digest(received.topic, received.payload)
        return Delivery(rejected=(rejected,), digest=mark, once=received.duplicate)
