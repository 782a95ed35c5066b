"""The pages in a real browser: each main path, no foreign request, no error on the browser's console."""

import re
import struct
import zlib
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from playwright.sync_api import Page, expect

from tests.console import world as w
from tests.console.browser import MARKS, PHONE, Open, live
from tests.console.conftest import Site

pytestmark = MARKS


def test_board_case_and_act(open_as: Open, site: Site) -> None:
    w.warning(site.world, "pump-1", "supply_pressure_loss", of_class="A", zh="出水压力过低")
    w.judge_all(site.world)
    page = open_as("manager", "/")
    row = page.get_by_role("row").filter(has_text="出水压力过低")
    expect(row).to_contain_text("高区供水机组")
    row.get_by_role("link", name="供水失压").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("高区供水机组")
    page.get_by_role("button", name="接单响应").click()
    page.get_by_role("button", name="确定").click()
    expect(page.locator(".wk-chip.state").first).to_have_text("响应")
    expect(page.locator(".wk-steps")).to_contain_text("项目经理 李强")
    assert site.world.rows("SELECT action, to_state FROM transitions WHERE action = 'accept'") == [
        ("accept", "accepted")
    ]


def test_the_board_is_live_and_files_by_one_click(open_as: Open, site: Site) -> None:
    page = open_as("duty", "/")
    live(page)
    w.warning(site.world, "lift-3", "door_cycling", zh="反复开关门六次")
    row = page.get_by_role("row").filter(has_text="反复开关门六次")
    expect(row).to_be_visible()
    row.get_by_role("button", name="确认预警并立案派单").click()
    expect(row).to_contain_text("案件 #")


def test_a_false_alarm_asks_for_a_reason(open_as: Open, site: Site) -> None:
    warning = w.warning(site.world, "lift-2", "door_held_open", of_class="C", zh="开门过久")
    page = open_as("duty", "/")
    page.get_by_role("row").filter(has_text="开门过久").get_by_role("button", name="判定为误报").click()
    page.get_by_role("button", name="确定").click()
    page.get_by_label("理由").fill("搬家占梯")
    page.get_by_role("button", name="确定").click()

    def dismissed() -> bool:
        with site.world.admin() as conn:
            found = conn.execute("SELECT reason FROM verdicts WHERE warning_id = %s", [warning]).fetchone()
        return found == ("搬家占梯",)

    page.get_by_text("已记为误报").wait_for()
    assert dismissed()


def test_the_chart_grows_without_being_sent_again(open_as: Open, site: Site) -> None:
    series = site.world.series["sunshine", "pump-1", "inlet_pressure"]
    w.readings(site.world, series, w.wave(60, 260, 5), datetime.now(UTC))
    page = open_as("duty", "/equipment/sunshine/pump-1")
    length = """(wanted) => [...document.querySelectorAll(".wk-chart")].some((element) => {
        const chart = getElement(+element.id.slice(1))?.chart;
        return chart && chart.getOption().series[0].data.length === wanted;
    })"""
    page.wait_for_function(length, arg=60)
    live(page)
    w.readings(site.world, series, [271.5], datetime.now(UTC))
    expect(page.locator(".wk-points")).to_contain_text("271.5 kPa")
    page.wait_for_function(length, arg=61)


def test_from_nothing_to_the_first_reading_and_a_test_alarm(open_as: Open, site: Site) -> None:
    page = open_as("manager", "/connect")
    page.get_by_label("网关编号").fill("gw-new")
    page.get_by_role("button", name="创建网关").click()
    expect(page.get_by_text("watchkeep gateway enroll")).to_contain_text("sunshine gw-new")
    expect(page.get_by_text("正在等待网关上线")).to_be_visible()
    with psycopg.connect(site.world.database.url("watchkeep_ingest")) as conn:  # what ingest does at the first birth
        conn.execute(
            "INSERT INTO equipment (community_id, equipment_id, kind, name, status)"
            " VALUES ('sunshine', 'new-1', 'unknown', 'new-1', 'unclaimed')"
        )
        found = conn.execute(
            "INSERT INTO points (community_id, equipment_id, metric, unit, claimed, gateway_id)"
            " VALUES ('sunshine', 'new-1', 'inlet_pressure', 'kPa', false, 'gw-new') RETURNING series_id"
        ).fetchone()
        assert found is not None
    w.readings(site.world, found[0], [280.0], datetime.now(UTC))
    expect(page.get_by_text("第一条读数已到达")).to_be_visible()
    expect(page.get_by_text("280 kPa")).to_be_visible()
    page.get_by_role("button", name="发送测试报警").click()
    filed = page.get_by_role("link", name=re.compile("测试案件 #"))
    filed.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("测试：网关 gw-new")


def test_a_revoked_session_can_do_nothing_more_in_an_open_tab(open_as: Open, site: Site) -> None:
    w.warning(site.world, "lift-1", "door_held_open", of_class="C", zh="门未关")
    page = open_as("duty", "/")
    button = page.get_by_role("row").filter(has_text="门未关").get_by_role("button", name="确认预警并立案派单")
    expect(button).to_be_visible()
    with site.world.admin() as conn:
        conn.execute("UPDATE sessions SET revoked_at = now()")
    button.click()
    page.wait_for_url("**/login?next=/")
    with site.world.admin() as conn:
        assert conn.execute("SELECT count(*) FROM cases WHERE condition = 'door_held_open'").fetchone() == (0,)


def test_english_and_dark(open_as: Open, site: Site) -> None:
    page = open_as("manager", "/preferences?language=en")
    page.goto("/preferences?theme=dark&next=/")
    expect(page.get_by_role("link", name="Duty board")).to_be_visible()
    expect(page.locator("body")).to_have_class(re.compile("body--dark"))
    expect(page.locator("html")).to_have_attribute("lang", "en-US")


def test_an_order_on_a_phone_without_script(open_as: Open, site: Site, tmp_path: Path) -> None:
    w.warning(site.world, "lift-2", "door_close_fail")
    w.judge_all(site.world)
    page = open_as("tech", "/m", viewport=PHONE, java_script_enabled=False)
    page.get_by_role("link", name="2 号楼客梯").click()
    for action, state in (("接单响应", "响应"), ("到场签到", "到场")):
        button = page.get_by_role("button", name=action)
        page.wait_for_load_state("load")  # the style sheet too
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        button.click()
        expect(page.locator("section .chip").first).to_have_text(state)
    before, after = tmp_path / "before.png", tmp_path / "bad.svg"
    before.write_bytes(png())
    after.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    page.get_by_label("处置说明").fill("更换门机皮带")
    _fill_evidence(page, after)
    page.get_by_role("button", name="完成反馈").click()
    expect(page.get_by_role("status")).to_contain_text("照片须为")
    page.get_by_label("处置说明").fill("更换门机皮带")
    _fill_evidence(page, before)
    page.get_by_role("button", name="完成反馈").click()
    expect(page.locator("section .chip").first).to_have_text("反馈")
    expect(page.locator(".evidence img")).to_be_visible()


def _fill_evidence(page: Page, photo: Path) -> None:
    for field in page.locator("input[type=file]").all():
        field.set_input_files(photo)
    for name in ("scan", "reading", "signature"):
        if page.locator(f"#{name}").count():
            page.fill(f"#{name}", "lift-2" if name == "scan" else "读数正常")


def png() -> bytes:
    """The smallest honest PNG: one grey pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\x80")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
