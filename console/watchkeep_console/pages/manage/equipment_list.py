"""`/equipment`: the register as a tree and as a list by pages; Excel out."""

from typing import Any

from nicegui import events, ui
from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_console import imports, reads
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import empty, frame, panel
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_core.database import queries
from watchkeep_core.vocabulary import load

PER_PAGE = 50
IN_BUILDING = 300
"""Equipment of one building that the tree opens; the list has all."""
_SQL = queries("watchkeep_console", "sql/manage.sql")
_STATUS = ("in_service", "out_of_service", "retired", "unclaimed")
_NODE = r"""<span>{{ props.node.label }}</span>
<span v-if="props.node.count" class="wk-dim">{{ props.node.count }}</span>
<span v-if="props.node.open" class="wk-hot">{{ props.node.open }}</span>"""
Rows = list[dict[str, Any]]


def register(tabs: Tabs) -> None:
    route(tabs, "/equipment", "equipment", _page)


async def _page(tab: Tab, asked: Asked) -> None:
    t = tab.t
    wanted = {
        "community": asked.get("community") or "",
        "building": asked.get("building") or "",
        "kind": asked.one_of("kind", load().kinds) or "",
        "status": asked.one_of("status", _STATUS) or "",
        "q": asked.get("q") or "",
    }
    rows, names, roots = await tab.read(_read, wanted, asked.page)
    total = rows[0]["total"] if rows else 0
    with frame(tab, "equipment", t("equipment.title")):
        with kit.headline(t("equipment.title"), f"{total:,}"):
            kit.button(t("manage.export_excel"), lambda: _export(tab, wanted))
            if tab.session.person.may_somewhere("estate:edit"):
                kit.button(t("manage.import"), lambda: ui.navigate.to("/equipment-import"), "primary")
        with ui.element("div").classes("wk-sidegrid"):
            with panel(t("manage.tree")):
                _Tree(tab, roots, wanted)
            with ui.element("section").classes("wk-panel"):
                kit.filters(t, "/equipment", _fields(tab, names), wanted)
                if rows:
                    _table(tab, rows)
                    kit.pages(t, "/equipment", wanted, asked.page, asked.page * PER_PAGE < total, total)
                else:
                    empty(t("equipment.none"), t("manage.none_hint"))


def _fields(tab: Tab, names: dict[str, str]) -> list[kit.Filter]:
    t = tab.t
    return [
        kit.Filter("q", t("equipment.search")),
        kit.Filter("community", t("equipment.community"), names),
        kit.Filter("kind", t("equipment.kind"), {one.id: t.of(one) for one in load().kinds.values()}),
        kit.Filter("status", t("equipment.status"), {one: t.maybe("status", one) for one in _STATUS}),
    ]


def _read(conn: Connection, wanted: dict[str, str], page: int) -> tuple[Rows, dict[str, str], Rows]:
    communities = reads.communities(conn)
    asked = {**_asked(wanted), "limit": PER_PAGE, "offset": (page - 1) * PER_PAGE}
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SQL["register"], asked).fetchall()
        roots = cursor.execute(_SQL["tree_communities"]).fetchall()
    return rows, {one.community_id: one.name for one in communities}, roots


def _asked(wanted: dict[str, str]) -> dict[str, str | None]:
    return {
        "community": wanted["community"] or None,
        "building": wanted["building"] or None,
        "kind": wanted["kind"] or None,
        "status": wanted["status"] or None,
        "text": reads.literal(wanted["q"]) if wanted["q"] else None,
    }


def _table(tab: Tab, rows: Rows) -> None:
    t = tab.t
    columns = {name: t.maybe("equipment", name) for name in ("name", "kind", "where", "model", "points", "status")}
    shown = [
        {
            "name": kit.link(
                t.name(row["name"], row["name_en"]),
                f"/equipment/{row['community_id']}/{row['equipment_id']}",
                row["equipment_id"],
            ),
            "kind": t.kind(row["kind"]),
            "where": {
                "t": t.name(row["community"], row["community_en"]),
                "sub": " · ".join(part for part in (row["building"], t.level(row["level"])) if part),
            },
            "model": {"t": row["maker"] or "–", "sub": row["model"]},
            "points": row["points"],
            "status": kit.chip(t.maybe("status", row["status"]), "ok" if row["status"] == "in_service" else ""),
            "warnings": kit.class_badge(t, row["worst_class"]) | {"count": row["open_warnings"]}  # type: ignore[operator]  # a dict then
            if row["worst_class"]
            else "",
        }
        for row in rows
    ]
    kit.listing(columns | {"warnings": t("equipment.warnings")}, shown, name=t("equipment.title"))


async def _export(tab: Tab, wanted: dict[str, str]) -> None:
    content = await tab.read(imports.export_register, _asked(wanted))
    ui.download.content(content, "equipment.xlsx")


class _Tree:
    """Community → building → equipment → points; a level is read when it is opened."""

    def __init__(self, tab: Tab, roots: Rows, wanted: dict[str, str]) -> None:
        self._tab = tab
        self._known: set[str] = set()
        self._roots = [self._node(row, f"c/{row['id']}", row["equipment"]) for row in roots]
        self._index = {node["id"]: node for node in self._roots}
        self._tree = ui.tree(self._roots, on_expand=self._expand, on_select=self._select).classes("wk-tree")
        self._tree.props["no-nodes-label"] = tab.t("equipment.none")
        self._tree.add_slot("default-header", _NODE)
        chosen = f"b/{wanted['community']}/{wanted['building']}" if wanted["building"] else f"c/{wanted['community']}"
        self._tree.props["selected"] = chosen

    def _node(self, row: dict[str, Any], key: str, children: int) -> dict[str, Any]:
        t = self._tab.t
        label = t.name(row["name"], row["name_en"]) or (t("manage.no_building") if not row["id"] else row["id"])
        node: dict[str, Any] = {"id": key, "label": label, "count": row["equipment"], "open": row["open_warnings"]}
        if children:  # something to open; replaced by what is there when it is
            node["children"] = [{"id": f"{key}/…", "label": "…"}]
        return node

    async def _expand(self, event: events.ValueChangeEventArguments[list[str]]) -> None:
        for key in event.value:
            if key in self._index and key not in self._known:
                self._known.add(key)
                self._index[key]["children"] = await self._tab.read(self._children, key)
                self._index |= {node["id"]: node for node in self._index[key]["children"]}
                self._tree.props["nodes"] = self._roots  # the element keeps a copy

    def _children(self, conn: Connection, key: str) -> Rows:
        level, _, rest = key.partition("/")
        community, _, part = rest.partition("/")
        if level == "e":
            t = self._tab.t
            points = reads.equipment_detail(conn, community, part).points
            return [
                {
                    "id": f"p/{community}/{part}/{point.series_id}",
                    "label": t.metric(point.metric),
                    "count": t.value(point.metric, point.value) if point.value is not None else "–",
                }
                for point in points
            ]
        asked = {"community": community, "building": part, "limit": IN_BUILDING}
        with conn.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(_SQL["tree_buildings" if level == "c" else "tree_equipment"], asked).fetchall()
        below = "b" if level == "c" else "e"
        return [self._node(row, f"{below}/{community}/{row['id']}", row["equipment"]) for row in rows]

    def _select(self, event: events.ValueChangeEventArguments[str | None]) -> None:
        level, _, rest = (event.value or "").partition("/")
        community, _, part = rest.partition("/")
        if level in ("e", "p"):
            ui.navigate.to(f"/equipment/{community}/{part.partition('/')[0]}")
        elif level == "c":
            ui.navigate.to(kit.address("/equipment", community=community))
        elif level == "b":
            ui.navigate.to(kit.address("/equipment", community=community, building=part))
