"""What of one lane is on its way: pure bookkeeping, every moment an argument (monotonic seconds)."""

from dataclasses import dataclass, field

WINDOW = 200
"""Messages published beyond the last ack: what the broker must hold for us while the database is away."""

RESEND_MAX_S = 3600.0
"""While the database is away everything in the window is published again ever less often, at last once an hour."""


@dataclass(slots=True)
class LaneWindow:
    """Messages up to `acked` are in the database; those up to `cursor - 1` were published."""

    resend_after_s: float
    """First wait without progress before everything unacknowledged is published again."""
    acked: int = -1
    cursor: int = 0
    _wait_s: float = field(default=0.0, init=False)
    _progress_s: float = field(default=0.0, init=False)

    def restart(self, floor: int, now_s: float) -> None:
        """A new connection or epoch: everything that is still held counts as unsent."""
        self.acked, self.cursor = floor - 1, floor
        self._wait_s, self._progress_s = self.resend_after_s, now_s

    def room(self) -> int:
        """How many more may be published now."""
        return max(0, WINDOW - (self.cursor - self.acked - 1))

    def take_floor(self, floor: int) -> None:
        """Below the floor nothing is left to send: acknowledged or lost."""
        self.acked = max(self.acked, floor - 1)
        self.cursor = max(self.cursor, floor)

    def take_ack(self, seq: int, now_s: float) -> None:
        if seq > self.acked:
            self.acked = seq
            self.cursor = max(self.cursor, seq + 1)
            self._wait_s, self._progress_s = self.resend_after_s, now_s

    def sent(self, seq: int, now_s: float) -> None:
        if self.cursor == self.acked + 1:  # nothing was under way: the wait for an ack begins now
            self._progress_s = now_s
        self.cursor = seq + 1

    def rewind(self, seq: int | None = None) -> None:
        """Publish again from `seq`, by default from the first that is not acknowledged."""
        self.cursor = min(self.cursor, self.acked + 1 if seq is None else seq)

    def rewind_if_stalled(self, now_s: float) -> bool:
        """Begin anew when no ack has come for too long; waits twice as long the next time."""
        if self.cursor == self.acked + 1 or now_s - self._progress_s < self._wait_s:
            return False
        self.rewind()
        self._progress_s = now_s
        self._wait_s = min(2 * self._wait_s, RESEND_MAX_S)
        return True


@dataclass(slots=True)
class Pace:
    """At most `per_s` messages a second, with a burst of as many."""

    per_s: float
    _tokens: float = field(default=0.0, init=False)
    _at_s: float | None = field(default=None, init=False)

    def allowance(self, now_s: float) -> int:
        """How many may be sent now."""
        if self._at_s is None:
            self._tokens = max(1.0, self.per_s)
        else:
            self._tokens = min(max(1.0, self.per_s), self._tokens + (now_s - self._at_s) * self.per_s)
        self._at_s = now_s
        return int(self._tokens)

    def spend(self, messages: int) -> None:
        self._tokens -= messages
