"""Which condition is found by what, and on which basis: generated from the vocabulary, the book and the detectors."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from watchkeep_analytics.detectors import elevator, rides
from watchkeep_analytics.rulebook import Combination, Condition, Rate, Ratio, Rulebook, Starts, section_of
from watchkeep_core import vocabulary, vocabulary_rows
from watchkeep_core.vocabulary import Vocabulary

_LEVELS = ("baseline", "a number leaves its own course", "own history, 99.8 % level", "C")

_BY_DETECTOR = {
    **dict.fromkeys(("abnormal_reading", "vibration_abnormal", "motor_current_abnormal"), _LEVELS),
    **dict.fromkeys(("pressure_abnormal", "flow_abnormal"), _LEVELS),
    "sensor_flatline": ("flatline", "run of equal values > 2 × longest learnt", "own history", "CP"),
    "sensor_impossible_value": ("impossible", "beyond the physical range", "physical range of the metric", "CP"),
    "sensor_stuck_at_rail": ("rails", "stands at an end of the range", "physical range of the metric", "CP"),
    "sensor_impossible_jump": ("spikes", "3 single wild readings within 1 h", "own history", "CP"),
    "sensor_counter_decrease": ("counters", "a counter falls", "DOMAIN.md §2.1", "S6"),
    "sensor_quantised": ("steps", "steps four times as coarse as its own", "own history", "CP"),
    "abnormal_pattern": ("equipment", "trained model: does not fit its other points for 15 min", "own history", "C"),
    "fleet_outlier": ("fleet", "leaves its peers for 2 days (notice: a hint)", "peers of its kind and model", "C"),
    "drift_towards_limit": (
        "forecast",
        "reaches its limit within 24 h or 30 days (notice: a hint)",
        "slope and its 99 % band",
        "C",
    ),
    "detector_failure": ("engine", "a detector raises", "self-check of the software", "CP"),
    "sensor_drift": ("drift", "daily mean goes one way for 3 days (notice: a hint)", "own history", "CP"),
    "sensor_battery_low": ("battery", "empty within 30 days at this pace", "own history", "C"),
    "sensor_silent": ("silence", "3 × expected interval", "engineering default", "CP"),
    "sensor_never_reported": ("silence", "registered for 24 h, never heard", "engineering default", "CP"),
    "gateway_offline": ("silence", "all points silent, or the gateway's own state", "gateway_offline_delay", "CP S16"),
    "unknown_code": ("events", "a code that the vocabulary does not know", "engineering default", "CP"),
}

_BY_FIGURE = {
    "sensor_clock_skew": ("clocks", "clock_skew_tolerance", "stamps steadily off"),
    "gateway_clock_wrong": ("clocks", "clock_skew_tolerance", "own measurement, or most of its devices off alike"),
    "night_flow_leak": ("night_flow", "night_flow_warning_ratio", "least night flow over its own nights"),
    "pipe_burst": ("night_flow", "burst_jump_ratio", "jump over its own hour, or one night twice the usual"),
}

_PEOPLE = "nothing measures it: reported by people or the hotline"
_GIVEN = "for limits that a manager adds to a point: `point_limits` takes it"

EXCEPTIONS = {
    "mode_change": "no fault: the readings of service_mode and the mode events keep it",
    "maintenance_overdue": "comes from the register of visits, which is dispatch's",
    "planned_supply_interruption": "is announced by people, not measured",
    **dict.fromkeys(("high_reading", "low_reading"), _GIVEN),
}
"""Conditions that no rule or detector of its own finds, and why."""


class Row(NamedTuple):
    """One way to find one condition."""

    condition: str
    name: str
    default_class: str
    life_safety: bool
    covered_by: str
    """`limit`, a section of the book, `state`, `event`, a detector, `none` with a reason, or "" = still missing."""
    rule: str
    basis: str
    mark: str


def table(book: Rulebook | None = None) -> list[Row]:
    """Every condition at least once, in the order of the vocabulary."""
    words = vocabulary.load()
    rows: list[Row] = []
    for condition in words.conditions.values():
        about = (condition.id, condition.en, condition.default_class, condition.life_safety)
        mine = [Row(*about, *found) for found in _found(condition, words, book or Rulebook())]
        rows += mine or [Row(*about, *_nothing(condition))]
    return rows


def markdown(rows: Iterable[Row]) -> str:
    """The table as analytics/RULES.md has it."""
    lines = [
        "# Conditions, what finds them, and on which basis",
        "",
        "Written by `watchkeep analytics rules --markdown`, from the vocabulary, the book of rules and the detectors.",
        "Marks: S sourced, R recalled text of a standard (check the paper), CP common practice, C computed.",
        "",
        "| condition | class | found by | rule | basis | mark |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        name = f"`{row.condition}`{' (life safety)' if row.life_safety else ''}"
        found = row.covered_by or "**nothing yet**"
        lines.append(f"| {name} | {row.default_class} | {found} | {row.rule} | {row.basis} | {row.mark} |")
    return "\n".join(lines) + "\n"


Found = tuple[str, str, str, str]
"""covered_by, rule, basis, mark"""


def _found(condition: vocabulary_rows.Condition, words: Vocabulary, book: Rulebook) -> Iterator[Found]:
    id = condition.id
    for limit in words.limits.values():
        if limit.condition == id:
            sign = {"above": ">", "below": "<", "equals": "="}[limit.side]
            text = f"{limit.kind}.{limit.metric} {sign} {limit.value:g} for {limit.for_s:g} s ({limit.tier})"
            yield "limit", text, limit.basis, limit.mark
    for row in book.rows():
        if isinstance(row, Condition) and row.condition == id and row.enabled:
            yield section_of(row), f"{row.kind}: {_text(row)} ({row.tier})", row.basis, row.mark
    for rule in elevator.rules():
        if rule.condition == id:
            yield "state", f"elevator: states hold for {rule.after_us / 1e6:g} s", rule.basis, rule.mark
    if id in rides.BASIS:
        yield "state", "elevator: rides, doors and floors", *rides.BASIS[id]
    if id in _BY_FIGURE:
        detector, figure, text = _BY_FIGURE[id]
        parameter = words.parameters[figure]
        yield detector, f"{text} ({figure} {parameter.value:g})", parameter.basis, parameter.mark
    if id in _BY_DETECTOR:
        yield _BY_DETECTOR[id]
    codes = {code for profile in words.profiles.values() for code in profile.codes.values()}
    if id in codes or _fire(words, id):
        yield "event", "device code", "code profiles of the vocabulary", "S"
    if id in ("telemetry_lost", "fire_device_info"):
        yield "event", "the gateway says so", "gateway", "S"


def _nothing(condition: vocabulary_rows.Condition) -> Found:
    reason = EXCEPTIONS.get(condition.id, "")
    if not reason and condition.domain in ("community_order", "resident_service"):
        reason = _PEOPLE
    return ("none", "", reason, "C") if reason else ("", "", "", "")


def _text(row: Condition) -> str:
    sign = {"above": ">", "below": "<", "equals": "=", "unchanged": "unchanged", "rises": "+", "falls": "−"}
    if isinstance(row, Combination):
        said = []
        for clause in row.when:
            metric = f"{clause.metric} − {clause.minus}" if clause.minus else clause.metric
            said.append(f"{metric} {sign[clause.op]}" + ("" if clause.op == "unchanged" else f" {clause.value:g}"))
        return f"{' and '.join(said)} for {row.for_s:g} s"
    if isinstance(row, Rate):
        return f"{row.metric} {sign[row.side]}{row.value:g} within {row.window_s:g} s"
    if isinstance(row, Starts):
        return f"{row.metric} = {row.state} entered > {row.above} times/h"
    return f"{row.metric} > {row.above:g} × own mean" if isinstance(row, Ratio) else ""


def _fire(words: Vocabulary, condition: str) -> bool:
    fire = words.fire
    bits = (*fire.system_bits.values(), *fire.component_bits.values(), *fire.device_bits.values())
    told = {bit.condition for bit in (*bits, *fire.operation_bits.values())} | {fire.bit0.test_condition}
    by_type = (code.conditions.values() for code in (*fire.component_types.values(), *fire.system_types.values()))
    return condition in told or any(condition in found for found in by_type)
