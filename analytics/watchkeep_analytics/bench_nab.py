"""NAB's own scoring, re-implemented from its description (Lavin & Ahmad 2015, NAB 1.1), and the learned levels on it.

Per file the first 15 % (750 rows at most) are not scored. In a labelled window only the best placed detection counts,
early more than late; a missed window costs `missed`; every detection outside costs up to `false`, less just behind a
window. 0 is a detector that says nothing, 100 one that hits every window at its left edge.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from watchkeep_analytics.batch import Bools, Floats, Ints
from watchkeep_analytics.detectors import bank, gate
from watchkeep_analytics.score import Windows, read_series, read_windows
from watchkeep_analytics.table import Table

PROBATION, PROBATION_ROWS = 0.15, 750
FALSE_STANDARD, FALSE_LOW_FP = 0.11, 0.22
SPLITS = 20


class Series(NamedTuple):
    """One file with what was made of it."""

    name: str
    windows: int
    weight: Floats
    """float64[n]: inside a window 0 … 1, outside -1 … 0 (times the price of a false detection)."""
    window: Ints
    """int64[n]: number of the window, -1 outside."""
    scored: Bools
    score: Floats
    """float64[n]: what the detector says of each row, by time."""


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


def tally(series: Sequence[Series], threshold: float, false: float, missed: float = 1.0) -> Tally:
    """NAB's score of these files at one threshold."""
    gained, hit, wrong = 0.0, 0, 0
    total = sum(item.windows for item in series)
    for item in series:
        found = item.scored & (item.score >= threshold)
        outside = found & (item.window < 0)
        wrong += int(outside.sum())
        gained += false * float(item.weight[outside].sum())
        best = np.full(item.windows, -missed)
        inside = found & (item.window >= 0)
        np.maximum.at(best, item.window[inside], item.weight[inside])
        gained += float(best.sum())
        hit += len(np.unique(item.window[inside]))
    return Tally(100 * (gained + missed * total) / ((1 + missed) * total), hit, wrong)


def best_threshold(series: Sequence[Series], false: float) -> float:
    """The threshold with the best score on these files: detections are added from the highest score down."""
    rows = np.concatenate([item.score[item.scored] for item in series])
    keys = np.concatenate([np.where(s.window < 0, -1, s.window + 1000 * i)[s.scored] for i, s in enumerate(series)])
    weights = np.concatenate([s.weight[s.scored] for s in series])
    by = np.argsort(-rows, kind="stable")
    best: dict[int, float] = {}
    gain, top, threshold = 0.0, 0.0, float(rows.max()) + 1.0
    for place, index in enumerate(by.tolist()):
        key, weight = int(keys[index]), float(weights[index])
        if key < 0:
            gain += false * weight
        else:
            known = best.get(key, -1.0)
            gain += max(weight - known, 0.0)
            best[key] = max(known, weight)
        last = place + 1 == len(by) or rows[by[place + 1]] < rows[index]
        if rows[index] <= 0:
            break
        if last and gain > top:
            top, threshold = gain, float(rows[index])
    return threshold


def load(data: Path) -> list[Series]:
    """All files with the score of each row. Raises SeriesError."""
    found = []
    paths = sorted((data / "nab/data").rglob("*.csv"))
    recorded = [read_series(path) for path in paths]
    for path, (t_us, _), score in zip(paths, recorded, scores(recorded), strict=True):
        windows = read_windows(data / "nab/labels/combined_windows.json", path)
        scored = np.arange(len(t_us)) >= probation(len(t_us))
        found.append(Series(path.name, len(windows), *weigh(t_us, windows), scored, score))
    return found


def scores(recorded: Sequence[tuple[Ints, Floats]]) -> list[Floats]:
    """What the learned levels say of each row above their bar; all series side by side, each in its own time."""
    state = Table(**bank.SPECS, **gate.SPECS)
    state.grow(len(recorded))
    found = [np.zeros(len(t_us)) for t_us, _ in recorded]
    lengths = np.array([len(t_us) for t_us, _ in recorded])
    for place in range(int(lengths.max())):
        rows = np.flatnonzero(lengths > place)
        t_us = np.array([recorded[row][0][place] for row in rows.tolist()])
        value = np.array([recorded[row][1][place] for row in rows.tolist()])
        said = bank.step(state, rows, t_us, value, np.zeros(len(rows), np.bool_))
        over = gate.above(state, rows, state["row"][rows, bank.N], said.score)
        for row, score in zip(rows.tolist(), over.tolist(), strict=True):
            found[row][place] = score
    return found


def held_out(series: Sequence[Series], false: float, seed: int) -> list[Tally]:
    """Half-splits by chance: threshold from one half, score of the other."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(SPLITS):
        by = rng.permutation(len(series))
        fit, judge = [series[i] for i in by[: len(by) // 2]], [series[i] for i in by[len(by) // 2 :]]
        found.append(tally(judge, best_threshold(fit, false), false))
    return found
