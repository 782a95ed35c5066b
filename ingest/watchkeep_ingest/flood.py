"""The flood guard: a gateway may send so many readings per second; what is beyond is parked until its flood is over.

Two token buckets per gateway in receive time: one for fresh readings, and a larger one for the backlog that a gateway
sends after an outage, which is no flood. A gateway that lies about its stamps gets no more than the latter, and time
cannot be bought twice: each message counts in one of them. Events have no guard: they are never held back.
"""

from dataclasses import dataclass

from watchkeep_core.topics import GatewayRef

BURST_S = 60.0
"""So many seconds' worth may come at once."""

BACKLOG_US = 120_000_000
"""A message whose newest reading is older than that at its receive time was kept in a spool."""

_LOOK_S = 0.5
"""How often it looks whether a flood is over."""


@dataclass(slots=True)
class _Bucket:
    rate: float
    """Readings per second; 0 = no limit."""
    at_s: float
    tokens: float = 0.0
    flooding: bool = False

    def __post_init__(self) -> None:
        self.tokens = self.room

    @property
    def room(self) -> float:
        return self.rate * BURST_S

    def fill(self, now_s: float) -> None:
        self.tokens = min(self.room, self.tokens + max(0.0, now_s - self.at_s) * self.rate)
        self.at_s = max(self.at_s, now_s)

    def has(self, readings: int) -> bool:
        return not self.rate or not readings or (not self.flooding and self.tokens >= min(readings, self.room))

    def take(self, readings: int) -> None:
        """Who goes on flooding does not recover meanwhile."""
        self.tokens = max(0.0, self.tokens - readings)

    def end_flood(self) -> bool:
        """Whether one has ended: half of the room is free again."""
        if not self.flooding or self.tokens < self.room / 2:
            return False
        self.flooding = False
        return True


@dataclass(slots=True)
class _Buckets:
    fresh: _Bucket
    backlog: _Bucket

    @property
    def both(self) -> tuple[_Bucket, _Bucket]:
        return self.fresh, self.backlog

    @property
    def flooding(self) -> bool:
        return self.fresh.flooding or self.backlog.flooding

    def are_full(self, now_s: float) -> bool:
        """Whether they are as new ones would be."""
        for bucket in self.both:
            bucket.fill(now_s)
        return not self.flooding and all(bucket.tokens >= bucket.room for bucket in self.both)


class FloodGuard:
    """Not shared between threads; `now_s` is any clock that only rises, in seconds."""

    def __init__(self, readings_per_s: float, backlog_per_s: float = 0.0) -> None:
        """0 = no limit."""
        self._rates = readings_per_s, backlog_per_s
        self._of: dict[GatewayRef, _Buckets] = {}
        self._flooding: set[GatewayRef] = set()
        self._looked_s = self._tidied_s = 0.0

    def lets_all_pass(self, source: GatewayRef, fresh: int, backlog: int, now_s: float) -> bool:
        """Whether so many readings of a batch are within the limits; if not, ask for each message."""
        if not any(self._rates):
            return True
        buckets = self._filled(source, now_s)
        if not (buckets.fresh.has(fresh) and buckets.backlog.has(backlog)):
            return False
        buckets.fresh.take(fresh)
        buckets.backlog.take(backlog)
        return True

    def lets_pass(self, source: GatewayRef, readings: int, now_s: float, *, backlog: bool = False) -> bool:
        """Whether a message is within its limit; a gateway that floods is let in again when half its room is free."""
        if not any(self._rates):
            return True
        buckets = self._filled(source, now_s)
        bucket = buckets.backlog if backlog else buckets.fresh
        within = bucket.has(readings)
        if within or bucket.flooding:
            bucket.take(readings)
        if not within:
            bucket.flooding = True
            self._flooding.add(source)
        return within

    @property
    def flooding(self) -> frozenset[GatewayRef]:
        return frozenset(self._flooding)

    def over(self, now_s: float) -> list[GatewayRef]:
        """Gateways that have ceased to flood since the last call; forgets those that have long been quiet."""
        if now_s - self._looked_s < _LOOK_S:
            return []
        self._looked_s = now_s
        ended: list[GatewayRef] = []
        for source in list(self._flooding):
            buckets = self._filled(source, now_s)
            any_ended = [bucket.end_flood() for bucket in buckets.both]
            if any(any_ended) and not buckets.flooding:
                self._flooding.remove(source)
                ended.append(source)
        if now_s - self._tidied_s >= BURST_S:
            self._tidied_s = now_s
            self._of = {source: each for source, each in self._of.items() if not each.are_full(now_s)}
        return ended

    def _filled(self, source: GatewayRef, now_s: float) -> _Buckets:
        buckets = self._of.get(source)
        if buckets is None:
            buckets = self._of[source] = _Buckets(*(_Bucket(rate, now_s) for rate in self._rates))
        buckets.fresh.fill(now_s)
        buckets.backlog.fill(now_s)
        return buckets
