"""Several organisations work on a case, one leads; it is not done before they are."""

from datetime import timedelta

import pytest

from tests.dispatch.conftest import NOW, World
from tests.dispatch.test_work_order import NOTE, SCAN, do
from watchkeep_dispatch import joint, work_order
from watchkeep_dispatch.clocks import DEFAULT_CALENDAR
from watchkeep_dispatch.errors import GuardFailed, NoSuchCase, NotAllowed
from watchkeep_dispatch.escalation import escalate
from watchkeep_dispatch.work_order import Done, Request


def step(world: World, who: str, order: int, action: str, **about) -> Done:
    with world.connect("watchkeep_console") as conn:
        conn.execute("SELECT set_config('watchkeep.person_id', %s, true)", [world.people[who]])
        return joint.step(conn, order, action, Request(person_id=world.people[who], now=NOW, **about))


def helped(world: World) -> tuple[int, int]:
    case = world.filed("lift-1", "door_close_fail")
    do(world, "li", work_order.accept, case)
    do(world, "li", work_order.arrive, case, [SCAN])
    do(world, "zhao", joint.assist, case, org_id="fire-co", reason="门厅烟感需拆装")
    return case, world.value("SELECT order_id FROM orders WHERE NOT lead")


def test_the_lead_reports_when_the_helper_is_done(world: World) -> None:
    case, order = helped(world)
    assert world.rows("SELECT org_id, lead FROM orders ORDER BY order_id") == [("lift-co", True), ("fire-co", False)]
    with pytest.raises(GuardFailed, match="helpers_done"):
        do(world, "li", work_order.finish, case, [NOTE])
    for action, state in (("accept", "accepted"), ("arrive", "on_site"), ("finish", "resolved")):
        assert step(world, "wu", order, action).state == state
    assert world.value("SELECT state FROM cases") == "on_site"  # the lead order alone moves the case
    assert do(world, "li", work_order.finish, case, [NOTE]).state == "resolved"
    told = world.value("SELECT count(*) FROM notifications WHERE org_id = 'fire-co' AND order_id = %s", order)
    assert told == 1


def test_who_helped_does_not_verify(world: World) -> None:
    case, order = helped(world)
    step(world, "wu", order, "accept")
    step(world, "wu", order, "finish")
    do(world, "li", work_order.finish, case, [NOTE])
    world.clear(world.value("SELECT warning_id FROM case_warnings"))
    with world.admin() as conn:
        conn.execute(
            "INSERT INTO memberships (person_id, role, scope_kind, scope_id, valid)"
            " VALUES (%s, 'verifier', 'organisation', 'market', tstzrange('2020-01-01', NULL))",
            [world.people["wu"]],
        )
    with pytest.raises(GuardFailed, match="not_handler"):
        do(world, "wu", work_order.verify, case)


def test_who_may_call_in_help_and_whom(world: World) -> None:
    case, _ = helped(world)
    with pytest.raises(NotAllowed):
        do(world, "li", joint.assist, case, org_id="builder", reason="x")
    for org, reason, problem in (
        ("builder", " ", "reason"),
        ("nobody", "x", "is named"),
        ("fire-co", "x", "already"),
        ("lift-co", "x", "already"),
    ):
        with pytest.raises(GuardFailed, match=problem):
            do(world, "sun", joint.assist, case, org_id=org, reason=reason)


def test_only_the_helpers_own_people_take_its_steps_in_their_order(world: World) -> None:
    _, order = helped(world)
    for who, why in (("li", NoSuchCase), ("zhao", GuardFailed)):  # li does not see it, zhao is of another company
        with pytest.raises(why):
            step(world, who, order, "accept")
    with pytest.raises(NotAllowed):
        step(world, "wu", order, "finish")
    assert step(world, "wu", order, "accept", key="k").repeated is False
    assert step(world, "wu", order, "accept", key="k").repeated is True
    with pytest.raises(NotAllowed):
        step(world, "wu", order, "end", reason="x")
    step(world, "zhao", order, "end", reason="不需要了")
    with pytest.raises(NoSuchCase):
        step(world, "wu", order, "finish")


def test_a_case_that_ends_ends_its_helpers(world: World) -> None:
    case, order = helped(world)
    do(world, "sun", work_order.dismiss, case, reason="误报")
    assert world.rows("SELECT state, closed_at FROM orders WHERE order_id = %s", order) == [("not_filed", NOW)]


def test_a_helpers_clocks_are_watched_too_but_not_while_the_case_is_suspended(world: World) -> None:
    case, order = helped(world)
    later = NOW + timedelta(hours=3)
    with world.connect() as conn:
        conn.execute("UPDATE cases SET state = 'suspended' WHERE case_id = %s", [case])
        assert order not in {fired.order_id for fired in escalate(conn, later, DEFAULT_CALENDAR)}
        conn.execute("UPDATE cases SET state = 'on_site' WHERE case_id = %s", [case])
        fired = [one for one in escalate(conn, later, DEFAULT_CALENDAR) if one.order_id == order]
        again = escalate(conn, later, DEFAULT_CALENDAR)
    assert {"respond"} <= {one.clock for one in fired}
    told = world.rows("SELECT DISTINCT org_id FROM notifications WHERE order_id = %s AND org_id IS NOT NULL", order)
    assert ("fire-co",) in told
    assert order not in {one.order_id for one in again}
