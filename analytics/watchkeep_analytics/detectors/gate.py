"""One notice per episode: what passes the bar raises it, and the raised bar sinks as samples go by."""

import numpy as np

from watchkeep_analytics.batch import Floats, Ints
from watchkeep_analytics.table import Spec, Table

NOTICE = 30.0
"""Score above the bar that makes a notice: a place in the ranked list, which pages nobody (docs/detection.md)."""

SPECS = {"gate": Spec(np.float64), "gate_n": Spec(np.float64)}

_RISE = 30.0  # by which a notice raises the bar …
_HALF = 200.0  # … and samples in which that halves


def above(state: Table, rows: Ints, n: Floats, score: Floats) -> Floats:
    """By how much each score stands above the bar of its series, `n` samples after the first."""
    bar = state["gate"][rows] * 0.5 ** ((n - state["gate_n"][rows]) / _HALF)
    over = np.asarray(score - bar, np.float64)
    state["gate"][rows] = bar + np.where(over > NOTICE, _RISE, 0.0)
    state["gate_n"][rows] = n
    return over
