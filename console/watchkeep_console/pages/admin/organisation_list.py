"""`/organisations`: companies, maintainers, utilities, authorities."""

from typing import Any

from nicegui import events, ui
from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_console import administration, reads
from watchkeep_console.identity import Session
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import empty, frame
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_core.database import queries
from watchkeep_core.estate import Organisation
from watchkeep_core.vocabulary import load

PER_PAGE = 100
_SQL = queries("watchkeep_console", "sql/admin.sql")
Rows = list[dict[str, Any]]


def register(tabs: Tabs) -> None:
    route(tabs, "/organisations", "organisations", _page)


async def _page(tab: Tab, asked: Asked) -> None:
    t = tab.t
    kinds = {one.id: t.of(one) for one in load().parties.values()}
    wanted = {"q": asked.get("q") or "", "kind": asked.one_of("kind", kinds) or ""}
    rows, areas = await tab.read(_read, wanted, asked.page)
    total = rows[0]["total"] if rows else 0
    may = tab.session.person.may_somewhere("people:edit")
    known = {row["org_id"]: row for row in rows}

    async def edit(event: events.GenericEventArguments) -> None:
        await _edit(tab, kinds, areas, known[str(event.args[1])])

    with frame(tab, "organisations", t("organisations.title")):
        with kit.headline(t("organisations.title"), f"{total:,}"):
            if may:
                kit.button(t("organisations.new"), lambda: _edit(tab, kinds, areas, None), "primary")
        with ui.element("section").classes("wk-panel"):
            fields = [kit.Filter("q", t("organisations.search")), kit.Filter("kind", t("organisations.kind"), kinds)]
            kit.filters(t, "/organisations", fields, wanted)
            if not rows:
                empty(t("organisations.none"))
                return
            names = ("name", "kind", "area", "phone", "communities", "contracts", "people", *(("acts",) if may else ()))
            columns = {name: t.maybe("organisations", name) for name in names}
            kit.listing(columns, [_row(tab, row, kinds) for row in rows], name=t("organisations.title"), on_act=edit)
            kit.pages(t, "/organisations", wanted, asked.page, asked.page * PER_PAGE < total, total)


def _read(conn: Connection, wanted: dict[str, str], page: int) -> tuple[Rows, dict[str, str]]:
    asked = {
        "kind": wanted["kind"] or None,
        "text": reads.literal(wanted["q"]) if wanted["q"] else None,
        "limit": PER_PAGE,
        "offset": (page - 1) * PER_PAGE,
    }
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SQL["organisations"], asked).fetchall()
    return rows, dict(conn.execute(_SQL["areas"]).fetchall())


def _row(tab: Tab, row: dict[str, Any], kinds: dict[str, str]) -> dict[str, Any]:
    t = tab.t
    return {
        "name": {"t": t.name(row["name"], row["name_en"]), "sub": row["org_id"]},
        "kind": kinds.get(row["kind"], row["kind"]),
        "area": row["area"] or "–",
        "phone": row["duty_phone"] or "–",
        "communities": row["communities"],
        "contracts": row["contracts"],
        "people": kit.link(str(row["people"]), kit.address("/people", org=row["org_id"])) if row["people"] else 0,
        "acts": kit.act(t("organisations.edit"), "edit", row["org_id"]),
    }


async def _edit(tab: Tab, kinds: dict[str, str], areas: dict[str, str], row: dict[str, Any] | None) -> None:
    t = tab.t
    old = row or dict.fromkeys(("org_id", "name", "name_en", "kind", "area_id", "duty_phone"), "")
    fields = [
        kit.Field("name", t("organisations.name"), required=True, value=old["name"]),
        kit.Field("name_en", t("organisations.name_en"), value=old["name_en"]),
        kit.Field("kind", t("organisations.kind"), required=True, options=kinds, value=old["kind"]),
        kit.Field("area", t("organisations.area"), options=areas, value=old["area_id"] or "", required=row is None),
        kit.Field("phone", t("organisations.phone"), "tel", value=old["duty_phone"]),
    ]
    if row is None:
        fields.insert(0, kit.Field("org_id", t("organisations.id"), required=True, hint=t("organisations.id_hint")))

    def send(who: Session, given: kit.Given) -> None:
        organisation = Organisation(
            org_id=row["org_id"] if row else given["org_id"],
            kind=given["kind"],
            name=given["name"],
            name_en=given["name_en"],
            area_id=given["area"] or None,
            duty_phone=given["phone"],
        )
        administration.save_organisation(tab.house, who, organisation, new=row is None)

    if await kit.form(tab, t("organisations.edit" if row else "organisations.new"), fields, send):
        ui.navigate.reload()
