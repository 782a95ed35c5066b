"""Visits come again by their plan; what fails or is overdue becomes a case; duty rooms hand over what is open."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.dispatch.conftest import NOW, World, standard_rules
from tests.dispatch.test_service import command
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import handover, preventive, rota
from watchkeep_dispatch.errors import DispatchError, GuardFailed, NoSuchCase, NotAllowed, VisitPlanError
from watchkeep_dispatch.preventive import Result

DAY = timedelta(days=1)
OK: dict[str, Result] = dict.fromkeys(("machine_room", "brake", "doors", "intercom", "levelling", "pit"), "ok")


@pytest.fixture
def planned(world: World) -> World:
    """The packaged plans since NOW."""
    with world.connect() as conn:
        preventive.load(conn, preventive.parse(preventive.default_plans(), load()), NOW)
    return world


def open_due(world: World, at) -> int:
    with world.connect() as conn:
        return preventive.open_due(conn, at)


def complete(world: World, visit: int, at, who: str = "li", signature: str = "李", **results: Result) -> None:
    person = world.people[who]
    with world.connect("watchkeep_console") as conn:
        conn.execute("SELECT set_config('watchkeep.person_id', %s, true)", [person])
        preventive.complete(conn, visit, OK | results, at, person_id=person, signature=signature)


def chore(world: World, work: Callable[..., list[int]], at) -> list[int]:
    with world.connect() as conn:
        return work(conn, at, standard_rules())


def test_visits_open_ahead_of_their_day_once_each_with_the_contracts_organisation(planned: World) -> None:
    assert open_due(planned, NOW + 9 * DAY) == 0
    assert open_due(planned, NOW + 10 * DAY) == 3  # three lifts; the recorded community has no visits
    assert open_due(planned, NOW + 12 * DAY) == 0
    found = planned.rows("SELECT community_id, equipment_id, org_id, due_at FROM visits ORDER BY 1, 2")
    due = NOW + 15 * DAY
    assert found == [
        ("garden", "lift-1", "lift-co", due),
        ("garden", "lift-2", "lift-co", due),
        ("lake", "lift-1", "property-co", due),  # no contract there: the property company
    ]
    told = planned.rows("SELECT org_id, body FROM notifications WHERE dedup_key LIKE 'visits/%%' ORDER BY 1")
    assert [(org, "2" in body) for org, body in told] == [("lift-co", True), ("property-co", False)]


def test_the_next_visit_counts_from_the_last(planned: World) -> None:
    open_due(planned, NOW + 10 * DAY)
    visit = planned.value("SELECT visit_id FROM visits WHERE (community_id, equipment_id) = ('garden', 'lift-1')")
    complete(planned, visit, NOW + 12 * DAY)
    assert open_due(planned, NOW + 21 * DAY) == 0
    assert open_due(planned, NOW + 22 * DAY) == 1
    assert planned.value("SELECT max(due_at) FROM visits WHERE done_at IS NULL") == NOW + 27 * DAY
    assert chore(planned, preventive.file_failed, NOW + 22 * DAY) == []
    assert planned.value("SELECT found_cases FROM visits WHERE done_at IS NOT NULL") == []


def test_a_failed_item_opens_a_case(planned: World) -> None:
    open_due(planned, NOW + 10 * DAY)
    visit = planned.value("SELECT visit_id FROM visits WHERE (community_id, equipment_id) = ('garden', 'lift-1')")
    at = NOW + 12 * DAY
    complete(planned, visit, at, brake="failed", intercom="failed", pit="na")
    filed = chore(planned, preventive.file_failed, at)
    assert chore(planned, preventive.file_failed, at) == []
    cases = planned.rows("SELECT case_id, condition, source, responsible_org_id FROM cases ORDER BY 1")
    assert cases == [(filed[0], "brake_fault", "patrol", "lift-co"), (filed[1], "intercom_fault", "patrol", "lift-co")]
    assert planned.value("SELECT found_cases FROM visits WHERE visit_id = %s", visit) == filed
    assert "制动器" in planned.value("SELECT note FROM transitions WHERE case_id = %s AND action = 'file'", filed[0])


def test_an_overdue_visit_is_a_case_once_and_goes_on(planned: World) -> None:
    open_due(planned, NOW + 10 * DAY)
    assert chore(planned, preventive.file_overdue, NOW + 15 * DAY) == []
    late = NOW + 15 * DAY + timedelta(minutes=1)
    filed = chore(planned, preventive.file_overdue, late)
    assert len(filed) == 3
    assert planned.rows("SELECT DISTINCT condition, class, source FROM cases") == [
        ("maintenance_overdue", "B", "patrol")
    ]
    assert chore(planned, preventive.file_overdue, late + DAY) == []
    assert planned.value("SELECT count(*) FROM visits WHERE done_at IS NULL AND overdue_case IS NOT NULL") == 3


@pytest.mark.parametrize(
    ("who", "results", "signature", "problem"),
    [
        ("li", {"brake": "broken"}, "李", "results: 'broken'"),
        ("li", {"colour": "ok"}, "李", "no item colour"),
        ("li", {}, " ", "signature"),
        ("zhao", {}, "赵", "own_order"),
    ],
)
def test_a_record_must_be_complete_and_signed_by_the_organisation(
    planned: World, who: str, results: dict[str, Result], signature: str, problem: str
) -> None:
    open_due(planned, NOW + 10 * DAY)
    visit = planned.value("SELECT visit_id FROM visits WHERE (community_id, equipment_id) = ('garden', 'lift-1')")
    with pytest.raises(GuardFailed, match=problem):
        complete(planned, visit, NOW, who, signature, **results)
    with planned.connect() as conn, pytest.raises(GuardFailed, match="nothing is said of brake"):
        preventive.complete(conn, visit, {}, NOW, person_id=planned.people["li"], signature="李")
    assert planned.value("SELECT done_at FROM visits WHERE visit_id = %s", visit) is None


def test_a_visit_is_made_once_by_the_licensed(planned: World) -> None:
    open_due(planned, NOW + 10 * DAY)
    visit = planned.value("SELECT visit_id FROM visits WHERE (community_id, equipment_id) = ('garden', 'lift-1')")
    with planned.connect() as conn:
        until = (NOW + 999 * DAY).date()
        rota.add_skill(conn, planned.people["wang"], "special_equipment", "T", NOW.date() - 999 * DAY, until, by=None)
    with pytest.raises(GuardFailed, match="licensed"):
        complete(planned, visit, NOW)
    complete(planned, visit, NOW, "wang")
    with pytest.raises(NotAllowed):
        complete(planned, visit, NOW, "wang")
    with pytest.raises(NoSuchCase):
        complete(planned, visit + 99, NOW)


def test_a_plan_switched_off_opens_nothing_and_begins_anew(planned: World) -> None:
    with planned.connect() as conn:
        preventive.enable(conn, "lift_half_monthly", False, NOW)
    assert open_due(planned, NOW + 20 * DAY) == 0
    with planned.connect() as conn:
        preventive.enable(conn, "lift_half_monthly", True, NOW + 20 * DAY)
        with pytest.raises(VisitPlanError, match="is not there"):
            preventive.enable(conn, "x", True, NOW)
    assert open_due(planned, NOW + 29 * DAY) == 0
    assert open_due(planned, NOW + 30 * DAY) == 3


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('kinds = ["elevator", "escalator"]', 'kinds = ["rocket"]', "lift_half_monthly': 'rocket'"),
        ('overdue = "maintenance_overdue"', 'overdue = "headache"', "'headache'"),
        ('party = "lift_maintainer"', 'party = "nobody"', "'nobody'"),
        ('ahead = "5 d"', 'ahead = "15 d"', "shorter than every"),
        ('every = "15 d"', 'every = "often"', "time 'often'"),
        ('id = "brake"', 'id = "doors"', "each id once"),
        ("[[plan]]", "[[plans]]", "visit plans: "),
    ],
)
def test_wrong_plans_are_refused_by_name(old: str, new: str, problem: str) -> None:
    text = preventive.default_plans().decode()
    assert old in text
    with pytest.raises(DispatchError, match=problem):
        preventive.parse(text.replace(old, new).encode(), load())


def test_a_post_is_handed_over_with_what_is_open(world: World) -> None:
    case = world.filed("lift-1", "entrapment")
    world.warn("pump", "supply_pressure_deviation")
    zhao, qian = world.people["zhao"], world.people["qian"]
    with world.connect() as conn:
        for wrong, problem in (
            (("garden", "kitchen", zhao, qian, "x"), "post"),
            (("garden", "control_room", zhao, zhao, "x"), "himself"),
            (("garden", "control_room", zhao, qian, " "), "written down"),
        ):
            with pytest.raises(GuardFailed, match=problem):
                handover.hand_over(conn, *wrong, NOW)
        number = handover.hand_over(conn, "garden", "control_room", zhao, qian, "主机正常，2 号泵手动", NOW)
        with pytest.raises(GuardFailed, match="not waiting"):
            handover.acknowledge(conn, number, zhao, NOW)
        handover.acknowledge(conn, number, qian, NOW)
        with pytest.raises(GuardFailed, match="not waiting"):
            handover.acknowledge(conn, number, qian, NOW)
        (entry,) = handover.log(conn, "garden")
    assert (entry["open_cases"], entry["open_warnings"], entry["acknowledged_at"]) == ([case], 2, NOW)
    assert (entry["from_login"], entry["to_login"]) == ("zhao", "qian")


def test_preventive_work_on_the_command_line(world: World, tmp_path: Path) -> None:
    assert command(world, "visits", "load")["plans"] == 4
    assert len(command(world, "visits", "plans")) == 4
    assert "No such file" in command(world, "visits", "load", str(tmp_path / "none.toml"), fails=True)
    with world.admin() as conn:
        conn.execute("UPDATE visit_plans SET since = now() - interval '12 days'")
    with world.connect() as conn:
        preventive.open_due(conn, world.value("SELECT now()"))
    visit = str(command(world, "visits", "list", "--org", "lift-co")[0]["visit_id"])
    signed = ("--person", "li", "--signature", "李", "--failed", "pit")
    assert command(world, "visits", "complete", visit, *signed)["results"]["pit"] == "failed"
    assert "半月维保" in command(world, "visits", "list", "--done", "--format", "table", text=True)
    command(world, "visits", "disable", "lift_half_monthly", prints=False)
    command(world, "visits", "enable", "lift_half_monthly", prints=False)
    about = ("--community", "garden", "--from", "zhao", "--to", "qian", "--note", "正常")
    number = command(world, "handover", "add", *about)["handover"]
    command(world, "handover", "accept", str(number), "--person", "qian", prints=False)
    assert command(world, "handover", "list", "--community", "garden")[0]["acknowledged_at"]


def test_who_was_told_of_a_case(world: World) -> None:
    case = world.filed("lift-1", "entrapment")
    found = command(world, "told", str(case))
    assert {row["organisation"] for row in found if row["channel"] == "in_app"} == {"维保", "物业"}
    assert "1号梯" in command(world, "told", str(case), "--format", "table", text=True)
