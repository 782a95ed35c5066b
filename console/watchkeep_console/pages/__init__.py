"""The NiceGUI pages: one process, one WebSocket per tab; they call the same functions as the API."""

from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from nicegui import app as nicegui_app
from nicegui import ui

from watchkeep_console.pages import admin, board, case, connect, equipment, manage, supervise
from watchkeep_console.pages.tabs import Tabs
from watchkeep_console.services import Services

RECONNECT_S = 30.0
"""Lifts and basements cut connections; a tab that comes back within this time has lost nothing."""

_UNDRAWN = """
app.mixin({ beforeUnmount() { if (this.update_chart && !this.chart) this.chart = { dispose() {} }; } });
"""
"""NiceGUI draws a chart a moment after it is mounted, and fails when it is taken away before: nothing to free."""


def mount(app: FastAPI, house: Services) -> None:
    """Once per process, after every other route: what is registered later than `run_with` is never reached."""
    tabs = Tabs(house)
    for page in (board, case, equipment, *manage.PAGES, *supervise.PAGES, *admin.PAGES, connect):
        page.register(tabs)
    nicegui_app.on_startup(tabs.start)
    nicegui_app.on_shutdown(tabs.stop)
    ui.run_with(
        app,
        title="Watchkeep",
        favicon=Path(str(files("watchkeep_console") / "static" / "favicon.svg")),
        language="zh-CN",
        reconnect_timeout=RECONNECT_S,
        tailwind=False,
        gzip_middleware_factory=None,  # around everything, so that the guard sees pages before they are packed
        show_welcome_message=False,
    )
    # Quasar's bar over every upload has no name for screen readers; the pages show how far they are themselves.
    nicegui_app.config.quasar_config["loadingBar"]["skipHijack"] = True
    nicegui_app.config.vue_config_script += _UNDRAWN
