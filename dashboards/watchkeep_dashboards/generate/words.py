"""Marks that several boards share: classes, conditions, clocks, states, with a sign beside each colour."""

from grafana_foundation_sdk.models import dashboard

from watchkeep_core import vocabulary
from watchkeep_dashboards.generate.board import CONSOLE_URL, Wall
from watchkeep_dashboards.generate.panels import CALM, Field, Mark, Panel, rows

TIME = "time:MM-DD HH:mm"
SIGNS = {"A": ("▲", "red"), "B": ("◆", "orange"), "C": ("●", "blue")}
"""Sign and colour of each class: readable without seeing colours."""
EQUIPMENT_PAGE = f"{CONSOLE_URL}/equipment/${{__data.fields.community_id}}/${{__data.fields.equipment_id}}"
WARNING_PAGE = f"{CONSOLE_URL}/warnings/${{__data.fields.warning_id}}"
CASE_PAGE = f"{CONSOLE_URL}/cases/${{__data.fields.case_id}}"


def classes(wall: Wall) -> dict[str, Mark]:
    named = vocabulary.load().classes
    return {
        id: Mark(f"{sign} {id} {wall.say(named[id].zh, named[id].en)}", color) for id, (sign, color) in SIGNS.items()
    }


def class_counts(wall: Wall) -> list[Field]:
    """Figures of columns a, b, c."""
    return [Field(id.lower(), mark.text, alarm=mark.color) for id, mark in classes(wall).items()]


def order_counts(wall: Wall) -> list[Field]:
    return [
        Field("open", wall.say("在办", "Open"), color="blue"),
        Field("short", wall.say("▲ 将超期", "▲ Running out"), alarm="orange"),
        Field("overdue", wall.say("■ 已超期", "■ Overdue"), alarm="red"),
    ]


def gateway_counts(wall: Wall) -> list[Field]:
    return [
        Field("online", wall.say("● 在线", "● Online"), color=CALM),
        Field("offline", wall.say("✕ 离线", "✕ Offline"), alarm="red"),
    ]


def gap_counts(wall: Wall) -> list[Field]:
    return [
        Field("ranges", wall.say("▲ 缺口", "▲ Gaps"), alarm="orange"),
        Field("missing", wall.say("▲ 缺失消息", "▲ Missing"), alarm="orange"),
        Field("lost", wall.say("✕ 丢失消息", "✕ Lost"), alarm="red"),
    ]


def gateway_states(wall: Wall) -> dict[str, Mark]:
    return {
        "offline": Mark(wall.say("✕ 离线", "✕ offline"), "red"),
        "skewed": Mark(wall.say("▲ 时钟偏差", "▲ clock off"), "orange"),
        "online": Mark(wall.say("● 正常", "● good"), CALM),
    }


def conditions(wall: Wall) -> dict[str, Mark]:
    return {id: Mark(wall.say(term.zh, term.en)) for id, term in vocabulary.load().conditions.items()}


def kinds(wall: Wall) -> dict[str, Mark]:
    return {id: Mark(wall.say(term.zh, term.en)) for id, term in vocabulary.load().kinds.items()}


def parties(wall: Wall) -> dict[str, Mark]:
    own = {
        "responsible": Mark(wall.say("责任单位", "Responsible")),
        "supervising": Mark(wall.say("监督单位", "Supervising")),
    }
    return own | {id: Mark(wall.say(term.zh, term.en)) for id, term in vocabulary.load().parties.items()}


def clock_states(wall: Wall) -> dict[str, Mark]:
    return {
        "overdue": Mark(wall.say("■ 超期", "■ overdue"), "red"),
        "short": Mark(wall.say("▲ 将超期", "▲ running out"), "orange"),
        "running": Mark(wall.say("○ 计时中", "○ running"), CALM),
    }


def clocks(wall: Wall) -> dict[str, Mark]:
    return {
        "respond": Mark(wall.say("响应", "respond")),
        "arrive": Mark(wall.say("到场", "arrive")),
        "finish": Mark(wall.say("完成", "finish")),
        "verify": Mark(wall.say("核查", "verify")),
    }


def statuses(wall: Wall) -> dict[str, Mark]:
    return {
        "open": Mark(wall.say("● 未解除", "● open")),
        "cleared": Mark(wall.say("✓ 已解除", "✓ cleared")),
    }


def normal_or(wall: Wall, key: str, zh: str, en: str, color: str = "red") -> dict[str, Mark]:
    """`normal` or trouble, such as `warning`."""
    return {"normal": Mark("✓ " + wall.say("正常", "normal"), CALM), key: Mark("■ " + wall.say(zh, en), color)}


def keys(*names: str) -> list[Field]:
    """Columns that only links need."""
    return [Field(name, hidden=True) for name in names]


def clocks_table(wall: Wall, place: dashboard.GridPos) -> Panel:
    """Orders whose clock runs, first due first."""
    fields = [
        Field("clock_state", wall.say("时限", "Clock"), marks=clock_states(wall), width=120),
        Field("class", wall.say("等级", "Class"), marks=classes(wall), width=115),
        Field("clock", wall.say("环节", "Step"), marks=clocks(wall), width=75),
        Field("minutes_left", wall.say("剩余（分钟）", "Minutes left"), width=105),
        Field("equipment", wall.say("设备", "Equipment"), link=CASE_PAGE),
        Field("condition", wall.say("事由", "What"), marks=conditions(wall)),
        Field("organisation", wall.say("责任单位", "Responsible")),
        *keys("case_id"),
    ]
    title = wall.say("工单时限（最先到期的在前）", "Clocks of orders (first due first)")
    return rows(title, wall.sql("clocks"), fields, place)
