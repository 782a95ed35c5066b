"""Open tabs: who sits there, whether the session still lives, what has changed since it was drawn."""

import asyncio
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

import psycopg
from fastapi import Request, Response
from nicegui import Client, background_tasks, ui
from psycopg import Connection
from psycopg_pool import PoolTimeout

from watchkeep_console import plain
from watchkeep_console.api.access import COOKIE
from watchkeep_console.api.login import to_login
from watchkeep_console.errors import ConsoleError, NotLoggedIn
from watchkeep_console.identity import Session
from watchkeep_console.live import Watcher
from watchkeep_console.refusals import told
from watchkeep_console.services import Services
from watchkeep_console.texts import Words
from watchkeep_core.logs import get_logger

log = get_logger(__name__)
P = ParamSpec("P")
R = TypeVar("R")
CHECK_EVERY_S = 30.0
"""One query for all tabs; a revoked session is out within this time."""
BEAT_S = 2.0
"""How often tabs look into their queues; the database is asked only when something is in one."""

Kind = Literal["positive", "negative", "info"]
Refresh = Callable[[], object]
"""Plain or a coroutine."""


@dataclass(eq=False, slots=True)
class Tab:
    """One open page of one session."""

    house: Services
    session: Session
    csrf: str
    t: Words
    theme: str
    path: str
    client: Client

    async def read(self, function: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call with a connection under the person's identity, in a worker thread."""

        def work() -> R:
            with self.house.identity.acting(self.session) as conn:
                return function(conn, *args, **kwargs)

        return await _threaded(work)

    async def act(self, function: Callable[[Session], R]) -> R | None:
        """A person has pressed something: session and roles are read anew, refusals are shown. None = refused."""

        def work() -> R:
            self.session = self.house.identity.session_by_hash(self.session.token_hash)
            return function(self.session)

        try:
            return await _threaded(work)
        except NotLoggedIn:
            self.leave()
        except ConsoleError as error:
            self.complain(told(self.t, error))
        except (psycopg.OperationalError, PoolTimeout):
            self.complain(self.t("app.unavailable"))
        return None

    def say(self, words: str, kind: Kind = "positive") -> None:
        """For a moment, on top of the page; whoever pressed something may have been drawn anew meanwhile."""
        with self.client:
            ui.notify(words, type=kind, position="top", multi_line=kind == "negative")

    def complain(self, reason: str) -> None:
        self.say(self.t("app.retry_failed", reason=reason), "negative")

    def leave(self) -> None:
        with self.client:
            ui.navigate.to(f"/login?next={self.path}")

    def concerns(self, community: str) -> bool:
        """Whether a change there may be worth a look; those who see by contract look at every change."""
        mine = self.session.person.communities
        return not mine or community in mine


@dataclass(eq=False, slots=True)
class _Follower:
    """A page that is drawn anew when something changes."""

    tab: Tab
    watcher: Watcher
    refresh: Refresh
    every_s: float
    running: asyncio.Task[Any] | None = None

    def due(self, passed_s: float) -> bool:
        """Not before the browser is there, nor while the last time still runs; what has changed meanwhile waits."""
        if not self.tab.client.has_socket_connection or (self.running is not None and not self.running.done()):
            return False
        changes, missed = self.watcher.drain()
        return (
            missed or passed_s % self.every_s < BEAT_S or any(self.tab.concerns(change.community) for change in changes)
        )

    async def run(self) -> None:
        with self.tab.client:
            answer = self.refresh()
            if asyncio.iscoroutine(answer):
                await answer


class Tabs:
    """All tabs of this process."""

    def __init__(self, house: Services) -> None:
        self.house = house
        self._open: set[Tab] = set()
        self._followers: set[_Follower] = set()
        self._tasks: list[asyncio.Task[None]] = []

    async def enter(self, request: Request, client: Client) -> Tab | Response:
        """The tab of a page about to be built, or the way to the login."""
        token = request.cookies.get(COOKIE)
        identity = self.house.identity
        try:
            session = identity.lately(token)
            if session is None:
                session = await _threaded(lambda: identity.session(token))
        except NotLoggedIn:
            return to_login(request.url.path)
        tab = Tab(
            house=self.house,
            session=session,
            csrf=session.csrf_token or "",
            t=plain.language(request, session.person.language),
            theme=plain.theme(request),
            path=request.url.path,
            client=client,
        )
        self._open.add(tab)
        client.on_delete(lambda: self._open.discard(tab))
        return tab

    def follow(self, tab: Tab, refresh: Refresh, every_s: float = math.inf) -> None:
        """Call `refresh` when something changes that may concern the tab, at most every 2 s, and every `every_s`."""
        follower = _Follower(tab, self.house.hub.join(), refresh, every_s)
        self._followers.add(follower)

        def leave() -> None:
            self._followers.discard(follower)
            self.house.hub.leave(follower.watcher)

        tab.client.on_delete(leave)

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._check(), name="tabs"),
            asyncio.create_task(self._beat(), name="beat"),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _beat(self) -> None:
        """All pages at the same time, so that those of one scope share what is read."""
        for beat in itertools.count():
            await asyncio.sleep(BEAT_S)
            for follower in list(self._followers):
                if follower.due(beat * BEAT_S):
                    follower.running = background_tasks.create(follower.run(), name="refresh")

    async def _check(self) -> None:
        """Send away the tabs of sessions that have ended."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            tabs = list(self._open)
            if not tabs:
                continue
            try:
                hashes = {tab.session.token_hash for tab in tabs}
                live = await _threaded(lambda: self.house.identity.still_live(hashes))  # noqa: B023  # awaited at once
            except (psycopg.OperationalError, PoolTimeout):
                log.warning("sessions_not_checked")
                continue
            for tab in tabs:
                if tab.session.token_hash not in live:
                    self._open.discard(tab)
                    tab.leave()


async def _threaded(function: Callable[[], R]) -> R:
    """In a worker thread; the event loop must never wait for the database."""
    return await asyncio.to_thread(function)
