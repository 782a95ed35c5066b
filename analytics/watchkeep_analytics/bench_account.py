"""What a run of the fleet is worth: its warnings against the faults that are known to have been there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any, NamedTuple

from watchkeep_analytics import texts
from watchkeep_analytics.feedback import STATISTICAL
from watchkeep_analytics.signals import Signal
from watchkeep_core.clock import to_us

HINTS = ("drift_towards_limit", "fleet_outlier", "sensor_drift")
"""Conditions that are told as notices only: a fault that expects one is found by the notice."""

_BEFORE_S = 900.0  # the time of a warning may be that of the last good reading: three steps of the grid
_AFTER_S = 6 * 3600.0  # a warning so long after the fault still belongs to it

Place = tuple[str, str]
"""(community, equipment)"""

Record = Mapping[str, Any]
"""One fault, as the simulator's ledger has it."""


class About(NamedTuple):
    """One piece of equipment."""

    kind: str
    limited: frozenset[str]
    """Conditions that a limit of its finds."""


class Found(NamedTuple):
    """One fault and what came of it."""

    scenario: str
    kind: str
    equipment: str
    severity: float
    learnt: bool
    """No limit and no event tells of it."""
    shown: bool
    """False: a limit should tell of it, but its readings never were beyond one for long enough."""
    gradual: bool
    delay_s: float | None
    """From the onset to the first warning with an expected condition; None = there was none."""
    rule_delay_s: float | None
    """In event time, from the first reading by which a limit was broken for all of its delay, to the warning."""
    share: float | None
    """Of a gradual one: to the first warning that belongs to it, over the time from onset to failure."""
    warned: tuple[str, ...]
    """All conditions that were warned of meanwhile."""

    def line(self) -> str:
        """For people who look why it was missed."""
        told = ", ".join(self.warned) or "nothing"
        return f"{self.scenario} of {self.kind} {self.equipment}, severity {self.severity:g}; warned of: {told}"


@dataclass
class Outcome:
    """Of one run."""

    faults: list[Found] = field(default_factory=list)
    false: dict[str, int] = field(default_factory=dict)
    """Warnings of equipment that nothing was wrong with, by `condition/detector/kind.metric`."""
    hints: dict[str, int] = field(default_factory=dict)
    """Notices with a condition that only ever is one (HINTS), of equipment that nothing was wrong with."""
    beside: int = 0
    """Warnings during a fault, of a condition that is not among those it may show."""
    series_months: float = 0.0
    explained: int = 0
    warnings: int = 0
    rows: int = 0
    failures: int = 0
    """Calls of detectors that raised."""

    def add(self, other: "Outcome") -> None:
        """The run of another partition."""
        self.faults += other.faults
        for mine, theirs in ((self.false, other.false), (self.hints, other.hints)):
            for name, count in theirs.items():
                mine[name] = mine.get(name, 0) + count
        for name in ("beside", "series_months", "explained", "warnings", "rows", "failures"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def false_rate(self) -> float:
        return sum(self.false.values()) / max(self.series_months, 1e-9)

    def recall(self, *, learnt: bool) -> float:
        mine = [fault for fault in self.faults if fault.learnt == learnt and fault.shown]
        return sum(fault.delay_s is not None for fault in mine) / max(len(mine), 1)

    def missed(self) -> list[Found]:
        """Those that a rule should have found."""
        return [fault for fault in self.faults if fault.shown and not fault.learnt and fault.delay_s is None]

    def not_shown(self) -> list[Found]:
        return [fault for fault in self.faults if not fault.shown]

    def noticed(self) -> float:
        """Share of the statistical faults during which any warning of the equipment came."""
        mine = [fault for fault in self.faults if fault.learnt]
        return sum(bool(fault.warned) for fault in mine) / max(len(mine), 1)

    def by_scenario(self) -> dict[str, tuple[int, int]]:
        """Scenario → (found, all)."""
        table: dict[str, tuple[int, int]] = {}
        for fault in self.faults:
            hit, count = table.get(fault.scenario, (0, 0))
            table[fault.scenario] = (hit + (fault.delay_s is not None), count + 1)
        return table

    def share(self) -> float:
        """Median of the gradual ones that were found."""
        shares = [fault.share for fault in self.faults if fault.share is not None]
        return median(shares) if shares else 1.0

    def rule_delay_s(self) -> float:
        """Median over those that a limit tells of."""
        delays = [fault.rule_delay_s for fault in self.faults if fault.rule_delay_s is not None]
        return median(delays) if delays else 0.0


def settle(
    outcome: Outcome,
    raised: Sequence[Signal],
    truth: Sequence[Record],
    learnt: set[str],
    since_us: float,
    items: Mapping[Place, About],
) -> None:
    """Count into `outcome` what was said against what was so, from `since_us` on."""
    faults: dict[Place, list[Record]] = {}
    for record in truth:
        faults.setdefault(_place(record), []).append(record)
    mine: dict[int, list[Signal]] = {id(record): [] for record in truth}
    for signal in _opened(raised):
        place = (signal.community, signal.equipment)
        near = [record for record in faults.get(place, []) if _during(record, signal.event_us)]
        for record in near:
            mine[id(record)].append(signal)
        if signal.event_us >= since_us:
            _count(outcome, signal, near, items[place].kind if place in items else "")
    for record in truth:
        if _us(record["begins"]) >= since_us and record["expects_any"]:
            outcome.faults.append(_found(record, mine[id(record)], learnt, items[_place(record)]))


def _opened(raised: Sequence[Signal]) -> list[Signal]:
    """What opens a warning: of several signals of one condition and equipment that stand at once, the first."""
    standing: dict[tuple[str, str, str], set[tuple[object, ...]]] = {}
    opened = []
    for signal in raised:
        if signal.tier == "notice" and signal.condition not in HINTS:
            continue
        mine = standing.setdefault(signal.key, set())
        source = (signal.detector, signal.series, signal.source)
        if signal.active:
            if not mine:
                opened.append(signal)
            mine.add(source)
        else:
            mine.discard(source)
    return opened


def _count(outcome: Outcome, signal: Signal, near: Sequence[Record], kind: str) -> None:
    belongs = any(_belongs(record, signal.condition) for record in near)
    if signal.tier == "notice":
        if not belongs:
            outcome.hints[signal.condition] = outcome.hints.get(signal.condition, 0) + 1
        return
    outcome.warnings += 1
    outcome.explained += explained(signal)
    if belongs:
        return
    if any(record["expects_any"] for record in near):
        outcome.beside += 1
    else:
        name = f"{signal.condition}/{signal.detector}/{kind}.{signal.evidence.get('metric', '')}"
        outcome.false[name] = outcome.false.get(name, 0) + 1


def _found(record: Record, near: Sequence[Signal], learnt: set[str], about: About) -> Found:
    begins = _us(record["begins"])
    fails = _us(record["failed_at"] or record["full_at"])
    qualified = None if record["qualified_at"] is None else _us(record["qualified_at"])
    hit = min((signal.event_us for signal in near if signal.condition in record["expects_any"]), default=None)
    told = [signal for signal in near if signal.tier != "notice"]
    first = min((signal.event_us for signal in told if _belongs(record, signal.condition)), default=None)
    scenario = str(record["scenario"])
    gradual = scenario.endswith(":gradual") and fails > begins
    is_learnt = scenario.split(":")[0] in learnt
    return Found(
        scenario=scenario,
        kind=about.kind,
        equipment=f"{record['community']}/{record['equipment']}",
        severity=float(record["severity"]),
        learnt=is_learnt,
        shown=is_learnt or qualified is not None or not about.limited & set(record["expects_any"]),
        gradual=gradual,
        delay_s=None if hit is None else max(hit - begins, 0) / 1e6,
        rule_delay_s=None if hit is None or qualified is None else max(hit - qualified, 0) / 1e6,
        share=max(first - begins, 0) / (fails - begins) if gradual and first is not None else None,
        warned=tuple(sorted({signal.condition for signal in told})),
    )


def explained(signal: Signal) -> bool:
    """Actual, expected or limit, driver and basis; rarity where its own past speaks; both sentences without a gap."""
    evidence = signal.evidence
    known = {"actual", "driver", "basis"} <= evidence.keys() and bool(evidence.get("expected") or evidence.get("limit"))
    rare = signal.detector not in STATISTICAL or evidence.get("rarity") is not None
    return known and rare and not any(texts.UNKNOWN in texts.sentence(signal, each) for each in texts.LANGUAGES)


def _place(record: Record) -> Place:
    return record["community"], record["equipment"]


def _during(record: Record, t_us: int) -> bool:
    return _us(record["begins"]) - _BEFORE_S * 1e6 <= t_us <= _us(record["recovered_at"]) + _AFTER_S * 1e6


def _belongs(record: Record, condition: str) -> bool:
    return condition in record["expects_any"] or condition in record["also"] or "*" in record["also"]


def _us(text: str) -> int:
    return to_us(datetime.fromisoformat(text))
