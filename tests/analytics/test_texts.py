"""The catalogue of sentences is complete in both languages."""

import re
import string
from pathlib import Path

import pytest

import watchkeep_analytics
from tests.analytics.world import T0
from watchkeep_analytics import texts
from watchkeep_analytics.detectors import night_flow
from watchkeep_analytics.detectors.bank_memory import PARTS
from watchkeep_analytics.signals import Signal

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
    used = set(re.findall(r'text="(\w+)"', code)) | {f"limit_{side}" for side in ("above", "below", "equals")}
    used |= {"event", "event_unknown", *night_flow.SENTENCES}
    assert used == set(SENTENCES)


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
