"""How much a channel is asked to take: messages per minute, and a rest when it is down (known to this process only)."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg_pool import ConnectionPool

from watchkeep_core.database import queries
from watchkeep_dispatch.notify.timing import again_after

MINUTE = timedelta(minutes=1)
MOST_KEPT = 1000


class Limits:
    """Messages per minute and address, counted in the database: several processes hand over."""

    def __init__(self, pool: ConnectionPool[Connection]) -> None:
        self._pool = pool

    def reserve(self, address: str, per_minute: int, wanted: int, *, urgent: int = 0) -> tuple[int, float]:
        """How many of `wanted` may go now, and the seconds until the next one may.

        Those are counted, and the `urgent` ones, which may always go.
        """
        key = _key(address)
        with self._pool.connection() as conn:
            conn.execute(_sql("begin_hits"), [key])
            ((hits, now),) = conn.execute(_sql("hits"), [key]).fetchall()
            lately, granted, wait_s = room(hits, now, per_minute, wanted)
            kept = [*lately, *[now] * (granted + urgent)][-MOST_KEPT:]
            conn.execute(_sql("keep_hits"), {"key": key, "hits": kept})
        return granted, wait_s

    def full(self, address: str, per_minute: int) -> bool:
        """Whether no more may go now."""
        with self._pool.connection() as conn:
            found = conn.execute(_sql("hits"), [_key(address)]).fetchall()
        return any(room(hits, now, per_minute, 1)[1] == 0 for hits, now in found)


def room(hits: Sequence[datetime], now: datetime, per_minute: int, wanted: int) -> tuple[list[datetime], int, float]:
    """Hits of the last minute, how many of `wanted` may follow, seconds until one more may. Pure."""
    lately = [hit for hit in hits if hit > now - MINUTE]
    free = max(0, per_minute - len(lately))
    return lately, min(wanted, free), (lately[0] + MINUTE - now).total_seconds() if lately else 0.0


def _key(address: str) -> bytes:
    """Addresses hold secrets."""
    return hashlib.sha256(address.encode()).digest()


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


def _sql(name: str) -> Any:
    return queries("watchkeep_dispatch", "sql/notify.sql")[name]
