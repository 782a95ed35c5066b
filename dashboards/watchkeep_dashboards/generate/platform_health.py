"""The wall of those who run the platform: is every message accounted for, and does every gateway speak."""

from watchkeep_dashboards.generate.panels import CALM, Field, Mark, Panel, Wall, assemble, at, figures, lines, rows
from watchkeep_dashboards.packaged import Language

_TIME = "time:MM-DD HH:mm:ss"


def platform_health(language: Language) -> str:
    """Classic JSON of platform health."""
    wall = Wall("platform-health", language)
    panels = [*_figures(wall), *_ingest(wall), *_by_gateway(wall)]
    return assemble(wall, wall.say("平台运行状态", "Platform health"), panels)


def _lanes(wall: Wall) -> dict[str, Mark]:
    return {"data": Mark(wall.say("数据", "data")), "event": Mark(wall.say("事件", "events"))}


def _figures(wall: Wall) -> list[Panel]:
    gaps = [
        Field("ranges", wall.say("▲ 缺口", "▲ Gaps"), alarm="orange"),
        Field("missing", wall.say("▲ 缺失消息", "▲ Missing messages"), alarm="orange"),
        Field("lost", wall.say("✕ 丢失消息", "✕ Lost messages"), alarm="red"),
    ]
    letters = [
        Field("open", wall.say("▲ 待处理", "▲ Waiting"), alarm="orange"),
        Field("recent", wall.say("■ 本时段新增", "■ New in this span"), alarm="red"),
    ]
    gateways = [
        Field("online", wall.say("● 在线", "● Online"), color=CALM),
        Field("offline", wall.say("✕ 离线", "✕ Offline"), alarm="red"),
        Field("skewed", wall.say("▲ 时钟偏差", "▲ Clock off"), alarm="orange"),
    ]
    return [
        figures(wall, wall.say("消息缺口", "Gaps"), "gaps", gaps, at(0, 0, 9, 5)),
        figures(wall, wall.say("死信", "Dead letters"), "dead_letters", letters, at(9, 0, 7, 5)),
        figures(wall, wall.say("网关", "Gateways"), "gateways", gateways, at(16, 0, 8, 5)),
    ]


def _ingest(wall: Wall) -> list[Panel]:
    accounts = [
        Field("lane", wall.say("通道", "Lane"), marks=_lanes(wall), width=90),
        Field("received", wall.say("收到消息", "Messages received")),
        Field("processed", wall.say("已处理", "Processed")),
        Field("duplicate", wall.say("重复", "Duplicate")),
        Field("dead_lettered", wall.say("死信", "Dead-lettered")),
        Field("messages_difference", wall.say("消息差额", "Messages unaccounted"), alarm="red"),
        Field("decoded", wall.say("解码记录", "Records decoded")),
        Field("stored", wall.say("入库", "Stored")),
        Field("quarantined", wall.say("隔离", "Quarantined")),
        Field("parked", wall.say("暂存", "Parked")),
        Field("readings_difference", wall.say("记录差额", "Records unaccounted"), alarm="red"),
    ]
    committed = [
        Field(lane, mark.text, color=color, unit="short")
        for (lane, mark), color in zip(_lanes(wall).items(), ("blue", "orange"), strict=True)
    ]
    reasons = [
        Field("reason", wall.say("原因", "Reason")),
        Field("letters", wall.say("件数", "Letters"), alarm="orange", width=110),
        Field("last_at", wall.say("最近一件", "Latest"), unit=_TIME, width=150),
    ]
    titles = (
        wall.say("接收账目（差额必须为 0）", "Ingest accounts (nothing may be unaccounted)"),
        wall.say("每秒入库记录（5 分钟平均）", "Records committed per second (mean of 5 min)"),
        wall.say("待处理死信（按原因）", "Waiting dead letters by reason"),
    )
    return [
        rows(wall, titles[0], "accounts", accounts, at(0, 5, 24, 5)),
        lines(wall, titles[1], "committed", committed, at(0, 10, 12, 7)),
        rows(wall, titles[2], "dead_letter_reasons", reasons, at(12, 10, 12, 7)),
    ]


def _by_gateway(wall: Wall) -> list[Panel]:
    place = [Field("community", wall.say("小区", "Community")), Field("gateway", wall.say("网关", "Gateway"))]
    gaps = [
        *place,
        Field("lane", wall.say("通道", "Lane"), marks=_lanes(wall), width=90),
        Field("missing", wall.say("▲ 缺失", "▲ Missing"), alarm="orange", width=110),
        Field("lost", wall.say("✕ 丢失", "✕ Lost"), alarm="red", width=110),
        Field("last_at", wall.say("最近变化", "Last change"), unit=_TIME, width=150),
    ]
    states = {
        "offline": Mark(wall.say("✕ 离线", "✕ offline"), "red"),
        "skewed": Mark(wall.say("▲ 时钟偏差", "▲ clock off"), "orange"),
        "online": Mark(wall.say("● 正常", "● good"), CALM),
    }
    clocks = [
        Field("state", wall.say("状态", "State"), marks=states, width=120),
        *place,
        Field("skew_s", wall.say("时钟落后", "Clock behind"), unit="s", width=120),
        Field("last_at", wall.say("最近消息", "Last message"), unit=_TIME, width=150),
    ]
    title = wall.say("网关状态与时钟（最差的在前）", "Gateways and their clocks (worst first)")
    return [
        rows(wall, wall.say("缺口最多的网关", "Gateways with most gaps"), "gaps_by_gateway", gaps, at(0, 17, 12, 9)),
        rows(wall, title, "gateway_clocks", clocks, at(12, 17, 12, 9)),
    ]
