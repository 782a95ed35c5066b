"""The way out over MQTT: QoS 1, a bounded number of messages under way, counted when the broker acknowledges."""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import msgspec

from watchkeep_core.service import Stop
from watchkeep_firmware_sim import metrics

_PATIENCE_S = 0.1
"""How long a wait for a free place may overlook the stop."""

_encoder = msgspec.json.Encoder()


class FieldPublisher:
    """Sends what devices say; `send` waits while too many messages are under way."""

    def __init__(
        self,
        publish: Callable[[str, bytes], "Future[None]"],
        stop: Stop,
        outstanding: int,
        deadline: float = math.inf,
    ) -> None:
        """After `deadline`, in time.monotonic(), nobody waits for a silent broker any more."""
        self._publish = publish
        self._stop = stop
        self._deadline = deadline
        self._outstanding = outstanding
        self._places = threading.BoundedSemaphore(outstanding)
        self._lock = threading.Lock()
        self.messages_sent = 0
        self.readings_sent = 0
        self.events_sent = 0
        self.readings_not_sent = 0
        """Refused by the broker, or not acknowledged when it ended."""
        self.events_not_sent = 0

    def send(self, topic: str, body: dict[str, Any], *, readings: int = 0, events: int = 0) -> bool:
        """Hand one message to the broker; false when the stop or the deadline came first."""
        while not self._places.acquire(timeout=0 if self._late() else _PATIENCE_S):
            if self._late():
                self._failed(readings, events)
                return False
        future = self._publish(topic, _encoder.encode(body))
        future.add_done_callback(lambda done: self._settled(done, readings, events))
        return True

    def drain(self, timeout_s: float) -> bool:
        """Wait until all is acknowledged; false when that took too long."""
        deadline = time.monotonic() + timeout_s
        taken = 0
        while taken < self._outstanding and self._places.acquire(timeout=max(0.0, deadline - time.monotonic())):
            taken += 1
        for _ in range(taken):
            self._places.release()
        return taken == self._outstanding

    def _late(self) -> bool:
        return self._stop.is_set() or time.monotonic() > self._deadline

    def _settled(self, done: "Future[None]", readings: int, events: int) -> None:
        if done.exception() is not None:
            self._failed(readings, events)
        else:
            with self._lock:
                self.messages_sent += 1
                self.readings_sent += readings
                self.events_sent += events
            metrics.READINGS.inc(readings)
            metrics.EVENTS.inc(events)
        self._places.release()

    def _failed(self, readings: int, events: int) -> None:
        with self._lock:
            self.readings_not_sent += readings
            self.events_not_sent += events
        metrics.REFUSED.inc()
