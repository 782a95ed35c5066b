"""Indicators: what they count, that they open to their orders, and that the past stays as it was."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.dispatch.conftest import NOW, World
from watchkeep_dispatch import indicators, order_sums, work_order
from watchkeep_dispatch.actions import Evidence, Request
from watchkeep_dispatch.errors import DispatchError
from watchkeep_dispatch.indicators import RATES, By, Figures, Protected, Scope

HOUR = timedelta(hours=1)
ZONE = ZoneInfo("Asia/Shanghai")
SINCE, UNTIL = datetime(2026, 10, 31, 16, tzinfo=UTC), datetime(2026, 11, 30, 16, tzinfo=UTC)
LATER = NOW + timedelta(days=5)
PIECES = [
    Evidence("scan", "lift-1"),
    Evidence("note", "done"),
    Evidence("photo_after"),
    Evidence("signature", "x"),
    Evidence("reading", "1"),
]


def scope(as_of: datetime = LATER, **how) -> Scope:
    asked: dict[str, Any] = {"since": SINCE, "until": UNTIL, "as_of": as_of, "by": "maintainer"} | how
    return Scope(**asked)


def figures(world: World, asked: Scope, subject: str = "lift-co") -> Figures:
    with world.connect() as conn:
        return next(found for found in indicators.figures(conn, asked) if found.subject == subject)


def act(world: World, who: str, action, case: int, at: datetime, *evidence, **request) -> None:
    with world.connect() as conn:
        action(conn, case, Request(person_id=world.people[who], now=at, **request), *evidence)


def handled(
    world: World,
    equipment: str = "lift-1",
    condition: str = "door_close_fail",
    at: datetime = NOW,
    after: timedelta = HOUR,
) -> int:
    """A case that was accepted and reported as done `after` it was dispatched; due are 15 min, 1 h and 24 h."""
    case = world.filed(equipment, condition, at)
    act(world, "li", work_order.accept, case, at + timedelta(minutes=5))
    act(world, "li", work_order.arrive, case, at + timedelta(minutes=30))
    act(world, "li", work_order.finish, case, at + after, PIECES)
    return case


def close(world: World, case: int, at: datetime) -> None:
    world.clear(world.value("SELECT max(warning_id) FROM case_warnings WHERE case_id = %s", case), at - HOUR)
    act(world, "qian", work_order.verify, case, at)
    act(world, "sun", work_order.close, case, at)


def test_in_time_late_and_never(world: World) -> None:
    handled(world)
    handled(world, condition="door_open_fail", after=30 * HOUR)
    world.filed("lift-1", "entrapment")
    found = figures(world, scope())
    assert found.counts["due_d"] == 3
    assert found.rate("on_time_rate") == pytest.approx(1 / 3)
    assert found.rate("respond_rate") == pytest.approx(2 / 3)
    assert found.rate("arrive_rate_a") == 0
    assert found.rate("urgent_on_time_rate") == 0
    assert found.rate("close_rate") == 0
    assert not found.ranked


def test_nothing_is_due_before_its_time(world: World) -> None:
    world.filed("lift-1", "door_close_fail")
    with world.connect() as conn:
        assert indicators.figures(conn, scope(NOW + 23 * HOUR)) == []
    assert figures(world, scope(NOW + 25 * HOUR)).counts["due_d"] == 1


def test_what_was_returned_is_excluded_and_shown(world: World) -> None:
    case = world.filed("lift-1", "door_close_fail")
    act(world, "li", work_order.return_order, case, NOW + 2 * HOUR, reason="not ours", org_id="property-co")
    found = figures(world, scope())
    assert found.counts["due_d"] == 0
    assert (found.excluded()["returned"], found.excluded()["returned_h"]) == (1, 2.0)


def test_a_failed_check_is_rework_and_not_in_time(world: World) -> None:
    case = handled(world)
    act(world, "qian", work_order.rework, case, NOW + 2 * HOUR, reason="still squeaks")
    found = figures(world, scope())
    assert found.rate("rework_rate") == 1
    assert found.counts["on_time_n"] == 0
    assert found.counts["due_d"] == 2  # the new order's own time has run out as well


def test_what_comes_back_within_30_days_is_a_recurrence(world: World) -> None:
    case = handled(world)
    close(world, case, NOW + 3 * HOUR)
    assert figures(world, scope()).rate("recurrence_rate") == 0
    world.filed("lift-1", "door_close_fail", NOW + timedelta(days=3))
    assert figures(world, scope()).rate("recurrence_rate") == 1
    assert figures(world, scope(NOW + timedelta(days=2))).rate("recurrence_rate") == 0


def test_replays_and_tests_do_not_count(world: World) -> None:
    world.filed("m-1", "door_close_fail", community="old")
    with world.connect() as conn:
        assert (
            indicators.figures(conn, scope(by="all", until=UNTIL + timedelta(days=400)))[0].counts.get("due_d", 0) == 0
        )


def test_each_count_opens_to_its_orders(world: World) -> None:
    handled(world)
    late = handled(world, condition="door_open_fail", after=30 * HOUR)
    asked = scope()
    found = figures(world, asked)
    with world.connect() as conn:
        for flag in ("orders", *(name for upper, lower, *_ in RATES.values() for name in (upper, lower))):
            if flag in found.counts:
                assert len(indicators.behind(conn, asked, "lift-co", flag)) == found.counts[flag], flag
        in_time = {case for _, case in indicators.behind(conn, asked, "lift-co", "on_time_n")}
        assert late not in in_time
        with pytest.raises(DispatchError, match="flag"):
            indicators.behind(conn, asked, None, "true; --")


@pytest.mark.parametrize(
    ("by", "subject"), [("company", "property-co"), ("community", "garden"), ("subdistrict", "town"), ("all", "all")]
)
def test_each_dimension(world: World, by: str, subject: str) -> None:
    world.filed("pump", "supply_pressure_deviation")  # property-co
    with world.admin() as conn:
        conn.execute(
            "INSERT INTO complaints (source, community_id, condition, description, property_org_id, received_at,"
            " satisfied, rated_at) VALUES ('walk_in', 'garden', 'resident_repair', 'x', 'property-co', %s, true, %s)",
            [NOW, NOW + HOUR],
        )
        conn.execute("UPDATE communities SET households = 500")
        conn.execute("UPDATE community_history SET at = %s WHERE at = now()", [NOW])
    found = figures(world, scope(by=by), subject)
    assert found.counts["orders"] == 1
    assert found.counts["complaints"] == 1
    households = 500 if subject in ("garden", "town") else 1000
    assert found.counts["households"] == households
    assert found.rate("complaints_per_10k") == pytest.approx(10_000 / households)
    assert found.rate("satisfaction_rate") == 1
    before = figures(world, scope(NOW, by=by), subject)
    assert before.counts["complaints"] == 0


@pytest.fixture
def building(world: World) -> Scope:
    """Lift 1 is in a building and reports through the gateway, since before the ten hours that are asked for."""
    with world.admin() as conn:
        conn.execute("INSERT INTO buildings VALUES ('garden', 'b1', '1号楼', 18, NULL) ON CONFLICT DO NOTHING")
        conn.execute(
            "UPDATE equipment SET building_id = 'b1' WHERE (community_id, equipment_id) = ('garden', 'lift-1')"
        )
        conn.execute("UPDATE points SET created_at = %s", [NOW - timedelta(days=30)])
    return scope(NOW, since=NOW - 10 * HOUR, until=NOW, by="community")


def protected(world: World, asked: Scope) -> Protected:
    with world.connect() as conn:
        (found,) = indicators.protected(conn, asked)
    return found


def test_protected_minutes_of_a_building(world: World, building: Scope) -> None:
    found = protected(world, building)
    assert (found.building_id, found.minutes, found.protected) == ("b1", 600, 600)
    silent = world.warn("gw", "gateway_offline", at=NOW - 4 * HOUR)  # lift-1 reports through it
    world.warn("lift-1", "entrapment", at=NOW - 3.5 * HOUR, status="cleared", cleared_at=NOW - 2.5 * HOUR)
    world.clear(silent, NOW - 3 * HOUR)
    found = protected(world, building)
    assert found.unheard == pytest.approx(60)
    assert found.unprotected == pytest.approx(90)  # the two overlap by half an hour
    subjects: dict[By, str] = {"community": "garden", "company": "property-co", "subdistrict": "town", "all": "all"}
    for by, subject in subjects.items():
        counted = figures(world, replace(building, by=by), subject)
        assert counted.rate("protected_rate") == pytest.approx(510 / 600)
        assert counted.rate("online_rate") == pytest.approx(540 / 600)


def test_a_building_is_protected_since_it_is_watched(world: World, building: Scope) -> None:
    with world.admin() as conn:
        conn.execute("UPDATE points SET created_at = %s", [NOW - 4 * HOUR])
    world.warn("gw", "gateway_offline", at=NOW - 5 * HOUR, status="cleared", cleared_at=NOW - 3 * HOUR)
    found = protected(world, building)
    assert (found.minutes, found.protected, found.unheard) == (240, 180, 60)
    assert figures(world, building, "garden").rate("protected_rate") == pytest.approx(180 / 240)
    with world.connect() as conn:
        assert indicators.protected(conn, replace(building, until=NOW - 6 * HOUR)) == []


def test_trouble_that_stands_goes_on(world: World, building: Scope) -> None:
    """Until now, or until the moment that is asked for: whoever asks then does not know that it will be over."""
    silent = world.warn("gw", "gateway_offline", at=NOW - 4 * HOUR)
    assert protected(world, building).unheard == pytest.approx(240)
    world.clear(silent, NOW + HOUR)
    assert protected(world, building).unheard == pytest.approx(240)
    assert protected(world, replace(building, until=NOW + 2 * HOUR, as_of=NOW + 2 * HOUR)).unheard == pytest.approx(300)


def test_a_sensor_is_silent_for_itself(world: World, building: Scope) -> None:
    """What merely looks odd was heard of; what was not there yet was not expected."""
    with world.admin() as conn:
        row = conn.execute("SELECT series_id FROM points WHERE equipment_id = 'lift-1'").fetchone()
        assert row
        conn.execute(
            "INSERT INTO points (community_id, equipment_id, metric, unit, created_at)"
            " VALUES ('garden', 'lift-1', 'x', '1', %s)",
            [NOW - 5 * HOUR],
        )
    world.warn("lift-1", "abnormal_reading", at=NOW - 9 * HOUR)
    silent = world.warn("lift-1", "sensor_silent", at=NOW - 2 * HOUR)
    with world.admin() as conn:
        conn.execute("UPDATE warnings SET series_id = %s WHERE warning_id = %s", [row[0], silent])
    counted = figures(world, building, "garden").counts
    with world.admin() as conn:
        conn.execute("DELETE FROM points WHERE metric = 'x'")
    assert (counted["point_h"], counted["heard_h"]) == (15, 13)


def test_sums_of_time_hear_of_late_trouble(world: World, building: Scope) -> None:
    """What is found late, cleared late or rises marks the sums of every span it lies in; before, nobody knew of it."""
    handled(world, at=NOW - timedelta(days=40))
    silent = 0

    def find() -> None:
        nonlocal silent
        silent = world.warn("lift-1", "sensor_silent", at=NOW - timedelta(days=20), detected_at=NOW - timedelta(days=2))

    def rise() -> None:
        with world.admin() as conn:
            conn.execute("UPDATE warnings SET proposed_class = 'A' WHERE warning_id = %s", [silent])

    seen = [counted_and_not(world, step) for step in (find, lambda: world.clear(silent, NOW - timedelta(days=9)), rise)]
    assert all(kept == facts for kept, facts in seen)
    unprotected = [facts[-1]["building_min"] - facts[-1]["protected_min"] for _, facts in seen]
    assert unprotected == [20 * 1440, 11 * 1440, 11 * 1440]
    assert [facts[0]["building_min"] - facts[0]["protected_min"] for _, facts in seen[:2]] == [0, 0]


def counted_and_not(world: World, step: Any) -> tuple[list[Any], list[Any]]:
    """Count, let something happen; figures as known three days ago and now, from the sums and from the facts."""

    def shown() -> list[Any]:
        since = NOW - timedelta(days=36)
        asked = [scope(at, since=since, until=NOW, by="community") for at in (NOW - timedelta(days=3), NOW)]
        return [figures(world, one, "garden").counts for one in asked]

    with world.connect() as conn:
        while order_sums.keep(conn, NOW, ZONE):
            pass
    step()
    kept = shown()
    with world.connect() as conn:
        while order_sums.keep(conn, NOW, ZONE):
            pass
    assert shown() == kept
    world.rows("DELETE FROM order_spans RETURNING 1")
    return kept, shown()


def finish_late(world: World, case: int, at: datetime) -> None:
    act(world, "li", work_order.accept, case, at)
    act(world, "li", work_order.arrive, case, at)
    act(world, "li", work_order.finish, case, at, PIECES)


def give_back(world: World, case: int, at: datetime) -> None:
    act(world, "li", work_order.return_order, case, at, reason="not ours", org_id="property-co")


def raise_it(world: World, case: int, at: datetime) -> None:
    act(world, "sun", work_order.raise_class, case, at, reason="worse", to_class="A")


def move_deadline(world: World, case: int, at: datetime) -> None:
    """As a pause or an extension does: it is kept what the deadline was."""
    with world.admin() as conn:
        conn.execute(
            "INSERT INTO deadline_changes (case_id, order_id, clock, kind, from_due, to_due, reason, at)"
            " SELECT case_id, order_id, 'finish', 'extension', finish_due, finish_due + interval '90 days', 'x', %s"
            " FROM orders WHERE case_id = %s",
            [at, case],
        )
        query = "UPDATE orders SET finish_due = finish_due + interval '90 days' WHERE case_id = %s"
        conn.execute(query, [case])


def come_again(world: World, case: int, at: datetime) -> None:
    close(world, handled(world, condition="door_open_fail", at=at), at + 4 * HOUR)
    world.filed("lift-1", "door_open_fail", at + timedelta(days=2))


@pytest.mark.parametrize("later", [finish_late, give_back, raise_it, move_deadline, come_again])
def test_what_happens_later_does_not_change_the_past(world: World, later: Any) -> None:
    old = handled(world, condition="door_open_fail")
    close(world, old, NOW + 3 * HOUR)
    case = world.filed("lift-1", "door_close_fail")
    then = NOW + 26 * HOUR
    asked = scope(then)
    before, now_before = figures(world, asked), figures(world, scope(then + timedelta(days=100)))
    later(world, case, then + HOUR)
    assert figures(world, asked).counts == before.counts
    if later is not raise_it:
        assert figures(world, scope(then + timedelta(days=100))).counts != now_before.counts, (
            "it was an event that counts"
        )
