"""Communities and buildings on the board: worst first, each building as a stack of storeys."""

from collections.abc import Sequence
from importlib.resources import files

from nicegui import ui

from watchkeep_console.pages.board_picture import Wanted
from watchkeep_console.pages.frame import empty, text
from watchkeep_console.pages.snippets import Snippet
from watchkeep_console.pages.stack import stack
from watchkeep_console.sites import Block, Site
from watchkeep_console.texts import Words

HOUSE = (files("watchkeep_console") / "templates/house.vue").read_text(encoding="utf-8")


class Places:
    """Drawn where it is made; `show` tells it what has changed."""

    def __init__(self, t: Words, wanted: Wanted) -> None:
        self._t, self._wanted = t, wanted
        self._sites = Snippet()
        self._houses = ui.element("div")
        self._blocks: tuple[str, Sequence[Block]] | None = None

    def show(self, places: str, sites: Sequence[Site], blocks: Sequence[Block]) -> None:
        """`places` is the list of sites, drawn."""
        self._sites.show(places)
        community = self._wanted.community or (sites[0].community_id if len(sites) == 1 else "")
        if self._blocks != (community, blocks):
            self._blocks = (community, blocks)
            self._houses.clear()
            with self._houses:
                _houses(self._t, community, blocks)


def _houses(t: Words, community: str, blocks: Sequence[Block]) -> None:
    if not community:
        text("p", t("duty.choose_site")).classes("wk-sub")
        return
    if not blocks:
        empty(t("duty.no_buildings"))
        return
    rows = [stack(t, community, block) for block in sorted(blocks, key=lambda block: block.worst or "Z")]
    table = ui.table(columns=[{"name": "row", "label": "", "field": "id"}], rows=rows, row_key="id", pagination=0)
    table.classes("wk-houses").props("flat grid hide-header hide-bottom").add_slot("item", HOUSE)
