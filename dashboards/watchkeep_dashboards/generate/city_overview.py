"""The whole city at a glance: which community needs help now."""

from watchkeep_dashboards.generate.board import Wall, assemble
from watchkeep_dashboards.generate.panels import CALM, Field, Mark, Panel, at, bars, figures, lines, rows
from watchkeep_dashboards.generate.words import (
    SIGNS,
    TIME,
    WARNING_PAGE,
    class_counts,
    classes,
    conditions,
    gateway_counts,
    keys,
    order_counts,
)
from watchkeep_dashboards.packaged import Language


def city_overview(language: Language) -> str:
    """Classic JSON of the city overview."""
    wall = Wall("city-overview", language)
    panels = [
        figures(
            wall.say("未解除的预警", "Open warnings"), wall.sql("open_warnings"), class_counts(wall), at(0, 0, 10, 5)
        ),
        figures(wall.say("工单", "Orders"), wall.sql("open_orders"), order_counts(wall), at(10, 0, 8, 5)),
        figures(wall.say("网关", "Gateways"), wall.sql("gateways"), gateway_counts(wall), at(18, 0, 6, 5)),
        _communities(wall),
        _life_safety(wall),
        _by_hour(wall),
        bars(wall.say("未解除的预警：按领域", "Open warnings by domain"), wall.sql("by_domain"), at(15, 16, 9, 8)),
    ]
    return assemble(wall, wall.say("全市总览", "City overview"), panels)


def _communities(wall: Wall) -> Panel:
    states = classes(wall) | {"none": Mark("✓ " + wall.say("平稳", "quiet"), CALM)}
    link = f"{wall.board('community-wall')}?var-community=${{__data.fields.community_id}}"
    fields = [
        Field("state", wall.say("状态", "State"), marks=states, width=115),
        Field("community", wall.say("小区", "Community"), link=link),
        Field("area", wall.say("镇街（社区）", "Area")),
        Field("company", wall.say("物业企业", "Company")),
        *(Field(letter.lower(), f"{sign} {letter}", alarm=color, width=65) for letter, (sign, color) in SIGNS.items()),
        Field("open", wall.say("在办", "Open"), width=75),
        Field("overdue", wall.say("■ 超期", "■ Overdue"), alarm="red", width=85),
        Field("offline", wall.say("✕ 离线网关", "✕ Offline"), alarm="orange", width=105),
        *keys("community_id"),
    ]
    title = wall.say("小区（最紧急的在前）", "Communities (most urgent first)")
    return rows(title, wall.sql("communities"), fields, at(0, 5, 15, 11))


def _life_safety(wall: Wall) -> Panel:
    fields = [
        Field("class", wall.say("等级", "Class"), marks=classes(wall), width=115),
        Field("event_at", wall.say("发生时间", "Since"), unit=TIME, width=115),
        Field("community", wall.say("小区", "Community"), width=120),
        Field("equipment", wall.say("设备", "Equipment")),
        Field("condition", wall.say("事由", "What"), marks=conditions(wall), link=WARNING_PAGE),
        *keys("warning_id"),
    ]
    title = wall.say("危及生命安全的预警", "Danger to life")
    return rows(title, wall.sql("life_safety"), fields, at(15, 5, 9, 11))


def _by_hour(wall: Wall) -> Panel:
    fields = [Field(id, mark.text, color=mark.color) for id, mark in classes(wall).items()]
    return lines(wall.say("每小时新增预警", "New warnings per hour"), wall.sql("by_hour"), fields, at(0, 16, 15, 8))
