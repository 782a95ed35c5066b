"""More time, an assignee, help, call-backs; visits, hand-overs, the fund and the ledger, through the API."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.console import world as w
from tests.console.conftest import Login
from tests.console.world import World
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import preventive

ACT = "/api/v1/cases/1/actions/"


@pytest.fixture(autouse=True)
def _clean(world: World) -> None:
    with world.admin() as conn:
        conn.execute("SET LOCAL session_replication_role = replica")
        tables = (
            "visits visit_plans duty_handovers fund_steps fund_requests ledger_studies ledger_entries case_callbacks"
        )
        for table in (tables + " deadline_changes").split():
            conn.execute(f"DELETE FROM {table}")


def filed(world: World) -> None:
    w.warning(world, "lift-1")
    w.judge_all(world)


def test_more_time_an_assignee_and_a_call_back(as_: Login, world: World) -> None:
    filed(world)
    tech, manager = as_("tech"), as_("manager")
    due = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    assert tech.post(ACT + "extend", json={"note": "等配件", "due": due}).status_code == 403
    assert manager.post(ACT + "extend", json={"note": "等配件"}).json()["field"] == "due"
    assert manager.post(ACT + "extend", json={"note": "等配件", "due": due}).status_code == 200
    assert manager.post(ACT + "assign", json={"assignee": "nobody"}).json()["field"] == "assignee"
    early = manager.post(ACT + "call_back", json={"reached": True, "satisfied": True})
    assert (early.status_code, early.json()["code"]) == (409, "not_possible")
    with world.admin() as conn:
        conn.execute("UPDATE cases SET state = 'closed', closed_at = now()")
        conn.execute("UPDATE orders SET state = 'closed', closed_at = now()")
    assert manager.post(ACT + "call_back", json={"reached": True, "satisfied": True}).status_code == 200
    assert world.rows("SELECT reached, satisfied FROM case_callbacks") == [(True, True)]


def test_help_is_called_in_and_takes_its_own_steps(as_: Login, world: World) -> None:
    filed(world)
    manager = as_("manager")
    assert manager.post(ACT + "assist", json={"note": "断电配合", "org_id": "prop"}).status_code == 200
    (order,) = world.rows("SELECT order_id FROM orders WHERE NOT lead")[0]
    step = f"/api/v1/orders/{order}/actions/"
    assert as_("tech").post(step + "accept", json={}).status_code == 404
    assert manager.post(step + "accept", json={}).json()["state"] == "accepted"
    assert manager.post(step + "finish", json={"note": "已断电"}).json()["state"] == "resolved"
    assert manager.get("/api/v1/cases/1").json()["state"] == "dispatched"


def test_a_visit_is_recorded_and_what_failed_is_filed(as_: Login, world: World) -> None:
    with psycopg.connect(world.database.url("watchkeep_dispatch")) as conn:
        since = datetime.now(UTC) - timedelta(days=12)
        preventive.load(conn, preventive.parse(preventive.default_plans(), load()), since)
        preventive.open_due(conn, datetime.now(UTC))
    tech = as_("tech")
    found = tech.get("/api/v1/visits").json()
    assert {visit["org_id"] for visit in found} == {"lift"}  # a maintainer's own
    visit = found[0]
    results = {item["id"]: "ok" for item in visit["items"]}
    here = f"/api/v1/visits/{visit['visit_id']}"
    assert tech.post(here, json={"results": {}, "signature": "张伟"}).json()["field"] == "results"
    assert tech.post(here, json={"results": results, "signature": "张伟"}).status_code == 204
    assert tech.post(here, json={"results": results, "signature": "张伟"}).status_code == 409
    assert as_("other").post(here, json={"results": results, "signature": "张伟"}).status_code == 404


def test_duty_rooms_hand_over(as_: Login, world: World) -> None:
    filed(world)
    here = "/api/v1/communities/sunshine/handovers"
    manager, duty = as_("manager"), as_("duty")
    body = {"to": "duty", "note": "主机正常"}
    assert as_("tech").post(here, json=body).status_code == 403
    number = manager.post(here, json=body).json()["handover"]
    taken = f"/api/v1/handovers/{number}/acknowledgement"
    assert manager.post(taken).status_code == 422
    assert duty.post(taken).status_code == 204
    (entry,) = manager.get(here).json()
    assert (entry["open_cases"], entry["acknowledged_at"] is not None) == ([1], True)


def test_the_fund_and_who_was_told(as_: Login, world: World) -> None:
    filed(world)
    manager = as_("manager")
    body = {"trigger": "lift_barred", "estimate": 38000, "reason": "责令停用"}
    assert as_("tech").post("/api/v1/cases/1/fund", json=body).status_code == 403
    number = manager.post("/api/v1/cases/1/fund", json=body).json()["request"]
    refused = manager.post(f"/api/v1/fund/{number}/actions/verify", json={"note": "属实"})
    assert refused.status_code == 403
    (request,) = manager.get("/api/v1/cases/1/fund").json()
    assert (request["state"], request["steps"][0]["action"]) == ("requested", "request")
    told = manager.get("/api/v1/cases/1/told").json()
    assert "迅捷维保" in {row["organisation"] for row in told}


def test_the_ledger_and_the_agenda_of_a_subdistrict(as_: Login, world: World) -> None:
    filed(world)
    desk = as_("duty")
    assert desk.post(ACT + "enter_ledger", json={"note": "需大修资金"}).status_code == 200
    (entry,) = desk.get("/api/v1/ledger?unstudied=true").json()
    assert (entry["case_id"], entry["studied"]) == (1, False)
    late = (datetime.now(UTC) + timedelta(days=60)).date().isoformat()
    body = {"finding": "列入大修", "org_id": "prop", "due_on": late}
    assert desk.post("/api/v1/ledger/1/studies", json=body).status_code == 204
    assert desk.get("/api/v1/ledger?unstudied=true").json() == []
    (topic,) = desk.get("/api/v1/areas/street-1/agenda").json()
    assert topic["reasons"] == ["挂账：需大修资金"]
    assert desk.get("/api/v1/areas/moon/agenda").status_code == 409
    assert as_("other").get("/api/v1/ledger").json() == []
