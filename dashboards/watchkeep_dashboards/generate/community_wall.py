"""The wall of a community (or several): what is wrong now, whose clock runs out, what watches."""

from watchkeep_core import vocabulary
from watchkeep_dashboards.generate.panels import CALM, Field, Mark, Panel, Wall, assemble, at, figures, rows
from watchkeep_dashboards.packaged import Language

_SIGNS = {"A": ("▲", "red"), "B": ("◆", "orange"), "C": ("●", "blue")}
"""Sign and colour of each class: readable without seeing colours."""


def community_wall(language: Language) -> str:
    """Classic JSON of the community wall."""
    wall = Wall("community-wall", language)
    panels = [*_figures(wall), _latest_warnings(wall), _clocks(wall)]
    return assemble(wall, wall.say("小区预警大屏", "Community wall"), panels, choose_community=True)


def _classes(wall: Wall) -> dict[str, Mark]:
    named = vocabulary.load().classes
    return {
        id: Mark(f"{sign} {id} {wall.say(named[id].zh, named[id].en)}", color) for id, (sign, color) in _SIGNS.items()
    }


def _figures(wall: Wall) -> list[Panel]:
    warnings = [Field(id.lower(), mark.text, alarm=mark.color) for id, mark in _classes(wall).items()]
    orders = [
        Field("open", wall.say("在办", "Open"), color="blue"),
        Field("short", wall.say("▲ 将超期", "▲ Running out"), alarm="orange"),
        Field("overdue", wall.say("■ 已超期", "■ Overdue"), alarm="red"),
    ]
    gateways = [
        Field("online", wall.say("● 在线", "● Online"), color=CALM),
        Field("offline", wall.say("✕ 离线", "✕ Offline"), alarm="red"),
    ]
    return [
        figures(wall, wall.say("未解除的预警", "Open warnings"), "open_warnings", warnings, at(0, 0, 10, 6)),
        figures(wall, wall.say("工单", "Orders"), "open_orders", orders, at(10, 0, 8, 6)),
        figures(wall, wall.say("网关", "Gateways"), "gateways", gateways, at(18, 0, 6, 6)),
    ]


def _latest_warnings(wall: Wall) -> Panel:
    status = {
        "open": Mark(wall.say("● 未解除", "● open")),
        "cleared": Mark(wall.say("✓ 已解除", "✓ cleared")),
    }
    fields = [
        Field("class", wall.say("等级", "Class"), marks=_classes(wall), width=115),
        Field("status", wall.say("状态", "Status"), marks=status, width=100),
        Field("event_at", wall.say("发生时间", "Since"), unit="time:MM-DD HH:mm", width=115),
        Field("community", wall.say("小区", "Community"), width=130),
        Field("equipment", wall.say("设备", "Equipment"), width=150),
        Field("sentence", wall.say("预警内容", "Warning")),
    ]
    title = wall.say("最新预警（未解除的在前）", "Latest warnings (open ones first)")
    return rows(wall, title, "latest_warnings", fields, at(0, 6, 14, 19))


def _clocks(wall: Wall) -> Panel:
    states = {
        "overdue": Mark(wall.say("■ 超期", "■ overdue"), "red"),
        "short": Mark(wall.say("▲ 将超期", "▲ running out"), "orange"),
        "running": Mark(wall.say("○ 计时中", "○ running"), CALM),
    }
    clocks = {
        "respond": Mark(wall.say("响应", "respond")),
        "arrive": Mark(wall.say("到场", "arrive")),
        "finish": Mark(wall.say("完成", "finish")),
    }
    conditions = {id: Mark(wall.say(term.zh, term.en)) for id, term in vocabulary.load().conditions.items()}
    fields = [
        Field("clock_state", wall.say("时限", "Clock"), marks=states, width=120),
        Field("class", wall.say("等级", "Class"), marks=_classes(wall), width=115),
        Field("clock", wall.say("环节", "Step"), marks=clocks, width=75),
        Field("minutes_left", wall.say("剩余（分钟）", "Minutes left"), width=105),
        Field("equipment", wall.say("设备", "Equipment")),
        Field("condition", wall.say("事由", "What"), marks=conditions),
        Field("organisation", wall.say("责任单位", "Responsible")),
    ]
    title = wall.say("工单时限（最先到期的在前）", "Clocks of orders (first due first)")
    return rows(wall, title, "clocks", fields, at(14, 6, 10, 19))
