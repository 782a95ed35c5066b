"""`/orders`: all orders one may see, filtered by what people ask for; CSV and Excel out."""

import csv
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from io import BytesIO, StringIO
from typing import Any
from zoneinfo import ZoneInfo

from nicegui import ui
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_console import reads
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import empty, frame
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.texts import ZONE, Words
from watchkeep_core.database import queries
from watchkeep_core.vocabulary import load

PER_PAGE = 50
MOST_EXPORTED = 50_000
_SQL = queries("watchkeep_console", "sql/manage.sql")
SHOWN = ("open", "overdue", "escalated", "closed", "all")
_EXPORT = (
    "order_id", "case_id", "community", "equipment", "matter", "class", "source", "org", "assignee", "state",
    "overdue", "dispatched_at", "responded_at", "arrived_at", "finished_at", "respond_due", "arrive_due", "finish_due",
    "closed_at",
)  # fmt: skip
Rows = list[dict[str, Any]]


def register(tabs: Tabs) -> None:
    route(tabs, "/orders", "orders", _page)


async def _page(tab: Tab, asked: Asked) -> None:
    t = tab.t
    wanted = wanted_of(asked)
    now = tab.house.clock.now()
    rows, communities, orgs = await tab.read(_read, wanted, now, asked.page)
    total = rows[0]["total"] if rows else 0
    with frame(tab, "orders", t("orders.title")):
        with kit.headline(t("orders.title"), f"{total:,}"):
            kit.button("CSV", lambda: _export(tab, wanted, "csv")).props(f'aria-label="{t("orders.csv")}"')
            kit.button("Excel", lambda: _export(tab, wanted, "xlsx")).props(f'aria-label="{t("orders.excel")}"')
        with kit.tag("nav", "", "wk-tabs", aria_label=t("orders.shown")):
            for name in SHOWN:
                here = name == wanted["shown"]
                mark = {"aria_current": "page"} if here else {}
                href = kit.address("/orders", wanted, shown=name)
                kit.tag("a", t.maybe("orders", name), "wk-active" if here else "", href=href, **mark)
        with ui.element("section").classes("wk-panel"):
            form = kit.filters(t, "/orders", _fields(t, communities, orgs), wanted)
            with form:
                kit.tag("input", type="hidden", name="shown", value=wanted["shown"])
            if rows:
                table(tab, rows)
                kit.pages(t, "/orders", wanted, asked.page, asked.page * PER_PAGE < total, total)
            else:
                empty(t("orders.none"), t("orders.none_hint"))


def wanted_of(asked: Asked) -> dict[str, str]:
    names = ("q", "community", "org", "from", "to")
    return {name: asked.get(name) or "" for name in names} | {
        "shown": asked.one_of("shown", SHOWN) or "open",
        "class": asked.one_of("class", "ABC") or "",
        "source": asked.one_of("source", load().case_sources) or "",
    }


def _fields(t: Words, communities: dict[str, str], orgs: dict[str, str]) -> list[kit.Filter]:
    return [
        kit.Filter("q", t("orders.search")),
        kit.Filter("community", t("equipment.community"), communities),
        kit.Filter("org", t("orders.org"), orgs),
        kit.Filter("class", t("orders.class"), {one: f"{one} {t.class_name(one)}" for one in "ABC"}),
        kit.Filter("source", t("orders.source"), {one: t.source(one) for one in load().case_sources}),
        kit.Filter("from", t("orders.from"), kind="date"),
        kit.Filter("to", t("orders.to"), kind="date"),
    ]


def parameters(wanted: Mapping[str, str], now: datetime, limit: int, page: int = 1) -> dict[str, Any]:
    """What the statement is asked; days are those of the lists' zone, `to` is included."""
    until = _day(wanted["to"])
    return {
        "community": wanted["community"] or None,
        "org": wanted["org"] or None,
        "class": wanted["class"] or None,
        "state": None,
        "source": wanted["source"] or None,
        "since": _day(wanted["from"]),
        "until": until + timedelta(days=1) if until else None,
        "shown": wanted["shown"],
        "text": reads.literal(wanted["q"].lstrip("#")) if wanted["q"] else None,
        "ids": None,
        "now": now,
        "limit": limit,
        "offset": (page - 1) * limit,
    }


def _day(value: str) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(value), time(), ZONE) if value else None
    except ValueError:
        return None


def _read(
    conn: Connection, wanted: dict[str, str], now: datetime, page: int
) -> tuple[Rows, dict[str, str], dict[str, str]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SQL["order_register"], parameters(wanted, now, PER_PAGE, page)).fetchall()
    orgs = {org: name for org, name, _ in conn.execute(_SQL["order_organisations"])}
    return rows, {one.community_id: one.name for one in reads.communities(conn)}, orgs


def table(tab: Tab, rows: Rows) -> None:
    """Orders as they stand, each with a link to its case; also what stands behind an indicator."""
    t = tab.t
    columns = {name: t.maybe("orders", name) for name in ("order", "class", "org", "state", "clock", "dispatched")}
    shown = []
    for row in rows:
        zone = ZoneInfo(row["timezone"]) if row["timezone"] else ZONE
        places = (t.name(row["community"], row["community_en"] or ""), t.name(row["equipment"], row["equipment_en"]))
        title = row["title_en"] if t.language == "en" else row["title_zh"]
        marks = [kit.chip(t("board.life_safety"), "life")] if row["life_safety"] else []
        if row["escalated"]:
            marks.append(kit.chip(t("orders.escalated_to", n=row["escalated"]), "off"))
        shown.append(
            {
                "order": [
                    kit.link(title, f"/cases/{row['case_id']}", ""),
                    *marks,
                    {"t": "", "sub": f"#{row['order_id']} · " + " · ".join(part for part in places if part)},
                ],
                "class": kit.class_badge(t, row["class"]),
                "org": {"t": t.name(row["org"], row["org_en"]), "sub": row["assignee"] or t("board.unassigned")},
                "state": kit.chip(t.maybe("state", row["case_state"]), "state"),
                "clock": kit.due(t, row["due_at"], zone, t.maybe("clock", row["clock"])) if row["clock"] else "–",
                "dispatched": t.local(row["dispatched_at"], zone),
            }
        )
    kit.listing(columns, shown, name=t("orders.title"))


async def _export(tab: Tab, wanted: dict[str, str], shape: str) -> None:
    now = tab.house.clock.now()
    content = await tab.read(exported, tab.t, wanted, now, shape)
    ui.download.content(content, f"orders-{now.astimezone(ZONE):%Y%m%d-%H%M}.{shape}")


def exported(conn: Connection, t: Words, wanted: Mapping[str, str], now: datetime, shape: str) -> bytes:
    """The whole list, at most MOST_EXPORTED rows; times of the community, texts never formulas."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SQL["order_register"], parameters(wanted, now, MOST_EXPORTED)).fetchall()
    heading = [t.maybe("orders", name) for name in _EXPORT]
    lines = [[_value(t, row, name) for name in _EXPORT] for row in rows]
    if shape == "csv":
        stream = StringIO()
        writer = csv.writer(stream)
        writer.writerows([heading, *([_harmless(value) for value in line] for line in lines)])
        return stream.getvalue().encode("utf-8-sig")  # Excel takes it for UTF-8 by the mark only
    book = Workbook(write_only=True)
    sheet = book.create_sheet(t("orders.title"))
    sheet.freeze_panes = "A2"
    for line in (heading, *lines):
        cells = [WriteOnlyCell(sheet, value=value) for value in line]
        for cell in cells:
            if isinstance(cell.value, str):
                cell.data_type = "s"
        sheet.append(cells)
    packed = BytesIO()
    book.save(packed)
    return packed.getvalue()


def _value(t: Words, row: Mapping[str, Any], name: str) -> Any:
    match name:
        case "matter":
            return row["title_en"] if t.language == "en" else row["title_zh"]
        case "community" | "equipment" | "org":
            return t.name(row[name], row[f"{name}_en"] or "")
        case "source":
            return t.source(row["source"])
        case "state":
            return t.maybe("state", row["case_state"])
        case "overdue":
            return t("kit.yes") if row["overdue"] else ""
    value = row[name]
    if isinstance(value, datetime):
        return value.astimezone(ZoneInfo(row["timezone"]) if row["timezone"] else ZONE).strftime("%Y-%m-%d %H:%M:%S")
    return "" if value is None else value


def _harmless(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets an apostrophe (OWASP, CSV injection)."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
