"""What has just changed: one LISTEN per process, fanned out to whoever watches."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import msgspec
import psycopg

from watchkeep_core.logs import get_logger

log = get_logger(__name__)
CHANNEL = "watchkeep"
MAX_PENDING = 500
"""Changes one slow watcher may owe; beyond it only the fact that it must reload is kept."""

FIRST_PAUSE_S = 0.5

Table = Literal["warnings", "cases", "orders"]


class Change(msgspec.Struct, frozen=True):
    """A hint from the database; the row is the truth, and only those who may see it get it."""

    table: Table
    id: int
    community: str


class Watcher:
    """The changes one client has not seen yet. `missed` = some were dropped, or the line was cut: reload."""

    def __init__(self) -> None:
        self._changes: dict[Change, None] = {}
        self._event = asyncio.Event()
        self.missed = False

    def add(self, change: Change) -> None:
        if len(self._changes) >= MAX_PENDING:
            self.miss()
            return
        self._changes[change] = None
        self._event.set()

    def miss(self) -> None:
        self._changes.clear()
        self.missed = True
        self._event.set()

    async def take(self, timeout_s: float) -> tuple[list[Change], bool]:
        """Wait for changes, at most so long; returns them, and whether some were missed."""
        try:
            await asyncio.wait_for(self._event.wait(), timeout_s)
        except TimeoutError:
            return [], False
        return self.drain()

    def drain(self) -> tuple[list[Change], bool]:
        """What there is, without waiting."""
        changes, missed = list(self._changes), self.missed
        self._changes.clear()
        self.missed = False
        self._event.clear()
        return changes, missed


class Hub:
    """Listens to PostgreSQL and hands each change to every watcher."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._watchers: set[Watcher] = set()
        self._listening = False
        self._heard = 0

    @property
    def heard(self) -> int:
        """Changes so far; a cut line counts as one."""
        return self._heard

    @property
    def listening(self) -> bool:
        return self._listening

    @property
    def watchers(self) -> int:
        return len(self._watchers)

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[Watcher]:
        watcher = self.join()
        try:
            yield watcher
        finally:
            self.leave(watcher)

    def join(self) -> Watcher:
        """For pages, whose life is not a block; `leave` must follow."""
        watcher = Watcher()
        self._watchers.add(watcher)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)

    async def run(self) -> None:
        """Listen until cancelled; a lost connection is tried again with a growing, jittered pause."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                if self._listening:
                    pause_s = FIRST_PAUSE_S
                    log.warning("listener_lost", reason=type(error).__name__)
            self._listening = False
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311  # jitter, not a secret
            pause_s = min(30.0, pause_s * 2)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, application_name="watchkeep-console-listen", connect_timeout=5
        ) as conn:
            await conn.execute(f"LISTEN {CHANNEL}")
            self._listening = True
            self._heard += 1
            for watcher in self._watchers:
                watcher.miss()  # what happened while nobody listened
            async for notice in conn.notifies():
                self._spread(notice.payload)

    def _spread(self, payload: str) -> None:
        try:
            change = msgspec.json.decode(payload, type=Change)
        except msgspec.MsgspecError:
            return  # another table's, or a newer version's
        self._heard += 1
        for watcher in self._watchers:
            watcher.add(change)
