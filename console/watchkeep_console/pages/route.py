"""A page that a person may open, with what is shown when they may not, or when the database is away."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import psycopg
from fastapi import Request, Response
from nicegui import Client, ui
from psycopg_pool import PoolTimeout

from watchkeep_console.errors import ConsoleError
from watchkeep_console.pages.frame import frame, text
from watchkeep_console.pages.menu import entry
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.refusals import told
from watchkeep_core.logs import get_logger

log = get_logger(__name__)
PATIENCE_S = 20.0
"""A page is built when its rows are there; NiceGUI's 3 s are too short for a busy server."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What stands in the address of a page."""

    query: dict[str, str]
    path: dict[str, str]

    def __getitem__(self, name: str) -> str:
        """A part of the path."""
        return self.path[name]

    def number(self, name: str) -> int:
        """An id in the path; 0, which nothing has, for anything else."""
        given = self.path[name]
        return int(given) if given.isdecimal() and len(given) < 18 else 0

    def get(self, name: str) -> str | None:
        """A text of the query; empty ones are none. At most 200 characters."""
        return self.query.get(name, "").strip()[:200] or None

    def one_of(self, name: str, known: object) -> str | None:
        """As `get`, if it is one of those."""
        value = self.get(name)
        return value if value is not None and value in known else None  # type: ignore[operator]  # any container

    @property
    def before(self) -> int | None:
        """The id that a list goes on from; None for its beginning."""
        given = self.query.get("before", "")
        return int(given) if given.isdecimal() and len(given) < 18 else None

    @property
    def page(self) -> int:
        """From 1 on."""
        number = self.query.get("page", "1")
        return min(max(int(number), 1), 1_000_000) if number.isdecimal() and len(number) < 8 else 1


Build = Callable[[Tab, Asked], Awaitable[None]]
"""Reads, then draws its page inside `frame`."""


def route(tabs: Tabs, path: str, name: str, build: Build) -> None:
    """Register a page of the menu under this path; sub-pages share the entry's permission."""
    needed = entry(name)

    @ui.page(path, response_timeout=PATIENCE_S)
    async def page(request: Request, client: Client) -> Response | None:
        tab = await tabs.enter(request, client)
        if isinstance(tab, Response):
            return tab
        asked = Asked(dict(request.query_params), {key: str(value) for key, value in request.path_params.items()})
        if not needed.shown(tab.session.person):
            _say(tab, name, tab.t("kit.forbidden"), tab.t("kit.forbidden_hint"))
            return None
        try:
            await build(tab, asked)
        except ConsoleError as error:
            unknown = error.status == 404
            _say(tab, name, tab.t("app.not_found" if unknown else "kit.refused"), "" if unknown else told(tab.t, error))
        except (psycopg.OperationalError, PoolTimeout) as error:
            log.warning("page_not_read", page=path, error=type(error).__name__)
            _say(tab, name, tab.t("app.unavailable"), tab.t("kit.reload_hint"))
        return None


def _say(tab: Tab, name: str, headline: str, hint: str) -> None:
    with frame(tab, name, headline), ui.element("div").classes("wk-empty wk-page-empty"):
        text("strong", headline)
        if hint:
            text("span", hint)
        text("a", tab.t("app.back_home")).props('href="/"')
