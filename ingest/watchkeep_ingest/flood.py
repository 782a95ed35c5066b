"""The flood guard: a gateway may send so many readings per second; what is beyond is parked until its flood is over.

A token bucket per gateway in receive time. Events have no guard: they are never held back.
"""

from dataclasses import dataclass

from watchkeep_core.topics import GatewayRef

BURST_S = 60.0
"""So many seconds' worth may come at once: a backlog after an outage is no flood."""

_LOOK_S = 0.5


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_s: float
    flooding: bool = False


class FloodGuard:
    """Not shared between threads; `now_s` is any clock that only rises, in seconds."""

    def __init__(self, readings_per_s: float) -> None:
        """0 = no limit."""
        self._rate = readings_per_s
        self._room = readings_per_s * BURST_S
        self._buckets: dict[GatewayRef, _Bucket] = {}
        self._looked_s = 0.0

    def lets_pass(self, source: GatewayRef, readings: int, now_s: float) -> bool:
        """Whether a message is within the limit; a gateway that floods is let in again when half its room is free."""
        if not self._rate:
            return True
        bucket = self._buckets.get(source)
        if bucket is None:
            bucket = self._buckets[source] = _Bucket(self._room, now_s)
        self._fill(bucket, now_s)
        if bucket.flooding:
            bucket.tokens = max(0.0, bucket.tokens - readings)  # who goes on flooding does not recover meanwhile
            return False
        if bucket.tokens < min(readings, self._room):
            bucket.flooding = True
            return False
        bucket.tokens -= readings
        return True

    @property
    def flooding(self) -> frozenset[GatewayRef]:
        return frozenset(source for source, bucket in self._buckets.items() if bucket.flooding)

    def over(self, now_s: float) -> list[GatewayRef]:
        """Gateways whose flood has ended since the last call; forgets those that have long been quiet."""
        ended: list[GatewayRef] = []
        if now_s - self._looked_s < _LOOK_S:
            return ended
        self._looked_s = now_s
        for source, bucket in list(self._buckets.items()):
            self._fill(bucket, now_s)
            if bucket.flooding and bucket.tokens >= self._room / 2:
                bucket.flooding = False
                ended.append(source)
            elif not bucket.flooding and bucket.tokens >= self._room:
                del self._buckets[source]
        return ended

    def _fill(self, bucket: _Bucket, now_s: float) -> None:
        bucket.tokens = min(self._room, bucket.tokens + max(0.0, now_s - bucket.at_s) * self._rate)
        bucket.at_s = max(bucket.at_s, now_s)
