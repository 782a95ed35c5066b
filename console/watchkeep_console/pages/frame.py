"""What every page has around it: styles, header, navigation, who I am."""

from collections.abc import Iterator
from contextlib import contextmanager

from nicegui import ui

from watchkeep_console.pages.menu import menu
from watchkeep_console.pages.tabs import Tab

_STYLES = ("tokens", "console", "manage", "duty")
_SCRIPTS = ("clocks", "charts", "menu", "rows")


@contextmanager
def frame(tab: Tab, active: str, title: str) -> Iterator[ui.element]:
    """The body of a page."""
    t = tab.t
    ui.page_title(f"{title} · {t('app.name')}")
    for name in _STYLES:
        ui.add_head_html(f'<link rel="stylesheet" href="/static/{name}.css">')
    for name in _SCRIPTS:
        ui.add_head_html(f'<script src="/static/{name}.js" defer></script>')
    language = "en-US" if t.language == "en" else "zh-CN"
    ui.add_head_html(f'<script>document.documentElement.dataset.lang = "{language}";</script>')
    ui.dark_mode(tab.theme == "dark")
    ui.query(".nicegui-content").classes("wk-content")
    _header(tab, active)
    with ui.element("div").classes("wk-main").props('id="main"') as body:
        yield body


def _header(tab: Tab, active: str) -> None:
    t = tab.t
    with ui.element("header").classes("wk-head"):
        with ui.element("a").classes("wk-brand").props(f'href="/" aria-label="{t("app.name")}"'):
            ui.element("img").props('src="/static/favicon.svg" alt="" width="26" height="26"')
            text("span", t("app.name"))
        groups = menu(tab.session.person)
        mine = next((group for group in groups if any(one.name == active for one in group.entries)), None)
        with ui.element("nav").classes("wk-nav").props(f'aria-label="{t("nav.menu")}"'):
            for group in groups:
                link = text("a", t.maybe("nav", group.name)).props(f'href="{group.entries[0].path}"')
                if group is mine:
                    link.classes("wk-active")
        ui.element("div").classes("wk-grow")
        _preference(tab, "language", t("app.other_language_code"), t("app.other_language"))
        other = "light" if tab.theme == "dark" else "dark"
        _preference(tab, "theme", other, t(f"app.{other}"))
        text("a", tab.session.person.name).props('href="/account"').classes("wk-person")
        with ui.element("form").props('method="post" action="/logout"'):
            ui.element("input").props(f'type="hidden" name="csrf" value="{tab.csrf}"')
            text("button", t("app.logout")).classes("wk-link").props('type="submit"')
    if mine is not None and len(mine.entries) > 1:
        with ui.element("nav").classes("wk-subnav").props(f'aria-label="{t.maybe("nav", mine.name)}"'):
            for one in mine.entries:
                link = text("a", t.maybe("nav", one.name)).props(f'href="{one.path}"')
                if one.name == active:
                    link.classes("wk-active").props('aria-current="page"')


def _preference(tab: Tab, name: str, value: str, label: str) -> None:
    text("a", label).props(f'href="/preferences?{name}={value}&next={tab.path}"').classes("wk-switch")


def text(tag: str, content: str) -> ui.element:
    """An element with plain text: never HTML, whatever a device or a person wrote."""
    return _Text(tag, content)


class _Text(ui.element):
    def __init__(self, tag: str, content: str) -> None:
        super().__init__(tag)
        self._text = content


@contextmanager
def panel(title: str, *classes: str) -> Iterator[ui.element]:
    """A box with a heading; yields its head, into which more may be put, and stays open for the content."""
    with ui.element("section").classes("wk-panel " + " ".join(classes)):
        with ui.element("div").classes("wk-panel-head") as head:
            text("h2", title)
        yield head


def badge(tab: Tab, value: str) -> None:
    """A class by letter, shape and colour."""
    with ui.element("span").classes(f"wk-badge class-{value}").props(f'title="{tab.t.class_name(value)}"'):
        text("b", value)
        text("span", tab.t.class_name(value))


def empty(headline: str, hint: str = "") -> None:
    with ui.element("div").classes("wk-empty"):
        text("strong", headline)
        if hint:
            text("span", hint)
