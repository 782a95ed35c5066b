"""The whole engine on a simulated fleet with known faults: false warnings, what was found, and how early.

The fleet comes from the caller (the command line has the simulator): values on a grid of time and a ledger of faults.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import joblib
import numpy as np
from numpy.typing import NDArray

from watchkeep_analytics.batch import SECOND, Bools, Ints
from watchkeep_analytics.bench_account import About, Outcome, Place, settle
from watchkeep_analytics.bench_training import EVERY_S, Nights, Played
from watchkeep_analytics.engine import Engine
from watchkeep_analytics.registry import LimitRow, PointRow
from watchkeep_analytics.signals import Signal
from watchkeep_analytics.suppression import Modes
from watchkeep_core import vocabulary

WARM_UP_S = 14 * 86_400.0
"""Faults and false warnings count from here on: the learned levels say nothing for a week, slow ones need two."""

_HOUR = 12  # steps of the grid
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


def run_fleet(
    fleet: Fleet, learnt: set[str], progress: Callable[[float], None] | None = None, warm_up_s: float = WARM_UP_S
) -> Outcome:
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
    outcome.series_months = len(points) * max(end - start - warm_up_s, 0.0) / _MONTH_S
    outcome.failures = engine.counts.failures
    settle(outcome, raised, truth, learnt, (start + warm_up_s) * 1e6, _items(points, limits))
    return outcome


def run_fleets(fleets: Sequence[Fleet], learnt: set[str], say: Callable[[str], None]) -> Outcome:
    """Each through an engine of its own, as partitions are, on all cores; `say` is called in other processes, too."""
    whole = Outcome()
    jobs = min(joblib.cpu_count(), max(len(fleets), 1))
    with joblib.Parallel(n_jobs=jobs, return_as="generator_unordered") as parallel:
        calls = (
            joblib.delayed(run_fleet)(fleet, learnt, partial(_day, say, f"{number} of {len(fleets)}"))
            for number, fleet in enumerate(fleets, 1)
        )
        for outcome in parallel(calls):
            whole.add(outcome)
    return whole


def _day(say: Callable[[str], None], part: str, played_s: float) -> None:
    say(f"fleet {part}: day {played_s / 86_400:.0f}")


def _play(engine: Engine, stretches: Sequence[Stretch], series: Sequence[Ints], outcome: Outcome) -> list[Signal]:
    """An hour of event time at once, as a catch-up would; where a device falls silent or speaks again, step by step."""
    found: list[Signal] = []
    t = stretches[0].t
    for hour in range(0, len(t), _HOUR):
        inside = slice(hour, min(hour + _HOUR, len(t)))
        step = 1 if any(_interrupted(stretch.values[inside]) for stretch in stretches) else _HOUR
        for a in range(inside.start, inside.stop, step):
            found += _observe(engine, stretches, series, slice(a, min(a + step, inside.stop)), outcome)
    return found


def _observe(
    engine: Engine, stretches: Sequence[Stretch], series: Sequence[Ints], steps: slice, outcome: Outcome
) -> list[Signal]:
    columns = []
    t = stretches[0].t[steps]
    for stretch, ids in zip(stretches, series, strict=True):
        values = stretch.values[steps].reshape(len(t), -1)
        rows, column = np.nonzero(np.isfinite(values))
        columns.append((ids[column], np.round(t[rows] * SECOND).astype(np.int64), values[rows, column]))
    ids, t_us, value = (np.concatenate(part) for part in zip(*columns, strict=True))
    outcome.rows += len(ids)
    found = engine.observe(ids, t_us, value.astype(np.float64), np.zeros(len(ids), np.int64))
    return found + engine.tick(int(t[-1] * SECOND), {})


def _interrupted(values: NDArray[np.float32]) -> bool:
    """Whether a device says something at some of these steps only; what is silent must be seen before it speaks."""
    silent: Bools = np.asarray(np.isnan(values).all(axis=1), np.bool_)
    return bool((silent != silent[0]).any())


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


def _items(points: Sequence[PointRow], limits: Sequence[LimitRow]) -> dict[Place, About]:
    limited: dict[int, set[str]] = {}
    for limit in limits:
        if limit.tier != "notice":
            limited.setdefault(limit.series, set()).add(limit.condition)
    conditions: dict[Place, set[str]] = {}
    for point in points:
        conditions.setdefault((point.community, point.equipment), set()).update(limited.get(point.series, ()))
    return {(p.community, p.equipment): About(p.kind, frozenset(conditions[p.community, p.equipment])) for p in points}
