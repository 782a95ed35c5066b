"""Who gets an order inside an organisation: on call, by turn, by hand; licences; gaps and swaps."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.dispatch.conftest import NOW, World
from tests.dispatch.test_service import command
from tests.dispatch.test_work_order import do
from watchkeep_dispatch import rota, work_order
from watchkeep_dispatch.errors import GuardFailed, NotAllowed, RotaError
from watchkeep_dispatch.rota import Candidate, Gap, choose, gaps

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def person(name: str, mode: str = "on_call", **fields) -> Candidate:
    known = {"on_call": True, "technician": True, "licensed": True, "open_orders": 0, "last_at": None}
    return Candidate(mode=mode, person_id=name, **(known | fields))


@pytest.mark.parametrize(
    ("candidates", "chosen"),
    [
        ([], None),
        ([person("a", on_call=False)], None),
        ([person("a", licensed=False), person("b", open_orders=9)], "b"),
        ([person("a", open_orders=2), person("b", open_orders=1)], "b"),
        ([person("a", last_at=NOW), person("b", last_at=NOW - HOUR)], "b"),
        ([person("b"), person("a")], "a"),
        ([person("a", "round_robin", on_call=False, last_at=NOW), person("b", "round_robin", open_orders=5)], "b"),
        ([person("a", "round_robin", technician=False)], None),
        ([person("a", technician=False)], "a"),  # a manager may be on call
    ],
)
def test_choosing(candidates: list[Candidate], chosen: str | None) -> None:
    assert choose(candidates) == chosen
    assert choose(reversed(candidates)) == chosen


@pytest.mark.parametrize(
    ("shifts", "found"),
    [
        ([], [(0, 10)]),
        ([(0, 10)], []),
        ([(-5, 20)], []),
        ([(2, 4), (6, 12)], [(0, 2), (4, 6)]),
        ([(6, 8), (2, 7), (3, 4)], [(0, 2), (8, 10)]),
        ([(-3, -1), (12, 13)], [(0, 10)]),
    ],
)
def test_gaps(shifts: list[tuple[int, int]], found: list[tuple[int, int]]) -> None:
    times = [(NOW + begins * HOUR, NOW + ends * HOUR) for begins, ends in shifts]
    assert gaps(times, NOW, NOW + 10 * HOUR) == tuple(Gap(NOW + b * HOUR, NOW + e * HOUR) for b, e in found)


def on_call(world: World, who: str, since=NOW - HOUR, until=NOW + DAY, **about) -> int:
    with world.connect() as conn:
        return rota.add_shift(conn, "lift-co", world.people[who], since, until, **about)


def mode(world: World, name: str) -> None:
    with world.connect() as conn:
        rota.set_mode(conn, "lift-co", name, by=None)


def assignee(world: World):
    (found,) = world.rows("SELECT assignee_id::text FROM orders ORDER BY order_id DESC LIMIT 1")
    return {person: login for login, person in world.people.items()}.get(found[0])


def test_the_person_on_call_gets_the_order(world: World) -> None:
    mode(world, "on_call")
    on_call(world, "wang")
    world.filed("lift-1", "door_close_fail")
    assert assignee(world) == "wang"
    world.filed("pump", "supply_pressure_deviation")  # the property company has no rule
    assert assignee(world) is None


def test_who_comes_on_call_later_gets_what_nobody_has(world: World) -> None:
    mode(world, "on_call")
    on_call(world, "wang", NOW + HOUR)
    world.filed("lift-1", "door_close_fail")
    with world.connect() as conn:
        assert rota.assign_open(conn, NOW) == 0
        assert rota.assign_open(conn, NOW + 2 * HOUR) == 1
        assert rota.assign_open(conn, NOW + 2 * HOUR) == 0
    assert assignee(world) == "wang"


def test_round_robin_goes_round(world: World) -> None:
    mode(world, "round_robin")
    given = []
    for minute, condition in enumerate(("door_close_fail", "door_open_fail", "position_lost", "levelling_poor")):
        world.filed("lift-1", condition, NOW + timedelta(minutes=minute))
        given.append(assignee(world))
    assert sorted(given[:2]) == sorted(given[2:]) == ["li", "wang"]


def test_only_the_licensed_work_on_lifts_once_certificates_are_entered(world: World) -> None:
    mode(world, "round_robin")
    until = date.today() + timedelta(days=30)  # noqa: DTZ011  certificates end with a day
    with world.connect() as conn:
        rota.add_skill(conn, world.people["wang"], "special_equipment", "T-1", until - timedelta(90), until, by=None)
        expired = until - timedelta(days=40)
        rota.add_skill(conn, world.people["li"], "special_equipment", "T-2", expired - timedelta(9), expired, by=None)
        listed = rota.skills(conn, "lift-co", until - timedelta(days=30))
    assert [(row["login"], row["days_left"]) for row in listed] == [("li", -9), ("wang", 31)]
    case = world.filed("lift-1", "door_close_fail")
    assert assignee(world) == "wang"
    with pytest.raises(GuardFailed, match="licensed"):
        do(world, "li", work_order.accept, case)
    with pytest.raises(GuardFailed, match="licensed"):
        do(world, "wei", work_order.assign, case, assignee_id=world.people["li"])
    do(world, "wang", work_order.accept, case)


def test_a_manager_assigns_his_people_and_nobody_elses(world: World) -> None:
    case = world.filed("lift-1", "door_close_fail")
    for who in ("li", "zhao"):
        with pytest.raises(NotAllowed):
            do(world, who, work_order.assign, case, assignee_id=world.people["wang"])
    for wrong in (None, world.people["zhao"]):
        with pytest.raises(GuardFailed, match="assignee"):
            do(world, "wei", work_order.assign, case, assignee_id=wrong)
    do(world, "wei", work_order.assign, case, assignee_id=world.people["wang"])
    assert assignee(world) == "wang"
    do(world, "sun", work_order.assign, case, assignee_id=world.people["li"], key="a")
    assert do(world, "sun", work_order.assign, case, assignee_id=world.people["li"], key="a").repeated
    assert assignee(world) == "li"
    do(world, "wang", work_order.accept, case)  # whoever accepts it has it
    assert assignee(world) == "wang"


def test_rework_goes_back_to_who_did_it(world: World) -> None:
    case = world.filed("lift-1", "door_close_fail")
    for action in (work_order.accept, work_order.arrive):
        do(world, "li", action, case)
    do(world, "li", work_order.finish, case, [work_order.Evidence("scan", "lift-1"), work_order.Evidence("note", "x")])
    do(world, "qian", work_order.rework, case, reason="仍响")
    assert assignee(world) == "li"


def test_swaps_keep_their_reason(world: World) -> None:
    shift = on_call(world, "wang")
    other = on_call(world, "li", NOW + 2 * DAY, NOW + 3 * DAY)
    with world.connect() as conn:
        for to, reason, problem in (
            ("li", "", "reason"),
            ("wang", "病假", "has this shift"),
            ("zhao", "病假", "does not belong"),
        ):
            with pytest.raises(RotaError, match=problem):
                rota.swap(conn, shift, world.people[to], reason, NOW, by=None)
        with pytest.raises(RotaError, match="or over"):
            rota.swap(conn, shift, world.people["li"], "病假", NOW + 2 * DAY, by=None)
        rota.swap(conn, shift, world.people["li"], "病假", NOW, by=world.people["wei"])
        found = rota.shifts(conn, "lift-co", NOW, NOW + DAY)
        assert [(row["login"], row["swaps"]) for row in found] == [("li", 1)]
        with pytest.raises(RotaError, match=f"on call then already .shift {shift}"):
            rota.add_shift(conn, "lift-co", world.people["li"], NOW, NOW + HOUR)
        rota.drop_shift(conn, other, by=None)
        with pytest.raises(RotaError, match="is not there"):
            rota.drop_shift(conn, other, by=None)


def test_a_gap_is_warned_of_once(world: World) -> None:
    mode(world, "on_call")
    on_call(world, "wang", NOW - HOUR, NOW + DAY)
    on_call(world, "li", NOW + DAY, NOW + 9 * DAY, community="garden")  # covers one community only
    with world.connect() as conn:
        assert rota.warn_of_gaps(conn, NOW) == 1
        assert rota.warn_of_gaps(conn, NOW + HOUR) == 0
        assert rota.warn_of_gaps(conn, NOW + 25 * HOUR) == 1  # it has begun, and is told of again
        assert rota.warn_of_gaps(conn, NOW + 26 * HOUR) == 0
    assert world.value("SELECT count(*) FROM notifications WHERE dedup_key LIKE 'rota/%%' AND org_id = 'lift-co'") == 2


def test_rota_and_skill_on_the_command_line(world: World) -> None:
    about = ("--org", "lift-co")
    times = ("--from", "2026-01-01", "--until", "2090-01-01")
    assert "nobody is on call" not in command(world, "rota", "gaps", *about, fails=True)
    shift = command(world, "rota", "add", *about, "--person", "li", *times, "--by", "wei")["shift"]
    assert command(world, "rota", "gaps", *about) == []
    command(world, "rota", "swap", str(shift), "--to", "wang", "--reason", "换班", prints=False)
    assert command(world, "rota", "list", *about)[0]["login"] == "wang"
    command(world, "rota", "mode", *about, "on_call", prints=False)
    world.filed("lift-1", "entrapment")
    loads = {row["login"]: (row["open_orders"], row["urgent"]) for row in command(world, "rota", "load", *about)}
    assert loads["wang"] == (1, 1)
    assert loads["li"] == (0, 0)
    command(world, "skill", "add", "--person", "li", "--skill", "fire_operator", "--until", "2090-01-01", prints=False)
    assert "2090-01-01" in command(world, "skill", "list", *about, "--format", "table", text=True)
    command(world, "rota", "drop", str(shift), prints=False)
    assert "does not belong" in command(world, "rota", "add", *about, "--person", "zhao", *times, fails=True)
    for elsewhere in ("lake", "moon"):  # no contract for it, no such place
        there = (*about, "--person", "li", *times, "--community", elsewhere)
        assert "community: " in command(world, "rota", "add", *there, fails=True)
    again = ("--person", "li", "--skill", "fire_operator", "--until", "2090-01-01")
    assert "entered already" in command(world, "skill", "add", *again, fails=True)


def test_a_time_without_a_zone_is_that_of_the_site(world: World) -> None:
    about = ("--org", "lift-co", "--person", "li", "--from", "2089-01-01T08:00", "--until", "2089-01-01T20:00")
    command(world, "rota", "add", *about)
    (begins,) = world.rows("SELECT lower(during) FROM rota_shifts")
    assert begins[0] == datetime(2089, 1, 1, 0, 0, tzinfo=UTC)
