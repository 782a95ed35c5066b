"""Water supply and drainage of a community: pressure, quality, pumps, what flows at night, how high the sumps stand."""

from watchkeep_dashboards.generate.board import Wall, assemble_equipment
from watchkeep_dashboards.generate.panels import CALM, Field, Mark, Panel, at, bars, figures, lines, rows, sign_of
from watchkeep_dashboards.generate.words import TIME, keys, normal_or
from watchkeep_dashboards.packaged import Language

_SUMP = ((None, CALM), (60, "orange"), (80, "red"))
_TANK = ((None, "red"), (30, CALM))
"""Colours of levels in per cent of the effective depth, for the eye only: the limits judge."""


def water(language: Language) -> str:
    """Classic JSON of the water board."""
    wall = Wall("water", language)
    pressure = wall.say("出水压力（每十分钟最低值）", "Outlet pressure, lowest of ten minutes")
    setpoint = wall.say("设定", "set point")
    asked = wall.sql("pressure", setpoint=setpoint)
    night = wall.say("夜间最小流量（近 30 天）", "Night minimum flow, 30 days")
    sumps, tanks = wall.say("集水坑液位", "Sump levels"), wall.say("生活水箱液位", "Water tanks")
    sump_levels = wall.sql("levels", sign=sign_of(_SUMP, "l.value"))
    tank_levels = wall.sql("tanks", sign=sign_of(_TANK, "l.value"))
    panels = [
        figures(wall.say("未解除", "Open now"), wall.sql("state"), _counts(wall), at(0, 0, 12, 5)),
        figures(wall.say("水泵", "Pumps"), wall.sql("pump_figures"), _pump_counts(wall), at(12, 0, 12, 5)),
        lines(pressure, asked, (), at(0, 5, 12, 9), unit="pressurekpa", dashed=setpoint),
        _quality(wall),
        lines(night, wall.sql("night_flow"), (), at(0, 14, 8, 10), unit="m3/h", time_from="30d"),
        bars(sumps, sump_levels, at(8, 14, 4, 10), unit="percent", high=100, steps=_SUMP),
        bars(tanks, tank_levels, at(12, 14, 4, 10), unit="percent", high=100, steps=_TANK),
        _pumps(wall),
    ]
    return assemble_equipment(wall, wall.say("供水排水", "Water supply and drainage"), panels)


def _counts(wall: Wall) -> list[Field]:
    return [
        Field("no_water", wall.say("▲ 停水爆管", "▲ No water"), alarm="red"),
        Field("water", wall.say("◆ 供水预警", "◆ Supply"), alarm="orange"),
        Field("drainage", wall.say("■ 排水预警", "■ Drainage"), alarm="red"),
    ]


def _pump_counts(wall: Wall) -> list[Field]:
    return [
        Field("running", wall.say("● 运行", "● Running"), color=CALM),
        Field("stopped", wall.say("○ 备用", "○ Stopped"), color="blue"),
        Field("fault", wall.say("✕ 故障", "✕ Fault"), alarm="red"),
    ]


def _quality(wall: Wall) -> Panel:
    fields = [
        Field("state", wall.say("状态", "State"), marks=normal_or(wall, "warning", "预警", "warning"), width=105),
        Field("equipment", wall.say("监测点", "Place"), link=wall.equipment()),
        Field("residual_chlorine", wall.say("余氯 mg/L", "Chlorine mg/L"), decimals=2, width=115),
        Field("turbidity", wall.say("浑浊度 NTU", "Turbidity NTU"), decimals=2, width=120),
        Field("ph", "pH", decimals=2, width=75),
        Field("measured_at", wall.say("测得", "Measured"), unit=TIME, width=120),
        *keys("community_id", "equipment_id"),
    ]
    return rows(wall.say("水质", "Water quality"), wall.sql("quality"), fields, at(12, 5, 12, 9))


def _pumps(wall: Wall) -> Panel:
    states = {
        "0": Mark("○ " + wall.say("停止", "stopped"), "blue"),
        "1": Mark("● " + wall.say("运行", "running"), CALM),
        "2": Mark("✕ " + wall.say("故障", "fault"), "red"),
    }
    fields = [
        Field("state", wall.say("状态", "State"), marks=states, width=100),
        Field("equipment", wall.say("水泵", "Pump"), link=wall.equipment()),
        Field("frequency", "Hz", decimals=0, width=50),
        Field("current", wall.say("电流 %", "Amps %"), decimals=0, width=75),
        Field("starts", wall.say("启动/h", "Starts/h"), decimals=0, width=80),
        Field("vibration", "mm/s", decimals=1, width=65),
        *keys("community_id", "equipment_id"),
    ]
    return rows(wall.say("水泵", "Pumps"), wall.sql("pumps"), fields, at(16, 14, 8, 10))
