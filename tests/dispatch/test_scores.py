"""Scores, lists, appeals, credit events, grants, reports; and that no later event changes a past score."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.dispatch.conftest import NOW, World, standard_rules
from tests.dispatch.test_indicators import PIECES
from watchkeep_dispatch import (
    complaints,
    credit,
    indicators,
    notice_board,
    order_sums,
    ranking,
    scores,
    supervision_report,
    work_order,
)
from watchkeep_dispatch.actions import Request
from watchkeep_dispatch.complaints import Complaint
from watchkeep_dispatch.credit import CreditEvent, CreditRefused, Inspection
from watchkeep_dispatch.errors import DispatchError
from watchkeep_dispatch.indicators import Figures, Scope
from watchkeep_dispatch.lifecycle import TRANSITIONS, transition
from watchkeep_dispatch.ranking import RankingRefused
from watchkeep_dispatch.reports import to_html
from watchkeep_dispatch.scores import Credit, SchemeRefused, Score

ZONE = ZoneInfo("Asia/Shanghai")
SINCE, UNTIL = datetime(2026, 10, 31, 16, tzinfo=UTC), datetime(2026, 11, 30, 16, tzinfo=UTC)
LATER = datetime(2026, 12, 2, tzinfo=UTC)
GOOD = {"due_d": 20, "on_time_n": 20, "respond_d": 20, "respond_n": 20, "households": 1000, "complaints": 1}
EVENT = CreditEvent(
    org_id="property-co", kind="bad", code="no_rectification", reason="逾期未改", evidence_ref="荣住建函〔2026〕1 号",
    occurred_on=date(2026, 11, 20), points=5,
)  # fmt: skip


def scored(
    name: str = "花园物业", credit: tuple[Credit, ...] = (), scheme: str = "property_quality", **counts: float
) -> Score:
    return scores.compute(scores.packaged()[scheme], Figures("a", name, GOOD | counts), {}, credit)


def test_points_run_straight_between_zero_and_full() -> None:
    assert scored().score == 100
    assert scored(on_time_n=15).score == pytest.approx(
        100 * (15 + 10 + 15) / 55, abs=0.01
    )  # half of 30; no A, no rework …
    assert scored(on_time_n=0, respond_n=0, complaints=1000).score == 0
    assert scored().ranked
    assert not scored(due_d=9, on_time_n=9).ranked


def test_without_data_there_is_no_score() -> None:
    nothing = scores.compute(scores.packaged()["shandong_credit"], Figures("a", "a", {}), {}, [])
    assert (nothing.score, nothing.band, nothing.ranked) == (None, "C 缺失", False)


@pytest.mark.parametrize(
    ("events", "score", "band"),
    [
        ((), 80, "AA"),
        ((Credit("good", "award", 30, 1),), 110, "AAA"),
        ((Credit("good", "award", 90, 1),), 120, "AAA"),
        ((Credit("bad", "late", 15, 1),), 65, "B"),
        ((Credit("bad", "late", 25, 1),), 55, "C"),
        ((Credit("veto", "safety_accident", 0, 1),), 80, "C"),
        ((Credit("veto", "something_else", 0, 1),), 80, "AA"),
    ],
)
def test_shandong_bands(events: tuple[Credit, ...], score: float, band: str) -> None:
    found = scored(scheme="shandong_credit", credit=events)
    assert (found.score, found.band) == (score, band)


def test_below_60_without_a_bad_record_is_b() -> None:
    found = scored(scheme="shandong_credit", on_time_n=10, complaints=240)
    assert (found.score, found.band) == (0, "B")


def test_a_township_has_4_points_or_2() -> None:
    spec = scores.packaged()["township"]
    inspected = {"half_year": 0.9}
    for name, full in (("崖头街道", 4), ("某某镇", 2)):
        found = scores.compute(spec, Figures("t", name, {}), inspected, [])
        assert found.score == pytest.approx(0.9 * full)


def test_red_and_grey() -> None:
    spec = scores.packaged()["property_quality"]
    found = [replace(scored(), subject=f"c{n:02}", score=50.0 + 2 * n) for n in range(20)]
    found.append(replace(scored(due_d=5), subject="small", score=99.0))
    found.append(replace(scored(), subject="veto", score=99.0, vetoes=("safety_accident",)))
    lists = {place.score.subject: (place.list, place.position) for place in ranking.places(spec, found)}
    assert [name for name, (where, _) in lists.items() if where == "red"] == ["c18", "c19"]
    assert [name for name, (where, _) in lists.items() if where == "grey"] == [
        "c00",
        "c01",
        "c02",
        "c03",
        "c04",
        "veto",
    ]
    assert lists["small"] == ("not_ranked", None)
    assert lists["c19"] == ("red", 1)
    tied = ranking.places(spec, [replace(scored(), subject=name) for name in "ab"])
    assert [(place.list, place.position) for place in tied] == [("red", 1), ("red", 1)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (b'indicator = "on_time_rate"', "no known indicator"),
        (b"full_at = 1.0", "zero_at equals full_at"),
        (b"from = 93", "highest to the lowest"),
        (b"weight = 30", "weight"),
    ],
)
def test_a_wrong_scheme_is_refused(change: bytes, said: str) -> None:
    content = msgspec.toml.encode({"scheme": [msgspec.to_builtins(scores.packaged()["property_quality"])]})
    wrong = {
        b'indicator = "on_time_rate"': b'indicator = "beauty"',
        b"full_at = 1.0": b"full_at = 0.5",
        b"from = 93": b"from = 3",
        b"weight = 30": b"weight = 0",
    }[change]
    changed = (
        content.replace(change + b".0", wrong, 1) if change + b".0" in content else content.replace(change, wrong, 1)
    )
    assert changed != content
    with pytest.raises(SchemeRefused, match=said):
        scores.parse(changed)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"person_name": "张某"}, "judgment_no"),
        ({"evidence_ref": " "}, "evidence_ref"),
        ({"occurred_on": date(2027, 1, 1)}, "occurred_on"),
        ({"org_id": "nobody"}, "org_id"),
        ({"case_id": 10**9}, "case_id"),
        ({"kind": "withdrawal", "withdraws_id": 10**9}, "withdraws_id"),
        ({"kind": "withdrawal"}, "withdraws_id"),
        ({"points": -1.0}, "points"),
    ],
)
def test_what_is_no_credit_event(world: World, change: dict[str, object], field: str) -> None:
    with world.connect() as conn, pytest.raises(CreditRefused) as refused:
        credit.record(conn, replace(EVENT, **change), NOW, person_id=None)  # type: ignore[arg-type]  # one field each
    assert refused.value.field == field


def test_credit_events_are_withdrawn_never_changed(world: World) -> None:
    with world.connect() as conn:
        first = credit.record(conn, EVENT, NOW, person_id=None)
        person = replace(EVENT, person_name="张某", judgment_no="（2026）鲁1082民初1号")
        credit.record(conn, person, NOW, person_id=None)
        withdrawal = replace(EVENT, kind="withdrawal", withdraws_id=first, points=0.0)
        credit.record(conn, withdrawal, NOW + timedelta(days=2), person_id=None)
        with pytest.raises(CreditRefused, match="withdrawn already"):
            credit.record(conn, withdrawal, NOW, person_id=None)
        with pytest.raises(CreditRefused, match="is about property-co, not lift-co"):
            credit.record(conn, replace(withdrawal, org_id="lift-co"), NOW, person_id=None)
        found = credit.export(conn, SINCE, UNTIL)
        assert [row["person_name"] for row in found] == ["", "张某", ""]
        assert all(row["evidence_ref"] and row["organisation"] == "物业" for row in found)
    with world.connect() as conn, pytest.raises(Exception, match="permission denied"):
        conn.execute("UPDATE credit_events SET points = 0")


def good_month(world: World, orders: int = 12, unanswered: int = 2) -> None:
    """So many orders of the property company, due in November."""
    with world.admin() as conn:
        for number in range(orders):
            case = conn.execute(
                "INSERT INTO cases (community_id, condition, source, class, state, title_zh, title_en, event_at,"
                " filed_at) VALUES ('garden', 'resident_repair', 'walk_in', 'C', 'dispatched', '', '', %(at)s, %(at)s)"
                " RETURNING case_id",
                {"at": NOW},
            ).fetchone()
            done = NOW if number >= unanswered else None
            conn.execute(
                "INSERT INTO orders (case_id, community_id, org_id, state, dispatched_at, responded_at, finished_at,"
                " respond_due, finish_due) VALUES (%s, 'garden', 'property-co', 'resolved', %s, %s, %s, %s, %s)",
                [case and case[0], NOW, done, done, NOW + timedelta(hours=1), NOW + timedelta(days=1)],
            )
        conn.execute("UPDATE communities SET households = 1000")
        conn.execute("UPDATE community_history SET at = %s WHERE at = now()", [NOW])


def test_from_draft_to_decision_and_grants(world: World) -> None:
    good_month(world)
    sun, zheng, zhao, zhou = (world.people[name] for name in ("sun", "zheng", "zhao", "zhou"))
    with world.connect() as conn:
        with pytest.raises(RankingRefused, match="not over"):
            ranking.draw(conn, "property_quality", "2026-12", LATER, ZONE, person_id=sun)
        number = ranking.draw(conn, "property_quality", "2026-11", LATER, ZONE, person_id=sun)
        (drawn,) = ranking.rankings(conn, number)
        row = drawn["rows"][0]
        assert (row["subject_id"], row["list"], row["orders"]) == ("property-co", "none", 12)
        assert row["detail"]["counts"]["on_time_n"] == 10
        with pytest.raises(RankingRefused, match="second person"):
            ranking.publish(conn, number, LATER, person_id=sun)
        with pytest.raises(RankingRefused, match="whole city"):
            ranking.publish(conn, number, LATER, person_id=zhou)  # of one town only
        with pytest.raises(RankingRefused, match="not published"):
            ranking.appeal(conn, number, "property-co", "why", LATER, person_id=zhao)
        again = ranking.draw(conn, "property_quality", "2026-11", LATER, ZONE, person_id=sun)
        ranking.publish(conn, number, LATER, person_id=zheng)
        for published in (number, again):
            with pytest.raises(RankingRefused, match="published already"):
                ranking.publish(conn, published, LATER, person_id=zheng)
        with pytest.raises(RankingRefused, match="30 days"):
            ranking.appeal(conn, number, "property-co", "late", LATER + timedelta(days=31), person_id=zhao)
        with pytest.raises(RankingRefused, match="does not stand"):
            ranking.appeal(conn, number, "lift-co", "not there", LATER, person_id=world.people["wei"])
        with pytest.raises(RankingRefused, match="neither belongs to property-co"):
            ranking.appeal(conn, number, "property-co", "another's", LATER, person_id=world.people["wei"])
        made = ranking.appeal(conn, number, "property-co", "two were not ours", LATER, person_id=zhao)
        with pytest.raises(RankingRefused, match="open already"):
            ranking.appeal(conn, number, "property-co", "again", LATER, person_id=zhao)
        with pytest.raises(RankingRefused, match="somebody else"):
            ranking.decide(conn, made, LATER, upheld=True, decision="yes", to="red", person_id=zhao)
        with pytest.raises(RankingRefused, match="none of the roles"):
            ranking.decide(conn, made, LATER, upheld=True, decision="yes", to="red", person_id=sun)
        with pytest.raises(RankingRefused, match="moves nobody"):
            ranking.decide(conn, made, LATER, upheld=False, decision="no", to="red", person_id=zheng)
        ranking.decide(conn, made, LATER, upheld=True, decision="核实属实", to="red", person_id=zheng)
        row = ranking.rankings(conn, number)[0]["rows"][0]
        assert (row["list"], row["first_list"]) == ("red", "none")
        assert ranking.grants(conn, number, 100_000, ZONE) == []  # 合格 earns nothing
    assert world.value("SELECT count(*) FROM audit_entries WHERE object_kind = 'ranking'") == 5


def test_grants_go_by_band_and_households(world: World) -> None:
    good_month(world, unanswered=0)
    with world.connect() as conn:
        number = ranking.draw(conn, "property_quality", "2026-11", LATER, ZONE, person_id=world.people["sun"])
        with pytest.raises(RankingRefused, match="not published"):
            ranking.grants(conn, number, 100_000, ZONE)
        ranking.publish(conn, number, LATER, person_id=world.people["zheng"])
        (grant,) = ranking.grants(conn, number, 100_000, ZONE)
        assert ranking.rankings(conn, number)[0]["rows"][0]["list"] == "red"
    assert (grant.band, grant.households, grant.yuan) == ("优秀", 2000, 100_000)


def test_a_scheme_of_ones_own_counts_from_its_day(world: World) -> None:
    good_month(world)
    only = msgspec.structs.replace(
        scores.packaged()["property_quality"], items=scores.packaged()["property_quality"].items[:1]
    )
    with world.connect() as conn:
        with pytest.raises(SchemeRefused, match="is over"):
            scores.save_schemes(conn, [only], NOW.date() - timedelta(days=1), NOW, person_id=None)
        scores.save_schemes(conn, [only], NOW.date(), NOW, person_id=None)
        with pytest.raises(SchemeRefused, match="already"):
            scores.save_schemes(conn, [only], NOW.date(), NOW, person_id=None)
        november = scores.scores(conn, "property_quality", SINCE, UNTIL, LATER, ZONE)
        known_before = scores.scores(conn, "property_quality", SINCE, UNTIL, NOW - timedelta(hours=1), ZONE)
        with pytest.raises(SchemeRefused, match="not known"):
            scores.scores(conn, "beauty", SINCE, UNTIL, LATER, ZONE)
    assert [part.item for part in november[0].parts] == ["on_time_rate"]
    assert november[0].score == pytest.approx(100 * (10 / 12 - 0.5) / 0.5, abs=0.01)
    assert all(len(one.parts) == len(scores.packaged()["property_quality"].items) for one in known_before)


def test_inspections_make_the_townships_score(world: World) -> None:
    since, until = scores.span_of("2026-H2", ZONE)
    check = Inspection(
        kind="half_year", subject_kind="subdistrict", subject_id="town", heading="责任落实", points=9, possible=10,
        inspected_on=NOW.date(),
    )  # fmt: skip
    with world.connect() as conn:
        credit.inspect(conn, check, NOW, person_id=None)
        credit.inspect(conn, replace(check, heading="问题解决", points=6), NOW, person_id=None)
        with pytest.raises(CreditRefused, match="points"):
            credit.inspect(conn, replace(check, points=11), NOW, person_id=None)
        with pytest.raises(CreditRefused, match="no subdistrict 'twon'"):
            credit.inspect(conn, replace(check, subject_id="twon"), NOW, person_id=None)
        found = scores.scores(conn, "township", since, until, LATER, ZONE)
    town = next(one for one in found if one.subject == "town")
    assert town.parts[0].value == pytest.approx(0.75)


def test_the_report_is_signed_and_in_both_languages(world: World) -> None:
    good_month(world)
    with world.connect() as conn:
        found = supervision_report.gather(conn, SINCE, UNTIL, LATER)
    for language, words in (
        ("zh", ("物业服务监督月报", "签发人", "按期完成率")),
        ("en", ("Monthly report", "Approved by", "Finished in time")),
    ):
        page = to_html(supervision_report.report(found, ZONE, language))  # type: ignore[arg-type]  # literals of the loop
        assert all(word in page for word in words)
        assert "83.3 %" in page


def test_the_notice_board_keeps_what_was_taken_down(world: World) -> None:
    with world.connect() as conn:
        notice_board.post(conn, "garden", "fee", [notice_board.Notice("物业费", "1.2 元/㎡·月")], NOW, person_id=None)
        notice_board.post(conn, "garden", "fee", [notice_board.Notice("物业费", "1.3 元/㎡·月")], LATER, person_id=None)
        assert [row["body"] for row in notice_board.board(conn, "garden")] == ["1.3 元/㎡·月"]
        for section, notices, community in (("gossip", [], "garden"), ("fee", [notice_board.Notice("")], "garden")):
            with pytest.raises(notice_board.NoticeRefused):
                notice_board.post(conn, community, section, notices, NOW, person_id=None)
    assert world.value("SELECT removed_at FROM notices WHERE removed_at IS NOT NULL") == LATER
    with world.connect("watchkeep_console") as conn:
        shown = conn.execute("SELECT section, title FROM notice_board('garden')").fetchall()
    assert {"community", "company", "fee", "maintainer"} == {row[0] for row in shown}
    assert ("maintainer", "维保") in shown


KINDS = (
    *("file", "file", "accept", "finish", "suspend", "resume", "rework", "close", "return", "raise", "extend"),
    *("complain", "rate", "credit", "households", "count", "dismiss", "silence"),
)
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 40)), min_size=12, max_size=20)


@pytest.mark.slow
@settings(
    max_examples=4,
    phases=[Phase.generate],  # examples go on from each other: there is nothing to shrink
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(before=STEPS, after=STEPS)
def test_no_later_event_changes_a_past_score(
    world: World, before: list[tuple[str, int]], after: list[tuple[str, int]]
) -> None:
    """Nor does it matter what was counted beforehand: kept sums come to what the orders come to."""
    with world.admin() as conn:  # each example goes on from the last one's end
        row = conn.execute("SELECT coalesce(max(at), %s) FROM transitions", [NOW]).fetchone()
    start = max(NOW, row[0] if row else NOW)
    half = live(world, start, before[: len(before) // 2])
    early = all_scores(world, half)
    seen = live(world, half, before[len(before) // 2 :])
    then = all_scores(world, seen)
    end = live(world, seen + timedelta(seconds=1), after)
    last = all_scores(world, end)
    count(world, end)
    assert [all_scores(world, at) for at in (half, seen, end)] == [early, then, last]
    world.rows("DELETE FROM order_spans RETURNING 1")
    assert [all_scores(world, at) for at in (half, seen, end)] == [early, then, last]


def count(world: World, at: datetime) -> None:
    """What the service's job does, until all is done."""
    while True:
        with world.connect() as conn:
            if not order_sums.keep(conn, at, ZONE):
                return


def all_scores(world: World, as_of: datetime) -> list[Any]:
    """And what is counted by community: complaints, opinions, false warnings."""
    periods = [
        ("maintainer_quality", as_of - timedelta(days=40)),
        ("property_quality", as_of - timedelta(days=40)),
        ("township", NOW),
    ]
    until = as_of + timedelta(days=60)
    places = Scope(since=NOW - timedelta(days=40), until=until, as_of=as_of, by="subdistrict")
    with world.connect() as conn:
        found: list[Any] = [scores.scores(conn, name, since, until, as_of, ZONE) for name, since in periods]
        return [*found, indicators.figures(conn, places)]


def live(world: World, at: datetime, steps: list[tuple[str, int]]) -> datetime:
    """Do one thing after the other, so many hours apart; what is not possible then does not happen."""
    for number, (step, hours) in enumerate(steps):
        at += timedelta(hours=hours)
        case = fit(world, step, number)
        try:
            one_step(world, step, case, at, hours)
        except DispatchError:
            continue
    return at


ACTIONS = {"raise": "accept", "extend": "accept", "close": "verify"}


def fit(world: World, step: str, number: int) -> int:
    """A case in a state that allows the step; 0 when there is none."""
    action = ACTIONS.get(step, step)
    states = list(transition(action).from_states) if action in {row.action for row in TRANSITIONS} else []
    query = "SELECT case_id FROM cases WHERE closed_at IS NULL AND state = ANY (%s) ORDER BY case_id"
    cases = world.rows(query, states)
    return int(cases[number % len(cases)][0]) if cases else 0


def one_step(world: World, step: str, case: int, at: datetime, hours: int) -> None:
    who = {"rework": "qian", "close": "sun", "raise": "sun", "extend": "zhou", "dismiss": "sun"}.get(step, "li")
    request = Request(
        person_id=world.people[who],
        now=at,
        reason="because",
        org_id="property-co",
        approver_id=world.people["zhou"],
        to_class="A",
    )
    with world.connect() as conn:
        if step == "file":
            world.rows("UPDATE warnings SET status = 'cleared', cleared_at = %s WHERE status = 'open' RETURNING 1", at)
            world.warn(
                f"lift-{1 + hours % 2}", ["door_close_fail", "door_open_fail", "vibration_high"][hours % 3], at=at
            )
            world.file(at)
        elif step == "silence":
            world.warn(
                f"lift-{1 + hours % 2}", "sensor_silent", at=at, status="cleared", cleared_at=at + timedelta(hours=1)
            )
        elif step == "complain":
            complaint = Complaint(
                source="walk_in", community_id="garden", condition="resident_repair", description="x", received_at=at,
                property_org_id="property-co",
            )  # fmt: skip
            complaints.take(conn, complaint, at, standard_rules(), person_id=None)
        elif step == "rate":
            conn.execute("UPDATE complaints SET satisfied = true, rated_at = %s WHERE rated_at IS NULL", [at])
        elif step == "credit":
            credit.record(conn, replace(EVENT, occurred_on=at.date()), at, person_id=None)
        elif step == "count":
            count(world, at)
        elif step == "extend":
            due = world.value("SELECT max(finish_due) FROM orders WHERE case_id = %s AND closed_at IS NULL", case)
            work_order.extend(conn, case, replace(request, due=due + timedelta(hours=hours)))
        elif step == "households":
            with world.admin() as admin:  # the history's row of this very transaction gets the time of the story
                admin.execute("UPDATE communities SET households = %s WHERE community_id = 'garden'", [100 * hours])
                admin.execute("UPDATE community_history SET at = %s WHERE at = now()", [at])
        elif step == "accept":
            work_order.accept(conn, case, request)
            work_order.arrive(conn, case, request)
        elif step == "finish":
            work_order.finish(conn, case, request, PIECES)
        elif step == "close":
            world.clear(world.value("SELECT max(warning_id) FROM case_warnings WHERE case_id = %s", case) or 0, at)
            work_order.verify(conn, case, replace(request, person_id=world.people["qian"]))
            work_order.close(conn, case, request)
        else:
            if step == "suspend":  # asked for; a superior takes the same act
                work_order.suspend(conn, case, request)
                request = replace(request, person_id=world.people["zhou"])
            names = {"return": "return_order", "raise": "raise_class"}
            getattr(work_order, names.get(step, step))(conn, case, request)
