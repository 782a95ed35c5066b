"""What the centre asks of a transmission device: to set its clock, and who is on duty 查岗. Pure; monotonic s.

These two are the protocol's own supervision. Nothing here, or anywhere, controls or configures a device.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Asked = Literal["clock", "duty"]

COMMAND_TIMEOUT_S = 10.0
TRIES = 3
"""6.5: a command is repeated after at most 10 s, three times."""

DUTY_GRACE_S = 120.0
"""Beyond the time to answer, as the device counts in whole minutes. Practice: 10 min to answer, 12 in all."""

AFTER_CONNECT_S = 60.0
"""A duty check that a lost link made void is asked again this long after the device is back."""

CLOCK_OFF_S = 30.0
CLOCK_AGAIN_S = 600.0
"""A clock that is off by more is set at once, but not again before this."""


@dataclass(slots=True)
class _Command:
    asked: Asked
    tries: int = 0
    next_s: float = 0.0


@dataclass(slots=True)
class Supervision:
    """Of one device."""

    duty_every_s: float
    """0 = never."""
    answer_s: float
    clock_every_s: float
    """0 = never."""
    _rng: random.Random = field(default_factory=random.SystemRandom)
    _duty_due_s: float | None = None
    _deadline_s: float | None = None
    _clock_set_s: float | None = None
    _commands: dict[int, _Command] = field(default_factory=dict)

    @property
    def asking(self) -> bool:
        """A duty check is under way."""
        return self._deadline_s is not None

    def started(self, now_s: float) -> None:
        """The first check comes within one interval, at a moment that nobody can foretell."""
        if self.duty_every_s:
            self._duty_due_s = now_s + self._rng.uniform(0, self.duty_every_s)

    def connected(self, now_s: float, serial: int, clocks: bool = True) -> Asked | None:
        """The device is there (again); what to send it with `serial`. `clocks`: do we know the time?"""
        if self._duty_due_s is not None and self._duty_due_s < now_s + AFTER_CONNECT_S:
            self._duty_due_s = now_s + AFTER_CONNECT_S
        return self._sync(now_s, serial) if clocks else None

    def lost(self) -> None:
        """Nobody can answer over a link that is down."""
        self._commands.clear()
        if self._deadline_s is not None:
            self._deadline_s = None
            self._duty_due_s = 0.0

    def clock_seen(self, offset_s: float, now_s: float, serial: int) -> Asked | None:
        """Whether to set the clock."""
        if abs(offset_s) <= CLOCK_OFF_S or not self.clock_every_s:
            return None
        if self._clock_set_s is not None and now_s < self._clock_set_s + CLOCK_AGAIN_S:
            return None
        return self._sync(now_s, serial)

    def due(self, now_s: float, serial: int, clocks: bool = True) -> Asked | None:
        """What is to be asked now, with `serial`."""
        if self._deadline_s is None and self._duty_due_s is not None and now_s >= self._duty_due_s:
            self._deadline_s = now_s + self.answer_s + DUTY_GRACE_S
            self._duty_due_s = now_s + self._rng.uniform(0.5, 1.5) * self.duty_every_s
            self._commands[serial] = _Command("duty", 1, now_s + COMMAND_TIMEOUT_S)
            return "duty"
        if clocks and (self._clock_set_s is None or now_s >= self._clock_set_s + self.clock_every_s):
            return self._sync(now_s, serial)
        return None

    def repeats(self, now_s: float) -> Iterator[tuple[int, Asked]]:
        """Commands, by serial, that nobody confirmed in time; after the last try they are dropped."""
        for serial, command in list(self._commands.items()):
            if now_s >= command.next_s:
                command.tries += 1
                command.next_s = now_s + COMMAND_TIMEOUT_S
                if command.tries > TRIES:
                    del self._commands[serial]
                else:
                    yield serial, command.asked

    def confirmed(self, serial: int) -> None:
        self._commands.pop(serial, None)

    def refused(self, serial: int, now_s: float) -> None:
        """Ask again at once; a refusal is a try."""
        if serial in self._commands:
            self._commands[serial].next_s = now_s

    def answered(self) -> bool:
        """Somebody pressed the button; true when they had been asked."""
        asked, self._deadline_s = self._deadline_s is not None, None
        return asked

    def unanswered(self, now_s: float) -> bool:
        """True once, when the time to answer has gone by."""
        if self._deadline_s is None or now_s < self._deadline_s:
            return False
        self._deadline_s = None
        return True

    def _sync(self, now_s: float, serial: int) -> Asked | None:
        if not self.clock_every_s:
            return None
        self._clock_set_s = now_s
        self._commands[serial] = _Command("clock", 1, now_s + COMMAND_TIMEOUT_S)
        return "clock"
