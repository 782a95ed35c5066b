"""`/gateways`: gateways and sensors: who is offline, silent, low on battery, out of step; what was lost on the way."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from nicegui import ui
from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_console import reads
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import empty, frame, panel
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.texts import ZONE
from watchkeep_core.database import queries
from watchkeep_core.vocabulary import load

REFRESH_S = 15.0
DAY = timedelta(days=1)
SKEW_MS = 5_000
"""From here on a gateway's clock is worth a look."""
_SQL = queries("watchkeep_console", "sql/manage.sql")
Rows = list[dict[str, Any]]
GROUPS = {
    "silent": ("sensor_silent", "sensor_never_reported", "cabinet_link_lost", "signal_weak"),
    "battery": ("sensor_battery_low", "sensor_life_expired", "backup_power_fault"),
    "clock": ("sensor_clock_skew", "gateway_clock_wrong"),
    "doubtful": (
        "sensor_flatline", "sensor_stuck_at_rail", "sensor_impossible_jump", "sensor_impossible_value",
        "sensor_counter_decrease", "sensor_inconsistent", "sensor_drift",
    ),
    "loss": ("gateway_offline", "gateway_spool_full", "telemetry_lost"),
}  # fmt: skip
"""Conditions of the sensors themselves, as people ask for them."""


def register(tabs: Tabs) -> None:
    route(tabs, "/gateways", "gateways", _page)


async def _page(tab: Tab, asked: Asked) -> None:
    t = tab.t
    community = asked.get("community")
    group = asked.one_of("group", GROUPS) or ""
    gateways, sensors, names = await tab.read(_read, community, tab.house.clock.now())
    with frame(tab, "gateways", t("health.title")):
        with kit.headline(t("health.title")):
            if tab.session.person.may_somewhere("gateway:enrol"):
                kit.button(t("gateways.connect"), lambda: ui.navigate.to("/connect"), "primary")
        if len(names) > 1:
            with ui.element("section").classes("wk-panel"):
                kit.filters(
                    t, "/gateways", [kit.Filter("community", t("equipment.community"), names)],
                    {"community": community or ""},
                )  # fmt: skip
        box = ui.element("div")

        def draw(gateways: Rows, sensors: Rows) -> None:
            box.clear()
            with box:
                _figures(tab, gateways, sensors)
                _gateways(tab, gateways)
                _sensors(tab, sensors, group, community)

        draw(gateways, sensors)
        last = [gateways, sensors]

        async def refresh() -> None:
            found = await tab.read(_read, community, tab.house.clock.now())
            if [found[0], found[1]] != last:
                last[:] = found[:2]
                draw(found[0], found[1])

        ui.timer(REFRESH_S, refresh, immediate=False)


def _read(conn: Connection, community: str | None, now: datetime) -> tuple[Rows, Rows, dict[str, str]]:
    conditions = [name for names in GROUPS.values() for name in names]
    asked = {"community": community, "since": now - DAY, "conditions": conditions}
    with conn.cursor(row_factory=dict_row) as cursor:
        gateways = cursor.execute(_SQL["gateway_health"], asked).fetchall()
        sensors = cursor.execute(_SQL["sensor_health"], asked).fetchall()
    return gateways, sensors, {one.community_id: one.name for one in reads.communities(conn)}


def _figures(tab: Tab, gateways: Rows, sensors: Rows) -> None:
    t = tab.t
    live = [row for row in gateways if row["revoked_at"] is None]
    online = sum(row["online"] for row in live)
    found: list[tuple[str, str, str]] = [
        (t("health.online"), f"{online}/{len(live)}", "hot-A" if online < len(live) else "good" if live else "")
    ]
    for name, conditions in GROUPS.items():
        count = sum(row["condition"] in conditions for row in sensors)
        if name != "loss":
            found.append((t.maybe("health", name), str(count), "warn" if count else ""))
    for name in ("missing", "lost", "quarantined", "parked", "dead"):
        count = sum(row[name] or 0 for row in live)
        look = "" if not count else "hot-A" if name == "lost" else "warn"
        found.append((t.maybe("health", name), f"{count:,}", look))
    kit.figures(found)


def _gateways(tab: Tab, rows: Rows) -> None:
    t = tab.t
    with panel(t("gateways.title")):
        if not rows:
            empty(t("gateways.none"), t("gateways.none_hint"))
            return
        columns = {name: t.maybe("gateways", name) for name in ("name", "state", "last", "points", "skew")}
        columns |= {"account": t("health.account"), "software": t("gateways.software")}
        kit.listing(columns, [_gateway(tab, row) for row in rows], name=t("gateways.title"))


def _gateway(tab: Tab, row: dict[str, Any]) -> dict[str, Any]:
    t = tab.t
    state = (
        "revoked"
        if row["revoked_at"]
        else "online"
        if row["online"]
        else "offline"
        if row["last_message_at"]
        else "never"
    )
    marks: list[Any] = [kit.chip(t.maybe("gateways", state), {"online": "ok", "never": ""}.get(state, "off"))]
    if row["spool_full"]:
        marks.append(kit.chip(t("health.spool_full"), "life"))
    skew = f"{row['skew_ms'] / 1000:+.1f} s" if row["skew_ms"] is not None else "–"
    account = [
        kit.chip(f"{t.maybe('health', name)} {row[name]:,}", "off" if name == "lost" else "life")
        for name in ("missing", "lost", "quarantined", "parked", "dead")
        if row[name]
    ]
    off = row["skew_ms"] is not None and abs(row["skew_ms"]) >= SKEW_MS
    return {
        "name": kit.link(
            row["name"] or row["gateway_id"],
            f"/connect/{row['community_id']}/{row['gateway_id']}",
            f"{t.name(row['community'], row['community_en'])} · {row['gateway_id']}",
        ),
        "state": marks,
        "last": kit.since(t, row["last_message_at"], ZoneInfo(row["timezone"])),
        "points": row["points"],
        "skew": kit.chip(skew, "off") if off else skew,
        "account": account or (kit.chip(t("health.complete"), "ok") if row["born_at"] else "–"),
        "software": row["software"] or "–",
    }


def _sensors(tab: Tab, rows: Rows, group: str, community: str | None) -> None:
    t = tab.t
    with panel(t("health.sensors")) as head:
        with head, kit.tag("nav", "", "wk-tabs", aria_label=t("health.sensors")).style("margin: 0 0 0 8px"):
            for name in ("", *GROUPS):
                mark = {"aria_current": "page"} if name == group else {}
                href = kit.address("/gateways", group=name, community=community)
                kit.tag("a", t.maybe("health", name or "all"), "wk-active" if name == group else "", href=href, **mark)
        shown = [row for row in rows if not group or row["condition"] in GROUPS[group]]
        if not shown:
            empty(t("health.none"), t("health.none_hint"))
            return
        columns = {name: t.maybe("health", name) for name in ("sensor", "problem", "what", "since", "order")}
        kit.listing(columns, [_sensor(tab, row) for row in shown], name=t("health.sensors"))


def _sensor(tab: Tab, row: dict[str, Any]) -> dict[str, Any]:
    t = tab.t
    known = load().conditions.get(row["condition"])
    advice = (known.advice_en if t.language == "en" else known.advice_zh) if known else ""
    said = row["sentence_en"] if t.language == "en" else row["sentence_zh"]
    if row["skew_ms"] is not None:
        said = t("health.skewed", seconds=f"{row['skew_ms'] / 1000:+.1f}")
    zone = ZoneInfo(row["timezone"]) if row["timezone"] else ZONE
    places = [t.name(row["community"], row["community_en"])]
    places += [t.metric(row["metric"])] if row["metric"] else []
    return {
        "sensor": kit.link(
            t.name(row["equipment"], row["equipment_en"]),
            f"/equipment/{row['community_id']}/{row['equipment_id']}",
            " · ".join(places),
        ),
        "problem": kit.chip(t.condition(row["condition"]), "life"),
        "what": {"t": said or "–", "sub": advice},
        "since": kit.since(t, row["since"], zone),
        "order": kit.link(f"#{row['case_id']}", f"/cases/{row['case_id']}") if row["case_id"] else "–",
    }
