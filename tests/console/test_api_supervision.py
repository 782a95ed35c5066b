"""Supervision by API: who may, what it shows, four eyes, refusals that name the field."""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.console import world as w
from tests.console.conftest import Login
from tests.console.test_residents import CASE
from watchkeep_console.people import NewMembership, create_person
from watchkeep_core.database import OWNER, connect

TABLES = "appeals ranking_rows rankings credit_events inspections notices complaints"
CREDIT = {
    "org_id": "prop",
    "kind": "bad",
    "code": "no_rectification",
    "reason": "逾期未改",
    "evidence_ref": "函 1 号",
    "occurred_on": "2026-01-20",
    "points": 5,
}


@pytest.fixture(autouse=True)
def supervisors(world: w.World) -> Iterator[None]:
    """Two people of the city office; what they have written is gone afterwards."""
    with connect(world.database.admin_url, "test", role=OWNER) as conn:
        for login in ("city1", "city2"):
            create_person(conn, login, login, w.PASSWORD, None, [NewMembership.parse("city_office@area:city")])
    yield
    with world.admin() as conn:
        conn.execute("SET LOCAL session_replication_role = replica")
        for table in TABLES.split():
            conn.execute(f"DELETE FROM {table}")


def old_orders(world: w.World, count: int = 12) -> None:
    """Orders of January, done in time but for one."""
    with world.admin() as conn:
        for number in range(count):
            conn.execute(
                "WITH k AS (INSERT INTO cases (community_id, condition, source, class, state, title_zh, title_en,"
                " event_at, filed_at) VALUES ('sunshine', 'resident_repair', 'walk_in', 'C', 'dispatched', '', '',"
                " '2026-01-10', '2026-01-10') RETURNING case_id)"
                " INSERT INTO orders (case_id, community_id, org_id, state, dispatched_at, responded_at, finished_at,"
                " finish_due)"
                " SELECT case_id, 'sunshine', 'prop', 'resolved', '2026-01-10', '2026-01-10', %s, '2026-01-11' FROM k",
                ["2026-01-10" if number else "2026-01-12"],
            )


def test_every_figure_opens_to_its_orders(as_: Login, world: w.World) -> None:
    old_orders(world)
    manager = as_("manager")
    (found,) = [one for one in manager.get("/api/v1/indicators?period=2026-01").json() if one["subject"] == "prop"]
    assert (found["counts"]["due_d"], found["counts"]["on_time_n"], found["ranked"]) == (12, 11, True)
    query = "/api/v1/indicators/orders?period=2026-01&subject=prop&flag="
    assert len(manager.get(query + "due_d").json()) == 12
    assert len(manager.get(query + "on_time_n").json()) == 11
    assert manager.get(query + "drop").json()["field"] == "flag"
    assert as_("other").get(query + "due_d").json() == []
    assert manager.get("/api/v1/indicators?period=January").json()["field"] == "period"


def test_from_draft_to_appeal(as_: Login, world: w.World) -> None:
    old_orders(world)
    first, second, manager = as_("city1"), as_("city2"), as_("manager")
    wanted = {"scheme": "property_quality", "period": "2026-01"}
    assert manager.post("/api/v1/rankings", json=wanted).status_code == 403
    drawn = first.post("/api/v1/rankings", json=wanted)
    assert drawn.status_code == 201, drawn.text
    path = f"/api/v1/rankings/{drawn.json()['id']}"
    assert manager.get(path).status_code == 422  # a draft is not for the ranked
    assert first.post(f"{path}/publish").json()["field"] == "person"
    assert second.post(f"{path}/publish").status_code == 204
    row = next(one for one in manager.get(path).json()["rows"] if one["subject_id"] == "prop")
    assert (row["orders"], row["detail"]["counts"]["on_time_n"]) == (12, 11)
    objection = {"subject_id": "prop", "reason": "一件不属于我司"}
    assert as_("other").post(f"{path}/appeals", json=objection).status_code == 403
    made = manager.post(f"{path}/appeals", json=objection)
    assert made.status_code == 201, made.text
    verdict = {"upheld": True, "decision": "核实属实", "to": "red"}
    assert manager.post(f"{path}/appeals/{made.json()['id']}/decision", json=verdict).status_code == 403
    assert first.post(f"{path}/appeals/{made.json()['id']}/decision", json=verdict).status_code == 204
    row = next(one for one in manager.get(path).json()["rows"] if one["subject_id"] == "prop")
    assert row["list"] == "red"
    assert isinstance(first.get(f"{path}/grants?pool=1000").json(), list)
    assert first.get("/api/v1/scores?date=2026-01-31").status_code == 200
    assert manager.get("/api/v1/scores?date=2026-01-31").status_code == 403


def test_credit_and_inspections(as_: Login) -> None:
    city = as_("city1")
    assert city.post("/api/v1/credit-events", json=CREDIT).status_code == 201
    assert city.post("/api/v1/credit-events", json=CREDIT | {"person_name": "张某"}).json()["field"] == "judgment_no"
    assert as_("manager").post("/api/v1/credit-events", json=CREDIT).status_code == 403
    assert as_("manager").get("/api/v1/credit-events?period=1999").json() == []
    check = {
        "kind": "half_year",
        "subject_kind": "subdistrict",
        "subject_id": "street-1",
        "heading": "责任落实",
        "points": 9,
        "possible": 10,
        "inspected_on": "2026-01-20",
    }
    assert city.post("/api/v1/inspections", json=check).status_code == 201
    assert city.post("/api/v1/inspections", json=check | {"points": 11}).json()["field"] == "points"


def test_reports(as_: Login, world: w.World) -> None:
    old_orders(world)
    city = as_("city1")
    page = city.get("/api/v1/reports/supervision?period=2026-01")
    assert "物业服务监督月报" in page.text
    assert "91.7 %" in page.text
    pdf = city.get("/api/v1/reports/supervision?period=2026-H1&format=pdf&language=en", timeout=60)
    assert pdf.content.startswith(b"%PDF-")
    with world.admin() as conn:
        conn.execute("UPDATE points SET created_at = now() - interval '2 h'")
    before, month = "2020-01", f"{datetime.now(ZoneInfo('Asia/Shanghai')):%Y-%m}"
    assert city.get(f"/api/v1/protected-minutes?period={before}&community=sunshine").json() == []
    minutes = city.get(f"/api/v1/protected-minutes?period={month}&community=sunshine").json()
    assert {one["building_id"] for one in minutes} >= {"b1"}
    assert all(one["protected"] <= one["minutes"] for one in minutes)


def test_the_board_is_written_by_the_manager(as_: Login) -> None:
    manager = as_("manager")
    path = "/api/v1/communities/sunshine/notices"
    entry = {"title": "物业费", "body": "1.2 元/㎡·月", "amount_yuan": "1200.50", "period": "2026 Q3"}
    assert manager.put(f"{path}/fee", json=[entry]).status_code == 204
    assert manager.put(f"{path}/gossip", json=[entry]).json()["field"] == "section"
    assert [one["title"] for one in manager.get(path).json()] == ["物业费"]
    assert as_("duty").put(f"{path}/fee", json=[]).status_code == 403
    assert as_("other").put(f"{path}/fee", json=[]).status_code == 404
    assert as_("manager").post("/api/v1/complaints", json=CASE).status_code == 201
