"""The catalogue of sentences is complete in both languages."""

import re
import string
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import watchkeep_analytics
from tests.analytics.world import T0
from watchkeep_analytics import texts
from watchkeep_analytics.detectors import night_flow
from watchkeep_analytics.detectors.bank_memory import PARTS
from watchkeep_analytics.signals import Signal
from watchkeep_core import vocabulary

SENTENCES = sorted(set(texts.catalogue()) - {texts.PARTS})


def signal(text: str, **evidence) -> Signal:
    return Signal(
        "c1", "E1", "machine_temperature_high", "warning", True, "limits", "1", T0, "x", text, evidence=evidence
    )


def names(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("key", SENTENCES)
def test_both_languages_say_the_same(key):
    entry = texts.catalogue()[key]
    assert entry.keys() == {"zh", "en"}
    known = texts.fields(signal(key), "en").keys()
    assert names(entry["zh"]) <= known
    assert names(entry["en"]) <= known
    assert names(entry["zh"]) - {"condition"} == names(entry["en"]) - {"condition"}
    assert re.search("[\u4e00-\u9fff]", entry["zh"])
    assert not re.search("[\u4e00-\u9fff]", entry["en"])


def test_every_key_that_the_code_uses_is_there_and_no_other():
    folder = Path(watchkeep_analytics.__file__).parent
    code = "".join(file.read_text(encoding="utf-8") for file in folder.rglob("*.py"))
    used = set(re.findall(r'text(?:: ClassVar\[str\] = |=)"(\w+)"', code)) | {
        f"limit_{side}" for side in ("above", "below", "equals")
    }
    used |= {"event", "event_unknown", *night_flow.SENTENCES}
    assert used == set(SENTENCES)


FULL: dict[str, Any] = {
    "metric": "water_level",
    "unit": "percent",
    "actual": 12.5,
    "expected": {"value": 40.0, "low": 30.0, "high": 50.0},
    "limit": {"value": 30.0, "for_s": 120.0, "side": "below"},
    "contributions": [{"metric": "water_level", "share": 0.8}],
    "clauses": [{"metric": "water_level", "minus": None, "op": "below", "limit": 5.0, "value": 2.0, "unit": "percent"}],
    "driver": "level",
    "rarity": 9000,
    "samples": 3,
    "since_us": T0,
    "peers": {"count": 7, "median": 41.0},
    "forecast": {"at_us": T0, "from_us": T0, "to_us": T0},
    "gateway": "g1",
    "basis": "GB 50974",
}


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("key", SENTENCES)
def test_every_condition_can_be_told_whatever_the_evidence_lacks(key, language):
    for condition in (*vocabulary.load().conditions, "vendor_x_77"):
        whole = texts.sentence(replace(signal(key, **FULL), condition=condition), language, "1号泵")
        assert "1号泵" in whole or "{gateway}" in texts.catalogue()[key][language] or key == "failure"
        assert texts.UNKNOWN not in whole
        for evidence in ({}, {"expected": None, "limit": None, "metric": "no_such_metric", "unit": "?", "actual": "?"}):
            assert texts.sentence(replace(signal(key, **evidence), condition=condition), language)
        assert "1号泵" in texts.plain(replace(signal(key), condition=condition), language, "1号泵")


def test_parts_of_the_baseline_have_names():
    assert texts.catalogue()[texts.PARTS].keys() == {*PARTS, "device"}


def test_a_sentence_in_words():
    hot = signal(
        "limit_above",
        metric="machine_temperature",
        unit="celsius",
        actual=95.25,
        limit={"value": 90.0, "for_s": 60.0},
        basis="GB",
    )
    assert texts.sentence(hot, "zh", "1号梯").startswith("1号梯：曳引机温度过高。曳引机温度为 95.25 °C，高于限值 90 °C")
    assert "above its limit of 90 °C (held for 60 s)" in texts.sentence(hot, "en")


def test_a_state_is_named():
    shown = signal("limit_equals", metric="door_zone", actual=2.0, limit={"value": 2.0, "for_s": 45.0}, basis="x")
    assert "“Off door zone”" in texts.sentence(shown, "en")


@pytest.mark.parametrize(("value", "text"), [(None, "—"), (float("inf"), "—"), (12345.6, "12346"), (0.12345, "0.1235")])
def test_numbers(value, text):
    assert texts.number(value) == text
