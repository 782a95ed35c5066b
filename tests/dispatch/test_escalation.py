"""Yellow and red cards: the right rung at the right moment, each once, whatever the clock and the schedulers do."""

import threading
from datetime import timedelta

import psycopg
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
        (35, [0, 1, 2, 3, 4]),
        (40, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_rungs_of_a_deadline_after_20_minutes(minutes: float, levels: list[int]) -> None:
    found = due_levels(NOW, NOW + 20 * MINUTE, NOW + minutes * MINUTE, DEFAULT_CALENDAR)
    assert [rung.level for rung in found] == levels


def names(world: World, persons) -> list[str]:
    logins = {person: login for login, person in world.people.items()}
    return sorted(logins[person] for person in persons)


def test_the_chain_step_by_step_reaches_people_by_name(world: World) -> None:
    case = world.filed("lift-1", "door_close_fail")  # respond within 15 min
    assert escalate(world, NOW + 11 * MINUTE) == []
    (yellow,) = escalate(world, NOW + 12 * MINUTE)
    assert (yellow.clock, yellow.level, yellow.to_party) == ("respond", 0, "responsible")
    assert names(world, yellow.persons) == ["wei"]  # nobody has it and nobody is on call: the head
    with world.admin() as conn:
        conn.execute("UPDATE orders SET assignee_id = %s", [world.people["li"]])
    (red,) = escalate(world, NOW + 15 * MINUTE)
    assert (red.level, names(world, red.persons)) == (1, ["li"])
    assert escalate(world, NOW + 15 * MINUTE) == []
    assert [(e.to_party, names(world, e.persons)) for e in escalate(world, NOW + 30 * MINUTE)] == [
        ("first_responder", ["zhao"]),
        ("responsible", ["wei"]),
        ("subdistrict", ["zhou"]),
        ("housing_bureau", ["zheng"]),
    ]
    told = world.rows(
        "SELECT org_id, person_id::text, title FROM notifications WHERE dedup_key LIKE 'order/%%'"
        " ORDER BY notification_id"
    )
    assert [org for org, person, _ in told if not person] == [
        "lift-co", "lift-co", "property-co", "lift-co", "town-office", "housing"
    ]  # fmt: skip
    assert names(world, [person for _, person, _ in told if person]) == sorted(
        ["wei", "li", "zhao", "wei", "zhou", "zheng"]
    )
    assert [title[:2] for _, person, title in told if not person] == ["黄牌", *["红牌"] * 5]
    assert world.value("SELECT count(*) FROM notifications WHERE case_id = %s", case) == 14


def test_whoever_is_on_call_is_reached_while_nobody_has_the_order(world: World) -> None:
    world.filed("lift-1", "door_close_fail")
    with world.admin() as conn:
        conn.execute(
            "INSERT INTO rota_shifts (org_id, person_id, during) VALUES ('lift-co', %s, tstzrange(%s, %s))",
            [world.people["wang"], NOW, NOW + timedelta(hours=8)],
        )
        conn.execute("UPDATE people SET language = 'en' WHERE login = 'wang'")
    try:
        (yellow,) = escalate(world, NOW + 12 * MINUTE)
        assert names(world, yellow.persons) == ["wang"]
        title = world.value("SELECT title FROM notifications WHERE person_id IS NOT NULL")
        assert title == "Yellow card: Lift 1: Door fails to close"
    finally:
        with world.admin() as conn:
            conn.execute("UPDATE people SET language = 'zh' WHERE login = 'wang'")


def test_the_check_has_a_clock_of_its_own(world: World) -> None:
    world.filed("lift-1", "door_close_fail")
    with world.admin() as conn:
        conn.execute(
            "UPDATE orders SET state = 'resolved', finished_at = %s, verify_due = %s", [NOW, NOW + timedelta(hours=8)]
        )
    assert escalate(world, NOW + timedelta(hours=5)) == []
    fired = [(e.clock, e.level, e.to_party) for e in escalate(world, NOW + timedelta(days=1))]
    assert fired == [
        ("verify", 0, "first_responder"),
        ("verify", 1, "supervising"),
        ("verify", 4, "subdistrict"),
        ("verify", 5, "housing_bureau"),
    ]
    assert escalate(world, NOW + timedelta(days=2)) == []


def test_a_case_that_nobody_has_is_noticed(world: World) -> None:
    case = world.filed("lift-1", "door_close_fail")
    with world.admin() as conn:
        conn.execute("UPDATE cases SET state = 'filed'")
        conn.execute("UPDATE orders SET closed_at = %s", [NOW])
    assert escalate(world, NOW + 14 * MINUTE) == []
    (fired,) = escalate(world, NOW + 15 * MINUTE)
    assert (fired.order_id, fired.case_id, fired.clock, fired.to_party) == (None, case, "dispatch", "supervising")
    assert [e.level for e in escalate(world, NOW + timedelta(hours=2))] == [4, 5]
    assert escalate(world, NOW + timedelta(days=2)) == []
    assert world.value("SELECT count(*) FROM case_escalations") == 3


def test_a_reporter_who_was_not_called_back_is_noticed(world: World) -> None:
    world.filed("lift-1", "door_close_fail")
    with world.admin() as conn:
        conn.execute("UPDATE cases SET state = 'closed', source = 'hotline_12345', closed_at = %s", [NOW])
        conn.execute("UPDATE orders SET state = 'closed', closed_at = %s", [NOW])
    assert escalate(world, NOW + timedelta(hours=26)) == []  # due on Tuesday at 17:30
    due = NOW + timedelta(hours=31, minutes=30)
    assert [(e.clock, e.level) for e in escalate(world, due)] == [("callback", 1)]
    with world.admin() as conn:
        conn.execute("INSERT INTO case_callbacks (case_id, at, reached) SELECT case_id, %s, true FROM cases", [due])
    assert escalate(world, NOW + timedelta(days=9)) == []


def test_a_jump_of_the_clock_fires_each_rung_once_and_going_back_none(world: World) -> None:
    world.filed("lift-1", "door_close_fail")
    fired = escalate(world, NOW + timedelta(days=30))
    assert sorted((e.clock, e.level) for e in fired) == sorted(
        (clock, level) for clock in ("respond", "arrive", "finish") for level in range(6)
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
def test_two_schedulers_killed_now_and_then_fire_each_rung_once(world: World) -> None:
    for n in range(10):
        world.filed(f"sensor-{n}", "sensor_silent")
    errors: list[Exception] = []
    killed = []
    barrier = threading.Barrier(2)
    over = threading.Event()

    def work() -> None:
        try:
            for days in range(1, 12):
                barrier.wait(60)
                while True:
                    try:
                        escalate(world, NOW + timedelta(days=days / 2))
                        break
                    except psycopg.OperationalError:  # killed: the next one begins where the database stands
                        continue
        except Exception as error:  # a thread's error must reach the test
            errors.append(error)

    def kill() -> None:
        while not over.wait(0.15):
            killed.extend(
                world.rows(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'watchkeep_dispatch'"
                    " AND datname = current_database() AND xact_start IS NOT NULL ORDER BY random() LIMIT 1"
                )
            )

    killer = threading.Thread(target=kill)
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in (killer, *threads):
        thread.start()
    for thread in threads:
        thread.join(120)
    over.set()
    killer.join(10)
    assert errors == []
    assert killed, "nobody was killed"
    assert world.value("SELECT count(*) FROM escalations") == 10 * 3 * 6
    told = "SELECT count(*), count(DISTINCT (order_id, dedup_key)) FROM notifications"
    told += " WHERE dedup_key LIKE 'order/%%' AND person_id IS NULL AND channel = 'in_app'"
    assert world.rows(told) == [(180, 180)]
