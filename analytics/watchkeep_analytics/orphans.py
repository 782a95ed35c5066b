"""Warnings whose detector has lost its state (an upgrade, a lost save): nobody would ever say that they are over.

Such a warning stays while its detector says so again; when the detector is ready, has seen the point for an hour and
has said nothing, it is over.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from watchkeep_analytics.batch import NEVER, SECOND
from watchkeep_analytics.signals import Signal

PATIENCE_US = 3600 * SECOND
"""In event time: longer than the on delay of any shipped rule but those of pumps that run on."""

Key = tuple[object, ...]


def key_of(signal: Signal) -> Key:
    return (*signal.key, signal.detector, signal.source, signal.series)


class Orphans:
    """Openings of one partition that nobody remembers."""

    def __init__(self, openings: Iterable[Signal] = ()) -> None:
        self._openings = {key_of(signal): signal for signal in openings}
        self._since_us: dict[Key, int] = {}

    def __len__(self) -> int:
        return len(self._openings)

    def see(self, signals: Sequence[Signal]) -> None:
        """What the detectors say now: an opening that is repeated, or ended, is remembered again."""
        for signal in signals if self._openings else ():
            self._openings.pop(key_of(signal), None)

    def over(self, judged_us: Callable[[Signal], int]) -> list[Signal]:
        """Ends of those that can be told to be over; `judged_us`: how far its point was judged, NEVER = not ready."""
        found = []
        for key, opening in list(self._openings.items()):
            now_us = judged_us(opening)
            if now_us == NEVER:
                continue
            since_us = self._since_us.setdefault(key, now_us)
            if now_us - since_us >= PATIENCE_US:
                del self._openings[key]
                evidence = {**opening.evidence, "forgotten": "the detector lost its state and has not said so again"}
                found.append(replace(opening, active=False, event_us=now_us, evidence=evidence))
        return found
