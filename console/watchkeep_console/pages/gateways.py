"""`/gateways`: which gateways there are and whether they speak."""

from fastapi import Request, Response
from nicegui import Client, ui

from watchkeep_console import models as m
from watchkeep_console import reads
from watchkeep_console.pages.frame import empty, frame, text
from watchkeep_console.pages.tables import set_rows
from watchkeep_console.pages.tabs import Tabs
from watchkeep_console.texts import Words

REFRESH_S = 15.0
_NAME = r"""<q-td :props="props"><a :href="props.row.href">{{ props.value }}</a></q-td>"""
_STATE = r"""<q-td :props="props"><span class="wk-chip" :class="props.row.look">{{ props.value }}</span></q-td>"""
_LAST = (
    r"""<q-td :props="props"><span v-if="props.value" :data-since="props.value"></span><span v-else>–</span></q-td>"""
)


def register(tabs: Tabs) -> None:
    @ui.page("/gateways")
    async def gateways(request: Request, client: Client) -> Response | None:
        tab = await tabs.enter(request, client)
        if isinstance(tab, Response):
            return tab
        t = tab.t
        found = await tab.read(reads.gateways)
        with frame(tab, "gateways", t("gateways.title")):
            with ui.element("div").classes("wk-title"):
                text("h1", t("gateways.title"))
                text("span", str(len(found))).classes("wk-count")
                ui.element("div").classes("wk-grow")
                if tab.session.person.may_somewhere("gateway:enrol"):
                    connect = ui.button(t("gateways.connect"), color=None, on_click=lambda: ui.navigate.to("/connect"))
                    connect.classes("wk-primary wk-button").props("unelevated no-caps")
            with ui.element("section").classes("wk-panel"):
                if not found:
                    empty(t("gateways.none"), t("gateways.none_hint"))
                    return None
                table = _table(t)
                set_rows(table, [_row(t, item) for item in found])

        async def refresh() -> None:
            set_rows(table, [_row(t, item) for item in await tab.read(reads.gateways)])

        ui.timer(REFRESH_S, refresh, immediate=False)
        return None


def _table(t: Words) -> ui.table:
    names = ("name", "community", "state", "last", "points", "skew", "software")
    columns = [
        {"name": name, "field": name, "label": t.maybe("gateways", name), "align": "left", "sortable": True}
        for name in names
    ]
    table = ui.table(columns=columns, rows=[], row_key="id", pagination=0).classes("wk-table").props("flat dense")
    table.add_slot("body-cell-name", _NAME)
    table.add_slot("body-cell-state", _STATE)
    table.add_slot("body-cell-last", _LAST)
    return table


def _row(t: Words, item: m.Gateway) -> dict[str, object]:
    state = (
        "revoked" if item.revoked_at else "online" if item.online else "offline" if item.last_message_at else "never"
    )
    return {
        "id": f"{item.community_id}/{item.gateway_id}",
        "href": f"/connect/{item.community_id}/{item.gateway_id}",
        "name": item.name or item.gateway_id,
        "community": item.community,
        "state": t.maybe("gateways", state),
        "look": {"online": "ok", "offline": "off", "revoked": "off"}.get(state, ""),
        "last": item.last_message_at.isoformat() if item.last_message_at else "",
        "points": item.points,
        "skew": f"{item.skew_ms / 1000:+.1f} s" if item.skew_ms is not None else "–",
        "software": item.software or "–",
    }
