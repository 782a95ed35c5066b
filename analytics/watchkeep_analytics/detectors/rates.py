"""Numbers that move too fast (rows `rate` of the book): rate of change over a window in event time."""

import zlib
from typing import ClassVar

import numpy as np

from watchkeep_analytics.batch import NEVER, SECOND, Batch, Ints
from watchkeep_analytics.detectors._make import signal
from watchkeep_analytics.registry import Registry
from watchkeep_analytics.rulebook import Rate
from watchkeep_analytics.signals import Moment, Signal
from watchkeep_analytics.table import Spec, Table

IN_A_ROW = 2
"""Readings: one alone may be a disturbed line."""

_CALM = 0.5
"""Of the value: what moves by less is over."""


class Rates:
    """Each reading is compared with one that is between half a window and a window old: two anchors per point."""

    name: ClassVar[str] = "rates"
    version: ClassVar[str] = "1"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._rules: list[Rate] = []
        self._keys = np.zeros(0, np.int64)
        self._state = self._fresh()
        self.configure()

    def configure(self) -> list[Signal]:
        """One row per rule and point; a row is known by its point and the rule's name, whatever the order."""
        registry = self._registry
        before, closing = dict(zip(self._keys.tolist(), range(len(self._keys)), strict=True)), self._rules
        saved, rows_before = self._state.save(self._keys), getattr(self, "_row", np.zeros(0, np.int64))
        open_before = self._state["open"].copy()
        pairs = [
            (registry.equipment[number].points[rule.metric], rule)
            for number, rule in registry.rules(Rate)
            if rule.metric in registry.equipment[number].points
        ]
        pairs.sort(key=lambda pair: (pair[0], pair[1].id))
        self._rules = [rule for _, rule in pairs]
        self._row = np.array([row for row, _ in pairs], np.int64)
        self._keys = np.array([_key(int(registry["series"][row]), rule.id) for row, rule in pairs], np.int64)
        self._sign = np.array([1.0 if rule.side == "rises" else -1.0 for rule in self._rules])
        self._value = np.array([rule.value for rule in self._rules])
        self._window_us = np.array([round(rule.window_s * SECOND) for rule in self._rules], np.int64)
        self._count = np.bincount(self._row, minlength=registry.size).astype(np.int64)
        self._first = np.cumsum(self._count) - self._count
        self._state = self._fresh()
        self._state.grow(len(pairs))
        self._state.load(saved, self._find)
        gone = before.keys() - set(self._keys.tolist())
        return [
            self._signal(closing[k], int(rows_before[k]), int(registry["last_us"][rows_before[k]]), 0.0, 0.0, False)
            for k in sorted(before[key] for key in gone)
            if open_before[k]
        ]

    def observe(self, batch: Batch) -> list[Signal]:
        mine = batch.where(self._count[batch.row] > 0)
        found: list[Signal] = []
        for at in mine.rounds():
            for nth in range(int(self._count[mine.row[at]].max())):
                some = at[self._count[mine.row[at]] > nth]
                found += self._round(self._first[mine.row[some]] + nth, mine, some)
        return found

    def tick(self, moment: Moment) -> list[Signal]:
        return []

    def ready(self, row: int) -> bool:
        return True

    def save(self) -> bytes:
        return self._state.save(self._keys)

    def load(self, data: bytes) -> None:
        self._state.load(data, self._find)

    @property
    def nbytes(self) -> int:
        return self._state.nbytes

    @staticmethod
    def _fresh() -> Table:
        return Table(
            old_us=Spec(np.int64, NEVER),
            old=Spec(np.float64),
            new_us=Spec(np.int64, NEVER),
            new=Spec(np.float64),
            streak=Spec(np.int8),
            open=Spec(np.bool_),
        )

    def _find(self, keys: Ints) -> Ints:
        at = {key: k for k, key in enumerate(self._keys.tolist())}
        return np.array([at.get(key, -1) for key in keys.tolist()], np.int64)

    def _round(self, k: Ints, batch: Batch, at: Ints) -> list[Signal]:
        """One reading of each of these rows of the state."""
        state, t_us, x, window = self._state, batch.t_us[at], batch.value[at], self._window_us[k]
        lost = t_us - state["new_us"][k] > window
        turn = ~lost & (t_us - state["new_us"][k] >= window // 2)
        old_us = np.where(lost, t_us, np.where(turn, state["new_us"][k], state["old_us"][k]))
        old = np.where(lost, x, np.where(turn, state["new"][k], state["old"][k]))
        moved = (x - old) * self._sign[k]
        streak = np.where(moved >= self._value[k], np.minimum(state["streak"][k] + 1, 100), 0)
        was = state["open"][k]
        begins, ends = ~was & (streak >= IN_A_ROW), was & (moved < _CALM * self._value[k])
        state["old_us"][k], state["old"][k], state["streak"][k] = old_us, old, streak
        state["new_us"][k] = np.where(lost | turn, t_us, state["new_us"][k])
        state["new"][k] = np.where(lost | turn, x, state["new"][k])
        state["open"][k] = (was | begins) & ~ends
        return [
            self._signal(
                self._rules[k[i]], int(batch.row[at[i]]), int(t_us[i]), float(x[i]), float(old[i]), bool(begins[i])
            )
            for i in np.flatnonzero(begins | ends)
        ]

    def _signal(self, rule: Rate, row: int, t_us: int, x: float, old: float, active: bool) -> Signal:
        return signal(
            self,
            self._registry,
            row,
            t_us,
            condition=rule.condition,
            tier=rule.tier,
            active=active,
            source=rule.id,
            text="rate",
            evidence={
                "actual": x,
                "expected": {"value": old},
                "limit": {"value": rule.value, "side": rule.side, "for_s": rule.window_s},
                "driver": rule.metric,
                "basis": rule.basis,
                "mark": rule.mark,
                "rule": rule.id,
            },
        )


def _key(series: int, rule: str) -> int:
    """A number for (series, rule) that stays the same over restarts."""
    return series << 32 | zlib.crc32(rule.encode())
