"""Which community a page of one community shows, and the way to the others."""

from nicegui import ui

from watchkeep_console import models as m
from watchkeep_console import reads
from watchkeep_console.pages import kit
from watchkeep_console.pages.route import Asked
from watchkeep_console.pages.tabs import Tab


async def choose(tab: Tab, asked: Asked) -> tuple[m.Community | None, dict[str, str]]:
    """The one in the address, else the first; None when the person sees none. And the names of all that they see."""
    seen = {one.community_id: one for one in await tab.read(reads.communities)}
    chosen = asked.one_of("community", seen) or next(iter(seen), "")
    return seen.get(chosen), {key: tab.t.name(one.name, one.name_en) for key, one in seen.items()}


def others(tab: Tab, path: str, chosen: m.Community, names: dict[str, str]) -> None:
    if len(names) > 1:
        with ui.element("section").classes("wk-panel"):
            field = kit.Filter("community", tab.t("equipment.community"), names)
            kit.filters(tab.t, path, [field], {"community": chosen.community_id})
