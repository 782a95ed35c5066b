"""NAB's own scoring, re-implemented from its description (Lavin & Ahmad 2015, NAB 1.1), and the notices on it.

Per file the first 15 % (750 rows at most) are not scored. In a labelled window only the best placed detection counts,
early more than late; a missed window costs `missed`; every detection outside costs up to `false`, less just behind a
window. 0 is a detector that says nothing, 100 one that hits every window at its left edge. A detection is a notice as
the service makes it, for each of many scores above the bar that it may take: that is the threshold.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from watchkeep_analytics.batch import Bools, Floats, Ints
from watchkeep_analytics.detectors import bank
from watchkeep_analytics.detectors.bank_calendar import day_kinds
from watchkeep_analytics.detectors.bank_memory import SPECS
from watchkeep_analytics.score import Windows, read_series, read_windows
from watchkeep_analytics.table import Table

PROBATION, PROBATION_ROWS = 0.15, 750
FALSE_STANDARD, FALSE_LOW_FP = 0.11, 0.22
SPLITS = 20

LEVELS = np.append(np.geomspace(8.0, 80.0, 48), np.inf)
"""Scores above the bar among which half of the files choose, in steps of 5 %; the last one says nothing."""


class Series(NamedTuple):
    """One file with what was made of it."""

    name: str
    windows: int
    weight: Floats
    """float64[n]: inside a window 0 … 1, outside -1 … 0 (times the price of a false detection)."""
    window: Ints
    """int64[n]: number of the window, -1 outside."""
    scored: Bools
    told: Bools
    """bool[LEVELS, n]: whether there is a notice at each row, by the score that it takes."""


class Tally(NamedTuple):
    """Of some files at one threshold."""

    score: float
    hit: int
    false: int


def probation(rows: int) -> int:
    """Rows of a file that are not scored."""
    return int(min(PROBATION * rows, PROBATION_ROWS))


def sigmoid(position: Floats) -> Floats:
    """1 far left of a window's right edge (position 0), -1 far right of it; -1 from three widths on."""
    bounded = np.minimum(position, 3.0)
    return np.where(position > 3.0, -1.0, 2 / (1 + np.exp(5 * bounded)) - 1)


def weigh(t_us: Ints, windows: Windows) -> tuple[Floats, Ints]:
    """What a detection at each row is worth, and the window it lies in (-1 = none)."""
    weight, window = np.full(len(t_us), -1.0), np.full(len(t_us), -1)
    top = float(sigmoid(np.array([-1.0]))[0])
    edges = [(int(np.searchsorted(t_us, a)), int(np.searchsorted(t_us, b, "right")) - 1) for a, b in windows]
    for number, (left, right) in enumerate(edges):
        width = right - left + 1
        inside = np.arange(left, right + 1)
        weight[inside] = sigmoid(-(right - inside + 1) / width) / top
        window[inside] = number
        after = np.arange(right + 1, edges[number + 1][0] if number + 1 < len(edges) else len(t_us))
        weight[after] = sigmoid((after - right) / max(width - 1, 1))
    return weight, window


def tally(series: Sequence[Series], level: int, false: float, missed: float = 1.0) -> Tally:
    """NAB's score of these files when a notice takes LEVELS[level]."""
    gained, hit, wrong = 0.0, 0, 0
    total = sum(item.windows for item in series)
    for item in series:
        found = item.scored & item.told[level]
        outside = found & (item.window < 0)
        wrong += int(outside.sum())
        gained += false * float(item.weight[outside].sum())
        best = np.full(item.windows, -missed)
        inside = found & (item.window >= 0)
        np.maximum.at(best, item.window[inside], item.weight[inside])
        gained += float(best.sum())
        hit += len(np.unique(item.window[inside]))
    return Tally(100 * (gained + missed * total) / ((1 + missed) * max(total, 1)), hit, wrong)


def best_level(series: Sequence[Series], false: float) -> int:
    """Index of the level with the best score on these files; of equals the quietest."""
    return max(reversed(range(len(LEVELS))), key=lambda level: tally(series, level, false).score)


def load(data: Path) -> list[Series]:
    """All files with the score of each row. Raises SeriesError."""
    found = []
    paths = sorted((data / "nab/data").rglob("*.csv"))
    for path in paths:
        t_us, value = read_series(path)
        windows = read_windows(data / "nab/labels/combined_windows.json", path)
        scored = np.arange(len(t_us)) >= probation(len(t_us))
        found.append(Series(path.name, len(windows), *weigh(t_us, windows), scored, notices(score(t_us, value))))
    return found


def score(t_us: Ints, value: Floats) -> Floats:
    """What the learned levels say of each row of one series."""
    state = Table(**SPECS)
    state.grow(1)
    rows = np.zeros(len(t_us), np.int64)
    return np.asarray(bank.said_of(state["series"], rows, t_us, value, day_kinds(t_us))["score"])


def notices(score: Floats) -> Bools:
    """bool[LEVELS, n]: the notices of one series at every level, each with a bar of its own."""
    state = Table(**SPECS)
    state.grow(len(LEVELS))
    told = np.zeros((len(LEVELS), len(score)), np.bool_)
    for place in np.flatnonzero(score > LEVELS[0]).tolist():
        for number, level in enumerate(LEVELS.tolist()):
            told[number, place] = bank.above(state["series"][number], place + 1, score[place], level) > level
    return told


def held_out(series: Sequence[Series], false: float, seed: int) -> list[Tally]:
    """Half-splits by chance: the level from one half, the score of the other."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(SPLITS):
        by = rng.permutation(len(series))
        fit, judge = [series[i] for i in by[: len(by) // 2]], [series[i] for i in by[len(by) // 2 :]]
        found.append(tally(judge, best_level(fit, false), false))
    return found
