"""One lane of one gateway: what it holds until the database has it. Pure bookkeeping; the wire is elsewhere.

The semantics are the spool's (ARCHITECTURE §3, §5): seqs rise by one and are never reused, only an `ack` deletes, the
floor is told with every message, and over its bound the oldest telemetry goes and is told as lost.
"""

from collections import deque
from dataclasses import dataclass

from watchkeep_core.topics import Lane
from watchkeep_firmware_sim.fleet_load.seqs import Seqs

WINDOW = 200
"""Messages published beyond the last ack, as a real gateway's."""

RESEND_MAX_S = 3600.0


@dataclass(slots=True)
class Held:
    """One message in the spool."""

    seq: int
    body: bytes
    """Of a good message all but `{"floor":N,`."""
    readings: int
    made_s: float
    """Monotonic."""
    whole: bool = False
    """The body is the whole payload: poison has no floor."""
    dead: bool = False
    """Poison that the database must bury."""
    published: bool = False
    """At least once, so that the database may have it."""
    on_the_wire: bool = False
    """Given to the connection, which holds it until PUBACK."""
    gone: bool = False
    """Given up: it must not be published any more."""

    @property
    def size(self) -> int:
        """What counts against the bound; poison, of which all copies are one object, does not."""
        return 0 if self.whole else len(self.body)


class LoadLane:
    """Messages up to `sent` places from the oldest are under way."""

    __slots__ = (
        "_progress_s",
        "_resend_after_s",
        "_told_floor",
        "_wait_s",
        "acked",
        "bytes",
        "dead",
        "gateway",
        "held",
        "lane",
        "lost",
        "next_seq",
        "opened",
        "queued",
        "readings",
        "sent",
    )

    def __init__(self, gateway: int, lane: Lane, resend_after_s: float) -> None:
        self.gateway = gateway
        self.lane: Lane = lane
        self.next_seq = 0
        self.acked = -1
        """Up to here the database has everything or knows that it is lost."""
        self.held: deque[Held] = deque()
        self.bytes = 0
        self.sent = 0
        self.queued = False
        """In the sender's list of lanes with something to send."""
        self.readings = 0
        """Of all its messages but those that were lost."""
        self.lost = Seqs()
        """Never on the wire: the database must call them lost."""
        self.dead = Seqs()
        """Acknowledged poison: the database must have buried it."""
        self.opened: list[Held] = []
        """Given up after they were published: the database may have them or not, and knows which."""
        self._resend_after_s = resend_after_s
        self._wait_s = resend_after_s
        self._progress_s = 0.0
        self._told_floor = 0

    @property
    def floor(self) -> int:
        return self.held[0].seq if self.held else self.next_seq

    @property
    def waiting(self) -> int:
        """Messages that may be published now."""
        return max(0, min(len(self.held), WINDOW) - self.sent)

    @property
    def untold(self) -> bool:
        """Whether the database waits for seqs that are gone, as nothing published so far tells the floor above them."""
        return self.waiting == 0 and self.floor - 1 > self.acked and self._told_floor < self.floor

    def put(self, body: bytes, readings: int, now_s: float, *, whole: bool = False, dead: bool = False) -> Held:
        """A new message at the end of the spool."""
        held = Held(self.next_seq, body, readings, now_s, whole, dead)
        self.next_seq += 1
        self.readings += readings
        self.held.append(held)
        self.bytes += held.size
        return held

    def lose(self) -> None:
        """A seq is used up, and its message gone."""
        self.lost.add(self.next_seq)
        self.next_seq += 1

    def take(self, now_s: float) -> Held:
        """The next message to publish."""
        if self.sent == 0:
            self._progress_s = now_s
        held = self.held[self.sent]
        self.sent += 1
        return held

    def ack(self, seq: int, now_s: float) -> list[Held]:
        """What the database has now, oldest first; it is deleted."""
        done: list[Held] = []
        while self.held and self.held[0].seq <= seq:
            done.append(self._pop())
            if done[-1].dead:
                self.dead.add(done[-1].seq)
        self.acked = max(seq, self.acked)
        if done:
            self._wait_s, self._progress_s = self._resend_after_s, now_s
        return done

    def evict(self) -> Held:
        """Give up the oldest message; it is lost, or open when it was published."""
        gone = self._pop()
        gone.gone = True
        self.readings -= gone.readings
        if gone.published:
            self.opened.append(gone)
        else:
            self.lost.add(gone.seq)
        return gone

    def refuse(self, held: Held) -> None:
        """The broker will never take this message: as lost."""
        held.gone = True
        place = self.held.index(held)
        del self.held[place]
        self.sent -= place < self.sent
        self.bytes -= held.size
        self.readings -= held.readings
        self.lost.add(held.seq)

    def rewind(self, seq: int = 0) -> None:
        """Publish again from `seq`, or from the oldest that is held."""
        self.sent = min(self.sent, next((at for at, held in enumerate(self.held) if held.seq >= seq), self.sent))

    def rewind_if_stalled(self, now_s: float) -> bool:
        """Begin anew when no ack has come for too long; waits twice as long the next time."""
        if self.sent == 0 or now_s - self._progress_s < self._wait_s:
            return False
        self.sent = 0
        self._progress_s = now_s
        self._wait_s = min(2 * self._wait_s, RESEND_MAX_S)
        return True

    def payload(self, held: Held) -> bytes:
        """A copy of what is acknowledged already must not tell a floor above its own seq."""
        if held.whole:
            return held.body
        floor = min(self.floor, held.seq)
        self._told_floor = max(self._told_floor, floor)
        return b'{"floor":%d,%b' % (floor, held.body)

    def _pop(self) -> Held:
        gone = self.held.popleft()
        self.bytes -= gone.size
        self.sent = max(0, self.sent - 1)
        return gone
