"""Answers that everybody of one scope shares for a second: fifty boards ask the database as often as one does."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from psycopg import Connection

T = TypeVar("T")
KEPT_S = 1.0
AT_MOST = 200
"""Answers kept; the one asked for longest ago goes first."""
_SCOPE = (
    "SELECT sha256(convert_to(concat_ws(' ', my_communities()::text, my_organisations()::text, my_roles(NULL)::text),"
    " 'UTF8'))"
)
"""What row-level security decides by, read under it: whoever has lost a role has another scope at once."""


class _Answer:
    """Made by one while the others of its scope wait."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.value: Any = None
        self.made: tuple[float, int] | None = None


class Shared:
    """`changes` counts the changes that the listener has heard of: each one ends what was kept before it."""

    def __init__(self, changes: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._changes = changes
        self._clock = clock
        self._guard = threading.Lock()
        self._answers: OrderedDict[Hashable, _Answer] = OrderedDict()

    def get(self, conn: Connection, what: Hashable, make: Callable[[], T], *, fresh: bool = False) -> T:
        """What `make` answers for the scope of this connection's person; `fresh` for who has just changed something.

        `what` names everything the answer depends on besides; nobody may change an answer.
        """
        row = conn.execute(_SCOPE).fetchone()
        answer = self._answer((bytes(row[0]) if row else b"", what))
        with answer.lock:
            now, changes = self._clock(), self._changes()
            if fresh or answer.made is None or answer.made[1] != changes or now - answer.made[0] >= KEPT_S:
                answer.value = make()
                answer.made = (now, changes)
            value: T = answer.value
            return value

    def _answer(self, key: Hashable) -> _Answer:
        with self._guard:
            found = self._answers.setdefault(key, _Answer())
            self._answers.move_to_end(key)
            if len(self._answers) > AT_MOST:
                self._answers.popitem(last=False)
            return found
