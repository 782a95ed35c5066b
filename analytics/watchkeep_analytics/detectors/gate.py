"""One notice per episode: a notice puts the bar at its own score, and the bar sinks as samples go by."""

import numpy as np

from watchkeep_analytics.batch import Floats, Ints
from watchkeep_analytics.table import Spec, Table

NOTICE = 24.0
"""Score above the bar that makes a notice: a place in the ranked list, which pages nobody (docs/detection.md)."""

SPECS = {"gate": Spec(np.float64), "gate_n": Spec(np.float64)}

_HALF = 100.0  # samples in which the bar halves (DETECTION §3.3)


def above(state: Table, rows: Ints, n: Floats, score: Floats, notice: float | Floats = NOTICE) -> Floats:
    """By how much each score stands above the bar of its series, `n` samples after the first."""
    bar = state["gate"][rows] * 0.5 ** ((n - state["gate_n"][rows]) / _HALF)
    over = np.asarray(score - bar, np.float64)
    state["gate"][rows] = np.where(over > notice, score, bar)
    state["gate_n"][rows] = n
    return over
