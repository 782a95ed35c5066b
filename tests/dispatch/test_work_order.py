"""What people do, under the console's login and row-level security."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import psycopg
import pytest

from tests.dispatch.camera import camera
from tests.dispatch.conftest import NOW, World
from watchkeep_dispatch import pausing, work_order
from watchkeep_dispatch.clocks import DEFAULT_CALENDAR
from watchkeep_dispatch.dispatching import assign_waiting
from watchkeep_dispatch.errors import GuardFailed, KeyReused, NoSuchCase, NotAllowed, NotWaiting, StaleVersion
from watchkeep_dispatch.work_order import Done, Evidence, Request

SCAN, NOTE = Evidence("scan", note="LIFT-1"), Evidence("note", note="换了门锁触点")


def do(world: World, who: str, action: Callable[..., Done], case: int, *args, at=NOW, **request) -> Done:
    """One action in a transaction of its own, as the console does it."""
    person = world.people[who]
    with world.connect("watchkeep_console") as conn:
        conn.execute("SELECT set_config('watchkeep.person_id', %s, true)", [person])
        return action(conn, case, Request(person_id=person, now=at, **request), *args)


def finished(world: World, warning_cleared: bool = True) -> int:
    """A door fault that lift-co reports as repaired."""
    case = world.filed("lift-1", "door_close_fail")
    do(world, "li", work_order.accept, case)
    do(world, "li", work_order.arrive, case, [SCAN])
    do(world, "li", work_order.finish, case, [NOTE])
    if warning_cleared:
        world.clear(world.value("SELECT warning_id FROM case_warnings"))
    return case


def test_from_dispatch_to_closed(world: World) -> None:
    case = finished(world)
    assert do(world, "qian", work_order.verify, case).state == "verified"
    assert do(world, "sun", work_order.close, case, at=NOW + timedelta(minutes=9)).state == "closed"
    assert world.rows("SELECT state, closed_at FROM cases") == [("closed", NOW + timedelta(minutes=9))]
    order = world.rows(
        "SELECT state, responded_at, arrived_at, finished_at, assignee_id::text, closed_at IS NULL FROM orders"
    )
    assert order == [("closed", NOW, NOW, NOW, world.people["li"], False)]
    steps = world.rows("SELECT action, person_id::text FROM transitions ORDER BY transition_id")
    li, qian, sun = (world.people[who] for who in ("li", "qian", "sun"))
    assert steps[:2] == [("file", None), ("dispatch", None)]
    assert steps[2:] == [("accept", li), ("arrive", li), ("finish", li), ("verify", qian), ("close", sun)]
    assert world.value("SELECT count(*) FROM audit_entries WHERE object_kind = 'case' AND person_id IS NOT NULL") == 5
    assert world.value("SELECT count(*) FROM evidence WHERE person_id = %s", li) == 2
    told = {row[0] for row in world.rows("SELECT split_part(dedup_key, '/', 3) FROM notifications")}
    assert {"order", "copied", "resolved", "closed"} >= told - {str(case)}


def test_who_repaired_it_may_not_verify_it(world: World) -> None:
    case = world.filed("pump", "supply_pressure_deviation")  # property-co is responsible
    for action in (work_order.accept, work_order.arrive):
        do(world, "zhao", action, case)
    do(world, "zhao", work_order.finish, case, [Evidence("scan", "pump"), NOTE])
    world.clear(world.value("SELECT warning_id FROM case_warnings"))
    with pytest.raises(GuardFailed) as refused:
        do(world, "zhao", work_order.verify, case)
    assert refused.value.guard == "not_handler"
    assert do(world, "qian", work_order.verify, case).state == "verified"
    with pytest.raises(GuardFailed, match="not_handler"):
        do(world, "zhao", work_order.close, case)


def test_closing_needs_the_sensor_back_to_normal(world: World) -> None:
    case = finished(world, warning_cleared=False)
    with pytest.raises(GuardFailed, match="sensor_normal"):
        do(world, "qian", work_order.verify, case)
    world.clear(world.value("SELECT warning_id FROM case_warnings"))
    do(world, "qian", work_order.verify, case)
    world.warn("lift-1", "door_close_fail")  # and it must still be so when it is closed
    world.file()
    with pytest.raises(GuardFailed, match="sensor_normal"):
        do(world, "sun", work_order.close, case)


def test_a_warning_one_cannot_see_counts_as_not_cleared(world: World) -> None:
    case = finished(world, warning_cleared=True)
    with world.admin() as conn:  # a verifier of the supervising office sees the case, but none of its equipment
        conn.execute(
            "INSERT INTO memberships (person_id, role, scope_kind, scope_id, valid)"
            " VALUES (%s, 'verifier', 'organisation', 'market', tstzrange('2020-01-01', NULL))",
            [world.people["wu"]],
        )
    with pytest.raises(GuardFailed, match="sensor_normal"):
        do(world, "wu", work_order.verify, case)


def test_finishing_needs_the_evidence_of_the_duty_and_an_arrival(world: World) -> None:
    case = world.filed("lift-1", "door_close_fail")
    do(world, "li", work_order.accept, case)
    with pytest.raises(GuardFailed, match="arrived"):
        do(world, "li", work_order.finish, case, [SCAN, NOTE])
    do(world, "li", work_order.arrive, case)
    with pytest.raises(GuardFailed, match="evidence"):
        do(world, "li", work_order.finish, case, [SCAN])
    assert world.value("SELECT count(*) FROM evidence") == 0  # refused together
    with pytest.raises(GuardFailed, match="no kind 'hearsay'"):
        do(world, "li", work_order.finish, case, [Evidence("hearsay")])
    with pytest.raises(GuardFailed, match="photo: is no readable"):
        do(world, "li", work_order.finish, case, [SCAN, NOTE, Evidence("photo_after", content=b"...")])
    for wrong in ("", "lift-2", "1fb0b5b6-5a4c-4a5e-8f1c-7d0f3f1c2b3a"):
        with pytest.raises(GuardFailed, match="scan: the code is not"):
            do(world, "li", work_order.finish, case, [Evidence("scan", wrong), NOTE])
    token = world.value(
        "SELECT report_token::text FROM equipment WHERE (community_id, equipment_id) = ('garden', 'lift-1')"
    )
    label = Evidence("scan", f"https://watch.example/r/{token.upper()}?x=1")
    do(world, "li", work_order.finish, case, [label, NOTE, Evidence("photo_after", content=camera())])
    assert world.rows("SELECT kind, matches FROM evidence WHERE kind <> 'photo_after' ORDER BY 1") == [
        ("note", None),
        ("scan", True),
    ]
    (stored,) = world.rows(
        "SELECT sha256 = sha256(content), original_sha256 = sha256(%s), media_type, taken_at,"
        " round(latitude::numeric, 4), round(longitude::numeric, 4) FROM evidence WHERE kind = 'photo_after'",
        camera(),
    )
    assert [str(value) for value in stored] == [
        "True", "True", "image/jpeg", "2026:11:23 10:05:00", "37.1625", "-122.4250"
    ]  # fmt: skip


@pytest.mark.parametrize(("who", "why"), [("wu", NoSuchCase), ("qian", NotAllowed), ("zhao", GuardFailed)])
def test_only_handlers_of_the_orders_organisation_may_accept(world: World, who: str, why: type[Exception]) -> None:
    case = world.filed("lift-1", "door_close_fail")
    with pytest.raises(why):  # wu does not see it; qian is no handler; zhao is one, but of another company
        do(world, who, work_order.accept, case)
    assert world.value("SELECT state FROM cases") == "dispatched"


def test_a_state_that_does_not_allow_it(world: World) -> None:
    case = world.filed("lift-1", "door_close_fail")
    with pytest.raises(NotAllowed) as refused:
        do(world, "li", work_order.finish, case, [SCAN, NOTE])
    assert (refused.value.state, refused.value.role_missing) == ("dispatched", False)


def test_a_stale_version_is_refused_and_a_repeated_key_is_harmless(world: World) -> None:
    case = world.filed("lift-1", "door_close_fail")
    first = do(world, "li", work_order.accept, case, version=2, key="k1")
    again = do(world, "li", work_order.accept, case, version=2, key="k1")
    assert (first.version, first.repeated, again.version, again.repeated) == (3, False, 3, True)
    assert world.value("SELECT count(*) FROM transitions WHERE action = 'accept'") == 1
    with pytest.raises(StaleVersion) as stale:
        do(world, "wang", work_order.arrive, case, version=2)
    assert stale.value.found == 3
    with pytest.raises(KeyReused):
        do(world, "li", work_order.arrive, case, key="k1")


def test_two_technicians_at_once(world: World) -> None:
    case = world.filed("lift-1", "door_close_fail")
    with world.connect("watchkeep_console") as one, world.connect("watchkeep_console") as two:
        for conn, who in ((one, "li"), (two, "wang")):
            conn.execute("SELECT set_config('watchkeep.person_id', %s, true)", [world.people[who]])
        two.execute("SET LOCAL lock_timeout = '50ms'")
        work_order.accept(one, case, Request(person_id=world.people["li"], now=NOW, version=2))
        with pytest.raises(psycopg.errors.LockNotAvailable):
            work_order.accept(two, case, Request(person_id=world.people["wang"], now=NOW, version=2))
    with pytest.raises(StaleVersion):
        do(world, "wang", work_order.accept, case, version=2)


def test_a_returned_order_goes_to_the_first_responder_then_to_the_supervising_party(world: World) -> None:
    case = world.filed("lift-1", "door_close_fail")
    with pytest.raises(GuardFailed, match="reason"):
        do(world, "li", work_order.return_order, case, org_id="builder")
    with pytest.raises(GuardFailed, match="proposed_party"):
        do(world, "li", work_order.return_order, case, reason="不是我们的")
    do(world, "li", work_order.return_order, case, reason="不是我们的", org_id="builder")
    assert world.rows("SELECT state, closed_at IS NULL FROM orders") == [("returned", False)]
    with world.connect() as conn:
        assert assign_waiting(conn, NOW, DEFAULT_CALENDAR) == 1
        assert assign_waiting(conn, NOW, DEFAULT_CALENDAR) == 0
    assert world.rows("SELECT org_id, state FROM orders WHERE closed_at IS NULL") == [("property-co", "dispatched")]
    do(world, "zhao", work_order.return_order, case, reason="维保期内", org_id="builder")
    with world.connect() as conn:
        assign_waiting(conn, NOW, DEFAULT_CALENDAR)
    assert world.rows("SELECT org_id FROM orders WHERE closed_at IS NULL") == [("market",)]
    first = "SELECT body FROM notifications WHERE dedup_key LIKE '%%returned%%' ORDER BY notification_id LIMIT 1"
    assert world.value(first).count("不是我们的") == 1


def test_a_duty_officer_may_be_faster_and_choose(world: World) -> None:
    case = world.filed("lift-1", "door_close_fail")
    do(world, "li", work_order.return_order, case, reason="质保", org_id="builder")
    with pytest.raises(GuardFailed, match="another_party"):
        do(world, "sun", work_order.redispatch, case, org_id="lift-co")
    do(world, "sun", work_order.redispatch, case, org_id="builder")
    assert world.rows("SELECT org_id, respond_due FROM orders WHERE closed_at IS NULL") == [
        ("builder", NOW + timedelta(minutes=15))
    ]
    assert world.value("SELECT responsible_org_id FROM cases") == "builder"


def test_rework_is_a_new_order_with_a_new_deadline(world: World) -> None:
    case = finished(world)
    with pytest.raises(GuardFailed, match="reason"):
        do(world, "qian", work_order.rework, case)
    do(world, "qian", work_order.rework, case, at=NOW + timedelta(hours=2), reason="门仍关不严")
    orders = world.rows("SELECT state, org_id, finish_due, closed_at IS NULL FROM orders ORDER BY order_id")
    assert orders == [
        ("rework", "lift-co", NOW + timedelta(hours=24), False),
        ("rework", "lift-co", NOW + timedelta(hours=26), True),
    ]
    assert do(world, "li", work_order.finish, case).state == "resolved"
    assert do(world, "qian", work_order.verify, case).state == "verified"


def test_a_pause_needs_a_superior_on_his_own_login_and_does_not_count(world: World) -> None:
    case = world.filed("lift-1", "door_close_fail")
    do(world, "li", work_order.arrive, case)
    for other in ("li", "wang", "qian"):  # himself, a colleague, somebody who is above nobody
        with pytest.raises(GuardFailed, match="approver"):
            do(world, "li", work_order.suspend, case, reason="等配件", approver_id=world.people[other])
    with pytest.raises(GuardFailed, match="pause_asked"):
        do(world, "sun", work_order.suspend, case, reason="同意")
    asked = do(world, "li", work_order.suspend, case, reason="等配件", approver_id=world.people["wei"], key="p1")
    assert asked.state == "on_site"
    assert do(world, "li", work_order.suspend, case, reason="等配件", key="p1").repeated
    for other in ("li", "wang"):
        with pytest.raises(GuardFailed, match="superior"):
            do(world, other, work_order.suspend, case, reason="同意")
    with pytest.raises(NotAllowed):
        do(world, "qian", work_order.suspend, case, reason="同意")
    then = NOW + timedelta(hours=1)
    assert do(world, "wei", work_order.suspend, case, at=then, reason="同意", key="p2").state == "suspended"
    assert do(world, "wei", work_order.suspend, case, at=then, reason="同意", key="p2").repeated
    do(world, "li", work_order.resume, case, at=then + timedelta(hours=5))
    assert world.rows("SELECT state, finish_due FROM orders") == [("on_site", NOW + timedelta(hours=29))]
    kept = "SELECT kind, to_due - from_due, reason, person_id::text, approver_id::text FROM deadline_changes"
    assert world.rows(f"{kept} ORDER BY change_id") == [
        ("pause", timedelta(0), "等配件", world.people["li"], world.people["wei"]),
        ("resume", timedelta(hours=5), "", world.people["li"], None),
    ]
    told = world.rows("SELECT kind FROM notifications WHERE left(kind, 5) = 'pause' ORDER BY notification_id")
    assert [kind for (kind,) in told] == ["pause_asked", "pause_asked", "pause_approved"]


def test_a_pause_that_is_refused_or_lapses_changes_no_clock_and_is_kept(world: World) -> None:
    case = world.filed("lift-1", "door_close_fail")
    do(world, "li", work_order.arrive, case)
    due = world.value("SELECT finish_due FROM orders")
    with pytest.raises(GuardFailed, match="pause_asked"):
        do(world, "wei", work_order.refuse_pause, case, reason="不必")
    do(world, "li", work_order.suspend, case, reason="等配件")
    for who, wrong in (("wang", NotAllowed), ("li", NotAllowed)):
        with pytest.raises(wrong):
            do(world, who, work_order.refuse_pause, case, reason="不必")
    with pytest.raises(GuardFailed, match="reason"):
        do(world, "zhou", work_order.refuse_pause, case)
    assert do(world, "zhou", work_order.refuse_pause, case, reason="有备件", key="r1").state == "on_site"
    assert do(world, "zhou", work_order.refuse_pause, case, reason="有备件", key="r1").repeated
    do(world, "li", work_order.suspend, case, reason="还是等配件")
    late = NOW + timedelta(hours=24)
    with pytest.raises(GuardFailed, match="pause_asked"):
        do(world, "zhou", work_order.suspend, case, at=late, reason="同意")
    with world.connect() as conn:
        assert [row["state"] for row in pausing.listing(conn, late)] == ["lapsed", "refused"]
        assert [row["state"] for row in pausing.listing(conn, NOW, case)] == ["asked", "refused"]
    do(world, "li", work_order.suspend, case, at=late, reason="第三次")
    decided = "SELECT decision, decided_by::text FROM suspension_requests ORDER BY request_id"
    assert world.rows(decided) == [("refused", world.people["zhou"]), ("lapsed", None), (None, None)]
    assert world.rows("SELECT state, finish_due FROM orders") == [("on_site", due)]


def test_more_time_is_granted_by_a_superior_on_his_own_login(world: World) -> None:
    case = world.filed("lift-1", "door_close_fail")
    do(world, "li", work_order.accept, case)
    later = NOW + timedelta(hours=40)
    for who, why in (("li", NotAllowed), ("wang", NotAllowed), ("qian", NotAllowed)):
        with pytest.raises(why):
            do(world, who, work_order.extend, case, reason="等配件", due=later)
    with pytest.raises(GuardFailed, match="reason"):
        do(world, "wei", work_order.extend, case, due=later)
    for wrong in (None, NOW, NOW + timedelta(hours=24)):
        with pytest.raises(GuardFailed, match="due: the new deadline"):
            do(world, "wei", work_order.extend, case, reason="等配件", due=wrong)
    do(world, "wei", work_order.extend, case, reason="等配件", due=later, key="e1")
    assert do(world, "wei", work_order.extend, case, reason="等配件", due=later, key="e1").repeated
    assert world.value("SELECT finish_due FROM orders") == later
    with pytest.raises(GuardFailed, match="ten working days"):  # beyond the first deadline, not the last
        do(world, "sun", work_order.extend, case, reason="等配件", due=NOW + timedelta(days=16))
    do(world, "sun", work_order.extend, case, reason="等配件", due=NOW + timedelta(days=14))
    kept = "SELECT from_due, to_due, person_id::text, approver_id::text FROM deadline_changes ORDER BY change_id"
    li, wei, sun = (world.people[who] for who in ("li", "wei", "sun"))
    assert world.rows(kept) == [
        (NOW + timedelta(hours=24), later, li, wei),
        (later, NOW + timedelta(days=14), li, sun),
    ]
    assert world.value("SELECT count(*) FROM transitions WHERE action = 'extend' AND from_state = to_state") == 2


def test_nobody_extends_the_deadline_of_his_own_work(world: World) -> None:
    case = world.filed("pump", "supply_pressure_deviation")
    do(world, "zhao", work_order.accept, case)
    with pytest.raises(GuardFailed, match="own work"):
        do(world, "zhao", work_order.extend, case, reason="忙", due=NOW + timedelta(days=3))


def test_the_sensor_must_have_been_normal_for_as_long_as_the_duty_asks(world: World) -> None:
    case = world.filed("lift-1", "vibration_high")  # readings under the limit for three days
    do(world, "li", work_order.accept, case)
    do(world, "li", work_order.arrive, case, [SCAN])
    do(world, "li", work_order.finish, case, [NOTE])
    world.clear(world.value("SELECT warning_id FROM case_warnings"), NOW + timedelta(hours=1))
    do(world, "qian", work_order.verify, case, at=NOW + timedelta(hours=2))
    with pytest.raises(GuardFailed, match="clear_long_enough"):
        do(world, "sun", work_order.close, case, at=NOW + timedelta(days=3))
    assert do(world, "sun", work_order.close, case, at=NOW + timedelta(days=3, hours=1)).state == "closed"


def test_the_reporter_is_called_back(world: World) -> None:
    case = finished(world)
    do(world, "qian", work_order.verify, case)
    call = partial(work_order.call_back, reached=True, satisfied=False)
    with pytest.raises(NotAllowed):
        do(world, "sun", call, case)
    do(world, "sun", work_order.close, case)
    with pytest.raises(NotAllowed):
        do(world, "qian", call, case)
    with pytest.raises(GuardFailed, match="satisfied"):
        do(world, "sun", partial(work_order.call_back, reached=False, satisfied=True), case)
    do(world, "sun", call, case, reason="门仍有异响")
    assert world.rows("SELECT reached, satisfied, note FROM case_callbacks") == [(True, False, "门仍有异响")]


def test_a_false_alarm_is_dismissed_with_its_reason(world: World) -> None:
    case = world.filed("lift-1", "door_close_fail")
    do(world, "sun", work_order.dismiss, case, reason="测试")
    assert world.rows("SELECT state, closed_at IS NULL FROM cases") == [("not_filed", False)]
    assert world.rows("SELECT state, closed_at IS NULL FROM orders") == [("not_filed", False)]
    last = world.rows("SELECT verdict, rule, reason FROM verdicts ORDER BY verdict_id DESC LIMIT 1")
    assert last == [("dismissed", "person", "测试")]


def test_life_safety_is_dismissed_only_after_somebody_was_there(world: World) -> None:
    case = world.filed("lift-1", "entrapment")
    with pytest.raises(GuardFailed, match="confirmed_on_site"):
        do(world, "sun", work_order.dismiss, case, reason="误报")
    do(world, "li", work_order.arrive, case)
    assert do(world, "sun", work_order.dismiss, case, reason="误报").state == "not_filed"


def test_a_warning_that_waits_can_be_dismissed_but_not_life_safety(world: World) -> None:
    waiting, urgent = world.warn("lift-1", "door_close_fail"), world.warn("lift-1", "entrapment")
    sun = world.people["sun"]

    def dismiss(warning: int, reason: str = "误报") -> None:
        with world.connect("watchkeep_console") as conn:
            conn.execute("SELECT set_config('watchkeep.person_id', %s, true)", [sun])
            work_order.dismiss_warning(conn, warning, person_id=sun, reason=reason, now=NOW)

    with pytest.raises(GuardFailed, match="reason"):
        dismiss(waiting, " ")
    dismiss(waiting)
    with pytest.raises(NotWaiting):
        dismiss(waiting)
    with pytest.raises(NotAllowed):
        dismiss(urgent)
    assert [outcome.warning_id for outcome in world.file()] == [urgent]


def test_the_ledger_and_striking_off(world: World) -> None:
    case = world.filed("lift-1", "door_close_fail")
    do(world, "zhou", work_order.enter_ledger, case, reason="需大修资金")
    assert world.rows("SELECT reason, struck_at FROM ledger_entries") == [("需大修资金", None)]
    assert world.rows("SELECT closed_at FROM cases") == [(None,)]
    assert world.value("SELECT closed_at IS NULL FROM orders") is False
    with pytest.raises(GuardFailed, match="sensor_normal"):
        do(world, "zhou", work_order.strike, case, reason="已大修")
    world.clear(world.value("SELECT warning_id FROM case_warnings"))
    do(world, "zhou", work_order.strike, case, reason="已大修")
    assert world.value("SELECT struck_at FROM ledger_entries") == NOW
    assert world.value("SELECT state FROM cases") == "closed"
