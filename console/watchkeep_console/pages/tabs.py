"""Open tabs: who sits there, whether the session still lives, what has changed since it was drawn."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

import psycopg
from fastapi import Request, Response
from nicegui import Client, ui
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
DRAIN_EVERY_S = 2.0
"""How often a tab looks into its own queue; the database is asked only when something is in it."""


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
        try:
            self.session = await _threaded(lambda: self.house.identity.session_by_hash(self.session.token_hash))
            return await _threaded(lambda: function(self.session))
        except NotLoggedIn:
            self.leave()
        except ConsoleError as error:
            self.complain(told(self.t, error))
        except (psycopg.OperationalError, PoolTimeout):
            self.complain(self.t("app.unavailable"))
        return None

    def complain(self, reason: str) -> None:
        ui.notify(self.t("app.retry_failed", reason=reason), type="negative", position="top", multi_line=True)

    def leave(self) -> None:
        ui.navigate.to(f"/login?next={self.path}")

    def concerns(self, community: str) -> bool:
        """Whether a change there may be worth a look; those who see by contract look at every change."""
        mine = self.session.person.communities
        return not mine or community in mine


class Tabs:
    """All tabs of this process."""

    def __init__(self, house: Services) -> None:
        self.house = house
        self._open: set[Tab] = set()
        self._task: asyncio.Task[None] | None = None

    async def enter(self, request: Request, client: Client) -> Tab | Response:
        """The tab of a page about to be built, or the way to the login."""
        try:
            session = await _threaded(lambda: self.house.identity.session(request.cookies.get(COOKIE)))
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

    def follow(self, tab: Tab, refresh: Callable[[], object]) -> None:
        """Call `refresh` when something changes that may concern the tab, at most every 2 s."""
        watcher: Watcher = self.house.hub.join()
        tab.client.on_delete(lambda: self.house.hub.leave(watcher))

        async def drain() -> None:
            changes, missed = watcher.drain()
            if missed or any(tab.concerns(change.community) for change in changes):
                answer = refresh()
                if asyncio.iscoroutine(answer):
                    await answer

        ui.timer(DRAIN_EVERY_S, drain, immediate=False)

    def start(self) -> None:
        self._task = asyncio.create_task(self._check(), name="tabs")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

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
                    with tab.client:
                        tab.leave()


async def _threaded(function: Callable[[], R]) -> R:
    """In a worker thread; the event loop must never wait for the database."""
    return await asyncio.to_thread(function)
