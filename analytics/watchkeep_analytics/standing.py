"""Which series have a warning now, or people at work on them: what they show then teaches nobody what is normal."""

from collections.abc import Sequence

import msgspec
import numpy as np

from watchkeep_analytics.batch import NEVER, SECOND
from watchkeep_analytics.registry import Equipment, Registry
from watchkeep_analytics.signals import Signal

FOR_EVER = -NEVER

FREEZES_ITSELF = ("baseline",)
"""At the very sample, which is sooner than it could be told."""

VERSION = "2"

Span = tuple[int, int]
"""From, until; µs since 1970 UTC."""


class _Held(msgspec.Struct):
    """Of one series."""

    open: set[str] = set()
    """Openings without an end."""
    warned: Span = (NEVER, NEVER)
    """The latest time that a warning stood."""
    worked: Span = (NEVER, NEVER)
    """The latest time of a mode for service or tests, or of planned work."""

    def span(self) -> Span:
        """The later of the two, with the other where they meet."""
        first, last = sorted((self.warned, self.worked), key=lambda span: span[1])
        return (min(first[0], last[0]), last[1]) if first[1] >= last[0] else last


class Standing:
    """By series id; kept in event time, so that it does not matter where a batch ends."""

    def __init__(self) -> None:
        self._held: dict[int, _Held] = {}

    def note(self, signals: Sequence[Signal], registry: Registry) -> None:
        """Begin and end the time in which nothing is learnt of the series that these signals are about."""
        for signal in signals:
            if signal.series is None or signal.tier == "notice" or signal.detector in FREEZES_ITSELF:
                continue
            held = self._held.get(signal.series, _Held())
            key = f"{signal.detector}/{signal.source}/{signal.condition}"
            if signal.active:
                if not held.open:
                    held.warned = (signal.event_us, FOR_EVER)
                held.open.add(key)
            elif key in held.open:
                held.open.discard(key)
                if not held.open:
                    held.warned = (held.warned[0], signal.event_us)
            else:
                continue
            self._put(signal.series, held, registry)

    def work(self, equipment: Equipment, span: Span, registry: Registry) -> None:
        """People work on this equipment; FOR_EVER as its end while it is not known."""
        for series in registry["series"][list(equipment.points.values())].tolist():
            held = self._held.get(series, _Held())
            if held.worked != span:
                held.worked = span
                self._put(series, held, registry)

    def save(self, now_us: int) -> bytes:
        """What is over for a day is forgotten: no reading of that time is to come."""
        over = now_us - 86_400 * SECOND
        self._held = {s: held for s, held in self._held.items() if held.open or held.span()[1] > over}
        return msgspec.msgpack.encode(self._held)

    def load(self, data: bytes, registry: Registry) -> None:
        """As it was."""
        self._held = msgspec.msgpack.decode(data, type=dict[int, _Held])
        for series, held in self._held.items():
            self._put(series, held, registry)

    def _put(self, series: int, held: _Held, registry: Registry) -> None:
        self._held[series] = held
        row = registry.row_of(series)
        if row >= 0:  # a point may be gone from the register
            registry.hold(np.array([row]), *held.span())
