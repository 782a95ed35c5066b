"""Communities and buildings on the board: worst first, each building as a stack of storeys."""

from collections.abc import Callable, Sequence
from importlib.resources import files

from nicegui import ui

from watchkeep_console.pages.frame import empty, text
from watchkeep_console.pages.stack import stack
from watchkeep_console.sites import Block, Site
from watchkeep_console.texts import Words

HOUSE = (files("watchkeep_console") / "templates/house.vue").read_text(encoding="utf-8")


def draw(t: Words, found: Sequence[Site], blocks: Sequence[Block], chosen: str, path: Callable[..., str]) -> None:
    """`path` makes the address of the board narrowed to a community."""
    if len(found) > 1:
        with ui.element("ul").classes("wk-sites"):
            for site in found:
                target = path(community="" if site.community_id == chosen else site.community_id)
                with ui.element("li"), ui.element("a").props(f'href="{target}"') as link:
                    if site.community_id == chosen:
                        link.classes("wk-chosen").props('aria-current="true"')
                    _state(t, site.worst_class)
                    text("strong", t.name(site.name, site.name_en))
                    line = t("duty.site_line", warnings=site.open_warnings, cases=site.open_cases)
                    text("span", line).classes("wk-sub")
    community = chosen or (found[0].community_id if len(found) == 1 else "")
    if not community:
        text("p", t("duty.choose_site")).classes("wk-sub")
        return
    if not blocks:
        empty(t("duty.no_buildings"))
        return
    rows = [stack(t, community, block) for block in sorted(blocks, key=lambda block: block.worst or "Z")]
    table = ui.table(columns=[{"name": "row", "label": "", "field": "id"}], rows=rows, row_key="id", pagination=0)
    table.classes("wk-houses").props("flat grid hide-header hide-bottom").add_slot("item", HOUSE)


def _state(t: Words, worst: str | None) -> None:
    """The class by letter, shape and colour; a tick where all is well."""
    label = t.class_name(worst) if worst else t("equipment.ok")
    with ui.element("span").classes(f"wk-badge class-{worst or 'ok'}").props(f'role="img" aria-label="{label}"'):
        text("b", worst or "✓")
