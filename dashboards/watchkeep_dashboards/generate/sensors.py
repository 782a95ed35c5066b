"""Health of the sensor fleet: who is silent, whose clock is wrong, whose battery runs down, what is missing."""

from watchkeep_dashboards.generate.board import CONSOLE_URL, Wall, assemble, choose_community
from watchkeep_dashboards.generate.panels import CALM, Field, Mark, Panel, at, bars, figures, rows, sign_of
from watchkeep_dashboards.generate.words import (
    TIME,
    WARNING_PAGE,
    conditions,
    gap_counts,
    gateway_counts,
    gateway_states,
    keys,
)
from watchkeep_dashboards.packaged import Language

_BATTERY = ((None, "red"), (20, "orange"), (40, CALM))
"""Colours of a battery's per cent, for the eye only: the limits judge."""


def sensors(language: Language) -> str:
    """Classic JSON of the sensor fleet's board."""
    wall = Wall("sensors", language)
    points = [
        Field("points", wall.say("测点", "Points"), color="blue"),
        Field("silent", wall.say("▲ 无数据", "▲ Silent"), alarm="orange"),
        Field("unconnected", wall.say("○ 未接入", "○ Unconnected"), color="semi-dark-purple"),
    ]
    batteries, spools = wall.say("电量最低", "Lowest batteries"), wall.say("网关待传报文", "Waiting in gateways")
    lowest = wall.sql("batteries", sign=sign_of(_BATTERY, "l.value"))
    problems = wall.say("传感器问题", "Troubles of sensors")
    panels = [
        figures(wall.say("网关", "Gateways"), wall.sql("gateways"), gateway_counts(wall), at(0, 0, 6, 5)),
        figures(wall.say("测点", "Points"), wall.sql("points"), points, at(6, 0, 9, 5)),
        figures(wall.say("消息缺口", "Gaps"), wall.sql("gaps"), gap_counts(wall), at(15, 0, 9, 5)),
        _gateways(wall),
        bars(problems, wall.sql("problems"), at(12, 5, 6, 10), steps=((None, "orange"),), decimals=0),
        bars(batteries, lowest, at(18, 5, 6, 10), unit="percent", high=100, steps=_BATTERY),
        _clocks(wall),
        _latest(wall),
        bars(spools, wall.sql("spools"), at(18, 15, 6, 9), decimals=0),
    ]
    title = wall.say("传感器健康", "Sensor fleet")
    return assemble(wall, title, panels, variables=[choose_community(wall, several=True)])


def _gateways(wall: Wall) -> Panel:
    link = f"{CONSOLE_URL}/connect/${{__data.fields.community_id}}/${{__data.fields.gateway_id}}"
    fields = [
        Field("state", wall.say("状态", "State"), marks=gateway_states(wall), width=115),
        Field("community", wall.say("小区", "Community")),
        Field("gateway", wall.say("网关", "Gateway"), link=link),
        Field("points", wall.say("测点", "Points"), width=75),
        Field("skew_s", wall.say("时钟偏差", "Clock"), unit="s", decimals=1, width=105),
        Field("last_at", wall.say("最近消息", "Last message"), unit=TIME, width=120),
        *keys("community_id", "gateway_id"),
    ]
    return rows(
        wall.say("网关（离线的在前）", "Gateways (offline first)"), wall.sql("gateways_now"), fields, at(0, 5, 12, 10)
    )


def _clocks(wall: Wall) -> Panel:
    states = {
        "skewed": Mark("▲ " + wall.say("偏差", "off"), "orange"),
        "right": Mark("✓ " + wall.say("正常", "right"), CALM),
    }
    fields = [
        Field("state", wall.say("状态", "State"), marks=states, width=95),
        Field("equipment", wall.say("设备", "Device"), link=wall.equipment()),
        Field("skew_s", wall.say("偏差", "Skew"), unit="s", decimals=1, width=95),
        Field("measured_at", wall.say("测得", "Measured"), unit=TIME, width=115),
        *keys("community_id", "equipment_id"),
    ]
    return rows(wall.say("设备时钟", "Clocks of devices"), wall.sql("clocks_of_devices"), fields, at(0, 15, 8, 9))


def _latest(wall: Wall) -> Panel:
    fields = [
        Field("condition", wall.say("问题", "Trouble"), marks=conditions(wall), link=WARNING_PAGE),
        Field("event_at", wall.say("开始", "Since"), unit=TIME, width=115),
        Field("community", wall.say("小区", "Community")),
        Field("equipment", wall.say("设备", "Equipment")),
        *keys("warning_id"),
    ]
    return rows(wall.say("最新问题", "Latest troubles"), wall.sql("silent"), fields, at(8, 15, 10, 9))
