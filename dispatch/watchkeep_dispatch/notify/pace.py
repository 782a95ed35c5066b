"""How much a channel is asked to take: messages per minute, and a rest when it is down. Of this process only."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from watchkeep_dispatch.notify.timing import again_after


class Limits:
    """Messages per minute and channel, counted in this process; `clock` in monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sent: dict[int, deque[float]] = {}
        self._lock = threading.Lock()

    def free(self, channel_id: int, per_minute: int | None) -> tuple[int | None, float]:
        """How many may go now (None = any number), and the seconds until the next one may."""
        if per_minute is None:
            return None, 0.0
        with self._lock:
            sent, now = self._sent.setdefault(channel_id, deque()), self._clock()
            while sent and sent[0] <= now - 60.0:
                sent.popleft()
            return max(0, per_minute - len(sent)), sent[0] + 60.0 - now if sent else 0.0

    def count(self, channel_id: int) -> None:
        """One went out."""
        with self._lock:
            self._sent.setdefault(channel_id, deque(maxlen=1000)).append(self._clock())


class Outages:
    """Channels that have just failed: one slow dead service must not keep all workers; `clock` in monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[int, tuple[int, float]] = {}
        self._tried: set[int] = set()
        self._lock = threading.Lock()

    @contextmanager
    def trial(self, channel_id: int) -> Iterator[bool]:
        """False while somebody else tries a channel that is down: life safety does, but not in all threads at once."""
        with self._lock:
            free = channel_id not in self._tried or not self.left_s(channel_id)
            if free:
                self._tried.add(channel_id)
        try:
            yield free
        finally:
            if free:
                with self._lock:
                    self._tried.discard(channel_id)

    def failed(self, channel_id: int) -> None:
        """Leave it alone: 3, 9, 27, at most 81 s."""
        failures = min(self._until.get(channel_id, (0, 0.0))[0] + 1, 4)
        wait_s = again_after(failures, urgent=False).total_seconds()
        self._until[channel_id] = failures, self._clock() + wait_s

    def over(self, channel_id: int) -> None:
        """It has taken something."""
        self._until.pop(channel_id, None)

    def left_s(self, channel_id: int) -> float:
        """Seconds until it should be tried again."""
        return max(0.0, self._until.get(channel_id, (0, 0.0))[1] - self._clock())
