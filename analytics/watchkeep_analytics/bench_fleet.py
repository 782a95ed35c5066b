"""The whole engine on a simulated fleet with known faults: false warnings, what was found, and how early.

The fleet comes from the caller (the command line has the simulator): values on a grid of time and a ledger of faults.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from watchkeep_analytics.batch import SECOND, Ints
from watchkeep_analytics.bench_training import EVERY_S, Nights, Played
from watchkeep_analytics.engine import Engine
from watchkeep_analytics.registry import LimitRow, PointRow
from watchkeep_analytics.signals import Signal
from watchkeep_analytics.suppression import Modes
from watchkeep_core import vocabulary
from watchkeep_core.clock import to_us

HINTS = ("drift_towards_limit", "fleet_outlier", "sensor_drift")
"""Conditions that are told as notices only: a fault that expects one is found by the notice."""

WARM_UP_S = 14 * 86_400.0
"""Faults and false warnings count from here on: the learned levels say nothing for a week, slow ones need two."""

_BEFORE_S = 900.0  # the time of a warning may be that of the last good reading: three steps of the grid
_AFTER_S = 6 * 3600.0  # a warning so long after the fault still belongs to it
_MONTH_S = 30 * 86_400.0


class Stretch(Protocol):
    """Readings of all devices of one kind on a grid; `values[t, metric, device]`, NaN = none arrived."""

    @property
    def kind(self) -> str: ...
    @property
    def metrics(self) -> tuple[str, ...]: ...
    @property
    def equipment(self) -> tuple[str, ...]: ...
    @property
    def t(self) -> NDArray[np.float64]: ...
    @property
    def values(self) -> NDArray[np.float32]: ...
    @property
    def truth(self) -> list[dict[str, Any]]: ...


Fleet = Mapping[str, Callable[[], Iterator[Stretch]]]
"""Kind → a fresh run of its devices; all kinds on the same grid."""


class Found(NamedTuple):
    """One fault and what came of it."""

    scenario: str
    learnt: bool
    """No limit and no event tells of it."""
    gradual: bool
    severity: float
    delay_s: float | None
    """From the onset to the first warning with an expected condition; None = there was none."""
    share: float | None
    """Of a gradual one: to the first warning that belongs to it, over the time from onset to failure."""
    noticed: bool
    """Some warning of this equipment came meanwhile, whatever its condition."""


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

    @property
    def false_rate(self) -> float:
        return sum(self.false.values()) / max(self.series_months, 1e-9)

    def recall(self, *, learnt: bool) -> float:
        mine = [fault for fault in self.faults if fault.learnt == learnt]
        return sum(fault.delay_s is not None for fault in mine) / max(len(mine), 1)

    def noticed(self) -> float:
        """Share of the statistical faults during which any warning of the equipment came."""
        mine = [fault for fault in self.faults if fault.learnt]
        return sum(fault.noticed for fault in mine) / max(len(mine), 1)

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


def run_fleet(fleet: Fleet, learnt: set[str], progress: Callable[[float], None] | None = None) -> Outcome:
    """Play the fleet through one engine. `learnt`: scenarios that only statistics can see."""
    runs = [make() for make in fleet.values()]
    engine, outcome = Engine(Modes()), Outcome()
    series: list[Ints] = []
    raised: list[Signal] = []
    truth: list[dict[str, Any]] = []
    start = end = 0.0
    nights, due_s = Nights(), WARM_UP_S
    while stretches := [stretch for run in runs if (stretch := next(run, None)) is not None]:
        if not series:
            series, points, limits = _register(stretches)
            engine.update(points, limits)
            start = float(stretches[0].t[0])
        end = float(stretches[0].t[-1])
        if float(stretches[0].t[0]) - start >= due_s:
            raised += engine.learn(nights.train(raised))
            due_s += EVERY_S
        raised += _play(engine, stretches, series, outcome)
        nights.keep([Played(s.metrics, s.equipment, s.t, s.values) for s in stretches])
        truth += [record for stretch in stretches for record in stretch.truth]
        if progress:
            progress(end - start)
    names = {(s.community, s.equipment): s.kind for s in points}
    outcome.series_months = len(points) * max(end - start - WARM_UP_S, 0.0) / _MONTH_S
    _settle(outcome, _warnings(raised), truth, learnt, (start + WARM_UP_S) * 1e6, names)
    return outcome


def _play(engine: Engine, stretches: Sequence[Stretch], series: Sequence[Ints], outcome: Outcome) -> list[Signal]:
    """An hour of event time at once, as a catch-up would."""
    found: list[Signal] = []
    t = stretches[0].t
    for a in range(0, len(t), 12):
        columns = []
        for stretch, ids in zip(stretches, series, strict=True):
            values = stretch.values[a : a + 12].reshape(len(t[a : a + 12]), -1)
            rows, column = np.nonzero(np.isfinite(values))
            columns.append((ids[column], np.round(t[a + rows] * SECOND).astype(np.int64), values[rows, column]))
        ids, t_us, value = (np.concatenate(part) for part in zip(*columns, strict=True))
        outcome.rows += len(ids)
        found += engine.observe(ids, t_us, value.astype(np.float64), np.zeros(len(ids), np.int64))
        found += engine.tick(int(t[min(a + 12, len(t)) - 1] * SECOND), {})
    return found


def _register(stretches: Sequence[Stretch]) -> tuple[list[Ints], list[PointRow], list[LimitRow]]:
    """As the estate would be after import: the vocabulary's defaults."""
    words = vocabulary.load()
    series: list[Ints] = []
    points: list[PointRow] = []
    limits: list[LimitRow] = []
    for stretch in stretches:
        ids = np.arange(len(stretch.metrics) * len(stretch.equipment)) + len(points) + 1
        series.append(ids)
        for name in stretch.metrics:
            metric = words.metrics[name]
            rules = words.limits_for(stretch.kind, name)
            for equipment in stretch.equipment:
                community, item = equipment.split("/")
                number = len(points) + 1
                about = (number, community, item, stretch.kind, item, item, name, metric.unit, "g", "", True)
                points.append(PointRow(*about, metric.period_s, metric.value, metric.min, metric.max))
                for rule in rules:
                    clear = rule.value if rule.clear is None else rule.clear
                    metric_on, value_on = (rule.when.metric, rule.when.equals) if rule.when else (None, None)
                    what = (rule.condition, rule.side, rule.value, clear, rule.for_s, rule.clear_for_s, rule.tier)
                    limits.append(LimitRow(len(limits) + 1, number, *what, metric_on, value_on, rule.basis, rule.mark))
    return series, points, limits


def _warnings(raised: Sequence[Signal]) -> list[Signal]:
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


def _settle(
    outcome: Outcome,
    opened: Sequence[Signal],
    truth: Sequence[Mapping[str, Any]],
    learnt: set[str],
    since_us: float,
    kinds: Mapping[tuple[str, str], str],
) -> None:
    faults: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for record in truth:
        faults.setdefault((record["community"], record["equipment"]), []).append(record)
    mine: dict[int, list[Signal]] = {id(record): [] for record in truth}
    for signal in opened:
        place = (signal.community, signal.equipment)
        near = [record for record in faults.get(place, []) if _during(record, signal.event_us)]
        for record in near:
            mine[id(record)].append(signal)
        if signal.event_us < since_us:
            continue
        if signal.tier == "notice":
            if not any(_belongs(record, signal.condition) for record in near):
                outcome.hints[signal.condition] = outcome.hints.get(signal.condition, 0) + 1
            continue
        outcome.warnings += 1
        outcome.explained += _explained(signal)
        if any(record["expects_any"] for record in near):
            outcome.beside += not any(_belongs(record, signal.condition) for record in near)
        elif not any(_belongs(record, signal.condition) for record in near):
            name = f"{signal.condition}/{signal.detector}/{kinds[place]}.{signal.evidence.get('metric', '')}"
            outcome.false[name] = outcome.false.get(name, 0) + 1
    for record in truth:
        if _us(record["begins"]) >= since_us and record["expects_any"]:
            outcome.faults.append(_found(record, mine[id(record)], learnt))


def _found(record: Mapping[str, Any], near: Sequence[Signal], learnt: set[str]) -> Found:
    begins = _us(record["begins"])
    fails = _us(record["failed_at"] or record["full_at"])
    hits = [s.event_us for s in near if s.condition in record["expects_any"]]
    told = [s for s in near if s.tier != "notice"]
    first = min((s.event_us for s in told if _belongs(record, s.condition)), default=None)
    scenario = str(record["scenario"])
    delay = max(min(hits) - begins, 0) / 1e6 if hits else None
    gradual = scenario.endswith(":gradual") and fails > begins
    share = max(first - begins, 0) / (fails - begins) if gradual and first is not None else None
    return Found(
        scenario, scenario.split(":")[0] in learnt, gradual, float(record["severity"]), delay, share, bool(told)
    )


def _during(record: Mapping[str, Any], t_us: int) -> bool:
    return _us(record["begins"]) - _BEFORE_S * 1e6 <= t_us <= _us(record["recovered_at"]) + _AFTER_S * 1e6


def _belongs(record: Mapping[str, Any], condition: str) -> bool:
    return condition in record["expects_any"] or condition in record["also"] or "*" in record["also"]


def _explained(signal: Signal) -> bool:
    """Actual, expected or limit, driver and basis; rarity where it is statistics that speak."""
    evidence = signal.evidence
    known = {"actual", "driver", "basis"} <= evidence.keys() and bool(evidence.get("expected") or evidence.get("limit"))
    return known and (signal.detector != "baseline" or "rarity" in evidence)


def _us(text: str) -> int:
    return to_us(datetime.fromisoformat(text))
