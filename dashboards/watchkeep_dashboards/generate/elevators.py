"""Elevators of a community: who is trapped, which car is out of service, whose ride has changed."""

from watchkeep_core import vocabulary
from watchkeep_dashboards.generate.board import Wall, assemble_equipment
from watchkeep_dashboards.generate.panels import CALM, Field, Mark, Panel, at, bars, figures, rows, timeline
from watchkeep_dashboards.generate.words import TIME, WARNING_PAGE, conditions, keys, statuses
from watchkeep_dashboards.packaged import Language

_MODES = {
    "normal": ("✓", CALM),
    "out_of_service": ("✕", "red"),
    "inspection": ("◆", "blue"),
    "fire_recall": ("■", "red"),
    "firefighter": ("■", "red"),
    "emergency_power": ("▲", "orange"),
    "earthquake": ("▲", "red"),
    "unknown": ("○", "semi-dark-yellow"),
}
"""Sign and colour of each service mode."""


def elevators(language: Language) -> str:
    """Classic JSON of the elevators' board."""
    wall = Wall("elevators", language)
    trips, doors = (
        wall.say("运行次数（本时段）", "Trips in this span"),
        wall.say("开关门次数（本时段）", "Door cycles in this span"),
    )
    panels = [
        figures(wall.say("电梯", "Elevators"), wall.sql("lifts"), _counts(wall), at(0, 0, 12, 5)),
        _entrapments(wall),
        timeline(wall.say("服务模式", "Service mode"), wall.sql("modes"), _modes(wall), at(0, 5, 12, 19)),
        bars(trips, wall.sql("trips"), at(12, 8, 6, 8), decimals=0),
        bars(doors, wall.sql("doors"), at(18, 8, 6, 8), decimals=0),
        _vibration(wall),
    ]
    return assemble_equipment(wall, wall.say("电梯", "Elevators"), panels)


def _counts(wall: Wall) -> list[Field]:
    return [
        Field("lifts", wall.say("台数", "Number"), color="blue"),
        Field("trapped", wall.say("▲ 困人", "▲ Trapped"), alarm="red"),
        Field("urgent", wall.say("■ 其他紧急", "■ Other urgent"), alarm="red"),
        Field("other", wall.say("◆ 故障", "◆ Faults"), alarm="orange"),
    ]


def _modes(wall: Wall) -> dict[str, Mark]:
    states = vocabulary.load().metrics["service_mode"].states
    return {
        str(code): Mark(f"{_MODES[state.id][0]} {wall.say(state.zh, state.en)}", _MODES[state.id][1])
        for code, state in states.items()
    }


def _entrapments(wall: Wall) -> Panel:
    fields = [
        Field("status", wall.say("状态", "Status"), marks=statuses(wall), width=105),
        Field("event_at", wall.say("发生时间", "Since"), unit=TIME, width=115),
        Field("equipment", wall.say("电梯", "Elevator")),
        Field("condition", wall.say("情形", "What"), marks=conditions(wall), link=WARNING_PAGE),
        Field(
            "minutes",
            wall.say("▲ 历时（分钟）", "▲ Minutes"),
            steps=((None, CALM), (30, "orange"), (60, "red")),
            width=120,
        ),
        *keys("warning_id"),
    ]
    return rows(wall.say("近 30 天困人", "Entrapments of 30 days"), wall.sql("entrapments"), fields, at(12, 0, 12, 8))


def _vibration(wall: Wall) -> Panel:
    states = {
        "usual": Mark("✓ " + wall.say("如常", "usual"), CALM),
        "rising": Mark("▲ " + wall.say("升高", "rising"), "orange"),
        "high": Mark("■ " + wall.say("明显升高", "high"), "red"),
    }
    metrics = vocabulary.load().metrics
    axes = {id: Mark(wall.say(metrics[id].zh, metrics[id].en)) for id in metrics if id.startswith("car_vibration")}
    fields = [
        Field("state", wall.say("状态", "State"), marks=states, width=115),
        Field("equipment", wall.say("电梯", "Elevator"), link=wall.equipment()),
        Field("metric", wall.say("方向", "Direction"), marks=axes),
        Field("recent", wall.say("近一天", "Last day"), unit="accMS2", decimals=3, width=105),
        Field("usual", wall.say("自身基线", "Own baseline"), unit="accMS2", decimals=3, width=110),
        Field("above_percent", wall.say("高出", "Above"), unit="percent", decimals=0, width=80),
        *keys("community_id", "equipment_id"),
    ]
    title = wall.say("振动：与自身前四周相比", "Vibration against its own four weeks before")
    return rows(title, wall.sql("vibration"), fields, at(12, 16, 12, 8))
