"""Warnings and orders: open by class, clocks that run out, how fast they are served, who was told otherwise."""

from watchkeep_dashboards.generate.board import CONSOLE_URL, Wall, assemble, choose_community
from watchkeep_dashboards.generate.panels import CALM, Field, Mark, Panel, at, bars, figures, lines, rows
from watchkeep_dashboards.generate.words import (
    CASE_PAGE,
    TIME,
    class_counts,
    classes,
    clocks,
    clocks_table,
    conditions,
    keys,
    order_counts,
    parties,
)
from watchkeep_dashboards.packaged import Language


def orders(language: Language) -> str:
    """Classic JSON of the board of warnings and orders."""
    wall = Wall("orders", language)
    open_warnings, open_orders = wall.say("未解除的预警", "Open warnings"), wall.say("工单", "Orders")
    waiting = [
        Field("escalated", wall.say("■ 督办中", "■ Escalated"), alarm="red"),
        Field("ledger", wall.say("▲ 挂账", "▲ In the ledger"), alarm="orange"),
    ]
    overdue = wall.say("超期工单：按责任单位", "Overdue by organisation")
    panels = [
        figures(open_warnings, wall.sql("open_warnings"), class_counts(wall), at(0, 0, 10, 5), CONSOLE_URL),
        figures(open_orders, wall.sql("open_orders"), order_counts(wall), at(10, 0, 8, 5), CONSOLE_URL),
        figures(wall.say("督办与挂账", "Escalated, in the ledger"), wall.sql("waiting"), waiting, at(18, 0, 6, 5)),
        clocks_table(wall, at(0, 5, 12, 19)),
        _times(wall),
        bars(overdue, wall.sql("by_organisation"), at(18, 5, 6, 6), steps=((None, "red"),), decimals=0),
        _escalations(wall),
        _by_day(wall),
    ]
    title = wall.say("预警与工单", "Warnings and orders")
    return assemble(wall, title, panels, variables=[choose_community(wall, several=True)])


def _times(wall: Wall) -> Panel:
    fields = [
        Field("class", wall.say("等级", "Class"), marks=classes(wall), width=105),
        Field("orders", wall.say("工单", "Orders"), width=60),
        Field("respond_s", wall.say("响应", "Respond"), unit="s", decimals=1),
        Field("arrive_s", wall.say("到场", "Arrive"), unit="s", decimals=1),
        Field("finish_s", wall.say("完成", "Finish"), unit="s", decimals=1),
        Field("on_time_percent", wall.say("按期", "In time"), unit="percent", decimals=0, width=70),
    ]
    return rows(wall.say("近 30 天平均用时", "Mean times of 30 days"), wall.sql("times"), fields, at(12, 5, 6, 6))


def _escalations(wall: Wall) -> Panel:
    levels = {
        str(level): Mark(f"{'▲' * min(level, 3)} {level}", "red" if level > 1 else "orange") for level in range(1, 10)
    }
    fields = [
        Field("level", wall.say("级别", "Level"), marks=levels, width=85),
        Field("class", wall.say("等级", "Class"), marks=classes(wall), width=110),
        Field("clock", wall.say("环节", "Step"), marks=clocks(wall), width=75),
        Field("to_party", wall.say("督办到", "To"), marks=parties(wall)),
        Field("equipment", wall.say("设备", "Equipment"), link=CASE_PAGE),
        Field("condition", wall.say("事由", "What"), marks=conditions(wall)),
        Field("fired_at", wall.say("时间", "At"), unit=TIME, width=115),
        *keys("case_id"),
    ]
    return rows(wall.say("最近督办", "Latest escalations"), wall.sql("escalations"), fields, at(12, 11, 12, 7))


def _by_day(wall: Wall) -> Panel:
    dispatched, closed = wall.say("派单", "Dispatched"), wall.say("结案", "Closed")
    fields = [Field(dispatched, f"▲ {dispatched}", color="orange"), Field(closed, f"✓ {closed}", color=CALM)]
    title = wall.say("每日派单与结案（14 天）", "Orders per day, 14 days")
    sql = wall.sql("by_day", dispatched=dispatched, closed=closed)
    return lines(title, sql, fields, at(12, 18, 12, 6), time_from="15d")
