"""Who sees what: row-level security through the API."""

from datetime import UTC, datetime, timedelta

from tests.console import world as w
from tests.console.conftest import Login
from tests.console.world import World


def test_each_sees_their_own(as_: Login, world: World) -> None:
    w.warning(world, "lift-1", "door_close_fail")
    w.warning(world, "pump-1", "supply_pressure_loss", of_class="A")
    w.warning(world, "lift-1", "door_close_fail", community="riverside")
    w.judge_all(world)

    def seen(who: str) -> tuple[set[str], int, int]:
        client = as_(who)
        equipment = client.get("/api/v1/equipment").json()["items"]
        counts = [len(client.get(f"/api/v1/{name}").json()["items"]) for name in ("warnings", "cases")]
        return {f"{item['community_id']}/{item['equipment_id']}" for item in equipment}, counts[0], counts[1]

    lifts = {"sunshine/lift-1", "sunshine/lift-2", "sunshine/lift-3"}
    sunshine = lifts | {"sunshine/pump-1", "sunshine/hydrant-1"}
    assert seen("tech") == (lifts, 1, 1), "a maintainer sees the equipment of its contract only"
    assert seen("manager") == (sunshine, 2, 2)
    assert seen("verifier") == (sunshine, 2, 2), "by area"
    assert seen("other") == ({"riverside/lift-1"}, 1, 1)
    assert seen("auditor") == (sunshine | {"riverside/lift-1"}, 3, 3)


def test_outside_one_s_scope_is_404_and_not_403(as_: Login, world: World) -> None:
    warning = w.warning(world, "lift-1", community="riverside")
    w.judge_all(world)
    series = world.series["riverside", "lift-1", "door_status"]
    span = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}
    duty = as_("duty")
    for path in (
        "/api/v1/communities/riverside/equipment/lift-1",
        f"/api/v1/warnings/{warning}",
        "/api/v1/cases/1",
        "/api/v1/orders/1",
        "/api/v1/communities/riverside/gateways/gw-1",
    ):
        assert duty.get(path).status_code == 404, path
    assert duty.get(f"/api/v1/series/{series}/readings", params=span).status_code == 404
    for path in ("cases/1/actions/accept", "orders/1/actions/accept", f"warnings/{warning}/dismiss"):
        assert duty.post(f"/api/v1/{path}", json={"note": "x"}).status_code == 404, path
    body = {"community_id": "riverside", "gateway_id": "gw-2"}
    assert as_("manager").post("/api/v1/gateways", json=body).status_code == 404


def test_readings_oldest_first_and_cut_to_the_newest(as_: Login, world: World) -> None:
    series = world.series["sunshine", "pump-1", "inlet_pressure"]
    until = datetime.now(UTC).replace(microsecond=0)
    w.readings(world, series, [1.0, 2.0, 3.0], until)
    duty = as_("duty")
    span = {"from": (until - timedelta(hours=1)).isoformat(), "to": (until + timedelta(seconds=1)).isoformat()}
    everything = duty.get(f"/api/v1/series/{series}/readings", params=span).json()
    assert ([item["value"] for item in everything["readings"]], everything["complete"]) == ([1.0, 2.0, 3.0], True)
    two = duty.get(f"/api/v1/series/{series}/readings", params=span | {"limit": "2"}).json()
    assert ([item["value"] for item in two["readings"]], two["complete"]) == ([2.0, 3.0], False)
    assert as_("tech").get(f"/api/v1/series/{series}/readings", params=span).status_code == 404


def test_equipment_detail_has_limits_and_last_values(as_: Login, world: World) -> None:
    series = world.series["sunshine", "pump-1", "inlet_pressure"]
    w.readings(world, series, [260.0, 262.5], datetime.now(UTC))
    found = as_("duty").get("/api/v1/communities/sunshine/equipment/pump-1").json()
    points = {point["metric"]: point for point in found["points"]}
    assert points["inlet_pressure"]["value"] == 262.5
    assert points["inlet_pressure"]["limits"]
    assert points["outlet_pressure"]["value"] is None
    assert "report_token" not in found


def test_pages_follow_one_another_without_holes(as_: Login, world: World) -> None:
    for number in range(7):
        w.warning(world, f"lift-{number % 3 + 1}", ("door_close_fail", "door_cycling", "door_held_open")[number // 3])
    duty = as_("duty")
    found: list[int] = []
    cursor = None
    while True:
        page = duty.get("/api/v1/warnings", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        found += [item["warning_id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == sorted(found, reverse=True)
    assert len(found) == 7
    lifts = duty.get("/api/v1/equipment", params={"limit": 2, "q": "lift-"}).json()
    rest = duty.get("/api/v1/equipment", params={"limit": 2, "q": "lift-", "cursor": lifts["next"]}).json()
    assert [item["equipment_id"] for item in lifts["items"] + rest["items"]] == ["lift-1", "lift-2", "lift-3"]


def test_an_unchanged_answer_costs_no_body(as_: Login) -> None:
    duty = as_("duty")
    first = duty.get("/api/v1/communities")
    again = duty.get("/api/v1/communities", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_summary_counts_what_one_sees(as_: Login, world: World) -> None:
    w.warning(world, "lift-1", of_class="A", condition="entrapment", life_safety=True)
    w.warning(world, "pump-1", "supply_pressure_loss", of_class="A")
    w.judge_all(world)
    assert as_("duty").get("/api/v1/summary").json()["warnings"] == {"A": 2, "B": 0, "C": 0}
    tech = as_("tech").get("/api/v1/summary").json()
    assert (tech["warnings"]["A"], tech["cases_open"], tech["orders_open"]) == (1, 1, 1)
    assert as_("other").get("/api/v1/summary").json()["cases_open"] == 0
