"""Which series have a warning now: what they show then teaches nobody what is normal."""

from collections.abc import Sequence

import msgspec
import numpy as np

from watchkeep_analytics.batch import NEVER
from watchkeep_analytics.registry import Registry
from watchkeep_analytics.signals import Signal

FOR_EVER = -NEVER

FREEZES_ITSELF = ("baseline",)
"""At the very sample, which is sooner than it could be told."""


class Standing:
    """Openings without an end, by series id; kept in event time, so that it does not matter where a batch ends."""

    def __init__(self) -> None:
        self._open: dict[int, set[str]] = {}
        self._began: dict[int, int] = {}

    def note(self, signals: Sequence[Signal], registry: Registry) -> None:
        """Begin and end the time in which nothing is learnt of the series that these signals are about."""
        for signal in signals:
            if signal.series is None or signal.tier == "notice" or signal.detector in FREEZES_ITSELF:
                continue
            row = np.array([registry.row_of(signal.series)])
            names = self._open.setdefault(signal.series, set())
            key = f"{signal.detector}/{signal.source}/{signal.condition}"
            if signal.active:
                if not names:
                    self._began[signal.series] = signal.event_us
                    registry.hold(row, signal.event_us, FOR_EVER)
                names.add(key)
            elif key in names:
                names.discard(key)
                if not names:
                    registry.hold(row, self._began.pop(signal.series, NEVER), signal.event_us)
            if not names:
                del self._open[signal.series]

    def save(self) -> bytes:
        return msgspec.msgpack.encode({series: sorted(names) for series, names in self._open.items()})

    def load(self, data: bytes, registry: Registry) -> None:
        """From their last reading on: when they began is no longer of interest."""
        self._open = msgspec.msgpack.decode(data, type=dict[int, set[str]])
        rows = registry.find(np.array(list(self._open), np.int64))
        rows = rows[rows >= 0]
        if len(rows):
            registry.hold(rows, NEVER, FOR_EVER)
