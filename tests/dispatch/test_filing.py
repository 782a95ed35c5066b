"""From warning to case, order, history, notification and job: one transaction, once."""

import threading
from datetime import timedelta

import psycopg
import pytest

from tests.dispatch.conftest import NOW, World, standard_rules
from watchkeep_dispatch.filing import claim, judge, merge_recurrences, raise_risen
from watchkeep_dispatch.rounds import file_waiting


def test_a_warning_becomes_case_order_history_notification_and_job(world: World) -> None:
    warning = world.warn("lift-1", "entrapment")
    (outcome,) = world.file()
    assert (outcome.verdict, outcome.rule, outcome.case_class) == ("filed", "at_once", "A")
    case = world.rows(
        "SELECT class, life_safety, state, title_zh, title_en, responsible_org_id, first_responder_id,"
        " supervising_org_id, snapshot -> 'parties' -> 'responsible' ->> 'how' FROM cases"
    )
    assert case == [
        (
            "A",
            True,
            "dispatched",
            "1号梯：困人",
            "Lift 1: Entrapment",
            "lift-co",
            "property-co",
            "market",
            "contract c-lift",
        )
    ]
    order = world.rows("SELECT org_id, state, respond_due, arrive_due, finish_due FROM orders")
    minutes = [NOW + timedelta(minutes=m) for m in (3, 60, 60)]  # the town is not urban: 60 min to arrive
    assert order == [("lift-co", "dispatched", *minutes)]
    assert world.rows("SELECT warning_id, role FROM case_warnings") == [(warning, "cause")]
    assert world.rows("SELECT verdict FROM verdicts") == [("filed",)]
    assert world.rows("SELECT action, from_state, to_state FROM transitions ORDER BY transition_id") == [
        ("file", None, "filed"),
        ("dispatch", "filed", "dispatched"),
    ]
    told = world.rows("SELECT org_id, status FROM notifications ORDER BY org_id")
    assert told == [("lift-co", "sent"), ("property-co", "sent")]  # in the console; jobs are for channels only
    assert world.value("SELECT body LIKE '%%由 维保 处置%%' FROM notifications WHERE org_id = 'property-co'")
    assert world.value("SELECT count(*) FROM jobs.procrastinate_jobs") == 0
    assert world.value("SELECT bool_and(urgent) FROM notifications")
    assert world.value("SELECT count(*) FROM unjudged") == 0
    assert world.file() == []


@pytest.mark.parametrize(
    ("equipment", "community", "condition", "lead"),
    [
        ("pump", "garden", "supply_pressure_loss", "property-co"),
        ("pump", "lake", "supply_pressure_loss", "water-co"),  # handed over
        ("lift-2", "garden", "door_close_fail", "builder"),  # within warranty
        ("lift-2", "garden", "entrapment", "lift-co"),  # rescue is the maintainer's all the same
        ("lift-1", "lake", "entrapment", "property-co"),  # no maintenance contract there: first responder
        ("gw", "garden", "gateway_offline", "property-co"),  # no integrator under contract
        ("nobody-knows", "garden", "unknown_code", "property-co"),
    ],
)
def test_who_gets_it(world: World, equipment: str, community: str, condition: str, lead: str) -> None:
    world.warn(equipment, condition, community=community)
    world.file()
    assert world.value("SELECT org_id FROM orders") == lead


def test_a_hand_over_after_the_event_does_not_count(world: World) -> None:
    world.warn("pump", "supply_pressure_loss", community="lake", at=NOW.replace(month=5))
    world.file()
    assert world.value("SELECT org_id FROM orders") == "property-co"


def test_a_second_warning_joins_the_open_case_and_may_raise_its_class(world: World) -> None:
    first = world.warn("lift-1", "door_open_fail")
    world.file()
    world.clear(first)
    world.warn("lift-1", "door_open_fail", proposed_class="A", at=NOW + timedelta(minutes=1))
    (outcome,) = world.file(NOW + timedelta(minutes=1))
    assert (outcome.verdict, outcome.rule, outcome.case_class) == ("merged", "open_case", "A")
    assert world.rows("SELECT class, version FROM cases") == [("A", 3)]
    assert world.rows("SELECT role FROM case_warnings ORDER BY warning_id") == [("cause",), ("recurrence",)]
    assert world.value("SELECT count(*) FROM orders") == 1
    told = world.rows("SELECT org_id FROM notifications WHERE dedup_key LIKE '%%class/A%%' ORDER BY 1")
    assert told == [("lift-co",), ("market",), ("property-co",)]


def test_a_class_never_falls(world: World) -> None:
    first = world.warn("lift-1", "door_open_fail", proposed_class="A")
    world.file()
    world.clear(first)
    world.warn("lift-1", "door_open_fail", proposed_class="C")
    world.file()
    assert world.value("SELECT class FROM cases") == "A"


def test_a_warning_that_rises_while_open_raises_its_case(world: World) -> None:
    warning = world.warn("lift-1", "door_open_fail")
    world.file()
    with world.connect("watchkeep_analytics") as conn:
        conn.execute("UPDATE warnings SET proposed_class = 'A' WHERE warning_id = %s", [warning])
    with world.connect() as conn:
        assert raise_risen(conn, NOW) == 1
        assert raise_risen(conn, NOW) == 0
    assert world.value("SELECT class FROM cases") == "A"


def test_the_duty_row_decides_the_class(world: World) -> None:
    world.filed("pump", "supply_pressure_deviation", proposed_class="C")  # the list says B
    assert world.value("SELECT class FROM cases") == "B"


def window(world: World, equipment: str | None = "lift-1") -> None:
    with world.admin() as conn:
        conn.execute(
            "INSERT INTO maintenance_windows (community_id, equipment_id, during, reason)"
            " VALUES ('garden', %s, tstzrange(%s, %s), '半月维保')",
            [equipment, NOW - timedelta(hours=1), NOW + timedelta(hours=1)],
        )


@pytest.mark.parametrize("equipment", ["lift-1", None])
def test_planned_work_suppresses_until_its_end(world: World, equipment: str | None) -> None:
    window(world, equipment)
    warning = world.warn("lift-1", "door_close_fail")
    (outcome,) = world.file()
    assert (outcome.verdict, outcome.rule) == ("suppressed", "maintenance_window")
    assert world.rows("SELECT verdict, rule, reason FROM verdicts") == [
        ("suppressed", "maintenance_window", "半月维保")
    ]
    assert world.file(NOW + timedelta(minutes=59)) == []
    (after,) = world.file(NOW + timedelta(hours=1))
    assert (after.warning_id, after.verdict) == (warning, "filed")


def test_what_is_over_when_planned_work_ends_needs_no_case(world: World) -> None:
    window(world)
    warning = world.warn("lift-1", "door_close_fail")
    world.file()
    world.clear(warning)
    (after,) = world.file(NOW + timedelta(hours=1))
    assert after.verdict == "suppressed"
    assert world.value("SELECT count(*) FROM cases") == 0
    assert world.value("SELECT count(*) FROM verdicts") == 1
    assert world.value("SELECT count(*) FROM unjudged") == 0


def test_planned_work_never_suppresses_life_safety(world: World) -> None:
    window(world)
    world.warn("lift-1", "entrapment")
    assert [outcome.verdict for outcome in world.file()] == ["filed"]


def test_a_timer_gives_the_desk_its_time_but_not_for_life_safety(world: World) -> None:
    rules = standard_rules(A=300, B=1800)
    slow = world.warn("lift-1", "door_close_fail")
    gone = world.warn("lift-2", "door_close_fail")
    world.warn("lift-1", "entrapment", community="lake")
    verdicts = {outcome.warning_id: outcome.verdict for outcome in world.file(NOW, rules)}
    assert sorted(verdicts.values()) == ["filed", "waits", "waits"]
    assert world.file(NOW + timedelta(seconds=1799), rules) == []
    world.clear(gone)
    later = {o.warning_id: (o.verdict, o.rule) for o in world.file(NOW + timedelta(seconds=1800), rules)}
    assert later == {slow: ("filed", "auto_file"), gone: ("suppressed", "cleared_in_time")}


@pytest.mark.parametrize(
    ("cause", "symptom", "folded"),
    [
        (("gw", "gateway_offline"), ("lift-1", "sensor_silent"), True),  # its points report through that gateway
        (("mains", "power_loss"), ("lift-1", "power_loss"), True),
        (("gw", "gateway_spool_full"), ("lift-1", "sensor_silent"), False),  # explains nothing
        (("gw", "gateway_offline"), ("lift-1", "brake_fault"), False),  # is no symptom of it
        (("gw", "gateway_offline"), ("lift-2", "sensor_silent"), False),  # not its gateway
        (("mains", "power_loss"), ("lift-1", "entrapment"), False),  # life safety is never folded away
        (("lift-1", "safety_chain_open"), ("lift-1", "stop_off_zone"), True),
        (("lift-1", "safety_chain_open"), ("lift-1", "alarm_button"), False),
        (("lift-1", "brake_timing_abnormal"), ("lift-1", "abnormal_pattern"), True),  # what learns sees it too
        (("lift-1", "brake_timing_abnormal"), ("lift-2", "abnormal_pattern"), False),
        (("lift-1", "sensor_battery_low"), ("lift-1", "drift_towards_limit"), False),  # it may drift in earnest
    ],
)
def test_symptoms_join_the_case_of_their_cause(world: World, cause, symptom, folded: bool) -> None:
    case = world.filed(*cause)
    warning = world.warn(*symptom)
    (outcome,) = world.file()
    if folded:
        assert (outcome.verdict, outcome.rule, outcome.case_id) == ("merged", "topology", case)
        assert world.rows("SELECT case_id, role FROM case_warnings WHERE warning_id = %s", warning) == [
            (case, "symptom")
        ]
    else:
        assert outcome.verdict == "filed"


def test_a_symptom_that_is_worse_raises_the_case(world: World) -> None:
    case = world.filed("mains", "power_loss")
    world.warn("lift-1", "out_of_service", proposed_class="A")
    (outcome,) = world.file()
    assert outcome.case_id == case
    with world.connect() as conn:
        assert raise_risen(conn, NOW) == 1
    assert world.value("SELECT class FROM cases") == "A"


def test_a_cause_that_is_over_folds_nothing(world: World) -> None:
    warning = world.warn("gw", "gateway_offline")
    world.file()
    world.clear(warning)
    world.warn("lift-1", "sensor_silent")
    assert [outcome.verdict for outcome in world.file()] == ["filed"]


def test_a_replay_community_notifies_nobody_and_lives_in_its_own_time(world: World) -> None:
    then = NOW.replace(year=2014)
    with world.admin() as conn:
        conn.execute("INSERT INTO replay_watermarks VALUES ('old', %s)", [then + timedelta(minutes=5)])
    world.warn("m-1", "machine_temperature_high", community="old", at=then)
    world.file()
    assert world.rows("SELECT replay, filed_at FROM cases") == [(True, then + timedelta(minutes=5))]
    assert world.value("SELECT respond_due FROM orders") == then + timedelta(minutes=20)
    assert world.value("SELECT count(*) FROM notifications") == 0


def test_what_comes_back_soon_opens_the_case_again(world: World) -> None:
    case = world.filed("lift-1", "door_close_fail")
    with world.admin() as conn:
        conn.execute("UPDATE warnings SET status = 'cleared', cleared_at = %s", [NOW])
        conn.execute("UPDATE orders SET state = 'closed', closed_at = %s", [NOW])
        conn.execute("UPDATE cases SET state = 'closed', closed_at = %s", [NOW])
    again = NOW + timedelta(hours=23)
    world.warn("lift-1", "door_close_fail", at=again)
    (outcome,) = world.file(again)
    assert (outcome.rule, outcome.case_id) == ("reopen", case)
    assert world.rows("SELECT state, closed_at FROM cases") == [("dispatched", None)]
    assert world.value("SELECT count(*) FROM orders WHERE closed_at IS NULL") == 1


def test_what_comes_back_late_is_a_new_case(world: World) -> None:
    world.filed("lift-1", "door_close_fail")
    with world.admin() as conn:
        conn.execute("UPDATE warnings SET status = 'cleared', cleared_at = %s", [NOW])
        conn.execute("UPDATE orders SET state = 'closed', closed_at = %s", [NOW])
        conn.execute("UPDATE cases SET state = 'closed', closed_at = %s", [NOW])
    world.filed("lift-1", "door_close_fail", NOW + timedelta(hours=25))
    assert world.value("SELECT count(*) FROM cases") == 2


def test_nothing_is_left_of_a_filing_that_is_rolled_back(world: World) -> None:
    world.warn("lift-1", "entrapment")
    with world.admin() as conn:
        conn.execute("INSERT INTO notification_channels (org_id, name, url) VALUES ('lift-co', 'main', 'memory://')")
    with world.connect() as conn:
        (warning,) = claim(conn, NOW)
        judge(conn, warning, NOW, standard_rules())
        assert conn.execute("SELECT count(*) FROM jobs.procrastinate_jobs").fetchone() == (1,)
        conn.rollback()
    for table in ("cases", "orders", "verdicts", "transitions", "notifications", "jobs.procrastinate_jobs"):
        assert world.value(f"SELECT count(*) FROM {table}") == 0
    assert world.value("SELECT count(*) FROM unjudged") == 1


def test_life_safety_goes_first(world: World) -> None:
    world.warn("lift-1", "door_close_fail")
    urgent = world.warn("lift-2", "entrapment")
    with world.connect() as conn:
        (first,) = claim(conn, NOW)
    assert first.warning_id == urgent


def test_life_safety_is_filed_apart_and_has_a_channel_of_its_own(world: World) -> None:
    with psycopg.connect(world.database.url("watchkeep_dispatch"), autocommit=True) as listener:
        listener.execute("LISTEN watchkeep_life_safety")
        world.warn("lift-1", "door_close_fail")
        urgent = world.warn("lift-2", "entrapment")
        heard = [found.payload for found in listener.notifies(timeout=60, stop_after=1)]
    assert heard == [str(urgent)]
    with world.connect() as conn:
        assert file_waiting(conn, lambda: NOW, standard_rules(), 10, life_safety=True) == 1
    assert world.rows("SELECT equipment_id FROM cases") == [("lift-2",)]
    assert world.value("SELECT count(*) FROM unjudged") == 1


@pytest.mark.slow
def test_a_thousand_identical_warnings_and_eight_workers_are_one_order(world: World) -> None:
    first = world.warn("lift-1", "door_close_fail", status="cleared", cleared_at=NOW)
    for n in range(40):
        world.warn(f"sensor-{n}", "sensor_silent")
    world.rows(SAME_AGAIN, 999, first)
    barrier = threading.Barrier(8)
    counts, errors = [], []

    def work() -> None:
        """As the service: some one by one, then all in bulk that comes again."""
        try:
            with world.connect() as conn:
                conn.autocommit = True
                barrier.wait(30)
                how, done = standard_rules({"flap_openings": 10_000}), 1
                while done:
                    done = file_waiting(conn, lambda: NOW, how, 20)
                    with conn.transaction():
                        done += merge_recurrences(conn, NOW)
                    counts.append(done)
        except Exception as error:  # a thread's error must reach the test
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert errors == []
    assert sum(counts) == 1040
    assert world.value("SELECT count(*) FROM verdicts") == 1040
    assert world.value("SELECT count(DISTINCT warning_id) FROM case_warnings") == 1040
    assert world.value("SELECT count(*) FROM orders WHERE equipment_id = 'lift-1'") == 1
    assert world.value("SELECT count(*) FROM cases") == 41
    assert world.value("SELECT count(*) FROM orders") == 41


SAME_AGAIN = """
    INSERT INTO warnings (community_id, equipment_id, condition, tier, proposed_class, status, event_at, detected_at,
                          last_seen_at, cleared_at, detector, version, evidence, sentence_zh, sentence_en)
    SELECT community_id, equipment_id, condition, tier, proposed_class, status, event_at, detected_at, last_seen_at,
           cleared_at, detector, version, evidence, sentence_zh, sentence_en
    FROM warnings, generate_series(1, %s) WHERE warning_id = %s RETURNING 1
"""
