"""One MQTT session per partition; what they bring goes to the inbox, or is dropped and read again later."""

import queue
import threading
import time
from typing import NamedTuple

from watchkeep_analytics import metrics
from watchkeep_core import rows, topics
from watchkeep_core.broker import BrokerAddress, BrokerRefused, BrokerUnreachable, Received
from watchkeep_core.errors import MessageError
from watchkeep_core.logs import get_logger
from watchkeep_core.mqtt import connect
from watchkeep_core.mqtt_connection import Connection

log = get_logger(__name__)

RETRY_S = 5.0
"""After a broker that could not be reached, or refused."""

RECEIVE_MAXIMUM = 100
"""In flight per session. Small: what we are too slow for is better read from the database in one go."""


class Message(NamedTuple):
    """A decoded rows message."""

    content: rows.Columns | rows.Events
    received_ns: int
    steady_us: int
    """When it was received, on the clock that nobody sets."""
    bytes: int


class Inbox:
    """Bounded by the bytes of its messages."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._queue: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._bytes, self._lock = 0, threading.Lock()

    def put(self, message: Message) -> None:
        """Never blocks: what does not fit is dropped, and the hole in its batch numbers tells the worker."""
        with self._lock:
            if self._bytes and self._bytes + message.bytes > self._most_bytes:
                metrics.DROPPED.inc()
                return
            self._bytes += message.bytes
        self._queue.put(message)

    def take(self, timeout_s: float, at_most: int = 64) -> list[Message]:
        """What is there, after waiting for the first."""
        try:
            found = [self._queue.get(timeout=timeout_s)]
        except queue.Empty:
            return []
        while len(found) < at_most and not self._queue.empty():
            found.append(self._queue.get_nowait())
        with self._lock:
            self._bytes -= sum(message.bytes for message in found)
        metrics.QUEUE.set(self._queue.qsize())
        return found

    @property
    def backlog(self) -> int:
        """Messages waiting."""
        return self._queue.qsize()


class Sessions:
    """Connections of the users `analytics-{partition}`, for one thread; a lost one comes back by itself."""

    def __init__(self, address: BrokerAddress, password: str, inbox: Inbox) -> None:
        self._address = address
        self._password = password
        self._inbox = inbox
        self._open: dict[int, Connection] = {}
        self._wanted: set[int] = set()
        self._retry_at_s = 0.0

    def want(self, partition: int) -> None:
        """It is ours: `open` connects, and goes on trying."""
        self._wanted.add(partition)
        self.open()

    def leave(self, partition: int) -> None:
        """Close it, so that another may open it."""
        self._wanted.discard(partition)
        connection = self._open.pop(partition, None)
        if connection is not None:
            connection.close()

    def open(self) -> None:
        """Connect what is wanted and not open; a refusal is logged and tried again after some seconds."""
        for partition in sorted(self._wanted - self._open.keys()):
            if time.monotonic() < self._retry_at_s:
                return
            user = f"analytics-{partition}"
            try:
                connection = connect(
                    self._address,
                    client_id=user,
                    user=user,
                    password=self._password,
                    on_message=self._take,
                    receive_maximum=RECEIVE_MAXIMUM,
                )
            except (BrokerUnreachable, BrokerRefused) as error:
                log.warning("session_not_opened", user=user, error=str(error))
                self._retry_at_s = time.monotonic() + RETRY_S
                return
            self._open[partition] = connection
            connection.subscribe([topics.rows(partition)])

    def alive(self) -> bool:
        """All that are wanted, and the broker lets us listen."""
        opened = dict(self._open)
        return self._wanted <= opened.keys() and all(each.alive() and each.subscribed for each in opened.values())

    def close(self) -> None:
        for partition in list(self._open):
            self.leave(partition)

    def _take(self, received: Received) -> None:
        try:
            content = rows.decode(received.payload)
        except MessageError:
            metrics.BAD_MESSAGES.inc()
            return
        self._inbox.put(Message(content, received.received_at_ns, steady_us(), len(received.payload)))


def steady_us() -> int:
    """Runs on whatever is done to the clock; of this machine since it was started."""
    return time.monotonic_ns() // 1000
