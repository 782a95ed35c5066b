"""Orders, rotas and health as the property manager's pages read them."""

import csv
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from typing import Any

import psycopg
import pytest
from openpyxl import load_workbook
from psycopg.rows import dict_row

from tests.console import world as w
from tests.console.staff import session_of, staff
from watchkeep_console import rotas
from watchkeep_console.errors import Forbidden, Invalid
from watchkeep_console.pages.manage import calendar_month, order_list, report_list, rota_week
from watchkeep_console.pages.menu import menu
from watchkeep_console.pages.supervise.overview import minutes
from watchkeep_console.services import Services
from watchkeep_console.texts import ZONE, words
from watchkeep_core.database import as_person, queries

__all__ = ["staff"]
NOW = datetime.now(UTC)
NONE = dict.fromkeys(("q", "community", "org", "class", "source", "from", "to"), "")
_SQL = queries("watchkeep_console", "sql/manage.sql")


def orders(house: Services, person: str, **wanted: str) -> list[dict[str, Any]]:
    with as_person(house.pool, person) as conn, conn.cursor(row_factory=dict_row) as cursor:
        asked = order_list.parameters(NONE | {"shown": "open"} | wanted, datetime.now(UTC), 50)
        return cursor.execute(_SQL["order_register"], asked).fetchall()


def test_orders_are_found_by_what_people_ask_for(house: Services, world: w.World) -> None:
    w.warning(world, "lift-1", "door_close_fail", of_class="B")
    w.warning(world, "pump-1", "supply_pressure_loss", of_class="A")
    w.judge_all(world)
    mine = world.people["manager"]
    found = orders(house, mine)
    assert {row["equipment_id"] for row in found} == {"lift-1", "pump-1"}
    assert [row["total"] for row in found] == [2, 2]
    assert [row["equipment_id"] for row in orders(house, mine, q="供水")] == ["pump-1"]
    assert [row["equipment_id"] for row in orders(house, mine, q=f"#{found[0]['order_id']}")] == ["pump-1"]
    assert [row["org_id"] for row in orders(house, mine, org="lift")] == ["lift"]
    assert orders(house, mine, shown="closed") == []
    assert orders(house, mine, **{"from": "2030-01-01"}) == []
    assert len(orders(house, mine, **{"from": "2020-01-01", "to": f"{NOW.astimezone(ZONE):%Y-%m-%d}"})) == 2
    assert orders(house, world.people["other"]) == []
    with psycopg.connect(world.database.admin_url) as conn:
        conn.execute("UPDATE orders SET respond_due = now() - interval '1 min' WHERE equipment_id = 'lift-1'")
    assert [row["equipment_id"] for row in orders(house, mine, shown="overdue")] == ["lift-1"]


def test_exports_hold_all_orders_and_no_formulas(house: Services, world: w.World) -> None:
    w.warning(world, "lift-1", "door_close_fail")
    w.judge_all(world)
    with psycopg.connect(world.database.admin_url) as conn:
        conn.execute("UPDATE cases SET title_zh = '=cmd|calc'")
    wanted = NONE | {"shown": "all"}
    with as_person(house.pool, world.people["manager"]) as conn:
        plain = order_list.exported(conn, words("zh"), wanted, NOW, "csv")
        packed = order_list.exported(conn, words("en"), wanted, NOW, "xlsx")
    rows = list(csv.reader(StringIO(plain.decode("utf-8-sig"))))
    assert rows[0][:3] == ["工单号", "案件号", "小区"]
    assert rows[1][rows[0].index("事项")] == "'=cmd|calc"
    sheet = load_workbook(BytesIO(packed)).worksheets[0]
    assert sheet["A1"].value == "Order"
    assert [cell.data_type for cell in sheet[2]].count("f") == 0


def test_a_rota_is_planned_by_its_manager_and_its_gaps_are_seen(house: Services, staff: dict[str, str]) -> None:
    boss, since = session_of(house, "manager"), NOW.replace(minute=0, second=0, microsecond=0)
    spans = rota_week.repeated(since, since + timedelta(hours=12), "daily", "2")
    assert rotas.add(house, boss, "prop", "manager", spans) == 2
    with as_person(house.pool, staff["manager"]) as conn:
        week = rotas.week(conn, "prop", since, since + timedelta(days=2), since)
    assert [(gap.since, gap.until) for gap in week["gaps"]] == [
        (since + timedelta(hours=12), since + timedelta(hours=24)),
        (since + timedelta(hours=36), since + timedelta(hours=48)),
    ]
    with pytest.raises(Invalid) as twice:  # the second of the two shifts: neither is written
        rotas.add(house, boss, "prop", "manager", [spans[0], spans[0]])
    assert twice.value.field == "person"
    with pytest.raises(Forbidden):
        rotas.add(house, session_of(house, "tech"), "prop", "manager", spans)
    with pytest.raises(Forbidden):
        rotas.set_mode(house, session_of(house, "other"), "prop", "grab")
    with pytest.raises(Invalid) as foreign:
        rotas.swap(house, boss, week["shifts"][0]["shift_id"], "tech", "生病")
    assert foreign.value.field == "person"
    rotas.drop(house, boss, week["shifts"][0]["shift_id"])


def test_shifts_repeat_on_the_days_that_were_asked_for() -> None:
    friday = datetime(2026, 11, 20, 8, tzinfo=ZONE)
    ends = friday + timedelta(hours=8)
    assert [at.day for at, _ in rota_week.repeated(friday, ends, "workdays", "3")] == [20, 23, 24]
    assert [at.day for at, _ in rota_week.repeated(friday, ends, "weekly", "2")] == [20, 27]
    assert len(rota_week.repeated(friday, ends, "once", "9")) == 1
    with pytest.raises(Invalid):
        rota_week.repeated(friday, ends, "daily", "0")


def test_months_and_periods() -> None:
    today = datetime(2026, 11, 22, tzinfo=UTC).date()
    assert calendar_month.month_of("2026-02", today).isoformat() == "2026-02-01"
    assert calendar_month.month_of("nonsense", today).isoformat() == "2026-11-01"
    found = report_list.periods_back(2026, 11)
    assert found[0] == "2026-11"
    assert "2026-H1" in found
    assert "2025-12" in found
    assert [minutes(None), minutes(9.6), minutes(300), minutes(4320)] == ["–", "10 min", "5.0 h", "3.0 d"]


def test_gateways_and_sensors_tell_what_is_wrong(house: Services, world: w.World) -> None:
    w.warning(world, "lift-2", "sensor_silent", of_class="C")
    with psycopg.connect(world.database.url("watchkeep_ingest")) as conn:
        conn.execute("INSERT INTO gateway_status (community_id, gateway_id, online) VALUES ('sunshine', 'gw-1', true)")
        conn.execute(
            "INSERT INTO progress (community_id, gateway_id, lane, epoch, received, lost)"
            " VALUES ('sunshine', 'gw-1', 'data', 'e1', '{[0,10),[15,20)}', '{[12,13)}')"
        )
    asked = {"community": None, "since": NOW, "conditions": ["sensor_silent"]}
    seen: dict[str, Any] = {}
    try:
        for login in ("manager", "other"):
            with as_person(house.pool, world.people[login]) as conn, conn.cursor(row_factory=dict_row) as cursor:
                gateways = cursor.execute(_SQL["gateway_health"], asked).fetchall()
                sensors = cursor.execute(_SQL["sensor_health"], asked).fetchall()
                seen[login] = (
                    [(row["missing"], row["lost"]) for row in gateways],
                    [row["equipment_id"] for row in sensors],
                )
    finally:
        with world.admin() as conn:
            conn.execute("DELETE FROM progress")
    assert seen == {"manager": ([(4, 1)], ["lift-2"]), "other": ([], [])}


def test_the_menu_shows_what_one_may_open(house: Services, staff: dict[str, str]) -> None:
    def shown(login: str) -> set[str]:
        return {entry.name for group in menu(session_of(house, login).person) for entry in group.entries}

    everybody = {"board", "equipment", "gateways", "orders", "calendar", "plans"}
    assert shown("auditor") == everybody | {"audit"}
    assert {"rota", "notices", "channels", "limits"} <= shown("manager")
    assert not {"people", "overview", "agenda"} & shown("manager")
    assert {"overview", "rankings", "ledger", "agenda", "duties"} <= shown("super")
    assert {"people", "organisations", "channels", "limits"} <= shown("admin")
    assert not {"rota", "complaints", "overview"} & shown("admin")
