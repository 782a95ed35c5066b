"""Which condition is found by what, and on which basis: generated from the vocabulary and the detectors."""

from typing import NamedTuple

from watchkeep_analytics.detectors import elevator
from watchkeep_core import vocabulary

_BY_DETECTOR = {
    "abnormal_reading": ("baseline", "own history, 99.8 % level", "C"),
    "sensor_flatline": ("flatline", "run of equal values > 2 × longest learnt", "CP"),
    "sensor_impossible_value": ("impossible", "physical range of the metric", "CP"),
    "sensor_silent": ("silence", "3 × expected interval", "CP"),
    "gateway_offline": ("silence", "all points silent, or the gateway's own state", "CP S16"),
    "unknown_code": ("events", "a code that the vocabulary does not know", "CP"),
}


class Row(NamedTuple):
    """One way to find one condition."""

    condition: str
    name: str
    default_class: str
    life_safety: bool
    covered_by: str
    """`limit`, `state`, `event`, a detector, or "" when nothing finds it yet."""
    rule: str
    basis: str
    mark: str


def table() -> list[Row]:
    """Every condition at least once, in the order of the vocabulary."""
    words = vocabulary.load()
    codes = {code for profile in words.profiles.values() for code in profile.codes.values()}
    states = {rule.condition: rule for rule in elevator.rules()}
    rows: list[Row] = []
    for condition in words.conditions.values():
        about = (condition.id, condition.en, condition.default_class, condition.life_safety)
        mine = []
        for limit in words.limits.values():
            if limit.condition == condition.id:
                sign = {"above": ">", "below": "<", "equals": "="}[limit.side]
                text = f"{limit.kind}.{limit.metric} {sign} {limit.value:g} for {limit.for_s:g} s ({limit.tier})"
                mine.append(Row(*about, "limit", text, limit.basis, limit.mark))
        if condition.id in states:
            rule = states[condition.id]
            mine.append(Row(*about, "state", f"{rule.after_us / 1e6:g} s", rule.basis, rule.mark))
        if condition.id in _BY_DETECTOR:
            detector, basis, mark = _BY_DETECTOR[condition.id]
            mine.append(Row(*about, detector, "", basis, mark))
        if condition.id in codes or _fire(words, condition.id):
            mine.append(Row(*about, "event", "device code", "code profiles of the vocabulary", "S"))
        rows += mine or [Row(*about, "", "", "", "")]
    return rows


def _fire(words: vocabulary.Vocabulary, condition: str) -> bool:
    bits = (*words.fire.system_bits.values(), *words.fire.component_bits.values(), *words.fire.device_bits.values())
    by_type = (code.conditions.values() for code in words.fire.component_types.values())
    return any(bit.condition == condition for bit in bits) or any(condition in found for found in by_type)
