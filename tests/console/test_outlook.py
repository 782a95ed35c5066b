"""Pure parts of the board and the case page: what comes next, forms of acts, drawings, gaps, receipts."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from watchkeep_console.dossier import Told
from watchkeep_console.models import Done
from watchkeep_console.outlook import Running, Waiting, coming
from watchkeep_console.pages import acting, live_chart
from watchkeep_console.pages.board_picture import Wanted
from watchkeep_console.pages.case_evidence import expected_of
from watchkeep_console.pages.charts import Line, axes_of, line_of, with_gaps
from watchkeep_console.pages.stack import stack
from watchkeep_console.sites import Block, House, Standing
from watchkeep_console.texts import ZONE, words
from watchkeep_console.work import ACTIONS, happened
from watchkeep_core.storage.series import Bucket
from watchkeep_dispatch.clocks import DEFAULT_CALENDAR
from watchkeep_dispatch.escalation import LEVELS

AT = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def clock(fired: list[int]) -> Running:
    return Running(1, 7, "sunshine", "A", "entrapment", "电梯", "", "respond", AT + 20 * MINUTE, AT, fired)


def test_what_comes_next_is_the_next_rung_that_has_not_fired() -> None:
    found = coming([clock([0])], [], AT + 12 * MINUTE, DEFAULT_CALENDAR, each=9)
    assert [(item.kind, item.level) for item in found[:2]] == [("deadline", 1), ("escalation", 2)]
    assert found[0].at == AT + 20 * MINUTE
    assert found[1].at == AT + 25 * MINUTE
    assert len(found) == len(LEVELS) - 1


def test_what_is_over_is_not_announced_and_the_soonest_comes_first() -> None:
    waits = [Waiting(3, AT + 22 * MINUTE, "sunshine", "B", "door_cycling", "电梯", "")]
    found = coming([clock([0, 1])], waits, AT + 21 * MINUTE, DEFAULT_CALENDAR)
    assert [item.kind for item in found] == ["auto_file", "escalation"]
    assert [item.href for item in found] == ["/warnings/3", "/cases/7"]


def test_every_act_has_a_form_and_a_name() -> None:
    """A new row in dispatch's table must be usable here without another line of code."""
    assert set(acting._GUARDS) >= ACTIONS
    known = set(acting._INPUTS) | {
        "reason", "own_order", "licensed", "arrived", "helpers_done", "evidence", "not_handler", "sensor_normal",
        "clear_long_enough", "confirmed_on_site", "recurs_soon", "pause_asked", "superior",
    }  # fmt: skip
    assert {guard for guards in acting._GUARDS.values() for guard in guards} <= known


@pytest.mark.parametrize("storeys", [1, 6, 33, 200])
def test_every_mark_is_inside_its_building(storeys: int) -> None:
    items = [Standing(f"p{n}", "pump", f"泵 {n}", "", "b", n, "B") for n in (-2, 1, storeys)]
    lift = Standing("lift", "elevator", "客梯", "", "b", None, None)
    drawn = stack(words("zh"), "c", Block(House("b", "楼", storeys, -2), [*items, lift]))
    assert len({mark["id"] for mark in drawn["marks"]}) == (4 if storeys > 1 else 3)
    assert all(0 < mark["y"] < drawn["height"] for mark in drawn["marks"])
    assert all(0 < mark["x"] < drawn["width"] for mark in drawn["marks"])
    assert drawn["under"] == 10
    assert [mark["class"] for mark in drawn["bad"]] == ["B"] * 3
    assert [mark["label"] for mark in drawn["marks"] if mark["shaft"]] == ["客梯 · 正常"]


def bucket(minute: int, value: float | None, bad: int = 0, width: float = 60.0) -> Bucket:
    return Bucket(AT + minute * MINUTE, 1, bad, value, value, value, value, None, cast("Any", "1m"), width)


def test_a_silence_breaks_the_line_and_bad_readings_are_marked() -> None:
    line = line_of("p", [bucket(0, 1.0), bucket(1, 2.0), bucket(2, None, bad=3), bucket(9, 4.0)], "kPa")
    assert [value for _, value in with_gaps(line, ZONE)] == [1.0, 2.0, None, 4.0]
    assert line.poor == [(AT + 2 * MINUTE, 2.0)]
    steps = line_of("s", [bucket(0, 1.0), bucket(9, 2.0)], steps=True)
    assert [value for _, value in with_gaps(steps, ZONE)] == [1.0, 2.0]  # a state lasts until the next


def test_a_second_unit_has_its_own_axis() -> None:
    lines = [Line("a", [], "kPa"), Line("b", [], "°C"), Line("c", [], "kPa")]
    assert axes_of(lines) == [0, 1, 0]


@pytest.mark.parametrize(
    ("event", "part"),
    [
        ({"batch": [{"start": 25, "end": 50}]}, (0.25, 0.5)),
        ({"start": 0, "end": 100}, (0.0, 1.0)),
        ({"batch": [{"start": 60, "end": 50}]}, None),
        ({"start": "0", "end": None}, None),
        (None, None),
    ],
)
def test_a_zoom_that_makes_no_sense_is_ignored(event: Any, part: tuple[float, float] | None) -> None:
    assert live_chart._part(event) == part


def test_an_expected_band_needs_both_ends() -> None:
    t = words("zh")
    band = expected_of(t, {"expected": {"low": 1, "high": 2.5}})
    assert band is not None
    assert (band.low, band.high) == (1.0, 2.5)
    assert expected_of(t, {"expected": {"high": 2.5}}) is None
    assert expected_of(t, {}) is None


def told(**given: Any) -> Told:
    nothing: dict[str, Any] = dict.fromkeys(("sent_at", "delivered_at", "read_at", "acted_at"))
    rest: dict[str, Any] = {
        "status": "queued",
        "title": "",
        "channel": "sms",
        "recipient": "",
        "recipient_en": "",
        "attempts": 0,
        "failed": False,
    }
    return Told(created_at=AT, **(nothing | rest | given))


@pytest.mark.parametrize(
    ("given", "receipt"),
    [
        ({}, "queued"),
        ({"sent_at": AT}, "sent"),
        ({"sent_at": AT, "delivered_at": AT}, "delivered"),
        ({"sent_at": AT, "read_at": AT}, "read"),
        ({"acted_at": AT, "read_at": AT}, "acted"),
        ({"status": "failed", "failed": True}, "failed"),
    ],
)
def test_a_receipt_says_the_farthest_that_is_known(given: dict[str, Any], receipt: str) -> None:
    assert told(**given).receipt[0] == receipt


def test_a_filter_stands_in_the_address() -> None:
    wanted = Wanted(community="sunshine", wall=True)
    assert wanted.path(of_class="A") == "/?community=sunshine&class=A&wall=1"
    assert wanted.path(community="", wall=False) == "/"


@pytest.mark.parametrize(
    ("action", "state", "said"),
    [("suspend", "on_site", "ask_pause"), ("suspend", "suspended", "suspend"), ("accept", "accepted", "accept")],
)
def test_a_pause_that_is_only_asked_for_is_not_told_as_done(action: str, state: str, said: str) -> None:
    assert happened(action, Done(kind="case", id=1, state=state)) == said
