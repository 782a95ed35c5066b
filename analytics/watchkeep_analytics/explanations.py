"""Why a warning came, for people: what was measured and expected, how rare that is, what peers do, what helped before.

Detectors put the figures into the evidence; here they are joined with the peers, the past and a chart, and stored.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from watchkeep_analytics import chart, texts
from watchkeep_core import vocabulary
from watchkeep_core.database import queries
from watchkeep_core.vocabulary_rows import Term

TOP = 3
"""Channels shown."""

FEWEST_PEERS = 2

_SQL = queries("watchkeep_analytics", "explanations.sql")


class Explanation(NamedTuple):
    """As it is stored."""

    content: dict[str, Any]
    chart: str | None
    """SVG."""


def waiting(conn: Connection, at_most: int = 20) -> list[int]:
    """Warnings of the last day that have no explanation yet."""
    return [row[0] for row in conn.execute(_SQL["waiting"], {"at_most": at_most})]


def write(conn: Connection, warning_id: int) -> None:
    """In the caller's transaction."""
    made = explain(conn, warning_id)
    if made is not None:
        named = {"warning": warning_id, "community": made.content["community"], "chart": made.chart}
        conn.execute(_SQL["write"], named | {"explanation": Jsonb(made.content)})


def stored(conn: Connection, warning_id: int) -> Explanation | None:
    """What was stored when the warning was new."""
    row = conn.execute(_SQL["stored"], {"warning": warning_id}).fetchone()
    return None if row is None else Explanation(*row)


def explain(conn: Connection, warning_id: int) -> Explanation | None:
    """With what the database knows now; None when there is no such warning."""
    with conn.cursor(row_factory=dict_row) as cursor:
        warning = cursor.execute(_SQL["warning"], {"warning": warning_id}).fetchone()
        if warning is None:
            return None
        evidence = warning["evidence"]
        named = {
            "warning": warning_id,
            "community": warning["community_id"],
            "equipment": warning["equipment_id"],
            "series": warning["series_id"],
            "kind": warning["kind"],
            "model": warning["model"],
            "metric": evidence.get("metric"),
            "condition": warning["condition"],
            "at": warning["event_at"],
        }
        channels = _channels(evidence)
        values = cursor.execute(_SQL["channels"], named | {"metrics": [c["metric"] for c in channels]}).fetchall()
        peers = cursor.execute(_SQL["peers"], named).fetchall() if evidence.get("metric") else []
        similar = cursor.execute(_SQL["similar"], named).fetchall()
        earlier = cursor.execute(_SQL["earlier"], named).fetchone() or {"count": 0}
    readings = list(reversed(conn.execute(_SQL["readings"], named).fetchall())) if warning["series_id"] else []
    content = _facts(warning) | {
        "channels": _named(channels, values),
        "peers": _peers(peers, evidence.get("actual"), evidence.get("unit", "")),
        "similar": [_case(row) for row in similar],
        "earlier_90_days": int(earlier["count"]),
    }
    content |= {f"summary_{language}": _summary(content, language) for language in texts.LANGUAGES}
    return Explanation(content, _chart(content, readings))


def _facts(warning: Mapping[str, Any]) -> dict[str, Any]:
    """What the detector said, in the words people know."""
    evidence = warning["evidence"]
    since = evidence.get("since_us")
    words = vocabulary.load()
    condition, metric = words.conditions.get(warning["condition"]), words.metrics.get(evidence.get("metric", ""))
    return {
        "warning_id": warning["warning_id"],
        "community": warning["community_id"],
        "equipment": {"id": warning["equipment_id"], "kind": warning["kind"], "model": warning["model"]},
        "condition": _term(warning["condition"], condition),
        "metric": _term(evidence.get("metric"), metric),
        "unit": evidence.get("unit", ""),
        "actual": evidence.get("actual"),
        "expected": evidence.get("expected"),
        "limit": evidence.get("limit"),
        "component": {lang: texts.component(evidence.get("driver"), lang) for lang in texts.LANGUAGES},
        "rarity": evidence.get("rarity"),
        "bar": evidence.get("bar", 1.0),
        "since": _iso(since / 1e6) if isinstance(since, int | float) else warning["event_at"].isoformat(),
        "at": warning["event_at"].isoformat(),
        "rule": evidence.get("rule"),
        "basis": evidence.get("basis"),
        "mark": evidence.get("mark"),
        "detector": f"{warning['detector']} {warning['version']}",
        "sentence_zh": warning["sentence_zh"],
        "sentence_en": warning["sentence_en"],
        "advice_zh": condition.advice_zh if condition else "",
        "advice_en": condition.advice_en if condition else "",
    }


def _channels(evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The points that made it, the strongest first; the warning's own one where the detector looks at one only."""
    found = [dict(item) for item in evidence.get("contributions") or () if isinstance(item, dict) and "metric" in item]
    found.sort(key=lambda item: -abs(item.get("share") or 0.0))
    return found[:TOP] or ([{"metric": evidence["metric"]}] if evidence.get("metric") else [])


def _named(channels: Sequence[dict[str, Any]], values: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    known = {row["metric"]: row for row in values}
    metrics = vocabulary.load().metrics
    return [
        channel
        | _term(channel["metric"], metrics.get(channel["metric"]))
        | ({name: known[channel["metric"]][name] for name in ("value", "unit")} if channel["metric"] in known else {})
        for channel in channels
    ]


def _peers(rows: Sequence[Mapping[str, Any]], actual: Any, unit: str) -> dict[str, Any] | None:
    """Median and range of the same metric on the same kind and model in the community; None = too few to tell."""
    if len(rows) < FEWEST_PEERS:
        return None
    values = sorted(float(row["value"]) for row in rows)
    middle = median(values)
    spread = median(abs(value - middle) for value in values)
    alone = isinstance(actual, int | float) and abs(actual - middle) > max(6 * spread, 0.05 * abs(middle))
    return {
        "count": len(values),
        "median": round(middle, 4),
        "low": round(values[0], 4),
        "high": round(values[-1], 4),
        "unit": unit,
        "alone": alone,
    }


def _case(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "case_id": row["case_id"],
        "equipment": row["equipment_id"],
        "same_equipment": row["same"],
        "filed_at": row["filed_at"].isoformat(),
        "closed_at": row["closed_at"].isoformat(),
        "state": row["state"],
        "fixed": row["fixed"],
    }


_PHRASES = {
    "peers_alone": {
        "zh": "同小区 {count} 台同类设备此时中位数为 {median}{unit}，唯此一台不同。",
        "en": "The median of {count} alike in this community is {median}{unit} at that hour: only this one differs.",
    },
    "peers_alike": {
        "zh": "同小区 {count} 台同类设备此时中位数为 {median}{unit}，与本台相近。",
        "en": "The median of {count} alike in this community is {median}{unit} at that hour, much the same.",
    },
    "past_here": {"zh": "本设备曾于 {date} 出现同类情况，处置：{fixed}。", "en": "Here before ({date}): {fixed}."},
    "past_model": {
        "zh": "同型号设备曾于 {date} 出现同类情况，处置：{fixed}。",
        "en": "On its model ({date}): {fixed}.",
    },
}


def _summary(content: Mapping[str, Any], language: texts.Language) -> str:
    """The sentence, and what peers and the past add to it."""
    said = [content[f"sentence_{language}"]]
    peers = content["peers"]
    if peers is not None:
        fields = {
            "count": peers["count"],
            "median": texts.number(peers["median"]),
            "unit": texts.unit_symbol(peers["unit"]),
        }
        said.append(_PHRASES["peers_alone" if peers["alone"] else "peers_alike"][language].format_map(fields))
    helped = next((case for case in content["similar"] if case["fixed"]), None)
    if helped is not None:
        fields = {"date": helped["closed_at"][:10], "fixed": helped["fixed"].strip().rstrip("。.")[:200]}
        said.append(_PHRASES["past_here" if helped["same_equipment"] else "past_model"][language].format_map(fields))
    return ("" if language == "zh" else " ").join(said)


def _chart(content: Mapping[str, Any], readings: Sequence[tuple[float, float]]) -> str | None:
    expected, limit = _table(content["expected"]), _table(content["limit"])
    marks = chart.Marks(
        at_s=datetime.fromisoformat(content["at"]).timestamp(),
        low=_figure(expected.get("low")),
        high=_figure(expected.get("high")),
        limit=_figure(limit.get("value")) if limit.get("side") in ("above", "below") else None,
    )
    title = f"{content['metric']['zh']} {content['metric']['en']}"
    return chart.draw(readings, marks, title, texts.unit_symbol(content["unit"]).strip())


def _term(id: Any, term: Term | None) -> dict[str, Any]:
    return {"id": id, "zh": term.zh if term else str(id or ""), "en": term.en if term else str(id or "")}


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _figure(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
