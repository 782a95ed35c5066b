"""Limits, channels, responsibility lists, the audit trail: acts of administrators and offices."""

from datetime import timedelta

import psycopg
import pytest

from tests.console import world as w
from tests.console.staff import session_of, staff
from watchkeep_console import duty_edits, trail, tuning
from watchkeep_console.errors import Forbidden, Invalid, NotFound
from watchkeep_console.services import Services
from watchkeep_core import audit
from watchkeep_core.database import as_person
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import duties, duty_excel
from watchkeep_dispatch.duty_file import deadline

__all__ = ["staff"]
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise imports it


def limit(world: w.World, community: str = "sunshine") -> int:
    found = world.rows(
        "SELECT min(limit_id) FROM point_limits l JOIN points p USING (series_id)"
        f" WHERE side = 'above' AND community_id = '{community}'"
    )
    number: int = found[0][0]
    return number


def test_a_limit_changes_with_its_reason_only(house: Services, world: w.World) -> None:
    number, boss = limit(world), session_of(house, "manager")
    before = world.rows(f"SELECT value, clear_value, for_s, basis, mark FROM point_limits WHERE limit_id = {number}")
    try:
        tuning.change_limit(house, boss, number, tuning.LimitChange(48.0, 44.0, 120.0, True, "厂家手册 3.2"))
        after = world.rows(f"SELECT value, clear_value, for_s, basis, mark FROM point_limits WHERE limit_id = {number}")
        assert after == [(48.0, 44.0, 120.0, "厂家手册 3.2", "CP")]
        for wrong, field in (
            (tuning.LimitChange(48.0, 50.0, 0.0, True, "x"), "clear_value"),
            (tuning.LimitChange(float("nan"), 44.0, 0.0, True, "x"), "value"),
            (tuning.LimitChange(48.0, 44.0, -1.0, True, "x"), "for_s"),
            (tuning.LimitChange(48.0, 44.0, 0.0, True, " "), "basis"),
        ):
            with pytest.raises(Invalid) as refused:
                tuning.change_limit(house, boss, number, wrong)
            assert refused.value.field == field
        right = tuning.LimitChange(48.0, 44.0, 0.0, True, "x")
        with pytest.raises(Forbidden):
            tuning.change_limit(house, session_of(house, "duty"), number, right)
        with pytest.raises(NotFound):
            tuning.change_limit(house, session_of(house, "other"), number, right)
        detail = world.rows(
            "SELECT detail -> 'before' ->> 'basis' FROM audit_entries WHERE action = 'limit.change'"
            " ORDER BY audit_id DESC LIMIT 1"
        )
        assert detail == [(before[0][3],)]
    finally:
        with world.admin() as conn:
            conn.execute(
                "UPDATE point_limits SET (value, clear_value, for_s, basis, mark) = (%s, %s, %s, %s, %s)"
                f" WHERE limit_id = {number}",
                before[0],
            )


def test_a_channel_goes_in_is_tried_and_never_comes_out(house: Services, world: w.World, staff: dict[str, str]) -> None:
    boss = session_of(house, "manager")
    number = tuning.add_channel(
        house, boss, "prop", "webhook", "值班群", "json://example.org/hook", "22:00-07:00", "zh"
    )
    tuning.try_channels(house, boss, "prop")
    tuning.try_channels(house, session_of(house, "admin"), "prop")
    assert world.rows(f"SELECT count(*) FROM notifications WHERE channel_id = {number} AND kind = 'test'") == [(2,)]
    with as_person(house.pool, staff["manager"]) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("SELECT url FROM notification_channels")
    for who in ("other", "duty", "super"):
        with pytest.raises((Forbidden, NotFound)):
            tuning.set_channel(house, session_of(house, who), number, enabled=False)
    for url, hours, field in (("file:///etc/passwd", "", "url"), ("json://example.org", "25:99", "quiet_hours")):
        with pytest.raises(Invalid) as refused:
            tuning.add_channel(house, boss, "prop", "webhook", "falsch", url, hours, "")
        assert refused.value.field == field
    tuning.set_channel(house, boss, number, enabled=False)
    assert world.rows(f"SELECT enabled FROM notification_channels WHERE channel_id = {number}") == [(False,)]
    tuning.set_channel(house, boss, number, enabled=None)
    assert world.rows("SELECT count(*) FROM notification_channels") == [(0,)]


def test_a_list_is_published_by_a_second_person(house: Services, world: w.World, staff: dict[str, str]) -> None:
    with world.admin() as conn:
        current = duties.in_force(conn, house.clock.now())
        assert current is not None
    content = duty_excel.write(current.rows[:40], load())
    maker = session_of(house, "city")
    number = tuning.save_list(house, maker, "2027 版", content)
    with as_person(house.pool, staff["city"]) as conn:
        found, gaps = tuning.explain_list(conn, number)
        trial = tuning.replay_list(conn, number, house.clock.now() - timedelta(days=1), house.clock.now())
    assert len(found.rows) == 40
    assert gaps.no_owner  # forty rows do not cover everything
    assert trial.cases == 0
    with pytest.raises(Invalid):
        tuning.publish_list(house, maker, number, None)
    for login in ("office", "manager", "duty"):
        with pytest.raises(Forbidden):
            tuning.publish_list(house, session_of(house, login), number, None)
    tuning.publish_list(house, session_of(house, "super"), number, house.clock.now() + timedelta(days=9))
    with world.admin() as conn:
        now_in_force = duties.in_force(conn, house.clock.now())
        later = duties.in_force(conn, house.clock.now() + timedelta(days=10))
    assert now_in_force is not None
    assert later is not None
    assert (now_in_force.list_id, later.list_id) == (current.list_id, number)


def test_a_workbook_with_a_wrong_cell_becomes_no_draft(house: Services, world: w.World, staff: dict[str, str]) -> None:
    with pytest.raises(Invalid) as refused:
        tuning.save_list(house, session_of(house, "city"), "falsch", b"no workbook")
    assert refused.value.field == "file"
    with pytest.raises(Forbidden):
        tuning.save_list(house, session_of(house, "manager"), "falsch", duty_excel.write([], load()))
    assert world.rows("SELECT count(*) FROM duty_lists WHERE status = 'draft'") == [(0,)]


def test_an_auditor_sees_all_and_checks_the_chain(house: Services, world: w.World, staff: dict[str, str]) -> None:
    manager, auditor = session_of(house, "manager"), session_of(house, "auditor")
    with psycopg.connect(world.database.url("watchkeep_dispatch")) as conn:
        audit.seal(conn, 100_000)
    assert trail.verify(house, auditor).broken_at is None
    with pytest.raises(Forbidden):
        trail.verify(house, manager)
    with as_person(house.pool, staff["manager"]) as conn:
        own = trail.entries(conn, limit=500)
        assert {row["person_id"] for row in own} == {staff["manager"]}
        assert all(row["seal_no"] is None for row in own)  # seals are the auditor's
    with as_person(house.pool, staff["auditor"]) as conn:
        entries = trail.entries(conn, action="login", limit=500)
        assert {staff["manager"], staff["auditor"]} <= {row["person_id"] for row in entries}
        assert all(row["action"].startswith("login") for row in entries)
        assert "login" in trail.actions(conn)
        first = trail.entries(conn, limit=1)[0]["audit_id"]
        assert trail.entries(conn, before=first, limit=1)[0]["audit_id"] < first
        about = trail.entries(conn, about=f"person/{staff['manager']}", person=staff["manager"], limit=5)
        assert about[0]["object_id"] == staff["manager"]


def test_an_auditor_of_one_company_sees_no_more_than_others(
    house: Services, world: w.World, staff: dict[str, str]
) -> None:
    with world.admin() as conn:
        conn.execute(
            "INSERT INTO memberships (person_id, role, scope_kind, scope_id)"
            " VALUES (%s, 'auditor', 'organisation', 'prop')",
            [staff["duty"]],
        )
    duty = session_of(house, "duty")
    with pytest.raises(Forbidden):
        trail.verify(house, duty)
    with as_person(house.pool, staff["duty"]) as conn:
        assert {row["person_id"] for row in trail.entries(conn, limit=500)} <= {staff["duty"]}


def test_a_changed_row_is_a_new_draft(house: Services, world: w.World, staff: dict[str, str]) -> None:
    """A published version stays; changing a draft puts that draft aside; what is wrong names its field."""
    supervisor = session_of(house, "super")
    ((packaged,),) = world.rows("SELECT list_id FROM duty_lists WHERE status = 'published'")
    with as_person(house.pool, staff["super"]) as conn:
        row = duties.read_list(conn, packaged).rows[0]
    given = {name: getattr(row, name) for name in (*duty_edits.PARTIES, *duty_edits.TEXTS, "case_class")}
    given |= {"respond": "20 min", "arrive": "", "finish": "3 wd"}
    for wrong, field in (
        ({"finish": "bald"}, "finish"),
        ({"basis": " "}, "basis"),
        ({"responsible": "x"}, "responsible"),
    ):
        with pytest.raises(Invalid) as refused:
            duty_edits.change_row(house, supervisor, packaged, row.row_no, given | wrong)
        assert refused.value.field == field
    with pytest.raises(Forbidden):
        duty_edits.change_row(house, session_of(house, "manager"), packaged, row.row_no, given)
    first = duty_edits.change_row(house, supervisor, packaged, row.row_no, given)
    second = duty_edits.change_row(house, supervisor, first, row.row_no, given | {"respond": "25 min"})
    states = dict(
        world.rows(f"SELECT list_id, status FROM duty_lists WHERE list_id IN ({packaged}, {first}, {second})")
    )
    assert states == {packaged: "published", first: "withdrawn", second: "draft"}
    with as_person(house.pool, staff["super"]) as conn:
        found = duties.read_list(conn, second)
        assert found.name.endswith("(3)")
        assert found.rows[0].respond == deadline("25 min")
        assert found.rows[0].arrive is None
        assert duties.read_list(conn, packaged).rows[0].respond == row.respond
