"""Yellow and red cards: the right rung at the right moment, each once, whatever the clock and the schedulers do."""

import threading
from datetime import timedelta

import pytest

from tests.dispatch.conftest import NOW, World
from watchkeep_dispatch import escalation
from watchkeep_dispatch.clocks import DEFAULT_CALENDAR
from watchkeep_dispatch.escalation import Escalation, due_levels

MINUTE = timedelta(minutes=1)


def escalate(world: World, now) -> list[Escalation]:
    with world.connect() as conn:
        return escalation.escalate(conn, now, DEFAULT_CALENDAR)


@pytest.mark.parametrize(
    ("minutes", "levels"),
    [
        (0, []),
        (14.9, []),
        (15, [0]),
        (19.9, [0]),
        (20, [0, 1]),
        (25, [0, 1, 2]),
        (30, [0, 1, 2, 3]),
        (40, [0, 1, 2, 3, 4]),
    ],
)
def test_rungs_of_a_deadline_after_20_minutes(minutes: float, levels: list[int]) -> None:
    found = due_levels(NOW, NOW + 20 * MINUTE, NOW + minutes * MINUTE, DEFAULT_CALENDAR)
    assert [rung.level for rung in found] == levels


def test_the_chain_step_by_step(world: World) -> None:
    case = world.filed("lift-1", "door_close_fail")  # respond within 15 min
    assert escalate(world, NOW + 11 * MINUTE) == []
    assert [(e.clock, e.level, e.to_party) for e in escalate(world, NOW + 12 * MINUTE)] == [
        ("respond", 0, "responsible")
    ]
    assert [e.level for e in escalate(world, NOW + 15 * MINUTE)] == [1]
    assert escalate(world, NOW + 15 * MINUTE) == []
    assert [e.to_party for e in escalate(world, NOW + 30 * MINUTE)] == [
        "first_responder",
        "subdistrict",
        "housing_bureau",
    ]
    told = world.rows(
        "SELECT org_id, title FROM notifications WHERE dedup_key LIKE 'order/%%' ORDER BY notification_id"
    )
    assert [org for org, _ in told] == ["lift-co", "lift-co", "property-co", "town-office", "housing"]
    assert [title[:2] for _, title in told] == ["黄牌", "红牌", "红牌", "红牌", "红牌"]
    assert world.value("SELECT count(*) FROM notifications WHERE case_id = %s", case) == 7


def test_a_jump_of_the_clock_fires_each_rung_once_and_going_back_none(world: World) -> None:
    world.filed("lift-1", "door_close_fail")
    fired = escalate(world, NOW + timedelta(days=30))
    assert sorted((e.clock, e.level) for e in fired) == sorted(
        (clock, level) for clock in ("respond", "arrive", "finish") for level in range(5)
    )
    assert escalate(world, NOW) == []
    assert escalate(world, NOW + timedelta(days=60)) == []


def test_only_running_clocks_count(world: World) -> None:
    world.filed("lift-1", "door_close_fail")
    with world.admin() as conn:
        conn.execute("UPDATE orders SET responded_at = %s", [NOW])
    assert {e.clock for e in escalate(world, NOW + timedelta(hours=2))} == {"arrive"}
    with world.admin() as conn:
        conn.execute("UPDATE orders SET state = 'suspended'")
    assert escalate(world, NOW + timedelta(days=2)) == []
    with world.admin() as conn:
        conn.execute("UPDATE orders SET state = 'resolved', finished_at = %s", [NOW])
    assert escalate(world, NOW + timedelta(days=2)) == []


def test_a_replay_community_goes_by_its_watermark_and_tells_nobody(world: World) -> None:
    then = NOW.replace(year=2014)
    world.warn("m-1", "machine_temperature_high", community="old", at=then)
    with world.admin() as conn:
        conn.execute("INSERT INTO replay_watermarks VALUES ('old', %s)", [then])
    world.file()
    assert escalate(world, NOW) == []
    with world.admin() as conn:
        conn.execute("UPDATE replay_watermarks SET ts = %s", [then + 15 * MINUTE])
    assert [(e.clock, e.level) for e in escalate(world, NOW)] == [("respond", 0), ("respond", 1)]
    assert world.value("SELECT max(fired_at) FROM escalations") == then + 15 * MINUTE
    assert world.value("SELECT count(*) FROM notifications") == 0


def test_nothing_fires_when_the_scheduler_dies_before_its_commit(world: World) -> None:
    world.filed("lift-1", "door_close_fail")
    later = NOW + 20 * MINUTE
    with world.connect() as conn:
        lost = escalation.escalate(conn, later, DEFAULT_CALENDAR)
        conn.rollback()
    assert escalate(world, later) == lost


@pytest.mark.slow
def test_two_schedulers_fire_each_rung_once(world: World) -> None:
    for n in range(10):
        world.filed(f"sensor-{n}", "sensor_silent")
    fired, errors = [], []
    barrier = threading.Barrier(2)

    def work() -> None:
        try:
            for days in range(1, 12):
                barrier.wait(20)
                fired.extend(escalate(world, NOW + timedelta(days=days / 2)))
        except Exception as error:  # a thread's error must reach the test
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert len(fired) == len(set(fired)) == 10 * 3 * 5
    assert world.value("SELECT count(*) FROM notifications WHERE dedup_key LIKE 'order/%%'") == 150
