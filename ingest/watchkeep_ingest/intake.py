"""The bounded queue between the sessions of a lane and its writer; a thread of its own decodes what waits in it."""

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from watchkeep_ingest.incoming import Decoded, Incoming, decode

_OVERHEAD_BYTES = 1_500
"""What a queued message costs beside its payload: topic, objects, queue slots."""

_DECODED = 3
"""Decoded columns are 24 bytes per reading, the JSON about 14: a message weighs so many times its payload."""

_AHEAD = 100
"""Messages decoded between two looks at the queue."""

_LOADED_S = 5.0
"""How long one large batch counts as load: longer than any batch takes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a batch is due, and its greatest size."""

    linger_s: float
    """Least time between two batches in seconds; 0 = as soon as there is a message."""
    messages: int
    """Of one partition: half of its session's window, so that the other half arrives meanwhile."""
    size_bytes: int
    """Payload bytes, of all partitions."""

    def wait_s(self, queued: int, queued_bytes: int, since_last_s: float) -> float:
        """How long to wait for more before taking what is queued; 0 = now. After a pause nobody waits.

        `queued` = messages of the partition that has most of them.
        """
        if queued >= self.messages or queued_bytes >= self.size_bytes:
            return 0.0
        return max(0.0, self.linger_s - since_last_s)


class _Slot:
    """A message in the queue, and what it turned out to be once somebody has looked."""

    __slots__ = ("decoded", "incoming", "weight")

    def __init__(self, incoming: Incoming) -> None:
        self.incoming = incoming
        self.decoded: Decoded | None = None
        self.weight = _DECODED * len(incoming.payload) + _OVERHEAD_BYTES

    def open(self) -> Decoded:
        """Two threads may both do it: the result is the same."""
        if self.decoded is None:
            self.decoded = decode(self.incoming)
        return self.decoded


class Intake:
    """Many sessions put, one writer takes. Holds at most `capacity_bytes`: what does not fit stays with the broker."""

    def __init__(self, capacity_bytes: int, limits: Limits) -> None:
        self._capacity = capacity_bytes
        self._limits = limits
        self._slots: deque[_Slot] = deque()
        self._closed_slots: deque[_Slot] = deque()  # not decoded yet, unless the writer was faster
        self._weight = 0
        self._payload_bytes = 0
        self._queued: Counter[int] = Counter()  # partition → messages
        self._last_take = 0.0
        lock = threading.RLock()
        self._changed = threading.Condition(lock)
        self._fresh = threading.Condition(lock)
        self._closed = False
        self._loaded_s = float("-inf")  # when a batch was last at least half full

    def put(self, item: Incoming, timeout_s: float) -> bool:
        """Enqueue; waits up to `timeout_s` for room. False: not taken, the broker must deliver it again."""
        slot = _Slot(item)
        with self._changed:
            if not self._has_room(slot) and not self._changed.wait_for(
                lambda: self._closed or self._has_room(slot), timeout_s
            ):
                return False
            if self._closed:
                return False
            self._slots.append(slot)
            self._closed_slots.append(slot)
            self._weight += slot.weight
            self._payload_bytes += len(item.payload)
            self._queued[item.partition] += 1
            if len(self._closed_slots) == 1:
                self._fresh.notify()
            queued = self._queued[item.partition]
            if len(self._slots) == 1 or queued == self._limits.messages or self._is_full():
                self._changed.notify_all()
        return True

    def decode_ahead(self, timeout_s: float) -> None:
        """Decode some of what waits, in the order of arrival; waits up to `timeout_s` when nothing does."""
        with self._fresh:
            if not self._fresh.wait_for(lambda: bool(self._closed_slots) or self._closed, timeout_s):
                return
            some = [self._closed_slots.popleft() for _ in range(min(_AHEAD, len(self._closed_slots)))]
        for slot in some:
            slot.open()

    def take(self, timeout_s: float) -> Sequence[Decoded]:
        """The next batch, in order of arrival; empty when none came within `timeout_s` or after `close`."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._slots) or self._closed, timeout_s):
                return []
            while not self._closed:
                since_s = time.monotonic() - self._last_take
                wait_s = self._limits.wait_s(max(self._queued.values()), self._payload_bytes, since_s)
                if wait_s == 0.0:
                    break
                self._changed.wait(wait_s)
            self._last_take = time.monotonic()
            batch = self._cut()
        return [slot.open() for slot in batch]

    def close(self) -> None:
        """Wake everyone up; what is still queued was never acknowledged and comes again."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._fresh.notify_all()

    @property
    def queued_bytes(self) -> int:
        """Estimate of the memory it takes."""
        return self._weight

    def __len__(self) -> int:
        return len(self._slots)

    def is_loaded(self, now_s: float) -> bool:
        """Whether batches were half full a moment ago: the lane runs as fast as it can. `now_s` is monotonic."""
        return now_s - self._loaded_s < _LOADED_S

    @property
    def half_empty(self) -> bool:
        return self._weight <= self._capacity // 2

    def oldest_us(self) -> int | None:
        """Receive time of the oldest message in it, µs since 1970 UTC."""
        try:
            return self._slots[0].incoming.received_us
        except IndexError:
            return None

    def _has_room(self, slot: _Slot) -> bool:
        """An empty queue takes anything: what is larger than all room would never pass otherwise."""
        return not self._slots or self._weight + slot.weight <= self._capacity

    def _is_full(self) -> bool:
        """No more will fit soon: waiting for a larger batch would be waiting for nothing."""
        return self._payload_bytes >= self._limits.size_bytes

    def _cut(self) -> list[_Slot]:
        batch: list[_Slot] = []
        taken: Counter[int] = Counter()
        size = 0
        while self._slots and size < self._limits.size_bytes:
            slot = self._slots[0]
            if taken[slot.incoming.partition] >= self._limits.messages:
                break
            taken[slot.incoming.partition] += 1
            size += len(slot.incoming.payload)
            batch.append(self._slots.popleft())
        self._weight -= sum(slot.weight for slot in batch)
        if 2 * size >= self._limits.size_bytes or 2 * max(taken.values(), default=0) >= self._limits.messages:
            self._loaded_s = time.monotonic()
        self._payload_bytes -= size
        self._queued -= taken
        while self._closed_slots and self._closed_slots[0].decoded is not None:
            self._closed_slots.popleft()
        self._changed.notify_all()
        return [] if self._closed else batch
