"""Preventive work as a property company plans it: in place of a general plan, stopped, changed; nobody else's."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from tests.console import world as w
from tests.console.conftest import Login
from tests.console.staff import session_of
from watchkeep_console import visit_plans
from watchkeep_console.errors import Forbidden, Invalid, NotFound
from watchkeep_console.services import Services
from watchkeep_console.visit_plans import Draft
from watchkeep_core.database import as_person
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import preventive
from watchkeep_dispatch.preventive import Item

GENERAL = "lift_half_monthly"
DAY = timedelta(days=1)
DRAFT = Draft(
    title_zh="电梯旬检", kinds=("elevator",), party="lift_maintainer", every="10 d", ahead="3 d",
    basis="维保合同第 5 条", items=(Item("", "制动器动作", "", "brake_fault"),), overdue="maintenance_overdue",
    reason="合同约定",
)  # fmt: skip
BODY = msgspec.to_builtins(DRAFT)


@pytest.fixture
def since(world: w.World) -> datetime:
    """When the general plans began: 13 days ago, so that lifts are due in 2."""
    at = datetime.now(UTC) - 13 * DAY
    with world.admin() as conn:
        preventive.load(conn, preventive.parse(preventive.default_plans(), load()), at)
    return at


def opened(world: w.World, at: datetime) -> list[tuple[Any, ...]]:
    """What dispatch opens by then in 阳光花园: equipment, title, organisation."""
    with psycopg.connect(world.database.url("watchkeep_dispatch")) as conn:
        preventive.open_due(conn, at)
    return world.rows(
        "SELECT equipment_id, title_zh, org_id FROM visits JOIN visit_plans USING (plan_id)"
        " WHERE visits.community_id = 'sunshine' AND done_at IS NULL AND kinds @> '{elevator}' ORDER BY 1"
    )


def test_a_plan_in_place_of_the_general_one_for_one_lift(house: Services, world: w.World, since: datetime) -> None:
    """It counts from the last visit by either; the other lifts, and the other community, go on as before."""
    manager, now = session_of(house, "manager"), datetime.now(UTC)
    draft = msgspec.structs.replace(DRAFT, equipment=("lift-1",))
    made = visit_plans.make(house, manager, "sunshine", draft, replaces=GENERAL)
    general = "电梯半月维保"
    assert opened(world, now) == [
        ("lift-1", "电梯旬检", "lift"), ("lift-2", general, "lift"), ("lift-3", general, "lift"),
    ]  # fmt: skip
    assert world.rows("SELECT plan_id FROM visits WHERE community_id = 'riverside'") == [(GENERAL,)]
    with as_person(house.pool, world.people["manager"]) as conn:
        own = visit_plans.one(conn, made, now)
        (piece,) = visit_plans.ahead(conn, now, community="sunshine", equipment="lift-1")
    assert (own["pieces"], own["late"], own["replaces"]) == (1, 1, GENERAL)
    assert piece["due_at"] == since + 10 * DAY
    with pytest.raises(Invalid, match="has such a plan already"):
        visit_plans.make(house, manager, "sunshine", DRAFT, replaces=GENERAL)
    with as_person(house.pool, world.people["other"]) as conn, pytest.raises(NotFound):
        visit_plans.one(conn, made, now)


def test_open_visits_go_over_to_the_plan_that_takes_the_place(house: Services, world: w.World, since: datetime) -> None:
    manager = session_of(house, "manager")
    assert len(opened(world, datetime.now(UTC))) == 3
    visit_plans.make(house, manager, "sunshine", DRAFT, replaces=GENERAL)
    assert {title for _, title, _ in opened(world, datetime.now(UTC))} == {"电梯旬检"}
    assert world.rows("SELECT count(*) FROM visits WHERE community_id = 'sunshine'") == [(3,)]


def test_a_general_plan_is_stopped_here_and_goes_on(house: Services, world: w.World, since: datetime) -> None:
    manager, now = session_of(house, "manager"), datetime.now(UTC)
    with pytest.raises(Invalid, match="must be given"):
        visit_plans.switch(house, manager, GENERAL, "sunshine", "", enabled=False)
    visit_plans.switch(house, manager, GENERAL, "sunshine", "加装期间停梯", enabled=False)
    assert opened(world, now) == []
    with as_person(house.pool, world.people["manager"]) as conn:
        own = next(row for row in visit_plans.plans(conn, now, "sunshine") if row["replaces"])
    assert (own["enabled"], own["reason"], own["next_due"], own["late"]) == (False, "加装期间停梯", None, 0)
    visit_plans.switch(house, manager, own["plan_id"], "sunshine", "完工", enabled=True)
    assert opened(world, now + 9 * DAY) == []
    assert len(opened(world, now + 11 * DAY)) == 3
    found = world.rows("SELECT action, detail ->> 'reason' FROM audit_entries WHERE object_kind = 'visit_plan'")
    assert {("visits.plan", "加装期间停梯"), ("visits.change", "完工")} <= set(found)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"every": "0 d"}, "every"),
        ({"every": "30 min"}, "every"),
        ({"ahead": "10 d"}, "ahead"),
        ({"kinds": ()}, "kinds"),
        ({"kinds": ("spaceship",)}, "kinds"),
        ({"party": "nobody"}, "party"),
        ({"basis": ""}, "basis"),
        ({"items": ()}, "items"),
        ({"items": (Item("", "x", "", "none"),)}, "items"),
        ({"overdue": "none"}, "overdue"),
        ({"equipment": ("pump-1",)}, "equipment"),
    ],
)
def test_what_is_wrong_is_named(house: Services, world: w.World, change: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        visit_plans.make(house, session_of(house, "manager"), "sunshine", msgspec.structs.replace(DRAFT, **change))
    assert refused.value.field == field
    assert world.rows("SELECT count(*) FROM visit_plans") == [(0,)]


def test_only_the_property_company_plans(house: Services, world: w.World, since: datetime) -> None:
    made = visit_plans.make(house, session_of(house, "manager"), "sunshine", DRAFT)
    for who, refusal in (("duty", Forbidden), ("tech", Forbidden), ("other", NotFound)):
        session = session_of(house, who)
        with pytest.raises(refusal):
            visit_plans.make(house, session, "sunshine", DRAFT)
        with pytest.raises(refusal):
            visit_plans.change(house, session, made, DRAFT)
    with pytest.raises(NotFound):  # a general plan is nobody's to change
        visit_plans.change(house, session_of(house, "manager"), GENERAL, DRAFT)
    with as_person(house.pool, world.people["other"]) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(
            "INSERT INTO visit_plans SELECT 'own_x', title_zh, title_en, kinds, party, every, ahead, overdue, items,"
            " basis, enabled, since, 'sunshine' FROM visit_plans LIMIT 1"
        )


def test_a_month_shows_what_will_come(house: Services, world: w.World, since: datetime) -> None:
    """Beyond the open visits, once per period, and nothing years ahead."""
    manager, now = session_of(house, "manager"), datetime.now(UTC)
    visit_plans.make(house, manager, "sunshine", DRAFT, first=now + 5 * DAY)
    with as_person(house.pool, world.people["manager"]) as conn:
        found = visit_plans.month(conn, now, now, now + 30 * DAY, "sunshine", None)
        far = visit_plans.month(conn, now, now + 500 * DAY, now + 530 * DAY, None, None)
    assert [row["pieces"] for row in found if row["title_zh"] == "电梯旬检"] == [3, 3, 3]
    assert far == []


def test_programs_plan_too(as_: Login, world: w.World, since: datetime) -> None:
    manager, other = as_("manager"), as_("other")
    made = manager.post("/api/v1/communities/sunshine/visit-plans", json=BODY | {"replaces": GENERAL})
    assert made.status_code == 201, made.text
    path = f"/api/v1/visit-plans/{made.json()['plan_id']}"
    assert manager.put(path, json=BODY | {"every": "12 d"}).status_code == 204
    plans = {row["plan_id"]: row for row in manager.get("/api/v1/visit-plans?community=sunshine").json()}
    assert plans[made.json()["plan_id"]]["every"] == "12 d"
    assert plans[GENERAL]["pieces"] == 0
    assert len(manager.get("/api/v1/visits-ahead?shown=late").json()) == 3
    assert manager.put(path, json=BODY | {"every": "soon"}).status_code == 422
    for method, where in (("PUT", path), ("POST", "/api/v1/communities/sunshine/visit-plans")):
        assert other.request(method, where, json=BODY).status_code == 404
    assert made.json()["plan_id"] not in {row["plan_id"] for row in other.get("/api/v1/visit-plans").json()}
