"""Small worlds for tests of detectors: registries without a database."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from watchkeep_analytics.batch import SECOND, Batch, order
from watchkeep_analytics.registry import LimitRow, PointRow, Registry
from watchkeep_analytics.signals import Moment, Signal
from watchkeep_core import vocabulary

T0 = 1_700_000_000 * SECOND


def point(series: int, metric: str, equipment: str = "E1", **more: Any) -> PointRow:
    """A point with what the vocabulary says of its metric."""
    word = vocabulary.load().metrics.get(metric)
    values: dict[str, Any] = {
        "series": series,
        "community": "c1",
        "equipment": equipment,
        "kind": "elevator",
        "name": "1号梯",
        "name_en": "Lift 1",
        "metric": metric,
        "unit": word.unit if word else "",
        "gateway": "g1",
        "gateway_equipment": "G1",
        "replay": False,
        "period_s": word.period_s if word else math.nan,
        "value": word.value if word else "number",
        "lower": word.min if word else -math.inf,
        "upper": word.max if word else math.inf,
    }
    return PointRow(**(values | more))


def limit(number: int, series: int, side: str, value: float, clear: float | None = None, **more) -> LimitRow:
    values: dict[str, Any] = {
        "limit": number,
        "series": series,
        "condition": "machine_temperature_high",
        "side": side,
        "value": value,
        "clear": value if clear is None else clear,
        "for_s": 0.0,
        "clear_for_s": 0.0,
        "tier": "warning",
        "when_metric": None,
        "when_value": None,
        "basis": "test",
        "mark": "CP",
    }
    return LimitRow(**(values | more))


def registry(points: Sequence[PointRow], limits: Sequence[LimitRow] = ()) -> Registry:
    made = Registry()
    made.update(points, limits)
    return made


def batch(rows: Sequence[tuple[int, float, float]]) -> Batch:
    """Rows of (row of the registry, seconds after T0, value)."""
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    seconds = np.array(columns[1], np.float64)
    return order(
        np.array(columns[0], np.int64),
        T0 + np.round(seconds * SECOND).astype(np.int64),
        np.array(columns[2], np.float64),
    )


def moment(
    made: Registry,
    wall_s: float,
    watermark_s: float | None = None,
    online: int = -1,
    steady_s: float | None = None,
) -> Moment:
    """The same clocks for all gateways, seconds after T0; nobody has set the wall clock unless `steady_s` says so."""
    count = len(made.gateways)
    never = np.full(count, np.iinfo(np.int64).min // 2)
    mark = wall_s if watermark_s is None else watermark_s
    return Moment(
        np.full(count, T0 + round(wall_s * SECOND)),
        np.full(count, T0 + round(mark * SECOND)),
        never.copy(),
        np.full(count, online),
        never.copy(),
        np.full(count, T0 + round((wall_s if steady_s is None else steady_s) * SECOND)),
    )


def brief(signals: Sequence[Signal]) -> list[tuple[str, bool, float]]:
    """(condition, active, seconds after T0) of each."""
    return [(s.condition, s.active, (s.event_us - T0) / SECOND) for s in signals]
