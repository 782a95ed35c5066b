"""Publishes one lane of the spool: paced, windowed, again when no ack comes; PUBACK frees the line and nothing else."""

import random
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock

from watchkeep_core import topics
from watchkeep_core.broker import BrokerUnreachable, PublishRefused, TooManyOutstanding
from watchkeep_core.logs import get_logger
from watchkeep_gateway.batching import with_floor
from watchkeep_gateway.spool_reader import SpoolReader, Stored
from watchkeep_gateway.spool_state import LaneState
from watchkeep_gateway.window import LaneWindow, Pace

log = get_logger(__name__)

CHUNK = 20
"""Messages read from the spool at once: at most 4 MB in memory."""

MAX_ON_THE_WIRE_BYTES = 256_000
"""Of telemetry without PUBACK: on a slow line, what an event has to wait for."""

REFUSED_WAIT_S = 1.0
REFUSED_WAIT_MAX_S = 60.0

Publish = Callable[[str, bytes], "Future[None]"]


@dataclass(frozen=True, slots=True)
class SenderCounts:
    """Metrics: what to call when a message was published, or refused."""

    published: Callable[[], None]
    refused: Callable[[], None]
    resent: Callable[[], None]


class LaneSender:
    """`step` is called by one thread; PUBACKs come in another."""

    def __init__(
        self,
        lane: topics.Lane,
        ref: topics.GatewayRef,
        reader: SpoolReader,
        *,
        resend_after_s: float,
        pace: Pace | None,
        counts: SenderCounts,
        wake: Callable[[], None],
        on_publish: Callable[[str, int], None] = lambda _epoch, _seq: None,
    ) -> None:
        self.window = LaneWindow(resend_after_s)
        self.refused: str = ""
        """Why the broker refused the latest message; empty when it took it."""
        self._lane = lane
        self._ref = ref
        self._reader = reader
        self._pace = pace
        self._counts = counts
        self._wake = wake
        self._on_publish = on_publish
        self._lock = Lock()
        self._epoch = ""
        self._on_the_wire: dict[tuple[str, int], int] = {}
        self._refused_wait_s = REFUSED_WAIT_S
        self._refused_until_s = 0.0
        self._refusal = ""

    def restart(self, state: LaneState, now_s: float) -> None:
        """After each connect, and when the epoch changed."""
        self._epoch = state.epoch
        self.window.restart(state.floor, now_s)
        self._refused_until_s = 0.0

    def step(self, state: LaneState, now_s: float, publish: Publish) -> bool:
        """Send what may be sent now; true when more could be sent at once."""
        if state.epoch != self._epoch:
            self.restart(state, now_s)
        self.window.take_floor(state.floor)
        self._take_refusal(now_s)
        if now_s < self._refused_until_s:
            return False
        if self.window.rewind_if_stalled(now_s):
            self._counts.resent()
            log.warning("no_ack", lane=self._lane, since_seq=self.window.acked + 1)
        allowed = min(CHUNK, self.window.room(), self._pace.allowance(now_s) if self._pace else CHUNK)
        if allowed == 0 or self.window.cursor >= state.next_seq or self._wire_is_full():
            return False
        floor, stored = self._reader.read(self._lane, self.window.cursor, allowed)
        sent = self._send(floor, stored, now_s, publish)
        if self._pace:
            self._pace.spend(sent)
        return sent > 0 and sent == len(stored)

    def waits_s(self, now_s: float) -> float:
        """How long `step` need not be called unless something happens."""
        if now_s < self._refused_until_s:
            return self._refused_until_s - now_s
        return 0.05 if self._pace and self._pace.allowance(now_s) == 0 else 1.0

    def _send(self, floor: int | None, stored: list[Stored], now_s: float, publish: Publish) -> int:
        sent = 0
        for message in stored:
            if self._wire_is_full():
                break
            key = (self._epoch, message.seq)
            with self._lock:
                under_way = key in self._on_the_wire
                self._on_the_wire[key] = len(message.body)
            if not under_way:  # else paho still holds it, and sends it again on a new connection by itself
                topic = topics.message(self._ref, self._lane, self._epoch, message.seq)
                try:
                    future = publish(topic, with_floor(message.body, floor or 0))
                except (BrokerUnreachable, TooManyOutstanding):
                    self._forget(key)
                    break
                except PublishRefused as error:
                    self._forget(key)
                    self._refusal = error.reason
                    break
                self._on_publish(*key)
                future.add_done_callback(lambda done, key=key: self._done(key, done))  # type: ignore[misc]  # default binds
            self.window.sent(message.seq, now_s)
            sent += 1
        return sent

    def _done(self, key: tuple[str, int], done: "Future[None]") -> None:
        self._forget(key)
        error = done.exception()
        if error is None:
            self._counts.published()
            self.refused = ""
            self._refused_wait_s = REFUSED_WAIT_S
        elif isinstance(error, PublishRefused):
            self._refusal = error.reason
        self._wake()

    def _take_refusal(self, now_s: float) -> None:
        """Keep, wait, try again from the first unacknowledged one."""
        if not self._refusal:
            return
        why, self._refusal = self._refusal, ""
        self._counts.refused()
        if why != self.refused:
            log.error("publish_refused", lane=self._lane, why=why)
            self.refused = why
        self._refused_until_s = now_s + self._refused_wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        self._refused_wait_s = min(2 * self._refused_wait_s, REFUSED_WAIT_MAX_S)
        self.window.rewind()

    def _forget(self, key: tuple[str, int]) -> None:
        with self._lock:
            self._on_the_wire.pop(key, None)

    def _wire_is_full(self) -> bool:
        with self._lock:
            return sum(self._on_the_wire.values()) >= MAX_ON_THE_WIRE_BYTES
