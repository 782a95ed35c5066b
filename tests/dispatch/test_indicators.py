"""Indicators: what they count, that they open to their orders, and that the past stays as it was."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.dispatch.conftest import NOW, World
from watchkeep_dispatch import indicators, work_order
from watchkeep_dispatch.actions import Evidence, Request
from watchkeep_dispatch.errors import DispatchError
from watchkeep_dispatch.indicators import RATES, Figures, Scope

HOUR = timedelta(hours=1)
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
    found = figures(world, scope(by=by), subject)
    assert found.counts["orders"] == 1
    assert found.counts["complaints"] == 1
    households = 500 if subject in ("garden", "town") else 1000
    assert found.counts["households"] == households
    assert found.rate("complaints_per_10k") == pytest.approx(10_000 / households)
    assert found.rate("satisfaction_rate") == 1
    before = figures(world, scope(NOW, by=by), subject)
    assert before.counts["complaints"] == 0


def test_protected_minutes_of_a_building(world: World) -> None:
    with world.admin() as conn:
        conn.execute("INSERT INTO buildings VALUES ('garden', 'b1', '1号楼', 18, NULL) ON CONFLICT DO NOTHING")
        conn.execute(
            "UPDATE equipment SET building_id = 'b1' WHERE (community_id, equipment_id) = ('garden', 'lift-1')"
        )
    asked = scope(NOW, since=NOW - 10 * HOUR, until=NOW, by="community")
    with world.connect() as conn:
        (building,) = indicators.protected(conn, asked)
    assert (building.building_id, building.minutes, building.protected) == ("b1", 600, 600)
    silent = world.warn("gw", "gateway_offline", at=NOW - 4 * HOUR)  # lift-1 reports through it
    world.warn("lift-1", "entrapment", at=NOW - 3.5 * HOUR, status="cleared", cleared_at=NOW - 2.5 * HOUR)
    world.clear(silent, NOW - 3 * HOUR)
    with world.connect() as conn:
        (building,) = indicators.protected(conn, asked)
    assert building.unheard == pytest.approx(60)
    assert building.unprotected == pytest.approx(90)  # the two overlap by half an hour
    found = figures(world, asked, "garden")
    assert found.rate("protected_rate") == pytest.approx(510 / 600)
    assert found.rate("online_rate") == pytest.approx(540 / 600)


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
