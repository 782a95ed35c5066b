"""Why a warning came, and what people say of it: learned bars move, and back; rules never do."""

from datetime import UTC, datetime

import psycopg
import pytest
from playwright.sync_api import expect
from psycopg.types.json import Jsonb

from tests.console import world as w
from tests.console.browser import MARKS, Open, live, look
from tests.console.conftest import Login, Site
from tests.console.world import World
from watchkeep_analytics import explanations
from watchkeep_analytics import feedback as taken
from watchkeep_console import feedback

URL = "/api/v1/warnings/{}/feedback"


def learned(world: World, *, detector: str = "baseline", life_safety: bool = False) -> int:
    """A warning of a detector that learns, on a point."""
    found = w.warning(world, metric="machine_room_temperature", condition="abnormal_reading", zh="机房偏热", en="Hot")
    evidence = {
        "metric": "machine_room_temperature",
        "unit": "celsius",
        "actual": 48.0,
        "expected": {"low": 30.0, "high": 40.0},
        "bar": 1.25,
    }
    with psycopg.connect(world.database.url("watchkeep_analytics")) as conn:
        conn.execute(
            "UPDATE warnings SET detector = %s, life_safety = %s, evidence = %s WHERE warning_id = %s",
            [detector, life_safety, Jsonb(evidence), found],
        )
    return found


def explain(world: World, warning: int) -> None:
    """As analytics does, after two peers and an earlier case."""
    now = datetime.now(UTC)
    for lift, level in (("lift-2", 34.0), ("lift-3", 36.0)):
        w.readings(world, world.series["sunshine", lift, "machine_room_temperature"], [level] * 12, now, 60.0)
    with world.admin() as conn:
        row = conn.execute(
            "INSERT INTO cases (community_id, equipment_id, condition, source, class, state, title_zh, title_en,"
            " event_at, filed_at, closed_at) SELECT 'sunshine', 'lift-2', 'abnormal_reading', 'warning', 'C', 'closed',"
            " '机房偏热', 'Hot', at, at, at FROM (SELECT now() - interval '30 days' AS at) RETURNING case_id"
        ).fetchone()
        assert row is not None
        conn.execute(
            "INSERT INTO transitions (case_id, action, from_state, to_state, at, note)"
            " VALUES (%s, 'finish', 'on_site', 'resolved', now(), '清洗空调滤网')",
            row,
        )
    with psycopg.connect(world.database.url("watchkeep_analytics")) as conn:
        explanations.write(conn, warning)


def take_over(world: World) -> None:
    with psycopg.connect(world.database.url("watchkeep_analytics")) as conn:
        taken.collect(conn)


def test_the_same_detectors_learn_here_and_in_analytics() -> None:
    assert frozenset(taken.STATISTICAL) == feedback.LEARNED


def test_the_explanation_names_band_peers_and_what_helped(as_: Login, world: World) -> None:
    warning, duty = learned(world), as_("duty")
    url = f"/api/v1/warnings/{warning}/explanation"
    assert duty.get(url).status_code == 404
    explain(world, warning)
    found = duty.get(url).json()
    assert (found["actual"], found["expected"], found["bar"]) == (48.0, {"low": 30.0, "high": 40.0}, 1.25)
    assert (found["peers"]["count"], found["peers"]["median"], found["peers"]["alone"]) == (2, 35.0, True)
    assert [(one["same_equipment"], one["fixed"]) for one in found["similar"]] == [(False, "清洗空调滤网")]
    assert "清洗空调滤网" in found["summary_zh"]
    with world.admin() as conn:  # a case of another community, however it came in, is not shown
        conn.execute("UPDATE cases SET community_id = 'riverside', equipment_id = 'lift-1'")
    assert duty.get(url).json()["similar"] == []


def test_a_false_alarm_raises_the_bar_until_it_is_revoked(as_: Login, world: World) -> None:
    warning, duty = learned(world), as_("duty")
    url = URL.format(warning)
    assert duty.get(url).json() == {"fixed": None, "items": []}
    blank = duty.post(url, json={"said": "false_alarm", "reason": " "})
    assert (blank.status_code, blank.json()["field"]) == (422, "reason")
    first = duty.post(url, json={"said": "false_alarm", "reason": "检修开门"}).json()["items"][0]
    assert (first["effect"], first["factor"], first["said_by"]) == ("waits", None, w.PEOPLE["duty"][0])
    again = duty.post(url, json={"said": "real", "reason": "又想了想"})
    assert (again.status_code, again.json()["code"]) == (409, "said_before")
    take_over(world)
    raised = duty.get(url).json()["items"][0]
    assert (raised["effect"], raised["factor"]) == ("raised", taken.FALSE_ALARM)
    back = f"{url}/{first['feedback_id']}/revocation"
    revoked = as_("manager").post(back, json={"reason": "复查确有故障"}).json()["items"][0]
    assert (revoked["effect"], revoked["revoked_why"]) == ("revoked", "复查确有故障")
    assert duty.post(back, json={"reason": "x"}).json()["code"] == "revoked"
    with psycopg.connect(world.database.url("watchkeep_analytics")) as conn:
        assert taken.in_force(conn, ["sunshine"]).bars == {}
    assert duty.post(url, json={"said": "real", "reason": "属实"}).status_code == 200
    noted = "SELECT action FROM audit_entries WHERE object_kind = 'detection_feedback' AND person_id IS NOT NULL"
    actions = [action for (action,) in world.rows(f"{noted} ORDER BY audit_id DESC LIMIT 3")]
    assert actions == ["feedback.say", "feedback.revoke", "feedback.say"]


def test_this_is_normal_is_learned_and_seen_from_the_next_warning_of_the_point(as_: Login, world: World) -> None:
    first, duty = learned(world), as_("duty")
    assert duty.post(URL.format(first), json={"said": "normal", "reason": "夏季如此"}).status_code == 200
    take_over(world)
    with world.admin() as conn:
        conn.execute("UPDATE warnings SET status = 'cleared', cleared_at = now()")
    second = learned(world)
    seen = duty.get(URL.format(second)).json()["items"]
    assert [(one["warning_id"], one["effect"]) for one in seen] == [(first, "relearned")]
    foreign = duty.post(f"{URL.format(second)}/{seen[0]['feedback_id']}/revocation", json={"reason": "x"})
    assert foreign.status_code == 409


@pytest.mark.parametrize(
    ("detector", "life_safety", "fixed"), [("limits", False, "rule"), ("baseline", True, "life_safety")]
)
def test_rules_and_life_safety_do_not_move(
    as_: Login, world: World, detector: str, life_safety: bool, fixed: str
) -> None:
    warning, duty = learned(world, detector=detector, life_safety=life_safety), as_("duty")
    assert duty.get(URL.format(warning)).json()["fixed"] == fixed
    refused = duty.post(URL.format(warning), json={"said": "normal", "reason": "x"})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_learned")
    assert world.rows("SELECT count(*) FROM detection_feedback") == [(0,)]


def test_who_judges_no_warnings_says_nothing(as_: Login, world: World) -> None:
    warning = learned(world)
    body = {"said": "normal", "reason": "x"}
    assert as_("verifier").post(URL.format(warning), json=body).status_code == 403
    assert as_("other").post(URL.format(warning), json=body).status_code in (403, 404)


class TestPage:
    """On the warning's page."""

    pytestmark = MARKS

    def test_said_and_revoked(self, open_as: Open, site: Site) -> None:
        warning = learned(site.world)
        explain(site.world, warning)
        page = open_as("duty", f"/warnings/{warning}")
        live(page)
        expect(page.locator(".wk-why")).to_contain_text("唯此一台不同")
        expect(page.locator(".wk-sentence")).to_contain_text("清洗空调滤网")
        look(page, "warning-why")
        page.get_by_role("button", name="这是正常").click()
        page.get_by_label("理由").fill("夏季机房温度如此")
        page.get_by_role("button", name="确定").click()
        said = page.locator(".wk-opinion")
        expect(said).to_contain_text("待分析服务采纳")
        said.get_by_role("button", name="撤销").click()
        page.get_by_label("理由").fill("空调坏了")
        page.get_by_role("button", name="确定").click()
        expect(said).to_contain_text("空调坏了")
        expect(said.get_by_role("button", name="误报")).to_be_visible()  # one can say it anew
        assert site.world.rows("SELECT said, revoked_why FROM detection_feedback") == [("normal", "空调坏了")]

    def test_a_case_by_a_rule_says_why_not(self, open_as: Open, site: Site) -> None:
        w.warning(site.world)
        w.judge_all(site.world)
        page = open_as("duty", "/cases/1", language="en", theme="dark")
        expect(page.locator(".wk-opinion")).to_contain_text("A rule or limit made this warning")
        look(page, "case-why-not")
