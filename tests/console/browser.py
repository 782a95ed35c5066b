"""Debian's Chromium for the tests of pages: one browser for all, a context per person, a close look at each page."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from tests.console import world as w
from watchkeep_console.api.access import COOKIE
from watchkeep_console.plain import LANGUAGE_COOKIE, THEME_COOKIE
from watchkeep_console.services import Services

if TYPE_CHECKING:
    from tests.console.conftest import Site

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--autoplay-policy=user-gesture-required",
)  # fmt: skip
SHOTS = Path(os.environ.get("WATCHKEEP_SCREENSHOTS", ".watchkeep/screenshots"))
"""Git ignores it; somebody should look into it."""
MARKS = [
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM} (apt install chromium)"),
]
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1400, "height": 900}
WALL: ViewportSize = {"width": 3840, "height": 2160}
LOOK_S = 30.0
_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
Open = Callable[..., Page]


@pytest.fixture(scope="module")  # no longer: while it lives this thread has a running event loop, which others want
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=30_000)  # the machine may be busy
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        found.close()


@pytest.fixture(scope="module")
def _used(browser: Browser) -> list[BrowserContext]:
    """Contexts that have the scripts already: 4 MB, which a page waits longest for. Empty of what was kept in them."""
    return []


@pytest.fixture
def open_as(browser: Browser, site: "Site", _services: Services, _used: list[BrowserContext]) -> Iterator[Open]:
    """`open_as("duty", "/")` = that person's page; afterwards: nothing foreign was asked for, nothing went wrong.

    With options other than `viewport`, and for the technician's app, which keeps things itself, in a new context.
    """
    contexts: list[BrowserContext] = []
    reusable: list[BrowserContext] = []
    complaints: list[str] = []
    expected = ("422", "409", "ERR_INTERNET_DISCONNECTED", "Failed to fetch")

    def go(
        who: str,
        path: str,
        *,
        language: str = "zh",
        theme: str = "light",
        viewport: ViewportSize = DESK,
        **options: Any,
    ) -> Page:
        plain = not options and not path.startswith("/m")
        made = {"base_url": site.url, "reduced_motion": "reduce", "viewport": viewport} | options
        context = _used.pop() if plain and _used else browser.new_context(**made)
        (reusable if plain else contexts).append(context)
        opened = _services.identity.log_in(who, w.PASSWORD)  # not by the form, which lets ten a minute through
        assert opened is not None
        values = {COOKIE: opened.token, LANGUAGE_COOKIE: language, THEME_COOKIE: theme}
        context.add_cookies([{"name": name, "value": value, "url": site.url} for name, value in values.items()])
        page = context.new_page()
        page.set_viewport_size(viewport)
        watch(page, site, complaints, expected)
        page.goto(path)
        return page

    yield go
    found = list(complaints)  # what a page says while it is being closed concerns nobody
    for context in reusable:
        context.set_offline(False)
        if not all(page.url.startswith(site.url) for page in context.pages):  # an error page, which has no storage
            contexts.append(context)
            continue
        for page in context.pages:
            page.evaluate("localStorage.clear(); sessionStorage.clear()")
            page.close()
        context.clear_cookies()
        _used.append(context)
    for context in contexts:
        context.close()
    assert found == [], found


def watch(page: Page, site: "Site", complaints: list[str], expected: tuple[str, ...]) -> None:
    own = (site.url, site.url.replace("http", "ws"), "data:", "blob:")
    page.on("request", lambda r: None if r.url.startswith(own) else complaints.append(f"foreign {r.url}"))
    page.on("pageerror", lambda e: complaints.append(str(e)))
    page.on(
        "console",
        lambda m: complaints.append(m.text) if m.type == "error" and not any(e in m.text for e in expected) else None,
    )


def live(page: Page) -> None:
    """Wait until the page has its WebSocket: before that, buttons do nothing."""
    page.wait_for_function("window.socket && window.socket.connected", timeout=30_000)


def look(page: Page, name: str) -> None:
    """Keep a picture; nothing sticks out at the side, nothing that axe calls serious.

    Axe takes most of a second, and a list may be drawn anew meanwhile: what is really wrong is so at the end too.
    """
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=page.viewport_size != WALL, animations="disabled")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0, name
    deadline = time.monotonic() + LOOK_S
    while bad := _serious(page):
        assert time.monotonic() < deadline, f"{name}: {bad}"
        page.wait_for_timeout(200)


def _serious(page: Page) -> list[tuple[str, str, str]]:
    """Rule, element and reason of what axe finds."""
    return [
        (item["id"], node["html"][:200], node["failureSummary"][:300])
        for item in Axe().run(page, options=_RULES).response["violations"]
        if item["impact"] in ("serious", "critical")
        for node in item["nodes"][:3]
    ]
