"""What a bad line does to messages on their way: some come twice, some overtake others."""

from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")

LONGEST_WAIT_S = 0.5
"""A message waits no longer for others to be shuffled with."""


class Disorder(Generic[T]):
    """Takes messages in order, gives them back in another."""

    def __init__(self, rng: Random, duplicate: float, shuffle: int) -> None:
        self.duplicates = 0
        self._rng = rng
        self._duplicate = duplicate
        self._shuffle = shuffle
        self._waiting: list[T] = []
        self._since_s = 0.0

    def pass_on(self, message: T, now_s: float) -> list[T]:
        """What may be published now; `now_s` is monotonic."""
        copies = [message]
        if self._duplicate and self._rng.random() < self._duplicate:
            self.duplicates += 1
            copies.append(message)
        if not self._shuffle:
            return copies
        if not self._waiting:
            self._since_s = now_s
        self._waiting += copies
        return self.due(now_s)

    def due(self, now_s: float) -> list[T]:
        """Those that have waited long enough, or are enough."""
        if not self._waiting or (len(self._waiting) < self._shuffle and now_s - self._since_s < LONGEST_WAIT_S):
            return []
        due, self._waiting = self._waiting, []
        self._rng.shuffle(due)
        return due
