"""`/duties`: versions of the responsibility list: Excel in and out, coverage, trial on past cases, four eyes."""

import asyncio
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any

from nicegui import events, ui
from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_console import duty_edits, tuning
from watchkeep_console.errors import Invalid
from watchkeep_console.identity import Session
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import empty, frame, panel, text
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.texts import ZONE
from watchkeep_core.database import queries
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import coverage, duty_excel, duty_replay
from watchkeep_dispatch.duty_file import deadline_text
from watchkeep_dispatch.routing import Duty
from watchkeep_dispatch.work_order import CLASSES

PER_PAGE = 50
SHOWN_GAPS = 30
BACK = timedelta(days=30)
_SQL = queries("watchkeep_console", "sql/admin.sql")
_LOOKS = {"published": "ok", "draft": "life", "withdrawn": "replay"}
Rows = list[dict[str, Any]]


def register(tabs: Tabs) -> None:
    route(tabs, "/duties", "duties", _page)
    route(tabs, "/duties/{list_id}", "duties", _one)


async def _page(tab: Tab, asked: Asked) -> None:
    t = tab.t
    rows = await tab.read(_lists)
    now = tab.house.clock.now()
    with frame(tab, "duties", t("duties.title")):
        with kit.headline(t("duties.title"), len(rows), t("duties.intro")):
            kit.button(t("duties.template"), lambda: _download(tab, (), "duties-template.xlsx"))
            if tab.session.person.may_somewhere("duties:edit"):
                kit.button(t("duties.import"), lambda: _import(tab), "primary")
        with ui.element("section").classes("wk-panel"):
            if not rows:
                empty(t("duties.none"), t("duties.none_hint"))
                return
            columns = {name: t.maybe("duties", name) for name in ("name", "state", "from", "until", "rows", "by")}
            kit.listing(columns, [_row(tab, row, now) for row in rows], name=t("duties.title"))


def _lists(conn: Connection) -> Rows:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL["list_facts"]).fetchall()


def _row(tab: Tab, row: dict[str, Any], now: datetime) -> dict[str, Any]:
    t = tab.t
    published = row["status"] == "published"
    state: list[Any] = [kit.chip(t.maybe("duties", row["status"]), _LOOKS.get(row["status"], ""))]
    if published and row["since"] and row["since"] <= now and (row["until"] is None or row["until"] > now):
        state.append(kit.chip(t("duties.in_force"), "state"))
    return {
        "name": kit.link(row["name"], f"/duties/{row['list_id']}"),
        "state": state,
        "from": t.local(row["since"], ZONE) if published else "–",
        "until": t.local(row["until"], ZONE) if published and row["until"] else "–",
        "rows": row["rows"],
        "by": {
            "t": row["created_by"] or t("duties.packaged"),
            "sub": t("duties.published_by", name=row["published_by"]) if row["published_by"] else "",
        },
    }


async def _download(tab: Tab, rows: tuple[Duty, ...], name: str) -> None:
    ui.download.content(await asyncio.to_thread(duty_excel.write, rows, load()), name)


async def _import(tab: Tab) -> None:
    """Checked when it is chosen; a workbook without mistakes becomes a draft under a name of its own."""
    t = tab.t
    content = [b""]
    with ui.dialog().props("persistent") as dialog, ui.element("div").classes("wk-dialog wk-form-dialog q-card"):
        text("h2", t("duties.import"))
        text("p", t("duties.import_hint")).classes("wk-hint")
        name = ui.input(t("duties.name")).props("outlined dense maxlength=200").classes("wk-dialog-field")
        result = ui.element("div")

        async def uploaded(event: events.UploadEventArguments) -> None:
            content[0] = await event.file.read()
            sheet = await tab.act(lambda who: _read(tab, who, content[0]))
            result.clear()
            if sheet is None:
                return
            with result:
                if sheet.errors:
                    kit.note(t("duties.errors", n=len(sheet.errors)), "off")
                    columns = {key: t.maybe("manage", f"error_{key}") for key in ("cell", "column", "problem")}
                    rows = [{key: getattr(one, key) for key in columns} for one in sheet.errors[:100]]
                    kit.listing(columns, rows)
                else:
                    kit.note(t("duties.file_ok", n=len(sheet.rows)), "ok")
                    kit.button(t("duties.save_draft"), save, "primary")

        async def save() -> None:
            made = await tab.act(lambda who: tuning.save_list(tab.house, who, str(name.value or ""), content[0]))
            if made is not None:
                dialog.submit(made)

        refused = partial(tab.complain, t("manage.rejected", mb=duty_excel.MAX_BYTES // 1024 // 1024))
        kit.chooser(t("manage.choose_file"), ".xlsx", duty_excel.MAX_BYTES, uploaded, refused)
        with ui.element("div").classes("wk-acts wk-dialog-acts"):
            kit.button(t("app.cancel"), lambda: dialog.submit(None))
    made = await dialog
    dialog.delete()
    if made is not None:
        ui.navigate.to(f"/duties/{made}")


def _read(tab: Tab, who: Session, content: bytes) -> duty_excel.Sheet:
    with tab.house.identity.acting(who) as conn:
        return tuning.read_list(who, conn, content)


async def _one(tab: Tab, asked: Asked) -> None:
    t = tab.t
    number = asked.number("list_id")
    found, gaps = await tab.read(tuning.explain_list, number)
    fact = next(row for row in await tab.read(_lists) if row["list_id"] == number)
    wanted = {"q": asked.get("q") or ""}
    may = tab.session.person.may_somewhere("duties:edit")
    with frame(tab, "duties", found.name):
        with kit.headline(found.name, len(found.rows)):
            text("span", t.maybe("duties", fact["status"])).classes(f"wk-chip {_LOOKS.get(fact['status'], '')}")
            kit.tag("a", t("duties.back"), "wk-mini", href="/duties")
            kit.button(t("manage.export_excel"), lambda: _download(tab, found.rows, f"duties-{number}.xlsx"))
            if may and fact["status"] == "draft":
                kit.button(t("duties.withdraw"), lambda: _withdraw(tab, number), "danger")
                kit.button(t("duties.publish"), lambda: _publish(tab, number), "primary")
        _coverage(tab, gaps)
        trial = ui.element("div")
        with trial:
            kit.button(t("duties.replay"), lambda: _replay(tab, number, trial))
        _duties(tab, found.rows, wanted, asked.page, number, may=may)


def _coverage(tab: Tab, found: coverage.Coverage) -> None:
    t = tab.t
    bad = (("no_owner", found.no_owner), ("two_owners", found.two_owners), ("no_deadline", found.no_deadline))
    boxes = [(t("duties.combinations"), f"{found.combinations:,}", "")]
    boxes += [(t.maybe("duties", name), f"{len(gaps):,}", "hot-A" if gaps else "good") for name, gaps in bad]
    boxes += [(t("duties.by_catch_all"), f"{found.by_catch_all:,}", "")]
    kit.figures(boxes)
    rows = [(name, gap) for name, gaps in bad for gap in gaps][:SHOWN_GAPS]
    if not rows:
        return
    with panel(t("duties.gaps")):
        columns = {name: t.maybe("duties", name) for name in ("gap", "kind", "condition", "qualifiers", "row")}
        shown = [
            {
                "gap": kit.chip(t.maybe("duties", name), "off"),
                "kind": t.kind(gap.kind),
                "condition": t.condition(gap.condition),
                "qualifiers": {"t": "", "sub": gap.qualifiers},
                "row": ", ".join(map(str, gap.rows)) or "–",
            }
            for name, gap in rows
        ]
        kit.listing(columns, shown, name=t("duties.gaps"))


def _duties(tab: Tab, rows: tuple[Duty, ...], wanted: dict[str, str], page: int, number: int, *, may: bool) -> None:
    t = tab.t
    path = f"/duties/{number}"
    found = [row for row in rows if _matches(tab, row, wanted["q"])]
    with panel(t("duties.rows")):
        kit.filters(t, path, [kit.Filter("q", t("duties.search"))], wanted)
        names = ("row", "matter", "class", "parties", "deadlines", "basis", *(("acts",) if may else ()))
        columns = {name: t.maybe("duties", name) for name in names}
        part = found[(page - 1) * PER_PAGE : page * PER_PAGE]
        shown = [_duty(tab, row) | {"acts": kit.act(t("duties.edit"), "edit", row.row_no)} for row in part]
        if not shown:
            empty(t("duties.no_rows"))
        else:
            by_number = {row.row_no: row for row in part}

            async def edit(event: events.GenericEventArguments) -> None:
                row = by_number.get(int(event.args[1]))
                if row is not None:
                    await _edit(tab, number, row)

            kit.listing(columns, shown, name=t("duties.rows"), on_act=edit)
        kit.pages(t, path, wanted, page, page * PER_PAGE < len(found), len(found))


def _matches(tab: Tab, row: Duty, said: str) -> bool:
    t = tab.t
    words = (row.title, row.title_en, t.condition(row.condition or ""), t.kind(row.kind), t.party(row.responsible))
    return not said or any(said.lower() in word.lower() for word in words if word)


def _duty(tab: Tab, row: Duty) -> dict[str, Any]:
    t = tab.t
    when = [t.kind(row.kind) if row.kind else "", t.condition(row.condition) if row.condition else t("duties.any")]
    clocks = [
        f"{t.maybe('clock', name)} {deadline_text(due)}"
        for name, due in (("respond", row.respond), ("arrive", row.arrive), ("finish", row.finish))
        if due
    ]
    return {
        "row": row.row_no,
        "matter": {"t": t.name(row.title, row.title_en), "sub": " · ".join(one for one in when if one)},
        "class": kit.class_badge(t, row.case_class),
        "parties": {
            "t": t.party(row.responsible),
            "sub": " · ".join(
                f"{t.maybe('duties', name)} {t.party(party)}"
                for name, party in (("first", row.first_responder), ("supervises", row.supervising))
            ),
        },
        "deadlines": {"t": "", "sub": " · ".join(clocks) or "–"},
        "basis": {"t": "", "sub": f"{row.basis} [{row.mark}]"},
    }


async def _edit(tab: Tab, number: int, row: Duty) -> None:
    """A row of any version; what comes of it is a new draft."""
    t = tab.t
    parties = {one.id: t.of(one) for one in load().parties.values()}
    classes = {name: t.class_name(name) for name in CLASSES}
    fields = [
        kit.Field("case_class", t("duties.class"), required=True, options=classes, value=row.case_class),
        *(
            kit.Field(name, t.maybe("duties", f"f_{name}"), required=True, options=parties, value=getattr(row, name))
            for name in duty_edits.PARTIES
        ),
        *(
            kit.Field(name, t.maybe("clock", name), value=deadline_text(due) if due else "", hint=t("duties.due_hint"))
            for name, due in ((name, getattr(row, name)) for name in duty_edits.DEADLINES)
        ),
        kit.Field("closing_condition", t("case.closing"), "area", value=row.closing_condition),
        kit.Field("basis", t("duties.basis"), "area", required=True, value=row.basis),
    ]
    made: list[int] = []

    def send(who: Session, given: kit.Given) -> None:
        made.append(duty_edits.change_row(tab.house, who, number, row.row_no, given))

    title = f"{t('duties.edit')} · {t.name(row.title, row.title_en)}"
    if await kit.form(tab, title, fields, send, t("duties.edit_hint")):
        ui.navigate.to(f"/duties/{made[-1]}")


async def _publish(tab: Tab, number: int) -> None:
    t = tab.t
    fields = [kit.Field("since", t("duties.since"), "date", hint=t("duties.since_hint"))]

    def send(who: Session, given: kit.Given) -> None:
        try:
            day = date.fromisoformat(given["since"]) if given["since"] else None
        except ValueError:
            raise Invalid("since", f"{given['since']!r}: 2027-01-01") from None
        since = datetime.combine(day, time(), ZONE) if day else None
        tuning.publish_list(tab.house, who, number, since)

    if await kit.form(tab, t("duties.publish"), fields, send, t("duties.four_eyes")):
        ui.navigate.reload()


async def _withdraw(tab: Tab, number: int) -> None:
    if await kit.do(tab, lambda who: tuning.withdraw_list(tab.house, who, number)):
        ui.navigate.reload()


async def _replay(tab: Tab, number: int, box: ui.element) -> None:
    """Last month under this list, beside what the list in force made of it."""
    t = tab.t
    now = tab.house.clock.now()
    found: duty_replay.Replay = await tab.read(tuning.replay_list, number, now - BACK, now)
    box.clear()
    with box, panel(t("duties.replay")):
        with ui.element("div").classes("wk-body"):
            kit.figures(
                [
                    (t("duties.cases"), f"{found.cases:,}", ""),
                    (t("duties.changed"), f"{found.changed:,}", "warn" if found.changed else "good"),
                    (t("duties.changed_party"), f"{found.changed_party:,}", ""),
                    (t("duties.changed_class"), f"{found.changed_class:,}", ""),
                    (t("duties.changed_deadline"), f"{found.changed_deadline:,}", ""),
                ]
            )
        if found.load:
            columns = {name: t.maybe("duties", name) for name in ("organisation", "before", "after", "urgent")}
            shown = [
                {
                    "organisation": one.name,
                    "before": one.before,
                    "after": one.after,
                    "urgent": f"{one.urgent_before} → {one.urgent_after}",
                }
                for one in found.load
            ]
            kit.listing(columns, shown, name=t("duties.replay"))
        for change in found.changes[:SHOWN_GAPS]:
            with ui.element("div").classes("wk-topic"):
                before, after = change.before, change.after
                kit.tag("a", f"#{change.case_id} {t.condition(change.condition)}", href=f"/cases/{change.case_id}")
                text(
                    "p",
                    f"{before.case_class} {t.party(before.responsible)} {before.deadlines} → "
                    f"{after.case_class} {t.party(after.responsible)} {after.deadlines}",
                )
