"""One sentence in Chinese and one in English for each warning, from the catalogue texts.toml."""

import math
import tomllib
from collections.abc import Iterable, Mapping
from datetime import timedelta, timezone
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from watchkeep_analytics.signals import Signal
from watchkeep_core import vocabulary
from watchkeep_core.clock import from_us

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")

PARTS = "part"
"""The one table that is no sentence: names of the baseline's components."""

_LOCAL = timezone(timedelta(hours=8))  # China has one time zone and no summer time
UNKNOWN = "—"
"""In a sentence, for what the signal does not say."""


@cache
def catalogue() -> dict[str, dict[str, Any]]:
    return tomllib.loads((files("watchkeep_analytics") / "texts.toml").read_text(encoding="utf-8"))


def sentence(signal: Signal, language: Language, name: str = "") -> str:
    """The signal in words; `name` is that of the equipment, its id when it has none."""
    return str(catalogue()[signal.text][language]).format_map(fields(signal, language, name))


def plain(signal: Signal, language: Language, name: str = "") -> str:
    """What can be said without the evidence; for a signal of which `sentence` cannot be made."""
    stop = {"zh": ("：", "。"), "en": (": ", ".")}[language]
    return f"{name or signal.equipment}{stop[0]}{_condition(signal.condition, language)}{stop[1]}"


def fields(signal: Signal, language: Language, name: str = "") -> dict[str, str]:
    """Everything a sentence may name; what the signal does not say is a dash."""
    evidence = signal.evidence
    expected, limit = evidence.get("expected") or {}, evidence.get("limit") or {}
    peers, forecast = evidence.get("peers") or {}, evidence.get("forecast") or {}
    return {
        "equipment": name or signal.equipment,
        "condition": _condition(signal.condition, language),
        "metric": _metric(evidence.get("metric"), language),
        "actual": _actual(evidence, language),
        "unit": unit_symbol(evidence.get("unit")),
        "limit": number(limit.get("value")),
        "for_s": number(limit.get("for_s")),
        "low": number(expected.get("low")),
        "high": number(expected.get("high")),
        "value": number(expected.get("value")),
        "channels": _channels(evidence.get("contributions") or (), language),
        "clauses": _clauses(evidence.get("clauses") or (), language),
        "driver": component(evidence.get("driver"), language),
        "rarity": number(evidence.get("rarity")),
        "samples": number(evidence.get("samples")),
        "since": _time(evidence.get("since_us")),
        "peers": number(peers.get("count")),
        "peers_median": number(peers.get("median")),
        "reach": _time(forecast.get("at_us")),
        "reach_from": _time(forecast.get("from_us")),
        "reach_to": _time(forecast.get("to_us")),
        "gateway": str(evidence.get("gateway", UNKNOWN)),
        "said": str(evidence.get("actual", UNKNOWN)),
        "basis": str(evidence.get("basis", UNKNOWN)),
    }


def number(value: object) -> str:
    """Four significant digits, thousands in full."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return UNKNOWN
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _condition(id: str, language: Language) -> str:
    condition = vocabulary.load().conditions.get(id)
    return getattr(condition, language) if condition is not None else id


def _metric(id: object, language: Language) -> str:
    metric = vocabulary.load().metrics.get(str(id))
    return getattr(metric, language) if metric is not None else str(id or UNKNOWN)


def unit_symbol(id: object) -> str:
    """With a space before it; "" for a unit without one."""
    unit = vocabulary.load().units.get(str(id))
    return f" {unit.symbol}" if unit is not None and unit.symbol else ""


def _actual(evidence: Mapping[str, Any], language: Language) -> str:
    value = evidence.get("actual")
    metric = vocabulary.load().metrics.get(str(evidence.get("metric")))
    if metric is not None and metric.states and isinstance(value, int | float) and int(value) in metric.states:
        return str(getattr(metric.states[int(value)], language))
    return number(value)


def component(driver: object, language: Language) -> str:
    """What shows it: a part of the learned levels, or a metric."""
    part = catalogue()[PARTS].get(str(driver))
    return str(part[language]) if part else _metric(driver, language)


_OPS = {
    "above": {
        "zh": "{metric} {value}{unit}（高于 {limit}{unit}）",
        "en": "{metric} {value}{unit} (above {limit}{unit})",
    },
    "below": {
        "zh": "{metric} {value}{unit}（低于 {limit}{unit}）",
        "en": "{metric} {value}{unit} (below {limit}{unit})",
    },
    "equals": {"zh": "{metric}为“{value}”", "en": "{metric} “{value}”"},
    "unchanged": {"zh": "{metric}不变（{value}）", "en": "{metric} unchanged ({value})"},
}


def _clauses(clauses: Iterable[Mapping[str, Any]], language: Language) -> str:
    """Several readings, each with what is wrong with it."""
    said = []
    for clause in clauses:
        metric = _metric(clause["metric"], language)
        if clause["minus"]:
            metric = f"{metric} − {_metric(clause['minus'], language)}"
        value = _actual({"metric": clause["metric"], "actual": clause["value"]}, language)
        unit = unit_symbol(clause["unit"])
        template = _OPS[clause["op"]][language]
        said.append(template.format(metric=metric, value=value, unit=unit, limit=number(clause["limit"])))
    return ("，" if language == "zh" else ", ").join(said) or UNKNOWN


def _channels(contributions: Iterable[Mapping[str, Any]], language: Language) -> str:
    """The points that contribute most, each with its share."""
    said = [
        f"{_metric(c['metric'], language)} {100 * c['share']:.0f} %"
        for c in contributions
        if {"metric", "share"} <= c.keys()
    ]
    return ("、" if language == "zh" else ", ").join(said) or UNKNOWN


def _time(us: object) -> str:
    return from_us(us).astimezone(_LOCAL).strftime("%Y-%m-%d %H:%M") if isinstance(us, int) and us > 0 else UNKNOWN
