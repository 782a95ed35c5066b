"""The model of one piece of equipment on recorded rigs: SKAB's valve1 runs and the water network of BATADAL."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from watchkeep_analytics.batch import Bools, Floats
from watchkeep_analytics.detectors.equipment_model import charted
from watchkeep_analytics.models.fitted import Frame
from watchkeep_analytics.models.fitting import fit, stands
from watchkeep_analytics.models.learning import chart
from watchkeep_analytics.score import SeriesError

SKAB_TRAIN_ROWS = 400
"""Of each run (the benchmark's rule)."""

TIMES = tuple(round(1 + 0.1 * step, 1) for step in range(31))
"""Limits of a chart among which half of the runs choose, in times the largest value of the training …"""

WANDER = (1.0, 1.5, 2.0)
"""… and how far a channel may wander in the training, in its standard deviations."""

_MAX_FAR = 0.20


class Points(NamedTuple):
    """Counted row by row."""

    f1: float
    far: float
    """Share of normal rows that were called anomalous."""
    mar: float
    """Share of anomalous rows that were not."""


def points(truth: Bools, said: Bools) -> Points:
    """Never point-adjusted."""
    hit = int((truth & said).sum())
    wrong, missed = int((~truth & said).sum()), int((truth & ~said).sum())
    return Points(
        2 * hit / max(2 * hit + wrong + missed, 1),
        wrong / max(int((~truth).sum()), 1),
        missed / max(int(truth.sum()), 1),
    )


def skab(data: Path, splits: int, seed: int) -> list[Points]:
    """Half of the runs choose the chart's two figures (best F1 at FAR ≤ 20 %), the other half is scored."""
    paths = sorted((data / "skab/valve1").glob("*.csv"))
    if len(paths) < 2:
        raise SeriesError(f"{data / 'skab/valve1'}: no runs of SKAB there")
    runs = {wander: [_skab_run(path, wander) for path in paths] for wander in WANDER}
    choices = [(wander, times) for wander in WANDER for times in TIMES]
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(splits):
        by = rng.permutation(len(paths))
        fit, other = by[: len(by) // 2], by[len(by) // 2 :]
        worth = [_worth(_pooled([runs[wander][i] for i in fit], times)) for wander, times in choices]
        wander, times = choices[worth.index(max(worth))]
        found.append(_pooled([runs[wander][i] for i in other], times))
    return found


def _worth(found: Points) -> float:
    """F1 where the false alarms are few enough, else less than nothing."""
    return found.f1 if found.far <= _MAX_FAR else -found.far


def _pooled(runs: Sequence[tuple[Bools, Floats]], times: float) -> Points:
    truth = np.concatenate([truth for truth, _ in runs])
    return points(truth, np.concatenate([excess for _, excess in runs]) > times)


def _skab_run(path: Path, wander: float) -> tuple[Bools, Floats]:
    """Truth, and the chart over its training's largest value, of the rows after the training."""
    names, rows = _table(path, ";")
    channels = rows[:, [i for i, name in enumerate(names) if name not in ("anomaly", "changepoint")]]
    learnt = chart(channels[:SKAB_TRAIN_ROWS], wander)
    excess = np.abs(charted(learnt, channels)).max(axis=1) / learnt.limit[0]
    return rows[SKAB_TRAIN_ROWS:, names.index("anomaly")] > 0, excess[SKAB_TRAIN_ROWS:]


class Attacks(NamedTuple):
    """BATADAL's own measures."""

    s: float
    """½ (1 - mean time to detection over length) + ½ (TPR + TNR) / 2."""
    found: int
    attacks: int
    false_episodes: int


def batadal(data: Path) -> Attacks:
    """The clean year teaches, the six months with attacks are scored."""
    _, clean = _table(data / "batadal/dataset03.csv", ",")
    names, rows = _table(data / "batadal/dataset04.csv", ",")
    flag = names.index("ATT_FLAG")
    use = [i for i in range(len(names)) if i != flag]
    frame = Frame("", "", tuple(names[i] for i in use), clean[:, use], np.ones(len(clean), np.bool_), 3600.0)
    fitted, _ = fit(frame)
    mine = [names.index(name) for name in fitted.channels]
    return attacks(rows[:, flag] == 1, stands(fitted, rows[:, mine]))


def attacks(truth: Bools, said: Bools) -> Attacks:
    """Score row by row and attack by attack."""
    spans = _spans(truth)
    late = []
    for a, b in spans:
        hits = np.flatnonzero(said[a:b])
        late.append(hits[0] / (b - a) if len(hits) else 1.0)
    rate = ((said & truth).sum() / max(truth.sum(), 1) + (~said & ~truth).sum() / max((~truth).sum(), 1)) / 2
    wrong = sum(not truth[a:b].any() for a, b in _spans(said))
    return Attacks(float(0.5 * (1 - np.mean(late)) + 0.5 * rate), int(sum(x < 1 for x in late)), len(spans), wrong)


def _spans(flags: Bools) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.r_[0, flags.astype(int), 0]))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _table(path: Path, delimiter: str) -> tuple[list[str], Floats]:
    """Names and columns but for the first, which is the time. Raises SeriesError with file and line."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = csv.reader(file, delimiter=delimiter)
            names = [name.strip() for name in next(lines)][1:]
            rows = []
            for line, row in enumerate(lines, 2):
                try:
                    rows.append([float(value) for value in row[1:]])
                except ValueError as error:
                    raise SeriesError(f"{path}, line {line}: {error}") from None
        return names, np.array(rows)
    except (OSError, StopIteration) as error:
        raise SeriesError(f"{path}: {error}") from None
