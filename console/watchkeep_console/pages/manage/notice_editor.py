"""`/notices`: what stands on a community's public notice board, section by section."""

from decimal import Decimal, InvalidOperation
from typing import Any

from nicegui import ui

from watchkeep_console.api import credit as api
from watchkeep_console.errors import Invalid
from watchkeep_console.identity import Session
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import empty, frame, panel, text
from watchkeep_console.pages.manage import communities
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_dispatch import notice_board

WITH_MONEY = frozenset({"fee", "parking", "shared_utilities", "income", "expense"})


def register(tabs: Tabs) -> None:
    route(tabs, "/notices", "notices", _page)


async def _page(tab: Tab, asked: Asked) -> None:
    t = tab.t
    chosen, names = await communities.choose(tab, asked)
    with frame(tab, "notices", t("notices.title")), ui.element("div").classes("wk-wizard"):
        if chosen is None:
            kit.headline(t("notices.title"))
            empty(t("dutylog.no_community"))
            return
        community = chosen.community_id
        found = await tab.read(notice_board.board, community)
        roles = tab.session.person.roles(community, [chosen.property_org_id])
        may = bool(roles & {"property_manager", "subdistrict_office"})
        with kit.headline(t("notices.title"), sub=names[community]):
            kit.tag("a", t("notices.public"), "wk-mini", href=f"/board/{community}", target="_blank")
        communities.others(tab, "/notices", chosen, names)
        kit.note(t("notices.intro"), "plain")
        for section in notice_board.SECTIONS:
            _section(tab, community, section, [row for row in found if row["section"] == section], may=may)


def _section(tab: Tab, community: str, section: str, rows: list[dict[str, Any]], *, may: bool) -> None:
    t = tab.t
    with panel(t.maybe("notice", section)) as head:
        if may:
            with head:
                ui.element("div").classes("wk-grow")
                kit.button(t("notices.edit"), lambda: _edit(tab, community, section, rows))
        if not rows:
            text("p", t("notices.empty")).classes("wk-hint wk-body").style("margin: 0")
            return
        columns = {"title": t("notices.entry")}
        if section in WITH_MONEY:
            columns |= {"amount": t("notices.amount"), "period": t("notices.period")}
        shown = [
            {
                "title": {"t": row["title"], "sub": row["body"]},
                "amount": f"{row['amount_yuan']:,.2f}" if row["amount_yuan"] is not None else "–",
                "period": row["period"] or "–",
            }
            for row in rows
        ]
        kit.listing(columns, shown, name=t.maybe("notice", section))


async def _edit(tab: Tab, community: str, section: str, rows: list[dict[str, Any]]) -> None:
    """All entries of a section in one dialog: a section is replaced as a whole."""
    t = tab.t
    entries: list[dict[str, Any]] = []
    with ui.dialog().props("persistent") as dialog, ui.element("div").classes("wk-dialog wk-form-dialog q-card"):
        text("h2", t.maybe("notice", section))
        box = ui.element("div").classes("wk-board-notes")

        def add(row: dict[str, Any] | None = None) -> None:
            row = row or {}
            amount = row.get("amount_yuan")
            with box, ui.element("div").classes("wk-panel wk-body") as one:
                title = ui.input(t("notices.entry"), value=row.get("title", "")).props("outlined dense maxlength=200")
                body = ui.textarea(t("notices.body"), value=row.get("body", "")).props("outlined dense autogrow")
                fields: dict[str, Any] = {"title": title, "body": body.props("maxlength=2000")}
                if section in WITH_MONEY:
                    fields["amount"] = ui.input(t("notices.amount"), value="" if amount is None else str(amount))
                    fields["amount"].props("outlined dense")
                    fields["period"] = ui.input(t("notices.period"), value=row.get("period", ""))
                    fields["period"].props("outlined dense maxlength=50")
                for field in fields.values():
                    field.classes("wk-dialog-field")
                entries.append(fields)

                def remove() -> None:
                    entries.remove(fields)
                    one.delete()

                kit.button(t("notices.remove"), remove, "danger")

        for row in rows:
            add(row)
        if not rows:
            add()
        kit.button(t("notices.add"), lambda: add())

        async def save() -> None:
            def send(who: Session) -> None:
                body = [_body(fields) for fields in entries if str(fields["title"].value or "").strip()]
                api.post_notices(community, section, body, tab.house, who)

            if await kit.do(tab, send):
                dialog.submit(True)

        with ui.element("div").classes("wk-acts wk-dialog-acts"):
            kit.button(t("app.cancel"), lambda: dialog.submit(False))
            kit.button(t("notices.publish"), save, "primary")
    if await dialog:
        ui.navigate.reload()
    dialog.delete()


def _body(fields: dict[str, Any]) -> api.NoticeBody:
    """Raises Invalid(`amount`)."""
    amount = str(fields["amount"].value or "").replace(",", "").strip() if "amount" in fields else ""
    try:
        yuan = Decimal(amount).quantize(Decimal("0.01")) if amount else None
    except InvalidOperation:
        raise Invalid("amount", f"{amount!r}: 1234.50") from None
    return api.NoticeBody(
        title=str(fields["title"].value).strip(),
        body=str(fields["body"].value or "").strip(),
        amount_yuan=yuan,
        period=str(fields["period"].value or "").strip() if "period" in fields else "",
    )
