"""One piece of equipment in detail: what it says, how it got there, what was warned and done."""

from watchkeep_dashboards.generate.board import Wall, assemble, choose, choose_community
from watchkeep_dashboards.generate.lists import base_of, state_metrics
from watchkeep_dashboards.generate.panels import Field, Mark, Panel, at, lines, rows, timeline
from watchkeep_dashboards.generate.words import (
    CASE_PAGE,
    EQUIPMENT_PAGE,
    TIME,
    WARNING_PAGE,
    classes,
    conditions,
    keys,
    kinds,
    statuses,
)
from watchkeep_dashboards.packaged import Language

_COLORS = (
    "semi-dark-green",
    "semi-dark-blue",
    "semi-dark-orange",
    "semi-dark-purple",
    "semi-dark-red",
    "semi-dark-yellow",
)
_SIGNS = "●■▲◆○✕"


def equipment(language: Language) -> str:
    """Classic JSON of the board of one piece of equipment."""
    wall = Wall("equipment", language)
    limit = wall.say("限值", "limit")
    values = wall.sql("values", limit=limit)
    panels = [
        _facts(wall),
        lines(wall.say("数值", "Values"), values, (), at(0, 4, 15, 8), from_zero=False, dashed=limit),
        _latest(wall),
        timeline(wall.say("状态", "States"), wall.sql("states"), _states(wall), at(0, 12, 15, 6)),
        _warnings(wall),
        _orders(wall),
    ]
    variables = [
        choose_community(wall),
        choose(wall, "equipment", "设备", "Equipment"),
        choose(wall, "metric", "测点", "Point"),
    ]
    title = wall.say("设备详情", "Equipment")
    return assemble(wall, title, panels, variables=variables, annotations="its_warnings_on_charts", span="now-24h")


def _facts(wall: Wall) -> Panel:
    status = {
        "in_service": Mark("● " + wall.say("在用", "in service")),
        "out_of_service": Mark("✕ " + wall.say("停用", "out of service")),
        "unclaimed": Mark("○ " + wall.say("未登记", "not registered")),
    }
    fields = [
        Field("equipment", wall.say("设备（点击打开工作台）", "Equipment (opens the console)"), link=EQUIPMENT_PAGE),
        Field("kind", wall.say("类别", "Kind"), marks=kinds(wall)),
        Field("building", wall.say("楼栋", "Building")),
        Field("maker", wall.say("厂家", "Maker")),
        Field("model", wall.say("型号", "Model")),
        Field("installed_on", wall.say("安装日期", "Installed"), unit="time:YYYY-MM-DD"),
        Field("status", wall.say("登记状态", "Status"), marks=status),
        Field("warnings", wall.say("▲ 未解除预警", "▲ Open warnings"), alarm="red", width=130),
        *keys("community_id", "equipment_id"),
    ]
    return rows(wall.say("设备", "Equipment"), wall.sql("facts"), fields, at(0, 0, 24, 4))


def _latest(wall: Wall) -> Panel:
    fields = [
        Field("name", wall.say("测点", "Point")),
        Field("value", wall.say("最新值", "Newest"), width=125),
        Field("ts", wall.say("时间", "At"), unit=TIME, width=115),
    ]
    return rows(wall.say("最新读数", "Newest readings"), wall.sql("latest"), fields, at(15, 4, 9, 14))


def _states(wall: Wall) -> dict[str, Mark]:
    """Each state of each metric, at its metric's hundred; signs and colours by the place in the list."""
    return {
        str(base_of(id) + code): Mark(f"{_SIGNS[place % 6]} {wall.say(state.zh, state.en)}", _COLORS[place % 6])
        for id, metric in state_metrics().items()
        for place, (code, state) in enumerate(metric.states.items())
    }


def _warnings(wall: Wall) -> Panel:
    fields = [
        Field("class", wall.say("等级", "Class"), marks=classes(wall), width=105),
        Field("status", wall.say("状态", "Status"), marks=statuses(wall), width=100),
        Field("event_at", wall.say("发生时间", "Since"), unit=TIME, width=110),
        Field("sentence", wall.say("预警内容", "Warning"), link=WARNING_PAGE),
        *keys("warning_id"),
    ]
    return rows(wall.say("预警", "Warnings"), wall.sql("warnings"), fields, at(0, 18, 15, 6))


def _orders(wall: Wall) -> Panel:
    fields = [
        Field("class", wall.say("等级", "Class"), marks=classes(wall), width=105),
        Field("condition", wall.say("事由", "What"), marks=conditions(wall), link=CASE_PAGE),
        Field("state", wall.say("状态", "State"), marks=case_states(wall), width=90),
        Field("organisation", wall.say("责任单位", "Responsible")),
        Field("dispatched_at", wall.say("派单", "Dispatched"), unit=TIME, width=110),
        *keys("case_id"),
    ]
    return rows(wall.say("工单", "Orders"), wall.sql("its_orders"), fields, at(15, 18, 9, 6))


def case_states(wall: Wall) -> dict[str, Mark]:
    """States of an order, as dispatch's life cycle has them (a test compares)."""
    words = {
        "dispatched": ("派单", "dispatched"),
        "accepted": ("响应", "accepted"),
        "on_site": ("到场", "on site"),
        "suspended": ("暂停", "paused"),
        "resolved": ("反馈", "resolved"),
        "rework": ("返工", "rework"),
        "verified": ("核查", "verified"),
        "closed": ("结案", "closed"),
        "returned": ("退回", "returned"),
        "not_filed": ("误报", "dismissed"),
        "ledger": ("挂账", "in the ledger"),
        "merged": ("并案", "merged"),
    }
    return {state: Mark(wall.say(zh, en)) for state, (zh, en) in words.items()}
