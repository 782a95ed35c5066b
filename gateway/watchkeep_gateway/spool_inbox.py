"""What waits for the spool's writer: anyone may hand over, one thread takes it."""

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field

from watchkeep_core.topics import Lane
from watchkeep_gateway.errors import SpoolClosed
from watchkeep_gateway.transaction import MAX_COMMANDS
from watchkeep_gateway.values import Delivery

MAX_WAITING = 2_000
"""Deliveries with events, and as many without, not on disk yet; beyond it `put` blocks.

Far more than the bridge's receive maximum, so not there.
"""

MAX_BATCH_DELIVERIES = 250
"""A batch is closed early at this many: half the bridge's receive maximum, else its window would set the pace."""

ACK_DELAY_S = 0.2
"""An ack waits this long for others: deleting is not urgent, and every commit costs a sync."""

TICK_S = 30.0
"""The writer is woken this often even when nothing comes in: it looks at its bounds."""

RETRY_S = 1.0
"""When the disk refuses: wait between attempts."""


_Ahead = tuple[Lane, str, int, "Future[None]"]


@dataclass(slots=True)
class Due:
    """What one transaction shall do."""

    deliveries: list[tuple[Delivery, "Future[None]"]] = field(default_factory=list)
    acks: dict[Lane, tuple[str, int]] = field(default_factory=dict)
    ahead: list[_Ahead] = field(default_factory=list)
    links: dict[str, tuple[bool, str]] = field(default_factory=dict)
    commands: list[tuple[str, str]] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)

    def futures(self) -> list["Future[None]"]:
        return [future for _, future in self.deliveries] + [future for *_, future in self.ahead]


class Inbox:
    """Bounded: who hands over too much waits. Urgent is what has events, or what a driver wants remembered."""

    def __init__(self, batch_s: float, batch_readings: int) -> None:
        """Readings wait for others so long at most, and until so many are together."""
        self._batch_s = batch_s
        self._batch_readings = batch_readings
        self._changed = threading.Condition()
        self._closing = False
        self._slow: list[tuple[Delivery, Future[None]]] = []
        self._slow_readings = 0
        self._slow_since = 0.0
        self._urgent: list[tuple[Delivery, Future[None]]] = []
        self._acks: dict[Lane, tuple[str, int]] = {}
        self._acks_since = 0.0
        self._ahead: list[_Ahead] = []
        self._links: dict[str, tuple[bool, str]] = {}
        self._commands: list[tuple[str, str]] = []
        self._facts: dict[str, str] = {}

    def put(self, delivery: Delivery) -> "Future[None]":
        """The future ends when it is on disk. Blocks while too much waits; raises SpoolClosed."""
        future: Future[None] = Future()
        with self._changed:
            while len(self._urgent if delivery.events else self._slow) >= MAX_WAITING and not self._closing:
                self._changed.wait(1)
            if self._closing:
                raise SpoolClosed("the spool is closed")
            # What a driver remembers must reach the disk in the order it was handed over, so it is never overtaken.
            if (delivery.events or delivery.remember) and not delivery.in_turn:
                self._urgent.append((delivery, future))
                self._changed.notify_all()
                return future
            first = not self._slow
            if first:
                self._slow_since = time.monotonic()
            self._slow.append((delivery, future))
            self._slow_readings += len(delivery.readings)
            if first or self._full:  # in between there is nothing to wake the writer for
                self._changed.notify_all()
        return future

    def ack(self, lane: Lane, epoch: str, seq: int) -> None:
        """The database has everything of `lane` up to `seq`; never blocks."""
        with self._changed:
            if not self._acks:
                self._acks_since = time.monotonic()
            known = self._acks.get(lane)
            if known is None or known[0] != epoch or known[1] < seq:
                self._acks[lane] = (epoch, seq)
            self._changed.notify_all()

    def ack_ahead(self, lane: Lane, epoch: str, seq: int) -> "Future[None]":
        """An ack that seems to be ahead of this spool; the future ends when a new epoch has begun, if it really is."""
        future: Future[None] = Future()
        with self._changed:
            self._ahead.append((lane, epoch, seq, future))
            self._changed.notify_all()
        return future

    def note_link(self, name: str, up: bool, detail: str = "") -> None:
        """Keep for `status` whether a broker or a device answers; never blocks."""
        with self._changed:
            self._links[name] = (up, detail[:200])
            self._changed.notify_all()

    def note_command(self, command: str, outcome: str) -> None:
        """Keep for `status` what the server wanted and what became of it; never blocks."""
        with self._changed:
            self._commands = [*self._commands, (command, outcome)][-MAX_COMMANDS:]
            self._changed.notify_all()

    def note_fact(self, name: str, value: str) -> None:
        """Keep for `status` what the running gateway says of itself, as JSON; never blocks."""
        with self._changed:
            self._facts[name] = value
            self._changed.notify_all()

    def stop_taking(self) -> None:
        """Refuse further deliveries and write those that wait."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def _next(self, *, apart: bool) -> Due | None:
        """Wait until something is due; None when closing and all was taken. `apart`: events never with readings."""
        ticked = time.monotonic()
        with self._changed:
            while True:
                now = time.monotonic()
                slow_in, acks_in = self._slow_in(now), self._acks_in(now)
                wait_s = min(slow_in, acks_in, ticked + TICK_S - now)
                if self._urgent or self._ahead or self._links or self._commands or self._facts or wait_s <= 0:
                    return self._take(slow_in <= 0, apart)
                if self._closing:
                    return None
                self._changed.wait(wait_s)

    def _slow_in(self, now: float) -> float:
        if not self._slow:
            return TICK_S
        return 0.0 if self._full or self._closing else self._slow_since + self._batch_s - now

    @property
    def _full(self) -> bool:
        return self._slow_readings >= self._batch_readings or len(self._slow) >= MAX_BATCH_DELIVERIES

    def _acks_in(self, now: float) -> float:
        if not self._acks:
            return TICK_S
        return 0.0 if self._closing else self._acks_since + ACK_DELAY_S - now

    def _take(self, with_slow: bool, apart: bool) -> Due:
        due = Due(self._urgent, self._acks, self._ahead, self._links, self._commands, self._facts)
        self._urgent, self._acks, self._ahead, self._links = [], {}, [], {}
        self._commands, self._facts = [], {}
        if with_slow and not (apart and due.deliveries):
            due.deliveries = due.deliveries + self._slow
            self._slow, self._slow_readings = [], 0
        self._changed.notify_all()
        return due

    def _put_back(self, due: Due, *, wait: bool) -> None:
        """In front of what came since; then `wait`, shorter when closing."""
        with self._changed:
            self._urgent = [one for one in due.deliveries if one[0].events] + self._urgent
            slow = [one for one in due.deliveries if not one[0].events]
            self._slow = slow + self._slow
            self._slow_readings += sum(len(delivery.readings) for delivery, _ in slow)
            self._acks = due.acks | self._acks
            self._ahead = due.ahead + self._ahead
            self._links = due.links | self._links
            self._commands = due.commands + self._commands
            self._facts = due.facts | self._facts
            if wait and self._changed.wait_for(lambda: self._closing, RETRY_S):
                self._changed.wait(RETRY_S / 5)

    def _give_up(self) -> "list[Future[None]]":
        """Nobody takes any more; what still waits."""
        with self._changed:
            self._closing = True
            return Due(self._urgent + self._slow, ahead=self._ahead).futures()
