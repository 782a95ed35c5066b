"""The wall of a community (or several): what is wrong now, whose clock runs out, what watches."""

from watchkeep_dashboards.generate.board import CONSOLE_URL, Wall, assemble, choose_community
from watchkeep_dashboards.generate.panels import Field, Panel, at, figures, rows
from watchkeep_dashboards.generate.words import (
    TIME,
    WARNING_PAGE,
    class_counts,
    classes,
    clocks_table,
    gateway_counts,
    keys,
    order_counts,
    statuses,
)
from watchkeep_dashboards.packaged import Language


def community_wall(language: Language) -> str:
    """Classic JSON of the community wall."""
    wall = Wall("community-wall", language)
    open_warnings = wall.say("未解除的预警", "Open warnings")
    panels = [
        figures(open_warnings, wall.sql("open_warnings"), class_counts(wall), at(0, 0, 10, 6), CONSOLE_URL),
        figures(wall.say("工单", "Orders"), wall.sql("open_orders"), order_counts(wall), at(10, 0, 8, 6), CONSOLE_URL),
        figures(wall.say("网关", "Gateways"), wall.sql("gateways"), gateway_counts(wall), at(18, 0, 6, 6)),
        _latest_warnings(wall),
        clocks_table(wall, at(14, 6, 10, 18)),
    ]
    title = wall.say("小区预警大屏", "Community wall")
    return assemble(wall, title, panels, variables=[choose_community(wall, several=True)])


def _latest_warnings(wall: Wall) -> Panel:
    fields = [
        Field("class", wall.say("等级", "Class"), marks=classes(wall), width=115),
        Field("status", wall.say("状态", "Status"), marks=statuses(wall), width=100),
        Field("event_at", wall.say("发生时间", "Since"), unit=TIME, width=115),
        Field("community", wall.say("小区", "Community"), width=130),
        Field("equipment", wall.say("设备", "Equipment"), width=150, link=wall.equipment()),
        Field("sentence", wall.say("预警内容", "Warning"), link=WARNING_PAGE),
        *keys("warning_id", "community_id", "equipment_id"),
    ]
    title = wall.say("最新预警（未解除的在前）", "Latest warnings (open ones first)")
    return rows(title, wall.sql("latest_warnings"), fields, at(0, 6, 14, 18))
