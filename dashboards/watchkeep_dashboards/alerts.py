"""Alert rules of platform health for Grafana: three stages, the query, its last value, a threshold.

Warnings about equipment are the engine's alone; these tell those who run the platform that the engine itself is ill.
They hold no `$`: Grafana would take it for a variable in a provisioning file.
"""

from dataclasses import dataclass
from typing import Any

from watchkeep_dashboards.contents import FOLDER_TITLE, FOLDER_UID
from watchkeep_dashboards.packaged import DATASOURCE_UID

GROUP = "watchkeep platform"
_SPAN = {"from": 3600, "to": 0}


@dataclass(frozen=True, slots=True)
class Rule:
    """`sql` gives `time` and `value` (one row); it fires while the value is above `above`."""

    uid: str
    zh: str
    en: str
    sql: str
    above: float
    for_: str
    severity: str
    no_data: str = "OK"


RULES = (
    Rule(
        "wk-no-data",
        "超过 10 分钟没有数据入库",
        "No data committed for 10 minutes",
        "SELECT now() AS time, coalesce(extract(epoch FROM now() - max(committed_at)), 1e6)::double precision AS value"
        " FROM wall.ingest_lane WHERE lane = 'data'",
        600,
        "5m",
        "critical",
        "Alerting",
    ),
    Rule(
        "wk-lag",
        "最新数据入库也迟于 5 分钟",
        "Even the freshest data is 5 minutes late",
        "SELECT now() AS time, coalesce(min(least_lag_s), 0)::double precision AS value FROM wall.ingest_minute"
        " WHERE lane = 'data' AND minute > now() - interval '10 minutes'",
        300,
        "10m",
        "warning",
    ),
    Rule(
        "wk-dead-letters",
        "死信持续增加",
        "Dead letters keep growing",
        "SELECT now() AS time, count(*)::double precision AS value FROM wall.dead_letter"
        " WHERE NOT replayed AND received_at > now() - interval '15 minutes'",
        0,
        "15m",
        "warning",
    ),
    Rule(
        "wk-unaccounted",
        "接收账目有差额",
        "Messages or records are unaccounted for",
        "SELECT now() AS time, coalesce(sum(abs(messages_difference) + abs(readings_difference)), 0)::double precision"
        " AS value FROM wall.ingest_account",
        0,
        "5m",
        "critical",
    ),
    Rule(
        "wk-unjudged",
        "预警超过 1 分钟未研判",
        "A warning has waited a minute to be judged",
        "SELECT now() AS time, coalesce(max(extract(epoch FROM now() - oldest_at)), 0)::double precision AS value"
        " FROM wall.queue WHERE queue = 'unjudged' AND waiting > 0",
        60,
        "1m",
        "critical",
    ),
    Rule(
        "wk-notifications",
        "通知超过 5 分钟未发出",
        "Notifications have waited 5 minutes",
        "SELECT now() AS time, coalesce(max(extract(epoch FROM now() - oldest_at)), 0)::double precision AS value"
        " FROM wall.queue WHERE queue = 'notifications' AND waiting > 0",
        300,
        "5m",
        "critical",
    ),
    Rule(
        "wk-gateways",
        "超过一成网关离线",
        "More than a tenth of the gateways are offline",
        "SELECT now() AS time, coalesce(100.0 * count(*) FILTER (WHERE NOT online) / nullif(count(*), 0), 0)"
        "::double precision AS value FROM wall.gateway",
        10,
        "10m",
        "warning",
    ),
)


def documents() -> list[dict[str, Any]]:
    """The rules as `POST /api/v1/provisioning/alert-rules` takes them."""
    return [
        {
            **_document(rule),
            "folderUID": FOLDER_UID,
            "ruleGroup": GROUP,
        }
        for rule in RULES
    ]


def provisioning() -> dict[str, Any]:
    """The rules as a file of Grafana's folder `provisioning/alerting`."""
    rules = [_document(rule) for rule in RULES]
    group = {"orgId": 1, "name": GROUP, "folder": FOLDER_TITLE, "interval": "1m", "rules": rules}
    return {"apiVersion": 1, "groups": [group]}


def _document(rule: Rule) -> dict[str, Any]:
    return {
        "uid": rule.uid,
        "title": f"{rule.zh} / {rule.en}",
        "condition": "C",
        "data": [
            {
                "refId": "A",
                "relativeTimeRange": _SPAN,
                "datasourceUid": DATASOURCE_UID,
                "model": {"refId": "A", "format": "time_series", "rawQuery": True, "rawSql": rule.sql},
            },
            _stage("B", {"type": "reduce", "expression": "A", "reducer": "last"}),
            _stage(
                "C",
                {
                    "type": "threshold",
                    "expression": "B",
                    "conditions": [{"evaluator": {"type": "gt", "params": [rule.above]}}],
                },
            ),
        ],
        "noDataState": rule.no_data,
        "execErrState": "Error",
        "for": rule.for_,
        "annotations": {"summary": f"{rule.zh} / {rule.en}"},
        "labels": {"severity": rule.severity, "part": "platform"},
    }


def _stage(ref: str, model: dict[str, Any]) -> dict[str, Any]:
    return {
        "refId": ref,
        "relativeTimeRange": {"from": 0, "to": 0},
        "datasourceUid": "__expr__",
        "model": {"refId": ref, **model},
    }
