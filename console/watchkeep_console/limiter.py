"""How often somebody may try: a sliding window per key, of this process or of all that share a database."""

import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from hashlib import sha256

from psycopg import Connection
from psycopg_pool import ConnectionPool

from watchkeep_console.errors import TooMany
from watchkeep_core.database import queries

_SQL = queries("watchkeep_console", "sql/identity.sql")


class Limiter:
    """At most `limit` hits per `window_s` seconds and key, here; forgets the oldest keys beyond `max_keys`."""

    def __init__(self, limit: int, window_s: float, max_keys: int = 10_000) -> None:
        self._limit = limit
        self._window_s = window_s
        self._max_keys = max_keys
        self._hits: OrderedDict[str, deque[float]] = OrderedDict()

    def hit(self, key: str, now_s: float) -> None:
        """Count one. `now_s` is a monotonic clock. Raises TooMany; a refused one is not counted."""
        hits = self._hits.setdefault(key, deque())
        self._hits.move_to_end(key)
        while hits and hits[0] <= now_s - self._window_s:
            hits.popleft()
        if len(hits) >= self._limit:
            raise TooMany(max(1, round(hits[0] + self._window_s - now_s)))
        hits.append(now_s)
        while len(self._hits) > self._max_keys:
            self._hits.popitem(last=False)

    def forget(self) -> None:
        """Everybody may try anew."""
        self._hits.clear()


class SharedLimiter:
    """At most so many hits per window and key in all processes; `limits` by what is counted, such as an address."""

    def __init__(self, pool: ConnectionPool[Connection], window_s: float, limits: Mapping[str, int]) -> None:
        self._pool = pool
        self._window_s = window_s
        self._limits = limits
        self._here = {name: Limiter(limit, window_s) for name, limit in limits.items()}

    def hit(self, **keys: str) -> None:
        """Count one of each, in one query. Raises TooMany; a flood that this process sees costs no query."""
        for name, key in keys.items():
            self._here[name].hit(key, time.monotonic())
        hashes = [sha256(f"{name} {self._window_s} {key}".encode()).digest() for name, key in keys.items()]
        row = {"keys": hashes, "limits": [self._limits[name] for name in keys], "window_s": self._window_s}
        with self._pool.connection() as conn:
            ((wait_s,),) = conn.execute(_SQL["hit"], row).fetchall()
        if wait_s is not None:
            raise TooMany(max(1, round(wait_s)))

    def forget(self) -> None:
        """Everybody may try anew."""
        for limiter in self._here.values():
            limiter.forget()
        with self._pool.connection() as conn:
            conn.execute("DELETE FROM rate_hits")
