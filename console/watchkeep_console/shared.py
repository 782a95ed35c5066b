"""Answers that everybody of one scope shares for a second: fifty boards ask the database as often as one does."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

from psycopg import Connection

T = TypeVar("T")
KEPT_S = 1.0
SCOPE_S = 30.0
"""How long a person whose role another process has ended still shares what those of the scope see, at most."""
AT_MOST = 200
"""Answers kept, the oldest go first; and ten times as many scopes, beyond which all are read anew."""
_SCOPE = (
    "SELECT sha256(convert_to(concat_ws(' ', my_communities()::text, my_organisations()::text, my_roles(NULL)::text),"
    " 'UTF8'))"
)
"""What row-level security decides by, read under it in the transaction in which the answer is made."""

Key = tuple[bytes, Hashable]
"""Scope, and what is asked."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """`number` counts the answers begun, `changes` what had been heard of by then."""

    value: Any
    number: int
    changes: int
    at: float


class Shared:
    """`changes` counts the changes that the listener has heard of: each one ends what was kept before it.

    For one event loop, in which whoever comes while an answer is made awaits that one: nobody waits in a thread.
    """

    def __init__(
        self,
        acting: Callable[[str], AbstractContextManager[Connection]],
        changes: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._acting = acting
        self._changes = changes
        self._clock = clock
        self._begun = 0
        self._answers: OrderedDict[Key, _Answer] = OrderedDict()
        self._scopes: dict[str, tuple[float, bytes]] = {}
        self._running: dict[Hashable, asyncio.Task[None]] = {}

    @property
    def begun(self) -> int:
        """Answers begun so far."""
        return self._begun

    async def get(self, person_id: str, what: Hashable, make: Callable[[Connection], T], *, after: int = 0) -> T:
        """What `make` answers, in a thread, for the person's scope; `after` = `begun` as it was after an own act.

        `what` names everything the answer depends on besides; nobody may change an answer.
        """
        asked, changes = self._begun, self._changes()
        while True:
            read_at, scope = self._scopes.get(person_id, (-SCOPE_S, b""))
            if self._clock() - read_at >= SCOPE_S:
                await self._once(person_id, self._look(person_id))
                continue
            found = self._answers.get((scope, what))
            if found is not None and found.number > after and (found.number > asked or self._holds(found, changes)):
                value: T = found.value
                return value
            await self._once((scope, what), self._make(person_id, what, make))

    def forget(self) -> None:
        """Somebody's role has changed in this process, whichever thread: all scopes are read anew."""
        self._scopes = {}

    def _holds(self, answer: _Answer, changes: int) -> bool:
        return answer.changes >= changes and self._clock() - answer.at < KEPT_S

    async def _once(self, key: Hashable, work: Coroutine[Any, Any, None]) -> None:
        """Await what is running already, else start it; it goes on when who asked first has left."""
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(work)
            task.add_done_callback(lambda _: self._running.pop(key))
        else:
            work.close()
        await asyncio.shield(task)

    async def _look(self, person_id: str) -> None:
        def read() -> bytes:
            with self._acting(person_id) as conn:
                return _scope(conn)

        scopes, at = self._scopes, self._clock()
        self._keep_scope(scopes, person_id, at, await asyncio.to_thread(read))

    async def _make(self, person_id: str, what: Hashable, make: Callable[[Connection], Any]) -> None:
        def read() -> tuple[bytes, Any]:
            with self._acting(person_id) as conn:
                return _scope(conn), make(conn)

        self._begun += 1
        number, changes, at, scopes = self._begun, self._changes(), self._clock(), self._scopes
        scope, value = await asyncio.to_thread(read)
        self._keep_scope(scopes, person_id, at, scope)
        self._answers[scope, what] = _Answer(value, number, changes, at)
        self._answers.move_to_end((scope, what))
        if len(self._answers) > AT_MOST:
            self._answers.popitem(last=False)

    def _keep_scope(self, scopes: dict[str, tuple[float, bytes]], person_id: str, at: float, scope: bytes) -> None:
        """`scopes` as they were before it was read: when they have been forgotten meanwhile, it is forgotten too."""
        if len(scopes) >= 10 * AT_MOST:
            scopes.clear()
        scopes[person_id] = (at, scope)


def _scope(conn: Connection) -> bytes:
    row = conn.execute(_SCOPE).fetchone()
    return bytes(row[0]) if row else b""
