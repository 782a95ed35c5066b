"""The learned baseline over one recorded series, as `watchkeep analytics score` shows it."""

import csv
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from watchkeep_analytics.batch import Floats, Ints, order
from watchkeep_analytics.registry import PointRow, Registry
from watchkeep_analytics.signals import Signal
from watchkeep_core.clock import from_us, to_us
from watchkeep_core.errors import PermanentError

Windows = list[tuple[int, int]]


class SeriesError(PermanentError):
    """A recorded series or its labels cannot be read; names file and line."""


def read_series(path: Path) -> tuple[Ints, Floats]:
    """Columns `timestamp` (ISO, UTC where it names no zone) and `value` of a CSV file. Raises SeriesError."""
    times, values = [], []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for line, row in enumerate(csv.DictReader(file), start=2):
                try:
                    times.append(_us(row["timestamp"]))
                    values.append(float(row["value"]))
                except (KeyError, ValueError, TypeError) as error:
                    raise SeriesError(f"{path}, line {line}: needs timestamp and value ({error})") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SeriesError(f"{path}: {error}") from None
    return np.array(times, np.int64), np.array(values, np.float64)


def read_windows(path: Path, series: Path) -> Windows:
    """Labelled windows of one series from a NAB file {"folder/file.csv": [[from, to], …]}. Raises SeriesError."""
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))
        found = [windows for name, windows in labels.items() if series.as_posix().endswith(name)]
        return [(_us(a), _us(b)) for a, b in found[0]] if found else []
    except (OSError, ValueError, AttributeError) as error:
        raise SeriesError(f"{path}: not a file of labelled windows ({error})") from None


def detect(t_us: Ints, value: Floats, metric: str = "machine_temperature") -> list[Signal]:
    """All signals of the baseline, notices included, in order of time."""
    registry = Registry()
    point = PointRow(1, "file", "series", "unknown", "", "", metric, "", "", "", True, 0, "number", -np.inf, np.inf)
    registry.update([point], [])
    from watchkeep_analytics.detectors.baseline import Baseline  # numba: a second that other verbs need not wait

    return Baseline(registry).observe(order(np.zeros(len(t_us), np.int64), t_us, value))


def summary(signals: Sequence[Signal], windows: Windows) -> dict[str, Any]:
    """Warnings with their ends, notices, and which labelled windows a warning began in."""
    begins = [signal for signal in signals if signal.tier != "notice" and signal.active]
    ends = iter([signal for signal in signals if signal.tier != "notice" and not signal.active])
    warnings = []
    for begin in begins:
        end = next(ends, None)
        warnings.append(
            {
                "from": _text(begin.event_us),
                "to": _text(end.event_us) if end else None,
                "in_window": any(a <= begin.event_us <= b for a, b in windows),
                **begin.evidence,
            }
        )
    hit = [any(a <= begin.event_us <= b for begin in begins) for a, b in windows]
    result: dict[str, Any] = {
        "warnings": warnings,
        "notices": [_text(signal.event_us) for signal in signals if signal.tier == "notice"],
    }
    if windows:
        result["windows"] = [
            {"from": _text(a), "to": _text(b), "hit": found} for (a, b), found in zip(windows, hit, strict=True)
        ]
        result["false_warnings"] = sum(not warning["in_window"] for warning in warnings)
    return result


def _us(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return to_us(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _text(us: int) -> str:
    return from_us(us).isoformat()
