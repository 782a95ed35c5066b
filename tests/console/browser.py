"""Debian's Chromium for the tests of pages: one browser for all, a context per person, a close look at each page.

Whatever is asked of a page is asked again until it is so, for `PATIENCE_S`: a page may be slow, drawn anew, or loaded
once more by NiceGUI at any moment. What a person has to see is asserted; what a browser does on the way is not.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Error, Page, ViewportSize, expect, sync_playwright

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
SHOTS = os.environ.get("WATCHKEEP_SCREENSHOTS")
"""A folder for pictures of the pages, for somebody who wants to look at them; none are taken otherwise."""
PATIENCE_S = 60.0
"""Each wait by itself; the machine may be busy."""
MARKS = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # a test of fifteen pages, each with some waits of its own
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM} (apt install chromium)"),
]
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1400, "height": 900}
WALL: ViewportSize = {"width": 3840, "height": 2160}
NOISE = (
    "422", "409",  # refusals, which the page shows
    "ERR_INTERNET_DISCONNECTED", "Failed to fetch",  # a network that the test has cut
    "ERR_NETWORK_CHANGED",  # the machine's, under a test beside this one
    "WebSocket is closed before the connection is established",  # left, or tried anew by polling
    "ResizeObserver loop",  # delivered with the next frame
)  # fmt: skip
"""Of a browser's messages: what is no error of the page."""
_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
Open = Callable[..., Page]


@pytest.fixture(scope="module")  # no longer: while it lives this thread has a running event loop, which others want
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_S * 1000)
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
        context.set_default_timeout(PATIENCE_S * 1000)
        opened = _services.identity.log_in(who, w.PASSWORD)  # not by the form, which lets ten a minute through
        assert opened is not None
        values = {COOKIE: opened.token, LANGUAGE_COOKIE: language, THEME_COOKIE: theme}
        context.add_cookies([{"name": name, "value": value, "url": site.url} for name, value in values.items()])
        page = context.new_page()
        page.set_viewport_size(viewport)
        watch(page, site, complaints)
        page.goto(path)
        return page

    yield go
    found = list(complaints)  # what a page says while it is being closed concerns nobody
    for context in reusable:
        _emptied(context, site)
        _used.append(context)
    for context in contexts:
        context.close()
    assert found == [], found


def _emptied(context: BrowserContext, site: "Site") -> None:
    """Nothing of the person is left. By a page of the site without scripts: those of the test may just be leaving."""
    context.set_offline(False)
    for page in context.pages:
        page.close()
    context.clear_cookies()
    page = context.new_page()
    page.goto(f"{site.url}/static/favicon.svg")
    page.evaluate("localStorage.clear()")
    page.close()


def watch(page: Page, site: "Site", complaints: list[str]) -> None:
    """What the page does that it must not: ask elsewhere, fail."""
    own = (site.url, site.url.replace("http", "ws"), "data:", "blob:")

    def complain(words: str) -> None:
        if not any(noise in words for noise in NOISE):
            complaints.append(f"{page.url}: {words}")

    page.on("request", lambda r: None if r.url.startswith(own) else complaints.append(f"foreign {r.url}"))
    page.on("pageerror", lambda e: complain(str(e)))
    page.on("console", lambda m: complain(m.text) if m.type == "error" else None)


def live(page: Page) -> None:
    """Wait until the page has its WebSocket: before that, it shows no news."""
    page.wait_for_function("window.socket && window.socket.connected", polling=100)


def look(page: Page, name: str) -> None:
    """Nothing sticks out at the side, nothing that axe calls serious."""
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=page.viewport_size != WALL, animations="disabled")
    deadline = time.monotonic() + PATIENCE_S
    while bad := _flaws(page):
        assert time.monotonic() < deadline, f"{name}: {bad}"
        page.wait_for_timeout(200)


def _flaws(page: Page) -> list[Any]:
    """As the page is now; a list may be drawn anew meanwhile: what is really wrong is so at the end too."""
    try:
        return page.evaluate(_STICKING_OUT) or _serious(page)
    except Error as error:
        if "Execution context was destroyed" in error.message:  # loaded anew
            return [error.message]
        raise


_STICKING_OUT = """() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const wide = [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > width);
    return ["sticks out", ...wide.slice(0, 5).map((one) => one.outerHTML.slice(0, 200))];
}"""


def _serious(page: Page) -> list[tuple[str, str, str]]:
    """Rule, element and reason of what axe finds."""
    return [
        (item["id"], node["html"][:200], node["failureSummary"][:300])
        for item in Axe().run(page, options=_RULES).response["violations"]
        if item["impact"] in ("serious", "critical")
        for node in item["nodes"][:3]
    ]
