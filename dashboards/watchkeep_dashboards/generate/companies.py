"""Companies: their indicators of the last thirty days, and the red and grey lists as published."""

from watchkeep_dashboards.generate.board import CONSOLE_URL, Wall, assemble
from watchkeep_dashboards.generate.panels import CALM, Field, Panel, at, bars, figures, rows, sign_of
from watchkeep_dashboards.generate.words import parties
from watchkeep_dashboards.packaged import Language

_RATE = ((None, "red"), (80, "orange"), (95, CALM))
"""Colours of a share in per cent, for the eye only: the score schemes judge."""


def companies(language: Language) -> str:
    """Classic JSON of the companies' board."""
    wall = Wall("companies", language)
    lists = [
        Field("red", wall.say("● 红榜", "● Red list"), color="red"),
        Field("grey", wall.say("■ 灰榜", "■ Grey list"), color="semi-dark-purple"),
        Field("not_ranked", wall.say("○ 样本不足", "○ Not ranked"), color="blue"),
    ]
    rates = wall.sql("on_time", sign=sign_of(_RATE, "value"))
    on_time = wall.say("物业企业按期完成率（近 30 天）", "Finished in time, 30 days")
    panels = [
        figures(
            wall.say("最近公示", "Newest published list"), wall.sql("figures"), lists, at(0, 0, 14, 5), CONSOLE_URL
        ),
        bars(on_time, rates, at(14, 0, 10, 10), unit="percent", high=100, steps=_RATE, decimals=1),
        _indicators(wall),
        _list(wall, wall.say("● 红榜", "● Red list"), "red", 10),
        _list(wall, wall.say("■ 灰榜", "■ Grey list"), "grey", 17),
    ]
    return assemble(wall, wall.say("企业考核与红灰榜", "Companies, red and grey lists"), panels)


def _indicators(wall: Wall) -> Panel:
    fields = [
        Field("organisation", wall.say("单位", "Organisation")),
        Field("party", wall.say("类别", "Kind"), marks=parties(wall), width=135),
        Field("orders", wall.say("工单", "Orders"), width=75),
        *(
            Field(f"{name}_percent", title, unit="percent", decimals=1, width=105)
            for name, title in (
                ("respond", wall.say("响应率", "Responded")),
                ("on_time", wall.say("按期完成率", "In time")),
                ("closed", wall.say("结案率", "Closed")),
                ("rework", wall.say("返工率", "Rework")),
            )
        ),
        Field("left_out", wall.say("未计入", "Left out"), width=80),
    ]
    title = wall.say("近 30 天指标（按期率低的在前）", "Indicators of 30 days (worst first)")
    return rows(title, wall.sql("indicators"), fields, at(0, 5, 14, 19))


def _list(wall: Wall, title: str, query: str, y: int) -> Panel:
    fields = [
        Field("position", wall.say("名次", "Place"), width=70),
        Field("name", wall.say("单位", "Organisation")),
        Field("score", wall.say("得分", "Score"), decimals=1, width=85),
        Field("cases", wall.say("案件", "Cases"), width=75),
        Field("until", wall.say("周期至", "Period to"), unit="time:YYYY-MM-DD", width=115),
    ]
    return rows(title, wall.sql(query), fields, at(14, y, 10, 7))
