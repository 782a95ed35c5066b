"""The bounded queue between the sessions of a lane and its writer."""

import threading
import time
from collections import deque
from dataclasses import dataclass

from watchkeep_ingest.incoming import Incoming

_OVERHEAD_BYTES = 1_000
"""What a queued message costs beside its payload: topic, objects, queue slot."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a batch is due, and its greatest size."""

    linger_s: float
    """Least time between two batches in seconds; 0 = as soon as there is a message."""
    messages: int
    size_bytes: int

    def wait_s(self, queued: int, queued_bytes: int, since_last_s: float) -> float:
        """How long to wait for more before taking what is queued; 0 = now. After a pause nobody waits."""
        if queued >= self.messages or queued_bytes >= self.size_bytes:
            return 0.0
        return max(0.0, self.linger_s - since_last_s)


class Intake:
    """Many sessions put, one writer takes. Holds at most `capacity_bytes`: what does not fit stays with the broker."""

    def __init__(self, capacity_bytes: int, limits: Limits) -> None:
        self._capacity = capacity_bytes
        self._limits = limits
        self._items: deque[Incoming] = deque()
        self._bytes = 0
        self._last_take = 0.0
        self._changed = threading.Condition()
        self._closed = False

    def put(self, item: Incoming, timeout_s: float) -> bool:
        """Enqueue; waits up to `timeout_s` for room. False: not taken, the broker must deliver it again."""
        size = len(item.payload) + _OVERHEAD_BYTES
        with self._changed:
            # An empty queue takes anything: what is larger than all room would never pass otherwise.
            room = self._changed.wait_for(
                lambda: self._closed or not self._items or self._bytes + size <= self._capacity, timeout_s
            )
            if not room or self._closed:
                return False
            self._items.append(item)
            self._bytes += size
            if len(self._items) == 1 or self._limits.wait_s(len(self._items), self._bytes, 0.0) == 0.0:
                self._changed.notify_all()
        return True

    def take(self, timeout_s: float) -> list[Incoming]:
        """The next batch, in order of arrival; empty when none came within `timeout_s` or after `close`."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._items) or self._closed, timeout_s):
                return []
            while not self._closed:
                since_s = time.monotonic() - self._last_take
                wait_s = self._limits.wait_s(len(self._items), self._bytes, since_s)
                if wait_s == 0.0:
                    break
                self._changed.wait(wait_s)
            self._last_take = time.monotonic()
            return self._cut()

    def close(self) -> None:
        """Wake everyone up; what is still queued was never acknowledged and comes again."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def queued_bytes(self) -> int:
        return self._bytes

    def __len__(self) -> int:
        return len(self._items)

    @property
    def half_empty(self) -> bool:
        return self._bytes <= self._capacity // 2

    def oldest_us(self) -> int | None:
        """Receive time of the oldest message in it, µs since 1970 UTC."""
        try:
            return self._items[0].received_us
        except IndexError:
            return None

    def _cut(self) -> list[Incoming]:
        batch: list[Incoming] = []
        size = 0
        while self._items and len(batch) < self._limits.messages and size < self._limits.size_bytes:
            batch.append(self._items.popleft())
            size += len(batch[-1].payload) + _OVERHEAD_BYTES
        self._bytes -= size
        self._changed.notify_all()
        return [] if self._closed else batch
