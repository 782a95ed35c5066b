"""Each role's main path in a real browser: property manager, supervisor, administrator, auditor."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.console import world as w
from tests.console.browser import MARKS, PHONE, Open, live, look
from tests.console.conftest import Site
from tests.console.staff import staff
from tests.console.test_manage_import import book, lift
from watchkeep_core.database import OWNER, connect
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import preventive

__all__ = ["staff"]
pytestmark = [*MARKS, pytest.mark.usefixtures("staff")]


def save(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^(确定|OK)$")).click()


def choose(page: Page, label: str, option: str) -> None:
    """An option of a Quasar select."""
    page.get_by_label(label, exact=True).click()
    page.locator(".q-menu").get_by_role("option", name=option, exact=True).click()


def test_a_register_of_200_rows_with_errors_then_without(open_as: Open, site: Site, tmp_path: Path) -> None:
    rows = [lift(n) for n in range(200)]
    wrong = [*rows[:150], lift(150, kind="飞机"), lift(151, level="地下"), *rows[152:]]
    page = open_as("manager", "/equipment")
    page.get_by_role("button", name="导入设备").click()
    page.wait_for_url("**/equipment-import")
    live(page)
    with page.expect_download() as template:
        page.get_by_role("button", name="下载模板").click()
    assert template.value.suggested_filename.endswith(".xlsx")
    for name, content in (("wrong.xlsx", book(*wrong)), ("right.xlsx", book(*rows))):
        (tmp_path / name).write_bytes(content)
    upload = page.locator("input[type=file]")
    upload.set_input_files(tmp_path / "wrong.xlsx")
    expect(page.get_by_role("alert")).to_contain_text("2 处错误")
    table = page.get_by_role("table").last
    expect(table).to_contain_text("C152")
    expect(table).to_contain_text("“飞机”不在词汇表中")
    expect(table).to_contain_text("G153")
    look(page, "manage-import")
    assert site.world.rows("SELECT count(*) FROM equipment WHERE equipment_id LIKE 'new-%'") == [(0,)]
    upload.set_input_files(tmp_path / "right.xlsx")
    page.get_by_role("button", name="确认导入 200 台").click()
    expect(page.get_by_text("已写入 200 台设备")).to_be_visible()
    assert site.world.rows("SELECT count(*) FROM equipment WHERE equipment_id LIKE 'new-%'") == [(200,)]
    page.goto("/equipment?community=sunshine&kind=elevator")
    expect(page.get_by_text("第 1 页")).to_contain_text("203")
    page.get_by_role("link", name="下一页").click()
    expect(page.get_by_text("第 2 页")).to_be_visible()
    live(page)
    page.get_by_label("名称或编号").fill("new-77")
    page.evaluate("mounted_app.$forceUpdate()")  # a redraw takes nothing from who is typing
    page.get_by_role("button", name="查询").click()
    expect(page.get_by_role("link", name="77 号新梯")).to_be_visible()


def test_the_tree_opens_down_to_the_points(open_as: Open, site: Site) -> None:
    page = open_as("manager", "/equipment")
    live(page)
    tree = page.locator(".wk-tree")
    for label in ("阳光花园", "1 号楼", "高区供水机组"):
        node = tree.locator(".q-tree__node-header").filter(has_text=label).first
        node.locator(".q-tree__arrow").click()
    expect(tree.get_by_text("出水压力", exact=True)).to_be_visible()
    tree.get_by_text("出水压力", exact=True).click()
    page.wait_for_url("**/equipment/sunshine/pump-1")


def test_a_manager_s_day(open_as: Open, site: Site) -> None:
    """Rota, an order exported, a complaint, a hand-over, a notice."""
    page = open_as("manager", "/rota")
    live(page)
    page.get_by_role("button", name="新增班次").click()
    choose(page, "人员", "项目经理 李强")
    save(page)
    expect(page.locator(".wk-shift").filter(has_text=re.compile(r"\d\d:\d\d–"))).to_have_count(1)
    expect(page.get_by_role("alert").first).to_contain_text("无人值班")
    look(page, "manage-rota")
    page.locator(".wk-shift").filter(has_text=re.compile(r"\d\d:\d\d–")).click()
    choose(page, "换给", "物业管理员 何静")
    page.get_by_label("理由").fill("家中有事")
    save(page)
    expect(page.locator(".wk-linklist").filter(has_text="家中有事")).to_be_visible()
    page.goto("/complaints/new")
    live(page)
    page.get_by_label("诉求内容").fill("3 号楼北侧消防通道被车辆堵塞")
    page.get_by_label("电话或邮箱", exact=True).fill("13800001234")
    page.get_by_role("button", name="登记并派单").click()
    expect(page.get_by_role("status").filter(has_text="已登记")).to_be_visible()
    page.goto("/complaints")
    live(page)
    row = page.get_by_role("row").filter(has_text="消防通道被车辆堵塞")
    expect(row).to_contain_text("138****1234")
    row.get_by_role("button", name="查看电话").click()
    expect(page.get_by_text("13800001234")).to_be_visible()
    assert site.world.rows("SELECT count(*) FROM audit_entries WHERE action = 'complaint.contact'") != [(0,)]
    page.goto("/orders")
    live(page)
    with page.expect_download() as exported:
        page.get_by_role("button", name="导出 CSV").click()
    assert "消防" in Path(exported.value.path()).read_text(encoding="utf-8-sig") or exported.value.suggested_filename
    page.goto("/duty-log")
    live(page)
    page.get_by_role("button", name="交班", exact=True).click()
    choose(page, "接班人", "值班员 王敏")
    page.get_by_label("交班事项").fill("2 号梯停用待修，已挂牌")
    save(page)
    expect(page.get_by_text("2 号梯停用待修")).to_be_visible()
    page.goto("/notices")
    live(page)
    page.get_by_role("button", name="编辑").first.click()
    page.get_by_label("名称", exact=True).fill("李强")
    page.get_by_role("button", name="公示", exact=True).click()
    expect(page.get_by_text("李强", exact=True)).to_be_visible()


def test_a_channel_s_file_and_a_channel_with_its_test(open_as: Open, site: Site, tmp_path: Path) -> None:
    """What a hot line sends is checked before it is taken in; a group robot is added and tried."""
    page = open_as("manager", "/complaints")
    live(page)
    page.get_by_role("button", name="导入渠道文件").click()
    at = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    for name, day in (("wrong", "昨天"), ("right", at)):
        rows = f"工单编号,受理时间,小区,诉求内容\nT-1,{day},阳光花园,2 号楼水压低\n"
        (tmp_path / f"{name}.csv").write_text(rows, encoding="utf-8")
    upload = page.locator("input[type=file]")
    upload.set_input_files(tmp_path / "wrong.csv")
    expect(page.get_by_text("1 处错误")).to_be_visible()
    upload.set_input_files(tmp_path / "right.csv")
    page.get_by_role("button", name="全部收入").click()
    expect(page.get_by_text("已全部收入")).to_be_visible()
    assert site.world.rows("SELECT channel_no FROM complaints") == [("T-1",)]
    page.goto("/channels")
    live(page)
    page.get_by_role("button", name="新增渠道").click()
    page.get_by_label("名称", exact=True).fill("值班群")
    page.get_by_label("地址（apprise URL）").fill("wecombot://12345678-1234-1234-1234-123456789012")
    save(page)
    row = page.get_by_role("row").filter(has_text="值班群")
    expect(row).to_contain_text("企业微信")
    page.get_by_role("button", name="发送测试通知").click()
    save(page)
    expect(page.get_by_text("测试通知已提交")).to_be_visible()
    expect(row).to_contain_text("排队中")
    look(page, "manage-channels")


def test_who_takes_over_says_so(open_as: Open, site: Site, staff: dict[str, str]) -> None:
    with site.world.admin() as conn:
        conn.execute(
            "INSERT INTO duty_handovers (community_id, post, from_person, to_person, at, note, open_cases,"
            " open_warnings) VALUES ('sunshine', 'control_room', %s, %s, now(), '主机 2 回路有屏蔽点', '{}', 0)",
            [staff["manager"], staff["duty"]],
        )
    page = open_as("duty", "/duty-log")
    live(page)
    page.get_by_role("button", name="确认接班").click()
    expect(page.get_by_text(re.compile("已接班"))).to_be_visible()


def test_maintenance_is_seen_by_month_and_recorded(open_as: Open, site: Site) -> None:
    now = datetime.now(UTC)
    with connect(site.world.database.admin_url, "test", role=OWNER) as conn:
        plans = preventive.parse(preventive.default_plans(), load())
        preventive.load(conn, plans, now - timedelta(days=60))
        plan = plans[0]
        conn.execute(
            "INSERT INTO visits (plan_id, community_id, equipment_id, org_id, due_at, opened_at)"
            " VALUES (%s, 'sunshine', 'hydrant-1', 'prop', %s, %s)",
            [plan.plan_id, now - timedelta(seconds=1), now - timedelta(days=3)],
        )
    page = open_as("manager", "/calendar", viewport=PHONE)
    page.locator(".wk-visit.late").first.click()
    live(page)
    for item in page.get_by_role("button", name="正常", exact=True).all():
        item.click()
    page.get_by_label("签字").fill("李强")
    page.get_by_role("button", name="提交记录").click()
    expect(page.get_by_role("button", name="提交记录")).to_be_hidden()
    assert site.world.rows("SELECT signature FROM visits WHERE done_at IS NOT NULL") == [("李强",)]


def test_a_general_plan_is_adjusted_for_the_community(open_as: Open, site: Site) -> None:
    with connect(site.world.database.admin_url, "test", role=OWNER) as conn:
        preventive.load(conn, preventive.parse(preventive.default_plans(), load()), datetime.now(UTC))
    page = open_as("manager", "/plans")
    live(page)
    page.get_by_role("row").filter(has_text="电梯半月维保").get_by_role("button", name="另定").click()
    page.wait_for_url("**/plans/new?*")
    live(page)
    page.get_by_label("计划名称").fill("电梯旬检")
    page.get_by_label("周期", exact=True).fill("10")
    page.get_by_role("button", name="确定").click()
    expect(page.get_by_text("请补全标红的内容")).to_be_visible()
    page.get_by_label("理由", exact=True).fill("合同约定")
    look(page, "manage-plan")
    page.get_by_role("button", name="确定").click()
    row = page.get_by_role("row").filter(has_text="代替“电梯半月维保”")
    expect(row).to_contain_text("10 天")
    live(page)
    row.get_by_role("button", name="停用").click()
    page.get_by_label("理由").fill("加装期间停梯")
    save(page)
    expect(row).to_contain_text("加装期间停梯")
    assert site.world.rows("SELECT enabled, reason FROM visit_plans WHERE replaces IS NOT NULL") == [
        (False, "加装期间停梯")
    ]


def test_a_supervisor_goes_from_the_overview_to_the_orders(open_as: Open, site: Site) -> None:
    w.warning(site.world, "pump-1", "supply_pressure_loss", of_class="A")
    w.judge_all(site.world)
    with site.world.admin() as conn:
        conn.execute("UPDATE orders SET respond_due = now() - interval '9 min', finish_due = now() - interval '1 min'")
    page = open_as("super", "/supervise")
    row = page.get_by_role("row").filter(has_text="阳光物业")
    expect(row).to_contain_text("1 个小区")
    look(page, "manage-overview")
    page.goto("/supervise/indicators")
    figure = page.get_by_role("row").filter(has_text="阳光物业").first
    expect(figure).to_contain_text("样本不足，不排名")
    figure.get_by_role("link", name="1", exact=True).first.click()
    expect(page.get_by_role("link", name=re.compile("高区供水机组"))).to_be_visible()


def test_what_cannot_be_solved_is_studied(open_as: Open, site: Site) -> None:
    w.warning(site.world, "lift-1", "door_close_fail", of_class="B")
    w.judge_all(site.world)
    with site.world.admin() as conn:
        conn.execute("UPDATE cases SET state = 'ledger'")
        conn.execute(
            "INSERT INTO ledger_entries (case_id, reason, entered_at) SELECT case_id, '产权不清', now() FROM cases"
        )
    page = open_as("office", "/supervise/ledger")
    live(page)
    page.get_by_role("button", name="研判", exact=True).click()
    page.get_by_label("研判意见").fill("由维保单位更换门机")
    choose(page, "责任单位", "迅捷维保")
    page.get_by_label("整改时限").fill("2031-01-31")
    save(page)
    row = page.get_by_role("row").filter(has_text="由维保单位更换门机")
    expect(row).to_contain_text("2031-01-31")
    page.goto("/supervise/agenda?area=street-1")
    expect(page.locator(".wk-topic")).to_contain_text("产权不清")


def test_a_list_is_drawn_up_and_published_by_another(open_as: Open, site: Site) -> None:
    page = open_as("super", "/supervise/rankings")
    live(page)
    page.get_by_role("button", name="生成榜单").click()
    save(page)
    page.wait_for_url(re.compile(r"/supervise/rankings/\d+"))
    live(page)
    page.get_by_role("button", name="发布", exact=True).click()
    expect(page.get_by_text("操作未完成")).to_be_visible()
    other = open_as("city", page.url.removeprefix(site.url))
    live(other)
    other.get_by_role("button", name="发布", exact=True).click()
    expect(other.get_by_text(re.compile("申诉截止"))).to_be_visible()
    company = open_as("manager", page.url.removeprefix(site.url))
    live(company)
    company.get_by_role("row").filter(has_text="阳光物业").get_by_role("button", name="申诉").click()
    company.get_by_label("理由").fill("11 月 3 日停电，与物业无关")
    save(company)
    expect(company.get_by_text("与物业无关")).to_be_visible()
    page.reload()
    live(page)
    page.get_by_role("button", name="裁定").click()
    page.get_by_label(re.compile("裁定")).last.fill("停电有供电公司记录，申诉成立")
    page.get_by_role("checkbox", name="申诉成立").click()
    save(page)
    expect(page.get_by_text("停电有供电公司记录")).to_be_visible()


def test_an_administrator_makes_a_person_and_gives_a_role(open_as: Open, site: Site) -> None:
    page = open_as("admin", "/people")
    live(page)
    page.get_by_role("button", name="新增人员").click()
    page.get_by_label("账号", exact=True).last.fill("wang.fang")
    page.get_by_label("姓名", exact=True).fill("王芳")
    page.locator(".q-dialog").get_by_label("单位").click()
    page.locator(".q-menu").get_by_role("option", name="阳光物业").click()
    save(page)
    expect(page.get_by_text("只显示这一次")).to_be_visible()
    page.get_by_role("button", name="关闭").click()
    page.wait_for_url("**/people/*-*")
    live(page)
    page.get_by_role("button", name="授予角色").click()
    choose(page, "角色", "值班坐席")
    choose(page, "范围", "小区 · 阳光花园")
    save(page)
    expect(page.get_by_role("row").filter(has_text="值班坐席")).to_contain_text("长期")
    look(page, "manage-person")
    page.get_by_role("button", name="收回").click()
    expect(page.get_by_text("已结束")).to_be_visible()


def test_a_limit_is_changed_with_its_basis(open_as: Open, site: Site) -> None:
    page = open_as("manager", "/limits?metric=machine_room_temperature")
    live(page)
    page.get_by_role("row").filter(has_text="高于 40").first.get_by_role("button", name="修改").click()
    page.get_by_label(re.compile("触发值")).fill("41")
    save(page)
    expect(page.get_by_text("必填")).to_be_visible()
    page.get_by_label("依据与理由").fill("电梯厂家手册")
    save(page)
    expect(page.get_by_role("row").filter(has_text="电梯厂家手册")).to_contain_text("41")
    with site.world.admin() as conn:
        conn.execute("UPDATE point_limits SET value = 40, basis = 'test' WHERE basis = '电梯厂家手册'")


def test_the_duty_list_is_shown_with_its_coverage(open_as: Open, site: Site) -> None:
    page = open_as("super", "/duties")
    page.get_by_role("link", name=re.compile("默认权责清单")).click()
    expect(page.get_by_text("应覆盖组合")).to_be_visible()
    live(page)
    page.get_by_role("button", name="用近 30 天案件试算").click()
    expect(page.get_by_text("结果有变")).to_be_visible()


def test_an_auditor_checks_the_chain_and_sees_no_more(open_as: Open, site: Site) -> None:
    page = open_as("auditor", "/audit")
    live(page)
    page.get_by_role("button", name="校验哈希链").click()
    expect(page.get_by_role("status").filter(has_text="校验通过")).to_be_visible()
    page.goto("/audit?before=999999999")
    page.get_by_role("link", name="回到最新").click()
    page.wait_for_url("**/audit")
    page.goto("/people")
    expect(page.get_by_text("没有打开此页的权限")).to_be_visible()


def test_a_gateway_is_revoked_for_good(open_as: Open, site: Site) -> None:
    with site.world.admin() as conn:
        conn.execute("INSERT INTO gateways (community_id, gateway_id) VALUES ('sunshine', 'gw-old')")
    page = open_as("manager", "/connect/sunshine/gw-old")
    live(page)
    page.get_by_role("button", name="吊销网关").click()
    save(page)
    expect(page.get_by_text("已吊销")).to_be_visible()
    assert site.world.rows("SELECT count(*) FROM gateways WHERE revoked_at IS NOT NULL") == [(1,)]


PAGES = {
    "manager": (
        "/equipment", "/equipment-import", "/gateways", "/orders", "/calendar", "/plans", "/plans/new", "/rota",
        "/complaints/new", "/duty-log",
        "/notices", "/reports", "/limits", "/channels",
    ),
    "super": (
        "/supervise", "/supervise/indicators", "/supervise/rankings", "/supervise/ledger", "/supervise/agenda",
        "/duties", "/duty-log?community=riverside", "/notices",
    ),
    "admin": ("/people", "/organisations", "/audit"),
}  # fmt: skip


@pytest.mark.parametrize("who", PAGES)
def test_every_page_on_a_phone_in_english_and_dark(open_as: Open, site: Site, who: str) -> None:
    """Nothing runs out of the screen, everything that can be pressed has a name, no Chinese words of ours are left."""
    w.warning(site.world, "lift-1", "door_close_fail", of_class="B")
    w.judge_all(site.world)
    page = open_as(who, "/", language="en", theme="dark", viewport=PHONE)
    for path in PAGES[who]:
        page.goto(path)
        live(page)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        look(page, f"phone{path.replace('/', '-')}")
        ours = "h1, th, .wk-subnav, .wk-nav, .wk-field > span, .wk-panel-head h2, .wk-empty"
        own = page.locator(ours).all_text_contents()
        assert [said for said in own if re.search(r"[\u4e00-\u9fff]", said)] == [], path
