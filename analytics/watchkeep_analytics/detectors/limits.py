"""Limits of points: hysteresis, on and off delay in event time, interlock with another point of the same equipment.

A number must be seen beyond its limit at both ends of the delay. A state holds its value until it changes, so that a
delay also runs out between two readings: then the gateway's watermark, or the next reading, says that time has passed.
"""

import math
from collections.abc import Iterator
from typing import ClassVar, Literal, cast

import msgspec
import numpy as np

from watchkeep_analytics.batch import SECOND, Batch, Bools, Floats, Ints
from watchkeep_analytics.detectors._make import signal
from watchkeep_analytics.registry import STATE, LimitRow, Registry
from watchkeep_analytics.signals import Moment, Signal, Tier
from watchkeep_analytics.table import Spec, Table

GRACE_US = 2 * SECOND
"""Rows of one gateway may come this much out of order before a delay is taken to have run out."""

CALM, PENDING, OPEN, CLEARING, BLOCKED = range(5)
"""BLOCKED = beyond the limit, but the interlock says that it does not count now."""

_SIDES = {"above": 0, "below": 1, "equals": 2}


def beyond(side: Ints, x: Floats, limit: Floats) -> Bools:
    """Whether each value is on the wrong side."""
    return np.where(side == 0, x > limit, np.where(side == 1, x < limit, x == limit))


class _Rule:
    """One limit, ready to be walked through."""

    __slots__ = ("clear_us", "for_us", "hold", "info", "row", "side", "when_row")

    def __init__(self, info: LimitRow, row: int, when_row: int, hold: bool) -> None:
        self.info, self.row, self.when_row, self.hold = info, row, when_row, hold
        self.side = _SIDES[info.side]
        self.for_us = round(info.for_s * SECOND)
        self.clear_us = round(info.clear_for_s * SECOND)

    def bad(self, x: float, opened: bool) -> bool:
        """Beyond the limit, or once open: not yet back beyond the clear value."""
        limit = self.info.clear if opened else self.info.value
        if self.side == 2:
            return x == self.info.value
        return x > limit if self.side == 0 else x < limit


class Limits:
    """Vectorised over everything that is calm; only limits that are crossed or pending are walked one by one."""

    name: ClassVar[str] = "limits"
    version: ClassVar[str] = "1"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._rules: list[_Rule] = []
        self._ids = np.zeros(0, np.int64)
        self._state = self._new_state()
        self._latest = Table(value=Spec(np.float64, np.nan))
        self._first = np.zeros(0, np.int64)
        self._count = np.zeros(0, np.int64)
        self._waiting: dict[int, list[int]] = {}
        self.configure()

    def configure(self) -> list[Signal]:
        registry = self._registry
        self._latest.grow(registry.size)
        rules = [rule for info in registry.limits if (rule := self._rule(info)) is not None]
        rules.sort(key=lambda rule: (rule.row, rule.info.limit))
        ids = np.array([rule.info.limit for rule in rules], np.int64)
        closed = self._close_gone(set(ids.tolist()))
        saved, self._rules, self._ids = self._state.save(self._ids), rules, ids
        self._state = self._new_state()
        self._state.grow(len(rules))
        self._state.load(saved, self._find)
        rows = np.array([rule.row for rule in rules], np.int64)
        self._count = np.bincount(rows, minlength=registry.size).astype(np.int64)
        self._first = np.cumsum(self._count) - self._count
        self._side = np.array([rule.side for rule in rules], np.int64)
        self._value = np.array([rule.info.value for rule in rules], np.float64)
        self._waiting = {}
        for k, rule in enumerate(rules):
            if rule.when_row >= 0:
                self._waiting.setdefault(rule.when_row, []).append(k)
        return closed

    def observe(self, batch: Batch) -> list[Signal]:
        if batch.size == 0:
            return []
        found = [hit for k in self._touched(batch) for hit in self._walk(k, self._steps(k, batch))]
        last = np.r_[batch.row[1:] != batch.row[:-1], True]
        self._latest["value"][batch.row[last]] = batch.value[last]
        return found

    def tick(self, moment: Moment) -> list[Signal]:
        phase = self._state["phase"]
        found: list[Signal] = []
        for k in np.flatnonzero((phase == PENDING) | (phase == CLEARING)).tolist():
            rule = self._rules[k]
            if rule.hold:
                until = int(moment.watermark_us[self._registry["gateway"][rule.row]]) - GRACE_US
                found += self._run_out(k, until)
        return found

    def ready(self, row: int) -> bool:
        return True

    def save(self) -> bytes:
        tables = (self._state.save(self._ids), self._latest.save(self._registry["series"]))
        return msgspec.msgpack.encode(tables)

    def load(self, data: bytes) -> None:
        state, latest = msgspec.msgpack.decode(data, type=tuple[bytes, bytes])
        self._state.load(state, self._find)
        self._latest.load(latest, self._registry.find)

    @property
    def nbytes(self) -> int:
        return self._state.nbytes + self._latest.nbytes

    @staticmethod
    def _new_state() -> Table:
        return Table(phase=Spec(np.int8), since_us=Spec(np.int64), value=Spec(np.float64, np.nan))

    def _rule(self, info: LimitRow) -> _Rule | None:
        row = self._registry.row_of(info.series)
        if row < 0:
            return None
        when_row = self._registry.sibling(row, info.when_metric) if info.when_metric else -1
        if info.when_metric and when_row < 0:
            return None  # its interlock is not measured: it can never count
        return _Rule(info, row, when_row, info.side == "equals" or self._registry["kind"][row] == STATE)

    def _find(self, ids: Ints) -> Ints:
        at = {limit: k for k, limit in enumerate(self._ids.tolist())}
        return np.array([at.get(limit, -1) for limit in ids.tolist()], np.int64)

    def _close_gone(self, kept: set[int]) -> list[Signal]:
        phase, value = self._state["phase"], self._state["value"]
        return [
            self._signal(rule, False, int(self._registry["last_us"][rule.row]), float(value[k]), 0)
            for k, rule in enumerate(self._rules)
            if rule.info.limit not in kept and phase[k] in (OPEN, CLEARING)
        ]

    def _touched(self, batch: Batch) -> list[int]:
        """Limits of series in the batch that are crossed or already not calm, and those waiting for an interlock."""
        count = self._count[batch.row]
        at = np.repeat(np.arange(batch.size), count)
        start = np.repeat(self._first[batch.row] - np.cumsum(count) + count, count)
        limit = start + np.arange(len(at))
        phase = self._state["phase"]
        crossed = beyond(self._side[limit], batch.value[at], self._value[limit]) | (phase[limit] != CALM)
        touched = set(limit[crossed].tolist())
        if self._waiting:
            seen = self._waiting.keys() & set(np.unique(batch.row).tolist())
            touched.update(k for row in seen for k in self._waiting[row] if phase[k] != CALM)
        return sorted(touched)

    def _steps(self, k: int, batch: Batch) -> Iterator[tuple[int, float | None, float | None]]:
        """(time, new value or None, new interlock value or None), one per instant."""
        rule = self._rules[k]
        merged: dict[int, list[float | None]] = {}
        for place, row in ((0, rule.row), (1, rule.when_row)):
            if row >= 0:
                a, b = np.searchsorted(batch.row, (row, row + 1))
                for t, x in zip(batch.t_us[a:b].tolist(), batch.value[a:b].tolist(), strict=True):
                    merged.setdefault(t, [None, None])[place] = x
        for t in sorted(merged):
            yield t, merged[t][0], merged[t][1]

    def _walk(self, k: int, steps: Iterator[tuple[int, float | None, float | None]]) -> list[Signal]:
        rule, state = self._rules[k], self._state
        when = float(self._latest["value"][rule.when_row]) if rule.when_row >= 0 else math.nan
        found: list[Signal] = []
        for t_us, value, new_when in steps:
            if rule.hold:
                found += self._run_out(k, t_us)
            x = float(state["value"][k]) if value is None else value
            when = when if new_when is None else new_when
            counts = rule.when_row < 0 or when == rule.info.when_value
            phase = self._next(k, counts and rule.bad(x, state["phase"][k] in (OPEN, CLEARING)))
            if phase == CALM and rule.bad(x, False):
                phase = BLOCKED
            if phase != state["phase"][k]:
                state["phase"][k], state["since_us"][k] = phase, t_us
            state["value"][k] = x
            if rule.hold or value is not None:
                found += self._run_out(k, t_us, confirm=not rule.hold)
            elif (phase == PENDING and not rule.for_us) or (phase == CLEARING and not rule.clear_us):
                found += self._run_out(k, t_us)
        return found

    def _next(self, k: int, bad: bool) -> int:
        phase = int(self._state["phase"][k])
        if phase in (OPEN, CLEARING):
            return (phase if phase == OPEN else OPEN) if bad else CLEARING
        return PENDING if bad else CALM

    def _run_out(self, k: int, until_us: int, confirm: bool = False) -> list[Signal]:
        """Open or close when the delay is over by `until_us`; at its end, or with `confirm` at `until_us` itself."""
        rule, state = self._rules[k], self._state
        phase, since = int(state["phase"][k]), int(state["since_us"][k])
        if phase not in (PENDING, CLEARING):
            return []
        due = since + (rule.for_us if phase == PENDING else rule.clear_us)
        if until_us < due:
            return []
        opens, at = phase == PENDING, until_us if confirm else due
        x = float(state["value"][k])
        if opens and rule.hold and rule.for_us and self._registry.sampling.aliased(rule.row, x, rule.for_us, since):
            return []  # cannot be judged: seen at some moments only
        state["phase"][k] = OPEN if opens else (BLOCKED if rule.bad(x, False) else CALM)
        state["since_us"][k] = at
        return [self._signal(rule, opens, at, x, since)]

    def _signal(self, rule: _Rule, active: bool, event_us: int, x: float, since_us: int) -> Signal:
        info = rule.info
        side = cast(Literal["above", "below", "equals"], info.side)
        limit = {"value": info.value, "clear": info.clear, "side": side, "for_s": info.for_s}
        evidence = {
            "actual": x,
            "limit": limit,
            "driver": self._registry.metrics[rule.row],
            "since_us": since_us,
            "basis": info.basis,
            "mark": info.mark,
            "rule": f"limit {info.limit}",
        }
        if info.when_metric:
            evidence["when"] = {"metric": info.when_metric, "value": info.when_value}
        return signal(
            self,
            self._registry,
            rule.row,
            event_us,
            condition=info.condition,
            tier=cast(Tier, info.tier),
            active=active,
            source=f"limit:{info.limit}",
            text=f"limit_{side}",
            evidence=evidence,
        )
