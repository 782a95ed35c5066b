"""`/limits`: thresholds of points with their basis, to be changed with a reason; rules as data, read only."""

import json
from typing import Any

from nicegui import events, ui
from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_console import reads, tuning
from watchkeep_console.errors import Invalid
from watchkeep_console.identity import Session
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import empty, frame, panel, text
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.texts import ZONE
from watchkeep_core.database import queries
from watchkeep_core.vocabulary import load

PER_PAGE = 50
_SQL = queries("watchkeep_console", "sql/admin.sql")
_TIERS = {"notice": "", "warning": "life", "alarm": "off"}
Rows = list[dict[str, Any]]


def register(tabs: Tabs) -> None:
    route(tabs, "/limits", "limits", _page)


async def _page(tab: Tab, asked: Asked) -> None:
    t, words = tab.t, load()
    wanted = {
        "q": asked.get("q") or "",
        "community": asked.get("community") or "",
        "kind": asked.one_of("kind", words.kinds) or "",
        "metric": asked.one_of("metric", words.metrics) or "",
    }
    rows, names, rules, changes = await tab.read(_read, wanted, asked.page)
    total = rows[0]["total"] if rows else 0
    known = {row["limit_id"]: row for row in rows}

    async def change(event: events.GenericEventArguments) -> None:
        await _change(tab, known[int(event.args[1])])

    with frame(tab, "limits", t("limits.title")):
        kit.headline(t("limits.title"), f"{total:,}", t("limits.intro"))
        with ui.element("section").classes("wk-panel"):
            fields = [
                kit.Filter("q", t("equipment.search")),
                kit.Filter("community", t("equipment.community"), names),
                kit.Filter("kind", t("equipment.kind"), {one.id: t.of(one) for one in words.kinds.values()}),
                kit.Filter("metric", t("limits.metric"), {one.id: t.of(one) for one in words.metrics.values()}),
            ]
            kit.filters(t, "/limits", fields, wanted)
            if rows:
                columns = {
                    name: t.maybe("limits", name) for name in ("point", "condition", "limit", "for", "basis", "acts")
                }
                kit.listing(columns, [_row(tab, row) for row in rows], name=t("limits.title"), on_act=change)
                kit.pages(t, "/limits", wanted, asked.page, asked.page * PER_PAGE < total, total)
            else:
                empty(t("limits.none"), t("limits.none_hint"))
        _rules(tab, rules, changes)


def _read(conn: Connection, wanted: dict[str, str], page: int) -> tuple[Rows, dict[str, str], Rows, Rows]:
    asked = {name: wanted[name] or None for name in ("community", "kind", "metric")} | {
        "id": None,
        "text": reads.literal(wanted["q"]) if wanted["q"] else None,
        "limit": PER_PAGE,
        "offset": (page - 1) * PER_PAGE,
    }
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SQL["limits"], asked).fetchall()
        rules = cursor.execute(_SQL["rules"]).fetchall()
        changes = cursor.execute(_SQL["rule_changes"]).fetchall()
    return rows, {one.community_id: one.name for one in reads.communities(conn)}, rules, changes


def _row(tab: Tab, row: dict[str, Any]) -> dict[str, Any]:
    t = tab.t
    unit = t.unit(row["unit"])
    limit: list[Any] = [kit.chip(t.maybe("limits", row["tier"]), _TIERS.get(row["tier"], ""))]
    limit.append(
        {
            "t": f"{t.maybe('side', row['side'])} {t.value(row['metric'], row['value'])}",
            "sub": t("limits.clears", value=f"{row['clear_value']:g} {unit}".strip()),
        }
    )
    if not row["enabled"]:
        limit.append(kit.chip(t("limits.disabled"), "replay"))
    may = tab.session.person.may("limits:edit", row["community_id"])
    places = (t.name(row["community"], row["community_en"]), t.name(row["equipment"], row["equipment_en"]))
    return {
        "point": kit.link(
            t.metric(row["metric"]), f"/equipment/{row['community_id']}/{row['equipment_id']}", " · ".join(places)
        ),
        "condition": t.condition(row["condition"]),
        "limit": limit,
        "for": t("limits.seconds", n=f"{row['for_s']:g}") if row["for_s"] else t("limits.at_once"),
        "basis": {"t": row["basis"], "sub": row["mark"]},
        "acts": kit.act(t("limits.change"), "change", row["limit_id"]) if may else "",
    }


async def _change(tab: Tab, row: dict[str, Any]) -> None:
    t = tab.t
    unit = t.unit(row["unit"])
    side = t.maybe("side", row["side"])
    fields = [
        kit.Field("value", f"{t('limits.value')} ({side}, {unit})", "text", required=True, value=f"{row['value']:g}"),
        kit.Field(
            "clear_value", f"{t('limits.clear_value')} ({unit})", "text", required=True, value=f"{row['clear_value']:g}"
        ),
        kit.Field("for_s", t("limits.for_s"), "text", required=True, value=f"{row['for_s']:g}"),
        kit.Field("enabled", t("limits.enabled"), "check", value=row["enabled"]),
        kit.Field("basis", t("limits.new_basis"), "area", required=True, hint=t("limits.basis_hint")),
    ]

    def send(who: Session, given: kit.Given) -> None:
        wanted = tuning.LimitChange(
            value=_number("value", given["value"]),
            clear_value=_number("clear_value", given["clear_value"]),
            for_s=_number("for_s", given["for_s"]),
            enabled=bool(given["enabled"]),
            basis=given["basis"],
        )
        tuning.change_limit(tab.house, who, row["limit_id"], wanted)

    title = f"{t.name(row['equipment'], row['equipment_en'])} · {t.metric(row['metric'])}"
    if await kit.form(tab, title, fields, send, t("limits.change_hint", basis=row["basis"])):
        ui.navigate.reload()


def _number(name: str, said: Any) -> float:
    """Raises Invalid."""
    try:
        return float(str(said))
    except ValueError:
        raise Invalid(name, f"{said!r} is no number") from None


def _rules(tab: Tab, rules: Rows, changes: Rows) -> None:
    t = tab.t
    with panel(t("limits.rules")) as head:
        with head:
            text("span", t("limits.rules_hint")).classes("wk-hint")
        if not rules:
            empty(t("limits.no_rules"), t("limits.no_rules_hint"))
        else:
            columns = {name: t.maybe("limits", name) for name in ("rule", "where", "definition", "changed")}
            shown = [
                {
                    "rule": {"t": row["rule_id"], "sub": row["section"]},
                    "where": "/".join(x for x in (row["community_id"], row["equipment_id"]) if x)
                    or t("limits.everywhere"),
                    "definition": {"t": "", "sub": json.dumps(row["definition"], ensure_ascii=False)[:400]},
                    "changed": t.local(row["changed_at"], ZONE),
                }
                for row in rules
            ]
            kit.listing(columns, shown, name=t("limits.rules"))
        for row in changes:
            with ui.element("div").classes("wk-topic"):
                text(
                    "p", f"{t.local(row['changed_at'], ZONE)} · {row['rule_id']} · {row['changed_by']}：{row['reason']}"
                )
