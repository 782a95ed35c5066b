"""The seam to the broker for what is said after a commit: `ack`, `rows`, `cmd`."""

import time
from collections.abc import Callable
from typing import Protocol

from watchkeep_core import topics
from watchkeep_core.messages import Ack, Cmd, encode
from watchkeep_core.topics import Lane
from watchkeep_ingest import metrics
from watchkeep_ingest.transaction import Outcome

_ACKS = 50
_MOST = 10.0
"""Beyond so many acks the wait is longer in proportion, up to so many times: 200 take the writer 10 ms, whatever they
say, and a gateway may be 200 messages ahead of them."""


class Outbox(Protocol):
    """Publishes through the session of a lane and partition."""

    def publish(self, lane: Lane, partition: int, topic: str, payload: bytes, *, retain: bool, bulky: bool) -> bool:
        """False: not now. `bulky` ones are refused while the connection is down or slow, for the sake of memory."""
        ...


class MemoryOutbox:
    """In-memory twin: keeps what was published."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []

    def publish(self, lane: Lane, partition: int, topic: str, payload: bytes, *, retain: bool, bulky: bool) -> bool:
        self.sent.append((topic, payload))
        return True

    def of(self, topic: str) -> list[bytes]:
        return [payload for name, payload in self.sent if name == topic]


class Herald:
    """Says what a committed batch means to gateways and to analytics."""

    def __init__(
        self, lane: Lane, outbox: Outbox, ack_every_s: float = 0.0, now_s: Callable[[], float] = time.time
    ) -> None:
        """`ack_every_s`: acks are gathered for so long, longer when they are many; only the newest of a gateway counts.

        `now_s` is the server's clock, by which gateways measure theirs.
        """
        self._now_s = now_s
        self._lane: Lane = lane
        self._ack_every_s = ack_every_s
        self._flushed_s = float("-inf")
        self._outbox = outbox
        self._unsent: dict[str, tuple[int, bytes]] = {}  # ack topic → partition, payload: only the newest counts

    def announce(self, outcome: Outcome) -> None:
        """Acks that do not get out are kept for the next call; rows are not (their batch number will be missed)."""
        for (source, epoch), seq in outcome.acks.items():
            topic = topics.ack(source, self._lane)
            ack = Ack(epoch=epoch, seq=seq, t=round(self._now_s() * 1000))
            self._unsent[topic] = (topics.partition_of(source.community), encode(ack))
        self.flush()
        for partition, payload in outcome.rows:
            if not self._send(partition, topics.rows(partition), payload, bulky=True):
                metrics.UNPUBLISHED.labels(self._lane).inc()
        for source in outcome.rebirths:
            partition = topics.partition_of(source.community)
            if self._send(partition, topics.cmd(source), encode(Cmd(action="rebirth"))):
                metrics.REBIRTHS.inc()

    def flush(self) -> None:
        """Send what waits, unless that was done a moment ago."""
        now_s = time.monotonic()
        if now_s - self._flushed_s < self._ack_every_s * min(_MOST, max(1.0, len(self._unsent) / _ACKS)):
            return
        self._flushed_s = now_s
        for topic, (partition, payload) in list(self._unsent.items()):
            if self._send(partition, topic, payload, retain=True):
                del self._unsent[topic]
                metrics.ACKS.labels(self._lane).inc()

    def _send(self, partition: int, topic: str, payload: bytes, *, retain: bool = False, bulky: bool = False) -> bool:
        return self._outbox.publish(self._lane, partition, topic, payload, retain=retain, bulky=bulky)
