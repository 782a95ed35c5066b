"""What people say of warnings, and a budget, move the bar of learned detectors on one point: visibly and reversibly."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.analytics.world import T0, limit, point
from watchkeep_analytics import feedback
from watchkeep_analytics.batch import SECOND
from watchkeep_analytics.commands import app
from watchkeep_analytics.detectors.baseline import Baseline
from watchkeep_analytics.detectors.limits import Limits
from watchkeep_analytics.engine import Engine
from watchkeep_analytics.feedback import Feedback, FeedbackError
from watchkeep_analytics.suppression import Modes
from watchkeep_core.database import connect

STEP_S = 300


class Desk:
    """Warnings of one series, and the connection of analytics."""

    def __init__(self, home) -> None:
        self.home = home
        self.series = home.series["alpha", "lift-1", "machine_temperature"]
        self.conn = connect(home.url, "test", autocommit=True)

    def warn(self, detector: str = "baseline", series: int | None = None, **more: Any) -> int:
        now = datetime.now(UTC)
        values = {"condition": "abnormal_reading", "life": False, "at": now} | more
        row = self.home.admin.execute(
            "INSERT INTO warnings (community_id, equipment_id, series_id, condition, tier, proposed_class, life_safety,"
            " status, event_at, detected_at, last_seen_at, cleared_at, detector, version, evidence, sentence_zh,"
            " sentence_en) VALUES ('alpha', 'lift-1', %s, %s, 'warning', 'C', %s, 'cleared', %s, %s, %s, %s, %s, '1',"
            " '{}', '甲', 'a') RETURNING warning_id",
            [series or self.series, values["condition"], values["life"], *[values["at"]] * 4, detector],
        ).fetchone()
        return int(row[0])

    def bars(self) -> dict[tuple[int, str], float]:
        return feedback.in_force(self.conn, ["alpha"]).bars


@pytest.fixture
def desk(home):
    made = Desk(home)
    yield made
    made.conn.close()


def test_a_false_alarm_raises_the_bar_real_takes_it_back_and_so_does_revoking(desk):
    one, two = desk.warn(), desk.warn()
    first = feedback.say(desk.conn, one, "false_alarm", by="zhang", why="门未关")
    assert desk.bars() == {(desk.series, "baseline"): pytest.approx(1.25)}
    feedback.say(desk.conn, two, "false_alarm", by="zhang", why="again")
    assert desk.bars()[desk.series, "baseline"] == pytest.approx(1.25**2)
    feedback.say(desk.conn, two, "real", by="li", why="bearing replaced")
    assert desk.bars()[desk.series, "baseline"] == pytest.approx(1.25)
    feedback.revoke(desk.conn, first, by="li", why="wrong warning")
    assert desk.bars() == {}
    audit = desk.home.admin.execute(
        "SELECT action, object_id FROM audit_entries WHERE object_kind = 'detection_feedback'"
        " ORDER BY audit_id DESC LIMIT 4"
    ).fetchall()
    assert ("feedback.revoke", str(first)) in audit
    assert ("feedback.say", str(first)) in audit


def test_no_bar_rises_beyond_four_times(desk):
    for _ in range(9):
        feedback.say(desk.conn, desk.warn(), "false_alarm", by="zhang", why="no")
    assert desk.bars() == {(desk.series, "baseline"): feedback.MOST}


@pytest.mark.parametrize(
    ("warn", "text"),
    [
        (lambda desk: desk.warn("limits"), "limits is a rule"),
        (lambda desk: desk.warn("events", condition="entrapment", life=True), "events is a rule"),
        (lambda desk: desk.warn("baseline", life=True), "baseline is a rule"),
        (lambda desk: 999_999, "there is none"),
    ],
)
def test_nobody_talks_a_rule_or_life_safety_away(desk, warn: Callable[[Desk], int], text: str):
    with pytest.raises(FeedbackError, match=text):
        feedback.say(desk.conn, warn(desk), "false_alarm", by="zhang", why="no")
    assert desk.bars() == {}


def test_the_same_is_said_once_and_a_reason_is_needed(desk):
    number = desk.warn()
    feedback.say(desk.conn, number, "normal", by="zhang", why="new pump")
    with pytest.raises(FeedbackError, match="said before"):
        feedback.say(desk.conn, number, "normal", by="li", why="new pump")
    with pytest.raises(FeedbackError, match="by, why"):
        feedback.say(desk.conn, desk.warn(), "normal", by="li", why=" ")
    with pytest.raises(FeedbackError, match="none in force"):
        feedback.revoke(desk.conn, 999_999, by="li", why="x")


def test_verdicts_of_dispatch_are_taken_over_once_and_only_of_learned_detectors(desk):
    learned, ruled = desk.warn(), desk.warn("limits")
    for number in (learned, ruled):
        desk.home.admin.execute(
            "INSERT INTO verdicts (warning_id, verdict, rule, reason, at)"
            " VALUES (%s, 'dismissed', 'person', '误报', now())",
            [number],
        )
    assert feedback.collect(desk.conn) == 1
    assert feedback.collect(desk.conn) == 0
    (row,) = feedback.listing(desk.conn, community="alpha", revoked=False, at_most=10)
    assert (row["warning_id"], row["said"], row["reason"]) == (learned, "false_alarm", "误报")
    feedback.revoke(desk.conn, row["feedback_id"], by="li", why="it was real")
    assert feedback.collect(desk.conn) == 0  # a person has decided otherwise
    assert desk.bars() == {}


def test_a_request_of_the_console_counts_once_analytics_has_seen_it(desk):
    number = desk.warn()
    desk.home.admin.execute(
        "INSERT INTO detection_feedback (community_id, equipment_id, series_id, condition, detector, said, warning_id,"
        " reason, said_by) SELECT community_id, equipment_id, series_id, condition, detector, 'false_alarm',"
        " warning_id, 'r', 'p' FROM warnings WHERE warning_id = %s",
        [number],
    )
    assert desk.bars() == {}
    assert feedback.collect(desk.conn) == 1
    assert desk.bars() == {(desk.series, "baseline"): pytest.approx(1.25)}


def test_a_budget_raises_the_bar_and_lowers_it_when_the_month_is_over(desk):
    for _ in range(4):
        desk.warn()
    assert feedback.keep_budgets(desk.conn, 2) == 1
    assert feedback.keep_budgets(desk.conn, 2) == 0
    assert desk.bars() == {(desk.series, "baseline"): pytest.approx(1.25**2)}
    desk.home.admin.execute("UPDATE warnings SET detected_at = now() - interval '31 days' WHERE warning_id % 2 = 0")
    assert feedback.keep_budgets(desk.conn, 2) == 1
    assert desk.bars() == {}
    (row,) = feedback.listing(desk.conn, community=None, revoked=True, at_most=10)
    assert (row["said"], row["revoked_by"], row["revoked_why"]) == (
        "budget",
        "analytics",
        "at most 2 warnings in 30 days",
    )


def test_the_verbs(desk):
    def call(*arguments: str) -> Any:
        found = CliRunner().invoke(app, ["feedback", *arguments, "--database-url", desk.home.url])
        assert found.exit_code == 0, found.exception
        return json.loads(found.stdout) if found.stdout else None

    number = str(desk.warn())
    for verb, said in (("normal", "normal"), ("false-alarm", "false_alarm"), ("real", "real")):
        call(verb, number, "--by", "zhang", "--why", "w")
        assert call("list")[0]["said"] == said
    for row in call("list", "--community", "alpha"):
        call("revoke", str(row["feedback_id"]), "--by", "li", "--why", "w")
    assert call("list") == []
    assert len(call("list", "--all")) == 3


def course(days: float, value: Callable[[float], float], seed: int = 7) -> tuple[Any, Any]:
    """µs and values, a reading each 5 min."""
    rng = np.random.default_rng(seed)
    hours = np.arange(0, days * 24, STEP_S / 3600)
    values = np.array([value(float(h)) for h in hours]) + rng.normal(size=len(hours)) * 0.5
    return T0 + (hours * 3600 * SECOND).astype(np.int64), values


def warnings_of(said: Feedback, *, at_h: float, jump: float) -> list[bool]:
    """Beginnings and ends of the baseline over twelve days with a jump at the end of the ninth."""
    engine = Engine(Modes(), lambda made: [Baseline(made)])
    engine.update([point(1, "machine_temperature")], [])
    t_us, value = course(12, lambda h: 50 + 5 * np.sin(h / 24 * 2 * np.pi) + (jump if h > 9 * 24 else 0))
    found = []
    for k in range(0, len(t_us), 12):
        if t_us[k] >= T0 + at_h * 3600 * SECOND:
            engine.heed(said)
        part = slice(k, k + 12)
        n = len(t_us[part])
        found += engine.observe(np.full(n, 1), t_us[part], value[part], np.zeros(n, np.int64))
    return [signal.active for signal in found if signal.detector == "baseline" and signal.tier == "warning"]


@pytest.mark.slow
def test_a_raised_bar_holds_a_small_deviation_back_and_not_a_large_one():
    raised = Feedback({(1, "baseline"): feedback.MOST}, {})
    assert warnings_of(feedback.NOTHING, at_h=0, jump=4.0)[:1] == [True]
    assert warnings_of(raised, at_h=0, jump=4.0) == []
    assert warnings_of(raised, at_h=0, jump=60.0)[:1] == [True]


@pytest.mark.slow
def test_this_is_normal_ends_the_warning_and_makes_the_level_usual():
    called = T0 + ((9 * 24 + 6) * 3600) * SECOND
    assert warnings_of(feedback.NOTHING, at_h=0, jump=15.0)[:1] == [True]
    assert warnings_of(Feedback({}, {1: called}), at_h=9 * 24 + 6, jump=15.0) == [True, False]


def test_nothing_is_learnt_from_a_series_while_any_warning_stands_on_it():
    """The course after it is judged by the level before it, however long the limit stood."""

    def level(with_limit: bool) -> float:
        engine = Engine(Modes(), lambda made: [Limits(made), Baseline(made)])
        rows = [limit(1, 1, "above", 55.0)] if with_limit else []
        engine.update([point(1, "machine_temperature")], rows)
        t_us, value = course(2, lambda h: 50.0 if h < 36 else 60.0)
        n = len(t_us)
        engine.observe(np.full(n, 1), t_us, value, np.zeros(n, np.int64))
        state = engine.detectors[-1]._state["series"]  # type: ignore[attr-defined]
        return float(state[0].average)

    assert level(with_limit=True) < 50.5 < 51 < level(with_limit=False)


def test_a_stop_of_learning_survives_a_restart():
    def engine() -> Engine:
        made = Engine(Modes(), lambda registry: [Limits(registry), Baseline(registry)])
        made.update([point(1, "machine_temperature")], [limit(1, 1, "above", 55.0)])
        return made

    first, t_us = engine(), np.array([T0, T0 + STEP_S * SECOND])
    first.observe(np.full(2, 1), t_us, np.array([50.0, 60.0]), np.zeros(2, np.int64))
    second = engine()
    second.load(first.save())
    last = t_us[-1:] + timedelta(seconds=STEP_S) // timedelta(microseconds=1)
    for each in (first, second):
        each.observe(np.array([1]), last, np.array([61.0]), np.zeros(1, np.int64))
        assert each.registry.holds
        assert each.registry["held_until_us"][0] > last[0]
    assert first.save()["baseline"] == second.save()["baseline"]
