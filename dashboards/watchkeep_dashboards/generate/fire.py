"""Fire protection of a community: alarms, what hangs on the loops, pressure and water, who is on duty."""

from watchkeep_dashboards.generate.board import Wall, assemble_equipment
from watchkeep_dashboards.generate.panels import CALM, Field, Mark, Panel, at, bars, figures, lines, rows, sign_of
from watchkeep_dashboards.generate.words import TIME, keys, kinds, normal_or
from watchkeep_dashboards.packaged import Language

_LEVEL = ((None, "red"), (50, "orange"), (80, CALM))
"""Of a fire tank, in per cent of its effective depth; the wall's colours only, the limits judge."""
_DUTY = ((None, "red"), (2, CALM))
"""Two persons must be on duty."""


def fire(language: Language) -> str:
    """Classic JSON of the fire board."""
    wall = Wall("fire", language)
    counts = [
        Field("alarms", wall.say("▲ 火警", "▲ Alarms"), alarm="red"),
        Field("faults", wall.say("◆ 故障", "◆ Faults"), alarm="orange"),
        Field("shielded", wall.say("● 屏蔽", "● Disabled"), alarm="blue"),
    ]
    duty = wall.say("消控室在岗人数", "Persons on duty")
    limit = wall.say("限值", "limit")
    title = wall.say("管网静水压力（每十分钟最低值）", "Static pressure, lowest of ten minutes")
    panels = [
        figures(wall.say("未解除", "Open now"), wall.sql("state"), counts, at(0, 0, 12, 5)),
        bars(duty, wall.sql("duty", sign=sign_of(_DUTY, "l.value")), at(12, 0, 6, 5), high=4, steps=_DUTY, decimals=0),
        bars(
            wall.say("消防水池（箱）液位", "Fire tanks"),
            wall.sql("tanks", sign=sign_of(_LEVEL, "l.value")),
            at(18, 0, 6, 9),
            unit="percent",
            high=100,
            steps=_LEVEL,
        ),
        _panels(wall),
        lines(title, wall.sql("pressures", limit=limit), (), at(0, 13, 12, 11), unit="pressurekpa", dashed=limit),
        _electrical(wall),
        _loops(wall),
    ]
    return assemble_equipment(wall, wall.say("消防", "Fire protection"), panels)


def _panels(wall: Wall) -> Panel:
    states = {
        "alarm": Mark("▲ " + wall.say("火警", "alarm"), "red"),
        "fault": Mark("◆ " + wall.say("故障", "fault"), "orange"),
        "shielded": Mark("● " + wall.say("屏蔽", "disabled"), "blue"),
        "normal": Mark("✓ " + wall.say("正常", "normal"), CALM),
    }
    power = {
        "ok": Mark("✓ " + wall.say("正常", "on"), CALM),
        "bad": Mark("■ " + wall.say("断电", "off"), "red"),
    }
    modes = {
        "automatic": Mark("✓ " + wall.say("自动", "automatic"), CALM),
        "manual": Mark("▲ " + wall.say("手动", "manual"), "orange"),
    }
    fields = [
        Field("state", wall.say("状态", "State"), marks=states, width=105),
        Field("equipment", wall.say("控制器", "Panel"), link=wall.equipment()),
        Field("mains", wall.say("主电", "Mains"), marks=power, width=95),
        Field("backup", wall.say("备电", "Battery"), marks=power, width=95),
        Field("mode", wall.say("方式", "Mode"), marks=modes, width=120),
        Field("heard_at", wall.say("最近上报", "Heard"), unit=TIME, width=120),
        *keys("community_id", "equipment_id"),
    ]
    return rows(wall.say("火灾报警控制器", "Fire alarm panels"), wall.sql("panels"), fields, at(0, 5, 12, 8))


def _loops(wall: Wall) -> Panel:
    fields = [
        Field("kind", wall.say("部件", "Parts"), marks=kinds(wall)),
        Field("parts", wall.say("数量", "Number"), width=85),
        Field("alarms", wall.say("▲ 火警", "▲ Alarm"), alarm="red", width=95),
        Field("faults", wall.say("◆ 故障", "◆ Fault"), alarm="orange", width=95),
        Field("shielded", wall.say("● 屏蔽", "● Disabled"), alarm="blue", width=105),
    ]
    return rows(wall.say("回路部件", "Parts on the loops"), wall.sql("loops"), fields, at(12, 16, 12, 8))


def _electrical(wall: Wall) -> Panel:
    fields = [
        Field("state", wall.say("状态", "State"), marks=normal_or(wall, "warning", "预警", "warning"), width=105),
        Field("equipment", wall.say("探测器", "Detector"), link=wall.equipment()),
        Field("residual_current", wall.say("剩余电流", "Residual current"), unit="mamp", width=130),
        Field("conductor_temperature", wall.say("线缆温度", "Cable"), unit="celsius", width=115),
        *keys("community_id", "equipment_id"),
    ]
    return rows(wall.say("电气火灾", "Electrical fire"), wall.sql("electrical"), fields, at(12, 9, 12, 7))
