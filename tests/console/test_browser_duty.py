"""The duty officer's pages in a real browser: by keyboard, with sound, on a phone and on a wall, and cut off."""

import re
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from playwright.sync_api import Page, expect
from psycopg.types.json import Jsonb

from tests.console import world as w
from tests.console.browser import DESK, MARKS, PHONE, WALL, Open, live, look
from tests.console.conftest import Site, until

pytestmark = MARKS


def busy(site: Site) -> None:
    """A board with something of everything; the lift's warnings wait to be judged."""
    now = datetime.now(UTC)
    w.warning(site.world, "pump-1", "supply_pressure_loss", of_class="A", zh="出水压力 0.18 MPa，低于限值", at=now)
    w.warning(site.world, "lift-2", "door_close_fail", at=now - timedelta(minutes=20))
    w.judge_all(site.world)
    w.warning(site.world, "lift-3", "door_cycling", zh="反复开关门六次", at=now - timedelta(minutes=9))
    w.warning(site.world, "lift-3", "door_held_open", of_class="C", zh="开门过久", at=now)


def test_the_board_by_keyboard_alone(open_as: Open, site: Site) -> None:
    busy(site)
    page = open_as("duty", "/")
    live(page)
    expect(page.locator(".wk-legend")).to_contain_text("立案")  # the legend is always there

    def refused() -> bool:
        page.keyboard.press("c")
        return page.get_by_text("请先用 J / K 选中一行").is_visible()

    until(refused)  # nothing happens without a chosen row; it is said for a moment only
    waiting = page.get_by_role("row").filter(has_text="反复开关门六次")
    for _ in range(6):
        page.keyboard.press("j")
        if waiting.evaluate("(row) => row === document.activeElement"):
            break
    assert waiting.evaluate("(row) => row === document.activeElement")
    waiting.press("c")  # a row that came in meanwhile may have drawn the list anew
    expect(waiting).to_contain_text("案件 #")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="快捷键")).to_be_visible()
    page.keyboard.press("Escape")
    false = page.get_by_role("row").filter(has_text="开门过久")
    false.focus()
    page.keyboard.press("f")
    page.get_by_label("理由").fill("搬家占梯")
    page.get_by_role("button", name="确定").click()
    expect(page.get_by_text("已记为误报")).to_be_visible()
    page.get_by_role("row").filter(has_text="供水失压").first.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/cases/"))
    assert site.world.rows("SELECT reason FROM verdicts WHERE verdict = 'dismissed'") == [("搬家占梯",)]


def test_a_false_alarm_of_class_a_needs_a_second_look(open_as: Open, site: Site) -> None:
    busy(site)
    page = open_as("duty", "/")
    live(page)
    row = page.get_by_role("row").filter(has_text="供水失压").filter(has_text="阳光物业")
    row.get_by_role("button", name="判定为误报").click()
    page.get_by_label("理由").fill("压力表检修")
    page.get_by_role("button", name="确定").click()
    expect(page.locator(".wk-oath.wk-wanted")).to_be_visible()
    assert site.world.rows("SELECT state FROM cases WHERE class = 'A'") == [("dispatched",)]
    page.get_by_role("checkbox").click()
    page.get_by_role("button", name="确定").click()
    expect(page.get_by_text("已完成：不予立案（误报）")).to_be_visible()
    assert site.world.rows("SELECT state FROM cases WHERE class = 'A'") == [("not_filed",)]


def test_class_a_sounds_until_somebody_answers(open_as: Open, site: Site) -> None:
    busy(site)
    page = open_as("duty", "/")
    live(page)
    sound = page.locator("#wk-sound")
    expect(sound).to_have_text("声音已关")
    expect(page.get_by_text("1 条 A 级无人响应")).to_be_visible()
    assert page.evaluate("document.documentElement.dataset.tones") is None
    page.evaluate("localStorage.setItem('wk-sound', 'on')")  # as on a day before: wanted, but nobody has clicked yet
    expect(sound).to_have_text("浏览器已阻止声音，点此开启")
    sound.click()
    expect(sound).to_have_text("声音已开")
    page.wait_for_function("Number(document.documentElement.dataset.tones) >= 2")  # it repeats
    page.keyboard.press("n")
    expect(sound).to_have_text("已静音（新的 A 级会再响）")
    with site.world.admin() as conn:
        conn.execute("UPDATE cases SET state = 'accepted' WHERE class = 'A'")
    expect(page.get_by_text("级无人响应")).to_be_hidden()


def test_the_board_can_be_narrowed_and_says_what_comes_next(open_as: Open, site: Site) -> None:
    busy(site)
    page = open_as("duty", "/")
    coming = page.locator(".wk-coming")
    expect(coming).to_contain_text("响应黄牌预警 → 责任单位")
    expect(coming.locator("[data-due]").first).to_have_text(re.compile("剩"))
    expect(page.locator("svg.wk-stack").first).to_be_visible()
    expect(page.locator("a[aria-label^='3 号楼客梯']").first).to_have_attribute("href", "/equipment/sunshine/lift-3")
    page.get_by_role("navigation", name="筛选").get_by_role("link", name="C", exact=True).click()
    expect(page).to_have_url(re.compile("class=C"))
    expect(page.get_by_role("row").filter(has_text="开门过久")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="供水失压")).to_have_count(0)
    expect(page.get_by_text("筛选条件下没有记录").filter(visible=True)).to_have_count(1)


def test_a_lost_connection_is_seen(open_as: Open, site: Site) -> None:
    page = open_as("duty", "/")
    live(page)
    expect(page.get_by_text("当前没有未解除的预警")).to_be_visible()  # the empty board says so
    page.context.set_offline(True)
    page.evaluate("window.socket.disconnect()")
    expect(page.locator("#wk-offline")).to_contain_text("连接已断开")


def test_the_case_page_tells_the_whole_story(open_as: Open, site: Site) -> None:
    before = w.warning(site.world, "pump-1", "supply_pressure_loss", of_class="A")
    w.judge_all(site.world)
    w.clear(site.world, before)
    with site.world.admin() as conn:
        conn.execute("UPDATE cases SET state = 'closed', closed_at = now()")
        conn.execute("UPDATE orders SET state = 'closed', closed_at = now()")
        conn.execute(
            "INSERT INTO transitions (case_id, action, from_state, to_state, at, note)"
            " VALUES (1, 'finish', 'on_site', 'resolved', now(), '更换止回阀')"
        )
        conn.execute("UPDATE cases SET filed_at = now() - interval '40 days', closed_at = now() - interval '39 days'")
    now = datetime.now(UTC)
    series = site.world.series["sunshine", "pump-1", "outlet_pressure"]
    w.readings(site.world, series, w.wave(200, 420, 30), now)
    second = w.warning(site.world, "pump-1", "supply_pressure_loss", of_class="A", metric="outlet_pressure", at=now)
    evidence = {
        "actual": 380.0,
        "expected": {"value": 420.0, "low": 400.0, "high": 450.0},
        "contributions": [{"metric": "outlet_pressure", "value": 380.0, "share": 0.8}],
    }
    with psycopg.connect(site.world.database.url("watchkeep_analytics")) as conn:
        conn.execute("UPDATE warnings SET evidence = %s WHERE warning_id = %s", [Jsonb(evidence), second])
    w.judge_all(site.world)
    page = open_as("duty", "/cases/2")
    live(page)
    expect(page.locator(".wk-past")).to_contain_text("处置：更换止回阀")
    expect(page.get_by_role("row").filter(has_text="80 %")).to_contain_text("400 kPa – 450 kPa")
    expect(page.locator(".wk-nextline").first).to_contain_text("响应黄牌预警")
    expect(page.get_by_text("通知记录")).to_be_visible()
    band = """() => [...document.querySelectorAll(".wk-chart")].some((element) => {
        const chart = getElement(+element.id.slice(1))?.chart;
        return chart && chart.getOption().series[0].markArea?.data[0][0].yAxis === 400;
    })"""
    page.wait_for_function(band)
    look(page, "case-light")
    page.get_by_role("button", name="协办派单").click()
    page.get_by_label("建议单位").click()
    page.get_by_role("option", name="城东街道办").click()
    page.get_by_label("理由").fill("需要协调停水通知")
    with (
        site.world.admin() as conn
    ):  # somebody else does something meanwhile: the page is drawn anew behind the question
        conn.execute(
            "INSERT INTO transitions (case_id, action, from_state, to_state, at, note)"
            " SELECT case_id, 'note', state, state, now(), '已电话告知业主' FROM cases WHERE case_id = 2"
        )
        conn.execute("""SELECT pg_notify('watchkeep', '{"table": "cases", "id": 2, "community": "sunshine"}')""")
    expect(page.locator(".wk-steps")).to_contain_text("已电话告知业主")
    expect(page.get_by_label("理由")).to_have_value("需要协调停水通知")
    page.get_by_role("button", name="确定").click()
    expect(page.get_by_text("已完成：协办派单")).to_be_visible()
    expect(page.locator(".wk-steps")).to_contain_text("协办派单")
    assert site.world.rows("SELECT org_id FROM orders WHERE case_id = 2 AND NOT lead") == [("street",)]


def test_the_chart_shows_several_points_and_zooms(open_as: Open, site: Site) -> None:
    now = datetime.now(UTC)
    for metric, level in (("inlet_pressure", 260), ("outlet_pressure", 420)):
        w.readings(site.world, site.world.series["sunshine", "pump-1", metric], w.wave(120, level, 5), now)
    page = open_as("duty", "/equipment/sunshine/pump-1")
    live(page)
    page.wait_for_function(LINES, arg=1)
    page.get_by_label("选择测点").click()
    page.get_by_role("option", name="出水压力", exact=True).click()
    page.keyboard.press("Escape")
    page.wait_for_function(LINES, arg=2)
    before = page.evaluate(SPAN)
    box = page.locator(".wk-chart").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -600)
    expect(page.get_by_role("button", name="回到实时")).to_be_visible()
    page.wait_for_function(f"(wanted) => 0 < ({SPAN})() && ({SPAN})() < wanted", arg=before)
    page.get_by_role("button", name="回到实时").click()
    page.wait_for_function(f"(wanted) => ({SPAN})() > wanted * 0.9", arg=before)
    look(page, "equipment-light")
    # A chart that is taken away before it was drawn is no error (a page that shows one ends the test).
    page.evaluate("() => { getElement(+document.querySelector('.wk-chart').id.slice(1)).chart = undefined; }")
    page.get_by_label("时间范围").click()
    page.get_by_role("option", name="7 天", exact=True).click()
    page.wait_for_function(f"(wanted) => ({SPAN})() > wanted * 2", arg=before)


LINES = """(wanted) => [...document.querySelectorAll(".wk-chart")].some((element) => {
    const chart = getElement(+element.id.slice(1))?.chart;
    return chart && chart.getOption().series.filter((one) => one.name && one.data.length).length === wanted;
})"""
SPAN = """() => {
    const axis = getElement(+document.querySelector(".wk-chart")?.id.slice(1))?.chart?.getOption().xAxis[0];
    return axis ? axis.max - axis.min : 0;
}"""


@pytest.mark.parametrize(
    ("name", "language", "theme", "viewport", "path"),
    [
        ("board-light", "zh", "light", DESK, "/"),
        ("board-phone-dark-en", "en", "dark", PHONE, "/"),
        ("board-wall", "zh", "dark", WALL, "/?wall=1"),
        ("case-dark-en", "en", "dark", DESK, "/cases/1"),
        ("case-phone", "zh", "light", PHONE, "/cases/1"),
        ("equipment-phone-dark", "zh", "dark", PHONE, "/equipment/sunshine/pump-1"),
    ],
)
def test_how_it_looks(
    open_as: Open,
    site: Site,
    name: str,
    language: str,
    theme: str,
    viewport: dict[str, int],
    path: str,
) -> None:
    busy(site)
    w.readings(
        site.world, site.world.series["sunshine", "pump-1", "inlet_pressure"], w.wave(90, 260, 9), datetime.now(UTC)
    )
    page = open_as("duty", path, language=language, theme=theme, viewport=viewport)
    live(page)
    _settled(page)
    look(page, name)


def _settled(page: Page) -> None:
    """Clocks have been filled in, charts and fonts are there."""
    page.wait_for_function("document.fonts.status === 'loaded' && !document.querySelector('.q-skeleton')", polling=100)
    expect(page.locator("[data-since]:empty, time[data-due]:empty, [data-due] > time:empty")).to_have_count(0)
