"""What is held back, folded and merged: each with its rule and reason, life safety never."""

from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.dispatch.conftest import NOW, World, standard_rules
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import quiet, work_order
from watchkeep_dispatch.actions import Request
from watchkeep_dispatch.casework import SAME_EVENT
from watchkeep_dispatch.commands import app
from watchkeep_dispatch.duty_file import default_list
from watchkeep_dispatch.errors import GuardFailed, NotAllowed, QuietRefused
from watchkeep_dispatch.filing import merge_recurrences
from watchkeep_dispatch.fold_table import FOLDS
from watchkeep_dispatch.storms import watch

HOUR = timedelta(hours=1)


def silence(world: World, **columns) -> int:
    values: dict[str, Any] = {"since": NOW - HOUR, "until": NOW + HOUR, "reason": "演练", "now": NOW} | columns
    with world.connect() as conn:
        return quiet.begin(conn, "silence", "garden", **values)


def test_a_silence_holds_back_until_its_end_and_says_why(world: World) -> None:
    silence(world, equipment="lift-1", condition="door_close_fail")
    quiet_one, other = world.warn("lift-1", "door_close_fail"), world.warn("lift-1", "door_open_fail")
    outcomes = {found.warning_id: (found.verdict, found.rule) for found in world.file()}
    assert outcomes == {quiet_one: ("suppressed", "silence"), other: ("filed", "at_once")}
    with world.connect() as conn:
        (held,) = [row for row in quiet.held_back(conn, NOW - HOUR, "garden") if row["verdict"] == "suppressed"]
    assert (held["warning"], held["rule"], held["reason"], held["status"]) == (quiet_one, "silence", "演练", "open")
    assert [found.verdict for found in world.file(NOW + HOUR)] == ["filed"]


def test_ending_a_silence_judges_what_it_held_back(world: World) -> None:
    number = silence(world)
    world.warn("lift-1", "door_close_fail")
    world.file()
    with world.connect() as conn:
        quiet.end(conn, "silence", number, NOW)
        with pytest.raises(QuietRefused, match="over"):
            quiet.end(conn, "silence", number, NOW)
    later = NOW + timedelta(seconds=1)
    assert [found.verdict for found in world.file(later)] == ["filed"]
    assert world.value("SELECT count(*) FROM audit_entries WHERE action LIKE 'silence.%%'") == 2


def test_life_safety_is_never_silenced_held_or_folded(world: World) -> None:
    silence(world)
    world.warn("lift-1", "entrapment")
    world.warn("lift-2", "alarm_button")
    assert {found.verdict for found in world.file()} == {"filed"}
    assert not {c for fold in FOLDS for c in fold.symptoms if load().conditions[c].life_safety}


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        ({"reason": " "}, "reason"),
        ({"until": NOW - timedelta(minutes=1)}, "until"),
        ({"until": NOW + timedelta(days=31)}, "until"),
        ({"condition": "no_such"}, "condition"),
        ({"condition": "entrapment"}, "condition"),
        ({"equipment": "no-such"}, "equipment"),
    ],
)
def test_a_silence_that_makes_no_sense_is_refused_with_its_field(world: World, columns, field: str) -> None:
    with pytest.raises(QuietRefused) as refused:
        silence(world, **columns)
    assert refused.value.field == field
    assert world.value("SELECT count(*) FROM silences") == 0


def flap(world: World, times: int, **columns) -> None:
    for n in range(times):
        at = NOW - timedelta(minutes=times - n)
        world.warn("lift-1", "door_close_fail", at=at, status="cleared", cleared_at=at, **columns)
    with world.admin() as conn:
        conn.execute("DELETE FROM unjudged")


def test_what_flaps_must_stand_for_a_while_to_be_believed(world: World) -> None:
    flap(world, 6)
    warning = world.warn("lift-1", "door_close_fail")
    (held,) = world.file()
    assert (held.verdict, held.rule) == ("suppressed", "flapping")
    assert world.rows("SELECT reason FROM verdicts") == [("at least 7 times within 1:00:00",)]
    assert world.file(NOW + timedelta(minutes=9)) == []
    (filed,) = world.file(NOW + timedelta(minutes=10))
    assert (filed.warning_id, filed.verdict) == (warning, "filed")


def test_what_flaps_and_is_over_needs_no_case(world: World) -> None:
    flap(world, 6)
    world.clear(world.warn("lift-1", "door_close_fail"))
    assert [(found.verdict, found.rule) for found in world.file()] == [("suppressed", "flapping")]
    assert world.value("SELECT count(*) FROM unjudged") == 0


def test_class_a_and_open_cases_are_not_held_for_flapping(world: World) -> None:
    flap(world, 6)
    world.warn("lift-1", "door_close_fail", proposed_class="A")
    assert [found.verdict for found in world.file()] == ["filed"]
    with world.admin() as conn:
        conn.execute("UPDATE warnings SET status = 'cleared', cleared_at = %s", [NOW])
    world.warn("lift-1", "door_close_fail")
    assert [found.rule for found in world.file()] == ["open_case"]


def test_a_storm_is_told_once_and_holds_back_b_and_c_for_a_while(world: World) -> None:
    rules = standard_rules({"storm_equipment": 4})
    for n in range(4):
        world.warn(f"sensor-{n}", "sensor_silent")
    with world.connect() as conn:
        assert len(watch(conn, NOW, rules)) == 1
        assert watch(conn, NOW + timedelta(seconds=1), rules) == []
    told = world.rows("SELECT org_id FROM notifications ORDER BY 1")
    assert told == [("property-co",), ("town-office",)]
    severe = world.warn("lift-2", "door_open_fail", proposed_class="A")
    filed = {found.warning_id: (found.verdict, found.rule) for found in world.file(NOW, rules)}
    assert filed.pop(severe) == ("filed", "at_once")
    assert set(filed.values()) == {("suppressed", "storm")}
    assert len(world.file(NOW + timedelta(minutes=1), rules)) == 4  # looked at again, still held
    assert {found.verdict for found in world.file(NOW + timedelta(minutes=5), rules)} == {"filed"}


def test_a_storm_ends_and_lets_go(world: World) -> None:
    rules = standard_rules({"storm_equipment": 4})
    for n in range(4):
        world.warn(f"sensor-{n}", "sensor_silent")
    with world.connect() as conn:
        watch(conn, NOW, rules)
    assert {found.rule for found in world.file(NOW, rules)} == {"storm"}
    with world.connect() as conn:
        watch(conn, NOW + timedelta(minutes=11), rules)
    assert world.value("SELECT ended_at IS NOT NULL FROM storms")
    assert {found.verdict for found in world.file(NOW + timedelta(minutes=11), rules)} == {"filed"}


def test_what_the_list_makes_class_a_is_not_held_back_as_less(world: World) -> None:
    """A sump's high level is proposed as class B; by the list it is class A (DOMAIN §5.3)."""
    rules = standard_rules({"storm_equipment": 4})
    for n in range(4):
        world.warn(f"sensor-{n}", "sensor_silent")
    with world.connect() as conn:
        watch(conn, NOW, rules)
    world.warn("pump", "sump_level_high", proposed_class="B")
    found = {one.rule: one.case_class for one in world.file(NOW, rules)}
    assert found == {"storm": None, "at_once": "A"}


def test_a_possible_symptom_waits_for_its_cause(world: World) -> None:
    rules = standard_rules({"fold_wait": timedelta(seconds=15)})
    world.warn("lift-1", "sensor_silent")
    assert [(found.verdict, found.rule) for found in world.file(NOW, rules)] == [("waits", "topology")]
    cause = world.filed("gw", "gateway_offline", NOW + timedelta(seconds=5))
    (folded,) = world.file(NOW + timedelta(seconds=15), rules)
    assert (folded.rule, folded.case_id) == ("topology", cause)


@pytest.mark.parametrize(
    ("symptom", "cause"),
    [
        (("lift-1", "sensor_silent"), ("gw", "gateway_offline")),
        (("lift-1", "power_loss"), ("mains", "power_loss")),
        (("lift-2", "door_close_fail"), ("lift-2", "entrapment")),
    ],
)
def test_a_symptom_that_was_faster_goes_into_its_cause(
    world: World, symptom: tuple[str, str], cause: tuple[str, str]
) -> None:
    early = world.filed(*symptom)
    late = world.filed(*cause, NOW + timedelta(minutes=5))
    assert world.rows("SELECT state, parent_case_id, closed_at IS NULL FROM cases WHERE case_id = %s", early) == [
        ("merged", late, False)
    ]
    assert world.rows("SELECT state, closed_at IS NULL FROM orders WHERE case_id = %s", early) == [("merged", False)]
    assert world.rows("SELECT case_id, role FROM case_warnings ORDER BY warning_id") == [
        (late, "symptom"),
        (late, "cause"),
    ]
    told = world.value("SELECT count(*) FROM notifications WHERE case_id = %s AND dedup_key ~ 'merged/'", early)
    assert told > 0


def test_one_broken_sensor_seen_by_several_rules_is_one_case(world: World) -> None:
    for condition in ("sensor_impossible_jump", "sensor_stuck_at_rail", "sensor_impossible_value", "abnormal_reading"):
        world.warn("lift-1", condition)
    world.file()
    assert world.value("SELECT count(*) FROM cases WHERE closed_at IS NULL") == 1
    assert world.value("SELECT count(DISTINCT case_id) FROM case_warnings") == 1


def test_a_symptom_somebody_works_on_keeps_its_case(world: World) -> None:
    early = world.filed("lift-2", "door_close_fail")
    with world.connect() as conn:
        conn.execute("UPDATE cases SET state = 'accepted'")
    world.filed("lift-2", "entrapment", NOW + timedelta(minutes=5))
    assert world.value("SELECT state FROM cases WHERE case_id = %s", early) == "accepted"


def test_an_old_case_is_no_symptom_of_a_new_cause(world: World) -> None:
    early = world.filed("lift-2", "door_close_fail")
    world.filed("lift-2", "entrapment", NOW + timedelta(minutes=11))
    assert world.value("SELECT state FROM cases WHERE case_id = %s", early) == "dispatched"


def test_recurrences_join_their_case_in_bulk(world: World) -> None:
    case = world.filed("lift-1", "vibration_high")
    with world.admin() as conn:
        conn.execute("UPDATE warnings SET status = 'cleared', cleared_at = %s", [NOW])
    for _ in range(7):
        world.warn("lift-1", "vibration_high", status="cleared", cleared_at=NOW)
    rising = world.warn("lift-1", "vibration_high", status="cleared", cleared_at=NOW, proposed_class="A")
    other = world.warn("lift-2", "vibration_high")
    with world.connect() as conn:
        assert merge_recurrences(conn, NOW) == 7
        assert merge_recurrences(conn, NOW) == 0
    assert world.rows("SELECT role, count(*) FROM case_warnings WHERE case_id = %s GROUP BY 1 ORDER BY 1", case) == [
        ("cause", 1),
        ("recurrence", 7),
    ]
    assert world.value("SELECT count(*) FROM transitions WHERE action = 'recur'") == 1
    assert world.rows("SELECT warning_id FROM unjudged ORDER BY 1") == [(rising,), (other,)]


def act(world: World, who: str, what, case: int, **fields):
    person = world.people[who]
    with world.connect("watchkeep_console") as conn:
        conn.execute("SELECT set_config('watchkeep.person_id', %s, true)", [person])
        return what(conn, case, Request(person_id=person, now=NOW, **fields))


def test_a_duty_officer_merges_a_case(world: World) -> None:
    case, into = world.filed("lift-1", "vibration_high"), world.filed("lift-1", "levelling_poor")
    done = act(world, "sun", work_order.merge, case, reason="同一原因", into_case_id=into)
    assert done.state == "merged"
    assert world.value("SELECT parent_case_id FROM cases WHERE case_id = %s", case) == into
    assert world.rows("SELECT role FROM case_warnings WHERE case_id = %s ORDER BY warning_id", into) == [
        ("symptom",),
        ("cause",),
    ]


@pytest.mark.parametrize("where", ["itself", "elsewhere", "closed", "lesser"])
def test_a_case_goes_only_where_it_belongs(world: World, where: str) -> None:
    case = world.filed("lift-1", "entrapment" if where == "lesser" else "vibration_high")
    targets = {
        "itself": lambda: case,
        "elsewhere": lambda: world.filed("lift-1", "vibration_high", community="lake"),
        "closed": lambda: world.filed("lift-1", "levelling_poor"),
        "lesser": lambda: world.filed("lift-1", "vibration_high"),
    }
    into = targets[where]()
    if where == "closed":
        act(world, "sun", work_order.dismiss, into, reason="误报")
    with pytest.raises(GuardFailed, match="into_open_case"):
        act(world, "sun", work_order.merge, case, reason="同一原因", into_case_id=into)
    assert world.value("SELECT state FROM cases WHERE case_id = %s", case) == "dispatched"


def test_a_technician_merges_nothing(world: World) -> None:
    case, into = world.filed("lift-1", "vibration_high"), world.filed("lift-1", "levelling_poor")
    with pytest.raises(NotAllowed):
        act(world, "li", work_order.merge, case, reason="同一原因", into_case_id=into)


def test_a_duty_officer_raises_a_class_and_nobody_lowers_it(world: World) -> None:
    case = world.filed("lift-1", "vibration_high")
    act(world, "sun", work_order.raise_class, case, reason="有老人", to_class="A")
    assert world.value("SELECT class FROM cases") == "A"
    with pytest.raises(GuardFailed, match="not above"):
        act(world, "sun", work_order.raise_class, case, reason="不严重", to_class="B")
    with pytest.raises(NotAllowed):
        act(world, "li", work_order.raise_class, case, reason="x", to_class="A")
    with pytest.raises(GuardFailed, match="reason"):
        act(world, "sun", work_order.raise_class, case, reason="", to_class="A")


def test_the_command_line_silences_lists_and_ends(world: World) -> None:
    url = ["--database-url", world.database.url("watchkeep_dispatch")]
    run = CliRunner().invoke
    place = ["--community", "garden", "--equipment", "lift-1", "--reason", "演练"]
    made = run(app, ["silence", "add", *place, "--hours", "2", *url])
    assert made.exit_code == 0, made.output
    assert '"reason": "演练"' in run(app, ["silence", "list", *url]).stdout.replace("\\u6f14\\u7ec3", "演练")
    number = str(world.value("SELECT silence_id FROM silences"))
    assert run(app, ["silence", "end", number, *url]).exit_code == 0
    assert run(app, ["silence", "list", *url]).stdout.strip() == "[]"
    assert run(app, ["window", "add", *place, "--hours", "1", *url]).exit_code == 0
    assert run(app, ["silence", "add", *place, *url]).exit_code == 2
    assert run(app, ["held-back", *url]).stdout.strip() == "[]"


def test_conditions_of_one_event_have_the_same_duty() -> None:
    rows = default_list()[1]
    for group in SAME_EVENT:
        titles = {row.title for row in rows if row.condition in group}
        assert len(titles) == 1, group


def test_one_event_told_by_three_witnesses_is_one_case_and_all_is_told(world: World) -> None:
    case = world.filed("lift-1", "entrapment_off_zone")
    world.warn("lift-1", "entrapment")
    world.warn("lift-1", "entrapment_in_zone")
    world.warn("lift-2", "entrapment")
    joined = [(found.verdict, found.rule, found.case_id == case) for found in world.file()]
    assert sorted(joined) == [
        ("filed", "at_once", False),
        ("merged", "same_event", True),
        ("merged", "same_event", True),
    ]
    told = world.rows(
        "SELECT body FROM notifications WHERE case_id = %s AND dedup_key ~ 'also/' AND org_id = 'lift-co'", case
    )
    assert sorted(body for (body,) in told) == [
        f"花园小区 1号梯：非平层困人。案件 {case} 又有新信号：1号梯：困人。",
        f"花园小区 1号梯：非平层困人。案件 {case} 又有新信号：1号梯：平层困人。",
    ]
