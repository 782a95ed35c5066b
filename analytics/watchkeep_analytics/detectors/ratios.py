"""Times per ride or cycle against their own long mean (rows `ratio` of the book): doors and brakes that grow slow."""

from typing import ClassVar

import numpy as np

from watchkeep_analytics.batch import NEVER, SECOND, Batch, Ints
from watchkeep_analytics.detectors._make import signal
from watchkeep_analytics.detectors.kept import Rounds
from watchkeep_analytics.registry import Registry
from watchkeep_analytics.rulebook import Ratio
from watchkeep_analytics.signals import Signal
from watchkeep_analytics.table import Spec, Table

READY_SAMPLES, READY_S = 200, 7 * 86_400
"""Rides, and a week: what is usual must be known first."""

_FAST, _SLOW = 1 / 10, 1 / 2000
"""Weights of a new value in the short and in the long mean."""

_CLIP = 1.5
"""Times the long mean: what the long mean learns of a value at most."""


class Ratios(Rounds):
    """One row per point; of several rules for one metric and kind the first counts. Open: nothing is learnt."""

    name: ClassVar[str] = "ratios"
    version: ClassVar[str] = "1"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._state = Table(
            n=Spec(np.int64),
            first_us=Spec(np.int64, NEVER),
            fast=Spec(np.float64),
            slow=Spec(np.float64),
            open=Spec(np.bool_),
            since_us=Spec(np.int64, NEVER),
            last_us=Spec(np.int64, NEVER),
        )
        self._rules: dict[int, Ratio] = {}
        self._above = self._clear = np.zeros(0, np.float64)
        self.configure()

    def configure(self) -> list[Signal]:
        registry = self._registry
        before = self._rules
        self._state.grow(registry.size)
        self._rules = {}
        for number, rule in registry.rules(Ratio):
            points = registry.equipment[number].points
            if rule.metric in points:
                self._rules.setdefault(points[rule.metric], rule)
        self._above, self._clear = np.full(registry.size, np.inf), np.full(registry.size, np.inf)
        for row, rule in self._rules.items():
            self._above[row], self._clear[row] = rule.above, rule.clear
        self._watched = np.isfinite(self._above)
        closed = []
        for row in before.keys() - self._rules.keys():
            if self._state["open"][row]:
                self._state["open"][row] = False
                closed.append(self._signal(before[row], row, int(registry["last_us"][row]), False))
        return closed

    def ready(self, row: int) -> bool:
        state = self._state
        known_s = (int(state["last_us"][row]) - int(state["first_us"][row])) / SECOND
        return bool(state["n"][row] >= READY_SAMPLES and known_s >= READY_S)

    def _round(self, batch: Batch, at: Ints) -> list[Signal]:
        state, rows, t_us, x = self._state, batch.row[at], batch.t_us[at], batch.value[at]
        n = state["n"][rows]
        first = np.where(n == 0, t_us, state["first_us"][rows])
        ready = (n >= READY_SAMPLES) & (t_us - first >= READY_S * SECOND)
        fast = state["fast"][rows] + (x - state["fast"][rows]) * np.maximum(_FAST, 1 / (n + 1))
        slow = state["slow"][rows]
        was, ratio = state["open"][rows], np.where(slow > 0, fast / np.where(slow > 0, slow, 1.0), 1.0)
        begins = ~was & ready & (ratio > self._above[rows] * self._registry.bar(self.name, rows))
        ends = was & (ratio < self._clear[rows])
        learnt = np.where(n < READY_SAMPLES, x, np.minimum(x, _CLIP * slow))
        frozen = was | begins
        rate = np.maximum(_SLOW, 1 / (n + 1))
        state["slow"][rows] = np.where(frozen, slow, slow + (learnt - slow) * rate)
        state["fast"][rows], state["first_us"][rows], state["n"][rows] = fast, first, n + 1
        state["open"][rows], state["last_us"][rows] = frozen & ~ends, t_us
        state["since_us"][rows] = np.where(begins, t_us, state["since_us"][rows])
        return [
            self._signal(self._rules[int(rows[i])], int(rows[i]), int(t_us[i]), bool(begins[i]))
            for i in np.flatnonzero(begins | ends)
        ]

    def _signal(self, rule: Ratio, row: int, t_us: int, active: bool) -> Signal:
        fast, slow = float(self._state["fast"][row]), float(self._state["slow"][row])
        return signal(
            self,
            self._registry,
            row,
            t_us,
            condition=rule.condition,
            tier=rule.tier,
            active=active,
            source=rule.id,
            text="ratio",
            evidence={
                "actual": fast,
                "expected": {"value": slow, "high": rule.above * slow},
                "limit": {"value": rule.above, "clear": rule.clear, "side": "above", "for_s": 0},
                "driver": rule.metric,
                "samples": int(self._state["n"][row]),
                "rarity": int(self._state["n"][row]),
                "since_us": int(self._state["since_us"][row]),
                "basis": rule.basis,
                "mark": rule.mark,
                "rule": rule.id,
            },
        )
