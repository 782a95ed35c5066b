"""What could not be solved: money in an emergency, the ledger's monthly study, the agendas of the meetings."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.dispatch.conftest import NOW, World
from tests.dispatch.test_service import command
from tests.dispatch.test_work_order import SCAN, do
from watchkeep_dispatch import fund, ledger, work_order
from watchkeep_dispatch.actions import Request
from watchkeep_dispatch.errors import DispatchError, GuardFailed, NotAllowed
from watchkeep_dispatch.ledger import Meeting, reasons

DAY = timedelta(days=1)


def ask(world: World, case: int, who: str = "zhao", **about: Any) -> int:
    with world.connect("watchkeep_console") as conn:
        conn.execute("SELECT set_config('watchkeep.person_id', %s, true)", [world.people[who]])
        asked = Request(person_id=world.people[who], now=NOW, reason=about.get("reason", "曳引机轴承损坏，责令停用"))
        return fund.request(
            conn, case, asked, about.get("trigger", "lift_barred"), about.get("estimate", Decimal(38000))
        )


def take(world: World, who: str, request: int, action: str, at=NOW, reason="现场属实", **about: Any) -> str:
    with world.connect("watchkeep_console") as conn:
        conn.execute("SELECT set_config('watchkeep.person_id', %s, true)", [world.people[who]])
        return fund.take(conn, request, action, Request(person_id=world.people[who], now=at, reason=reason), **about)


def test_the_fund_from_request_to_settlement(world: World) -> None:
    case = world.filed("lift-1", "brake_fault")
    request = ask(world, case)
    with pytest.raises(NotAllowed):
        take(world, "zheng", request, "approve")  # not before it was verified and publicised
    assert take(world, "zhou", request, "verify") == "verified"
    assert world.value("SELECT due_at FROM fund_requests") == datetime(2026, 11, 30, 9, 30, tzinfo=UTC)
    assert take(world, "zhao", request, "publicise", reason="3 号楼公示栏") == "publicised"
    with pytest.raises(NotAllowed):
        take(world, "zhao", request, "approve")
    assert take(world, "zheng", request, "approve") == "approved"
    for wrong in ({}, {"settled": Decimal(-1)}, {"settled": Decimal("Infinity")}):
        with pytest.raises(GuardFailed, match="settled"):
            take(world, "zheng", request, "settle", **wrong)
    assert take(world, "zheng", request, "settle", settled=Decimal("36500.50")) == "settled"
    with world.connect() as conn:
        (found,) = fund.requests(conn, case)
        assert fund.requests(conn, open=True) == []
    assert (found["settled"], [step["action"] for step in found["steps"]]) == (
        36500.5,
        ["request", "verify", "publicise", "approve", "settle"],
    )
    assert world.value("SELECT count(*) FROM audit_entries WHERE action LIKE 'fund.%%'") == 5
    assert ask(world, case) > request  # and a second one, when the first is over


def test_nobody_verifies_or_approves_his_own_request(world: World) -> None:
    case = world.filed("lift-1", "brake_fault")
    with world.admin() as conn:
        conn.execute(
            "INSERT INTO memberships (person_id, role, scope_kind, scope_id, valid)"
            " SELECT person_id, 'subdistrict_office', 'organisation', 'market', tstzrange('2020-01-01', NULL)"
            " FROM people WHERE login = 'zhao'"
        )
    request = ask(world, case)
    with pytest.raises(GuardFailed, match="another_person"):
        take(world, "zhao", request, "verify")
    with pytest.raises(GuardFailed, match="reason"):
        take(world, "zhou", request, "verify", reason=" ")
    assert take(world, "zhou", request, "refuse", reason="可走日常维修") == "refused"


@pytest.mark.parametrize(
    ("about", "problem"),
    [
        ({"trigger": "new_paint"}, "trigger"),
        ({"reason": " "}, "reason"),
        ({"estimate": Decimal(0)}, "estimate"),
        ({"estimate": Decimal("NaN")}, "estimate"),
        ({"who": "qian"}, "none of your roles"),
    ],
)
def test_requests_that_are_refused(world: World, about: dict[str, Any], problem: str) -> None:
    case = world.filed("lift-1", "brake_fault")
    with pytest.raises(DispatchError, match=problem):
        ask(world, case, **about)
    ask(world, case)
    with pytest.raises(GuardFailed, match="is open already"):
        ask(world, case)


def in_ledger(world: World) -> int:
    case = world.filed("lift-1", "brake_fault")
    do(world, "zhou", work_order.enter_ledger, case, reason="需大修资金")
    return case


def study(
    world: World, who: str, case: int, at=NOW, finding="列入大修计划", due: date = date(2027, 1, 31), org="builder"
) -> None:
    with world.connect("watchkeep_console") as conn:
        conn.execute("SELECT set_config('watchkeep.person_id', %s, true)", [world.people[who]])
        ledger.study(conn, case, at.date(), finding, due, Request(person_id=world.people[who], now=at, org_id=org))


def test_each_entry_is_studied_each_month_until_it_is_struck_off(world: World) -> None:
    case = in_ledger(world)

    def unstudied(month: date) -> list[int]:
        with world.connect() as conn:
            return [row["case_id"] for row in ledger.entries(conn, month, unstudied=True)]

    for wrong, why in (({"finding": " "}, "finding"), ({"due": NOW.date()}, "due_on"), ({"org": "nobody"}, "named")):
        with pytest.raises(GuardFailed, match=why):
            study(world, "zhou", case, **wrong)
    with pytest.raises(NotAllowed):
        study(world, "zhao", case)
    assert unstudied(date(2026, 11, 23)) == [case]
    study(world, "zhou", case)
    assert unstudied(date(2026, 11, 30)) == []
    assert unstudied(date(2026, 12, 1)) == [case]
    assert world.rows("SELECT responsible_org_id, due_on FROM ledger_entries") == [("builder", date(2027, 1, 31))]
    world.clear(world.value("SELECT warning_id FROM case_warnings"))
    do(world, "zhou", work_order.strike, case, reason="已大修")
    assert unstudied(date(2026, 12, 1)) == []
    with world.connect() as conn:
        assert [row["finding"] for row in ledger.entries(conn, NOW.date(), struck=True)] == ["列入大修计划"]
    with pytest.raises(NotAllowed):
        study(world, "zhou", case)


ROW = {
    "ledger_reason": None,
    "entered_at": None,
    "due_on": None,
    "rung": None,
    "returns": 0,
    "finish_due": None,
    "fund": False,
}


@pytest.mark.parametrize(
    ("row", "joint", "plenary"),
    [
        ({}, 0, 0),
        ({"rung": 3}, 0, 0),
        ({"rung": 4}, 1, 0),
        ({"rung": 5}, 1, 1),
        ({"returns": 2}, 1, 0),
        ({"finish_due": NOW - DAY}, 1, 0),
        ({"finish_due": NOW + DAY}, 0, 0),
        ({"ledger_reason": "x", "entered_at": NOW}, 1, 0),
        ({"ledger_reason": "x", "entered_at": NOW - 91 * DAY}, 1, 1),
        ({"ledger_reason": "x", "entered_at": NOW, "due_on": NOW.date() - DAY}, 1, 1),
        ({"fund": True}, 0, 0),
        ({"fund": True, "rung": 5}, 2, 2),
    ],
)
def test_what_goes_to_which_meeting(row: dict[str, Any], joint: int, plenary: int) -> None:
    meetings: tuple[Meeting, Meeting] = ("joint", "plenary")
    assert [len(reasons(ROW | row, meeting, NOW)) for meeting in meetings] == [joint, plenary]


def test_the_agenda_of_a_subdistrict(world: World) -> None:
    case = in_ledger(world)
    study(world, "zhou", case)
    world.filed("pump", "supply_pressure_deviation", community="lake")  # another subdistrict, and not late
    with world.connect() as conn:
        (topic,) = ledger.agenda(conn, "town", "joint", NOW)
        assert ledger.agenda(conn, "centre", "joint", NOW) == []
        assert [one.case_id for one in ledger.agenda(conn, "city", "joint", NOW)] == [case]
        assert ledger.agenda(conn, "city", "plenary", NOW) == []
        assert [one.case_id for one in ledger.agenda(conn, "city", "plenary", NOW + 91 * DAY)][:1] == [case]
        with pytest.raises(DispatchError, match="not there"):
            ledger.agenda(conn, "moon", "joint", NOW)
    assert (topic.reasons, topic.finding) == (("挂账：需大修资金",), "列入大修计划")
    text = ledger.markdown([topic], "town", "joint", NOW.date())
    assert "季度联席会议议题 · town · 2026-11-23" in text
    assert "提交理由：挂账：需大修资金" in text


def test_ledger_fund_and_agenda_on_the_command_line(world: World) -> None:
    case = str(in_ledger(world))
    about = ("--person", "zhou", "--org", "builder", "--due", "2099-01-31", "--finding", "列入大修计划")
    command(world, "ledger", "study", case, *about, prints=False)
    assert "2099-01-31" in command(world, "ledger", "list", "--area", "town", "--format", "table", text=True)
    assert command(world, "ledger", "list", "--unstudied") == []
    asked = ("--person", "zhao", "--trigger", "lift_barred", "--estimate", "38000", "--reason", "停用")
    request = str(command(world, "fund", "request", case, *asked)["request"])
    assert "no amount" in command(
        world, "fund", "request", case, *asked[:4], "--estimate", "a lot", *asked[6:], fails=True
    )
    step = ("--person", "zhou", "--note", "属实")
    assert command(world, "fund", "step", request, "verify", *step)["state"] == "verified"
    assert command(world, "fund", "list", "--open")[0]["state"] == "verified"
    agenda = ("agenda", "--area", "town", "--format", "markdown")
    assert "季度联席会议议题 · 镇 · " in command(world, *agenda, text=True)
    assert "处理意见" in command(world, "agenda", "--area", "town", "--format", "markdown", text=True)
    assert command(world, "agenda", "--area", "centre", "--meeting", "plenary") == []


def test_pauses_on_the_command_line(world: World) -> None:
    now = datetime.now(UTC)
    case = world.filed("lift-1", "door_close_fail", now)
    do(world, "li", work_order.accept, case, at=now)
    do(world, "li", work_order.arrive, case, [SCAN], at=now)
    do(world, "li", work_order.suspend, case, at=now, reason="等配件")
    about = (str(case), "--person", "wei", "--reason")
    assert "roles" in command(world, "pauses", "refuse", str(case), "--person", "li", "--reason", "x", fails=True)
    assert command(world, "pauses", "refuse", *about, "有备件")["state"] == "on_site"
    assert "asked" in command(world, "pauses", "approve", *about, "同意", fails=True)
    do(world, "li", work_order.suspend, case, at=datetime.now(UTC), reason="还是等配件")
    assert command(world, "pauses", "approve", *about, "同意")["state"] == "suspended"
    assert [row["state"] for row in command(world, "pauses", "list", "--case", str(case))] == ["approved", "refused"]
    assert "还是等配件" in command(world, "pauses", "list", "--format", "table", text=True)
