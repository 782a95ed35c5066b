"""What a page says when there is nothing, or nothing for this person."""

from nicegui import ui

from watchkeep_console.pages.frame import frame, text
from watchkeep_console.pages.tabs import Tab


def missing(tab: Tab, active: str) -> None:
    with frame(tab, active, "404"), ui.element("div").classes("wk-empty"):
        text("strong", tab.t("app.not_found"))
        text("a", tab.t("app.back_home")).props('href="/"')
