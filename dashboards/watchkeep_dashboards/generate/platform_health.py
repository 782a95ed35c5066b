"""The wall of those who run the platform: is every message accounted for, how late is it, and what waits where."""

from watchkeep_dashboards.generate.board import Wall, assemble
from watchkeep_dashboards.generate.panels import Field, Mark, Panel, at, bars, figures, lines, rows
from watchkeep_dashboards.generate.words import gap_counts, gateway_counts, gateway_states
from watchkeep_dashboards.packaged import Language

_TIME = "time:MM-DD HH:mm:ss"


def platform_health(language: Language) -> str:
    """Classic JSON of platform health."""
    wall = Wall("platform-health", language)
    panels = [*_figures(wall), *_ingest(wall), *_waiting(wall), *_by_gateway(wall)]
    return assemble(wall, wall.say("平台运行状态", "Platform health"), panels)


def _lanes(wall: Wall) -> dict[str, Mark]:
    return {"data": Mark(wall.say("数据", "data")), "event": Mark(wall.say("事件", "events"))}


def _figures(wall: Wall) -> list[Panel]:
    letters = [
        Field("open", wall.say("▲ 待处理", "▲ Waiting"), alarm="orange"),
        Field("recent", wall.say("■ 新增", "■ New"), alarm="red"),
    ]
    skewed = Field("skewed", wall.say("▲ 时钟偏差", "▲ Clock off"), alarm="orange")
    late = ((None, "semi-dark-green"), (300, "orange"), (900, "red"))
    commits = [
        Field(f"{lane}_s", f"● {mark.text}", unit="s", decimals=0, steps=late) for lane, mark in _lanes(wall).items()
    ]
    last = wall.say("距上次入库", "Since the last commit")
    return [
        figures(wall.say("消息缺口", "Gaps"), wall.sql("gaps"), gap_counts(wall), at(0, 0, 8, 4)),
        figures(wall.say("死信", "Dead letters"), wall.sql("dead_letters"), letters, at(8, 0, 5, 4)),
        figures(last, wall.sql("commits"), commits, at(13, 0, 5, 4)),
        figures(wall.say("网关", "Gateways"), wall.sql("gateways"), [*gateway_counts(wall), skewed], at(18, 0, 6, 4)),
    ]


def _ingest(wall: Wall) -> list[Panel]:
    accounts = [
        Field("lane", wall.say("通道", "Lane"), marks=_lanes(wall), width=90),
        Field("received", wall.say("收到消息", "Messages received")),
        Field("processed", wall.say("已处理", "Processed")),
        Field("duplicate", wall.say("重复", "Duplicate")),
        Field("dead_lettered", wall.say("死信", "Dead-lettered")),
        Field("messages_difference", wall.say("■ 消息差额", "■ Messages unaccounted"), alarm="red"),
        Field("decoded", wall.say("解码记录", "Records decoded")),
        Field("stored", wall.say("入库", "Stored")),
        Field("quarantined", wall.say("隔离", "Quarantined")),
        Field("parked", wall.say("暂存", "Parked")),
        Field("readings_difference", wall.say("■ 记录差额", "■ Records unaccounted"), alarm="red"),
    ]
    lanes = [
        Field(lane, mark.text, color=color)
        for (lane, mark), color in zip(_lanes(wall).items(), ("blue", "orange"), strict=True)
    ]
    titles = (
        wall.say("接收账目（差额必须为 0）", "Ingest accounts (nothing may be unaccounted)"),
        wall.say("每秒入库记录（近 1 小时）", "Records committed per second, 1 hour"),
        wall.say("采集到入库的时延（近 1 小时）", "From reading to commit, 1 hour"),
    )
    return [
        rows(titles[0], wall.sql("accounts"), accounts, at(0, 4, 24, 5)),
        lines(titles[1], wall.sql("committed"), lanes, at(0, 9, 8, 8), time_from="1h"),
        lines(titles[2], wall.sql("lag"), lanes, at(8, 9, 8, 8), unit="s", time_from="1h"),
    ]


def _waiting(wall: Wall) -> list[Panel]:
    queues = {
        "parked": Mark(wall.say("暂存遥测", "Parked telemetry")),
        "rows_outbox": Mark(wall.say("待发给分析", "Rows for analytics")),
        "unjudged": Mark(wall.say("待研判预警", "Unjudged warnings")),
        "notifications": Mark(wall.say("待发通知", "Notifications")),
        "notifications_failed": Mark(wall.say("失败通知", "Failed notifications")),
        "rollups": Mark(wall.say("待汇总小时", "Hours to roll up")),
    }
    fields = [
        Field("queue", wall.say("队列", "Queue"), marks=queues),
        Field(
            "waiting", wall.say("▲ 等待", "▲ Waiting"), steps=((None, "semi-dark-green"), (1000, "orange")), width=95
        ),
        Field("oldest_s", wall.say("最久", "Oldest"), unit="s", decimals=0, width=95),
    ]
    reasons = [
        Field("reason", wall.say("原因", "Reason")),
        Field("letters", wall.say("▲ 件数", "▲ Letters"), alarm="orange", width=95),
        Field("last_at", wall.say("最近一件", "Latest"), unit=_TIME, width=140),
    ]
    by_reason = wall.say("待处理死信（按原因）", "Waiting dead letters by reason")
    return [
        rows(wall.say("平台队列", "Queues"), wall.sql("queues"), fields, at(16, 9, 8, 8)),
        rows(by_reason, wall.sql("dead_letter_reasons"), reasons, at(0, 17, 6, 7)),
    ]


def _by_gateway(wall: Wall) -> list[Panel]:
    place = [Field("community", wall.say("小区", "Community")), Field("gateway", wall.say("网关", "Gateway"))]
    gaps = [
        *place,
        Field("lane", wall.say("通道", "Lane"), marks=_lanes(wall), width=70),
        Field("missing", wall.say("▲ 缺失", "▲ Missing"), alarm="orange", width=85),
        Field("lost", wall.say("✕ 丢失", "✕ Lost"), alarm="red", width=85),
        Field("last_at", wall.say("最近变化", "Last change"), unit=_TIME, width=140),
    ]
    clocks = [
        Field("state", wall.say("状态", "State"), marks=gateway_states(wall), width=110),
        *place,
        Field("skew_s", wall.say("时钟落后", "Clock behind"), unit="s", width=100),
        Field("last_at", wall.say("最近消息", "Last message"), unit=_TIME, width=140),
    ]
    title = wall.say("网关状态与时钟（最差的在前）", "Gateways and their clocks (worst first)")
    most = wall.say("缺口最多的网关", "Gateways with most gaps")
    spools = wall.say("网关待传报文", "Waiting in gateways")
    return [
        rows(most, wall.sql("gaps_by_gateway"), gaps, at(6, 17, 7, 7)),
        rows(title, wall.sql("gateway_clocks"), clocks, at(13, 17, 7, 7)),
        bars(spools, wall.sql("spools"), at(20, 17, 4, 7), decimals=0),
    ]
