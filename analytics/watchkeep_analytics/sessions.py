"""One MQTT session per partition; what they bring goes to the inbox of its lane, or is dropped and read again later."""

import queue
from collections.abc import Sequence
from typing import NamedTuple

from watchkeep_analytics import metrics
from watchkeep_core import rows, topics
from watchkeep_core.broker import BrokerAddress, Received
from watchkeep_core.errors import MessageError
from watchkeep_core.mqtt import Connection, connect

RECEIVE_MAXIMUM = 100
"""In flight per session. Small: what we are too slow for is better read from the database in one go."""


class Message(NamedTuple):
    """A decoded rows message."""

    content: rows.Columns | rows.Events
    received_ns: int


class Inbox:
    """Bounded queue of one lane."""

    def __init__(self, lane: topics.Lane, size: int) -> None:
        self._lane = lane
        self._queue: queue.Queue[Message] = queue.Queue(size)

    def put(self, message: Message) -> None:
        """Never blocks: a full queue drops the message, and the hole in its batch numbers tells the worker."""
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            metrics.DROPPED.labels(self._lane).inc()

    def take(self, timeout_s: float, at_most: int = 64) -> list[Message]:
        """What is there, after waiting for the first."""
        try:
            found = [self._queue.get(timeout=timeout_s)]
        except queue.Empty:
            return []
        while len(found) < at_most and not self._queue.empty():
            found.append(self._queue.get_nowait())
        metrics.QUEUE.labels(self._lane).set(self._queue.qsize())
        return found

    @property
    def backlog(self) -> int:
        """Messages waiting."""
        return self._queue.qsize()


class Sessions:
    """Connections of the users `analytics-{partition}`."""

    def __init__(
        self, address: BrokerAddress, password: str, partitions: Sequence[int], data: Inbox, events: Inbox
    ) -> None:
        """Raises BrokerUnreachable or BrokerRefused."""
        self._inboxes = {rows.Columns: data, rows.Events: events}
        self._connections: list[Connection] = []
        try:
            for partition in partitions:
                user = f"analytics-{partition}"
                connection = connect(
                    address,
                    client_id=user,
                    user=user,
                    password=password,
                    on_message=self._take,
                    receive_maximum=RECEIVE_MAXIMUM,
                )
                self._connections.append(connection)
                connection.subscribe([topics.rows(partition)])
        except BaseException:
            self.close()
            raise

    def alive(self) -> bool:
        return all(connection.alive() for connection in self._connections)

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def _take(self, received: Received) -> None:
        try:
            content = rows.decode(received.payload)
        except MessageError:
            metrics.BAD_MESSAGES.inc()
            return
        self._inboxes[type(content)].put(Message(content, received.received_at_ns))
