"""What a sample costs in one engine, series arriving in scattered order; and the size of the state.

Each series has the two limits that are shipped for it. The learned levels are a week old: nothing of a new one is rare.
"""

import io
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from watchkeep_analytics.batch import SECOND, Floats, Ints, order
from watchkeep_analytics.detectors.baseline import Baseline
from watchkeep_analytics.engine import LAYERS, Engine, detectors
from watchkeep_analytics.registry import LimitRow, PointRow, Registry
from watchkeep_analytics.suppression import Modes
from watchkeep_core import vocabulary

_START_US = 1_700_000_000 * SECOND
_KIND, _METRIC = "elevator", "machine_temperature"
_WARM_UP = 10  # batches that are not counted
_GROWN, _WEEK = 256, 2016  # series that grow up, each in so many steps of 5 min; all others are copies of them


class Cost(NamedTuple):
    """Of one run."""

    three_layers_us: float
    """Per sample: rules, sensor health and learned levels, with everything that the engine does around them."""
    all_us: float
    """The same with equipment, peers and forecasts."""
    learned_us: float
    """Of the learned levels alone."""
    bytes_per_series: float
    """Of the learned levels."""


def measure(series: int, batch: int, batches: int, seed: int) -> Cost:
    """`batches` batches, each of `batch` series drawn by chance; ten series to a piece of equipment."""
    points = [_point(number) for number in range(series)]
    limits = [limit for number in range(series) for limit in _limits(number)]
    grown, good = _grown(series, seed), np.zeros(batch, np.int64)

    def of(layers: int) -> float:
        engine = Engine(Modes(), partial(detectors, layers=layers))
        engine.update(points, limits)
        next(one for one in engine.detectors if isinstance(one, Baseline)).load(grown)
        return _time(lambda ids, t_us, value: engine.observe(ids, t_us, value, good), series, batch, batches, seed)

    registry = Registry()
    registry.update(points, limits)
    baseline = Baseline(registry)
    baseline.load(grown)
    alone = _time(lambda ids, t_us, value: baseline.observe(order(ids, t_us, value)), series, batch, batches, seed)
    return Cost(of(3), of(len(LAYERS)), alone, baseline.nbytes / series)


def _grown(series: int, seed: int) -> bytes:
    """The saved state of so many series that have a week behind them, each with its own holes in it."""
    rng = np.random.default_rng(seed)
    registry = Registry()
    registry.update([_point(number) for number in range(_GROWN)], [])
    baseline = Baseline(registry)
    share = rng.uniform(0.9, 1.0, _GROWN)
    for step in range(_WEEK):
        ids = np.flatnonzero(rng.random(_GROWN) < share)
        t_us = np.full(len(ids), _START_US + (step - _WEEK) * 300 * SECOND)
        baseline.observe(order(ids, t_us, 50 + rng.normal(size=len(ids))))
    with np.load(io.BytesIO(baseline.save()), allow_pickle=False) as saved:
        columns: dict[str, Any] = {name: saved[name][np.arange(series) % _GROWN] for name in saved.files}
    buffer = io.BytesIO()
    np.savez(buffer, **(columns | {"keys": np.arange(series)}))
    return buffer.getvalue()


def _time(judge: Callable[[Ints, Ints, Floats], object], series: int, batch: int, batches: int, seed: int) -> float:
    """Microseconds of processor time per sample."""
    rng = np.random.default_rng(seed)
    spent = 0.0
    for number in range(_WARM_UP + batches):
        ids = rng.choice(series, batch, replace=False)
        t_us = np.full(batch, _START_US + number * 60 * SECOND)
        value = 50 + rng.normal(size=batch)
        begun = time.process_time()
        judge(ids, t_us, value)
        if number >= _WARM_UP:
            spent += time.process_time() - begun
    return spent / (batch * batches) * 1e6


def _point(number: int) -> PointRow:
    metric = vocabulary.load().metrics[_METRIC]
    item = f"e{number // 10}"
    about = (number, "c", item, _KIND, item, item, _METRIC, metric.unit, "g", "", False)
    return PointRow(*about, metric.period_s, metric.value, metric.min, metric.max)


def _limits(number: int) -> Iterator[LimitRow]:
    for nth, limit in enumerate(vocabulary.load().limits_for(_KIND, _METRIC)):
        clear = limit.value if limit.clear is None else limit.clear
        about = (2 * number + nth, number, limit.condition, limit.side, limit.value, clear)
        yield LimitRow(*about, limit.for_s, limit.clear_for_s, limit.tier, None, None, limit.basis, limit.mark)
