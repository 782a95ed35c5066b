"""The board's bar: sound, filters, wall; the legend of the keys; what the browser has to sound the alarm for."""

from collections.abc import Sequence

from nicegui import ui

from watchkeep_console.pages.board_picture import Wanted
from watchkeep_console.pages.frame import text
from watchkeep_console.pages.tables import set_text
from watchkeep_console.sites import Site
from watchkeep_console.texts import Words

KEYS = (
    ("J / K", "move"), ("Enter", "open"), ("C", "confirm"), ("F", "false"), ("M", "merge"), ("N", "mute"),
    ("?", "help"),
)  # fmt: skip


class Alarms:
    """Class A that nobody has answered: static/board.js sounds until this is empty or muted."""

    def __init__(self, t: Words) -> None:
        self._t = t
        words = {
            name: t.maybe("duty", name)
            for name in ("sound_on", "sound_off", "sound_blocked", "sound_muted", "choose_row", "not_here", "offline")
        }
        ui.add_head_html('<script src="/static/board.js" defer></script>')
        given = " ".join(f'data-{name.replace("_", "-")}="{value}"' for name, value in words.items())
        self._element = ui.element("div").props(f'id="wk-alarms" data-ids="" {given}').style("display: none")
        self._count = text("div", "").classes("wk-alarm").props('role="status" aria-live="assertive"')

    def show(self, loud: Sequence[str]) -> None:
        """What `alarming` has found."""
        ids, shown = " ".join(loud), self._t("duty.alarm", n=len(loud)) if loud else ""
        if self._element.props.get("data-ids") != ids:
            self._element.props["data-ids"] = ids
            self._element.update()
        set_text(self._count, shown)


def toolbar(t: Words, wanted: Wanted, found: Sequence[Site], alarms: Alarms) -> None:
    """Filters are links: they work before the page is live, and the way back is the browser's own."""
    with ui.element("div").classes("wk-bar"):
        text("h1", t("board.title")).classes("wk-h1")
        with ui.element("nav").classes("wk-filter").props(f'aria-label="{t("duty.filter")}"'):
            for value, label in (("", t("duty.all")), ("A", "A"), ("B", "B"), ("C", "C")):
                _link(
                    label, wanted.path(of_class=value), wanted.of_class == value, t.class_name(value) if value else ""
                )
            _link(t("duty.mine"), wanted.path(mine=not wanted.mine), wanted.mine)
        if len(found) > 1:
            names = {"": t("duty.all")} | {site.community_id: t.name(site.name, site.name_en) for site in found}
            chosen = wanted.community if wanted.community in names else ""
            picker = ui.select(names, value=chosen, on_change=lambda e: ui.navigate.to(wanted.path(community=e.value)))
            picker.props(f'dense outlined options-dense aria-label="{t("duty.community")}"').classes("wk-pick")
        ui.element("div").classes("wk-grow")
        text("button", t("duty.sound_off")).classes("wk-mini").props('type="button" id="wk-sound" aria-pressed="false"')
        if wanted.wall:
            text("button", t("duty.full_screen")).classes("wk-mini").props('type="button" id="wk-full"')
        wall = t("duty.wall_end") if wanted.wall else t("duty.wall")
        text("a", wall).classes("wk-mini").props(f'href="{wanted.path(wall=not wanted.wall)}"')
        text("button", "?").classes("wk-mini").props(f'type="button" id="wk-help" aria-label="{t("duty.help")}"')


def _link(label: str, target: str, active: bool, title: str = "") -> None:
    link = text("a", label).props(f'href="{target}"')
    if title:
        link.props(f'title="{title}"')
    if active:
        link.classes("wk-active").props('aria-current="true"')


def legend(t: Words) -> None:
    with ui.element("footer").classes("wk-legend").props(f'aria-label="{t("duty.help")}"'):
        _keys(t)


def keys_dialog(t: Words) -> None:
    with ui.element("dialog").classes("wk-keys").props(f'id="wk-keys" aria-label="{t("duty.help")}"'):
        text("h2", t("duty.help"))
        _keys(t)
        with ui.element("form").props('method="dialog"'):
            text("button", t("app.close")).classes("wk-mini primary")


def _keys(t: Words) -> None:
    for key, name in KEYS:
        with ui.element("span"):
            text("kbd", key)
            text("span", t.maybe("keys", name))
