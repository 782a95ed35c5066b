"""Who has just been looked up: people who only look are not looked up again at each request."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
KEPT_S = 5.0
"""How long after its revocation by another process a session may still look, and nothing else, at most."""
AT_MOST = 10_000
"""Sessions and tokens; the one that was looked up first goes first."""


@dataclass(frozen=True, slots=True)
class Look:
    """Taken before the database is asked: what it finds is not kept when something has ended meanwhile."""

    at: float
    era: int


class Remembered(Generic[T]):
    """By the hash of a session or token; used by all threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._known: OrderedDict[bytes, tuple[float, T]] = OrderedDict()
        self._era = 0

    def look(self) -> Look:
        return Look(self._clock(), self._era)

    def keep(self, key: bytes, look: Look, found: T) -> None:
        with self._guard:
            if look.era != self._era:
                return
            self._known.pop(key, None)
            self._known[key] = (look.at, found)
            if len(self._known) > AT_MOST:
                self._known.popitem(last=False)

    def find(self, key: bytes) -> T | None:
        """None = ask the database."""
        kept = self._known.get(key)
        return kept[1] if kept is not None and self._clock() - kept[0] < KEPT_S else None

    def forget(self) -> None:
        """Somebody's session, token, account or role has ended in this process: all are looked up anew."""
        with self._guard:
            self._era += 1
            self._known.clear()
