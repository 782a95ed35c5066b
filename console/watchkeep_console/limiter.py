"""How often somebody may try: a sliding window per key, kept in this process, bounded in memory."""

from collections import OrderedDict, deque

from watchkeep_console.errors import TooMany


class Limiter:
    """At most `limit` hits per `window_s` seconds and key; forgets the oldest keys beyond `max_keys`."""

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
