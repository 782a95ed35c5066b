"""Rules over several points of one piece of equipment: interlocks and forbidden combinations (rows `rule` of the book).

As for limits: a combination with a number in it must be seen at both ends of its delay; one of states alone holds until
one of them changes, so that its delay may also run out by the gateway's watermark.
"""

import math
from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec
import numpy as np

from watchkeep_analytics.batch import NEVER, SECOND, Batch
from watchkeep_analytics.detectors._make import signal
from watchkeep_analytics.detectors.limits import CALM, CLEARING, GRACE_US, OPEN, PENDING
from watchkeep_analytics.registry import STATE, Registry
from watchkeep_analytics.rulebook import Clause, Combination
from watchkeep_analytics.signals import Moment, Signal
from watchkeep_analytics.table import Spec, Table

STALE_S, STALE_PERIODS = 900.0, 3.0
"""A point that was not heard for so long, and so many periods, proves nothing about now."""

_OPS = {"above": 0, "below": 1, "equals": 2, "unchanged": 3}


class Standing(msgspec.Struct):
    """Where one rule of one piece of equipment stands."""

    phase: int = CALM
    since_us: int = 0
    steady: bool = False
    """Of its clause `unchanged`: the last reading was that of before."""


class Instance:
    """One rule on one piece of equipment."""

    __slots__ = ("clauses", "hold", "key", "number", "rows", "rule", "stale_us", "state")

    def __init__(
        self, rule: Combination, key: tuple[str, str, str], registry: Registry, points: dict[str, int]
    ) -> None:
        self.rule, self.key, self.number = rule, key, -1
        self.clauses = [
            (clause, points[clause.metric], points[clause.minus] if clause.minus else -1) for clause in rule.when
        ]
        self.rows = sorted({row for _, a, b in self.clauses for row in (a, b) if row >= 0})
        self.hold = all(registry["kind"][row] == STATE for row in self.rows)
        self.stale_us = {row: _stale_us(float(registry["period_s"][row])) for row in self.rows}
        self.state = Standing()


class Combinations:
    """Only rules of which a clause begins or ceases to hold, or that are not calm, are walked one by one."""

    name: ClassVar[str] = "combinations"
    version: ClassVar[str] = "1"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._instances: list[Instance] = []
        self._saved: dict[tuple[str, str, str], Standing] = {}
        self._latest = Table(value=Spec(np.float64, np.nan), t_us=Spec(np.int64, NEVER))
        self.configure()

    def configure(self) -> list[Signal]:
        registry = self._registry
        self._latest.grow(registry.size)
        old = {instance.key: instance for instance in self._instances}
        self._instances = []
        for number, rule in registry.rules(Combination):
            item = registry.equipment[number]
            metrics = {clause.metric for clause in rule.when} | {clause.minus for clause in rule.when if clause.minus}
            if metrics <= item.points.keys() and rule.unless not in item.points:
                key = (item.community, item.id, rule.id)
                instance = Instance(rule, key, registry, item.points)
                instance.number = len(self._instances)
                before = old.pop(key, None)
                instance.state = before.state if before else self._saved.pop(key, Standing())
                self._instances.append(instance)
        self._index()
        return [
            self._signal(gone, self._now(gone), False, int(registry["last_us"][gone.rows].max()), 0)
            for gone in old.values()
            if gone.state.phase in (OPEN, CLEARING)
        ]

    def observe(self, batch: Batch) -> list[Signal]:
        if batch.size == 0:
            return []
        found = [hit for k in self._touched(batch) for hit in self._walk(self._instances[k], batch)]
        last = np.r_[batch.row[1:] != batch.row[:-1], True]
        self._latest["value"][batch.row[last]] = batch.value[last]
        self._latest["t_us"][batch.row[last]] = batch.t_us[last]
        return found

    def tick(self, moment: Moment) -> list[Signal]:
        found: list[Signal] = []
        for k in sorted(self._busy):
            instance = self._instances[k]
            if instance.hold and instance.state.phase in (PENDING, CLEARING):
                until = int(moment.watermark_us[self._registry["gateway"][instance.rows[0]]]) - GRACE_US
                found += self._run_out(instance, self._now(instance), until)
        return found

    def ready(self, row: int) -> bool:
        return True

    def save(self) -> bytes:
        standing = [(i.key, i.state) for i in self._instances if i.state != Standing()]
        return msgspec.msgpack.encode((standing, self._latest.save(self._registry["series"])))

    def load(self, data: bytes) -> None:
        shape = tuple[list[tuple[tuple[str, str, str], Standing]], bytes]
        try:
            standing, latest = msgspec.msgpack.decode(data, type=shape)
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from None
        self._saved = dict(standing)
        self._latest.load(latest, self._registry.find)
        for instance in self._instances:
            instance.state = self._saved.pop(instance.key, Standing())
        self._index()

    @property
    def nbytes(self) -> int:
        return self._latest.nbytes + 300 * len(self._instances)

    def _index(self) -> None:
        """Clauses by the row they look at, for one pass over a whole batch."""
        alone = np.iinfo(np.int64).max  # a rule of one point is not asked whether another is stale
        flat = sorted(
            (
                row,
                k,
                _OPS[clause.op] if b < 0 else 4,
                clause.value,
                instance.stale_us[row] if len(instance.rows) > 1 else alone,
            )
            for k, instance in enumerate(self._instances)
            for clause, a, b in instance.clauses
            for row in (a, b)
            if row >= 0
        )
        rows = np.array([entry[0] for entry in flat], np.int64)
        self._owner = np.array([entry[1] for entry in flat], np.int64)
        self._op = np.array([entry[2] for entry in flat], np.int64)
        self._value = np.array([entry[3] for entry in flat], np.float64)
        self._stale_us = np.array([entry[4] for entry in flat], np.int64)
        self._count = np.bincount(rows, minlength=self._registry.size).astype(np.int64)
        self._first = np.cumsum(self._count) - self._count
        self._busy = {k for k, instance in enumerate(self._instances) if instance.state.phase != CALM}

    def _touched(self, batch: Batch) -> list[int]:
        """Rules that are not calm, and calm ones of which a clause changes, or a point is heard again after long."""
        mine = batch.where(self._count[batch.row] > 0)
        if mine.size == 0:
            return []
        count = self._count[mine.row]
        at = np.repeat(np.arange(mine.size), count)
        entry = np.repeat(self._first[mine.row] - np.cumsum(count) + count, count) + np.arange(len(at))
        before = np.where(
            np.r_[True, mine.row[1:] != mine.row[:-1]], self._latest["value"][mine.row], np.r_[0, mine.value[:-1]]
        )
        gap_us = mine.t_us - self._latest["t_us"][mine.row]
        back = gap_us[at] > self._stale_us[entry]
        news = back | (self._holds(entry, mine.value[at]) != self._holds(entry, before[at]))
        owners = self._owner[entry]
        busy = np.zeros(len(self._instances), np.bool_)
        busy[list(self._busy)] = True
        return [int(k) for k in np.unique(owners[news | busy[owners] | (self._op[entry] >= 3)])]

    def _holds(self, entry: Any, x: Any) -> Any:
        op, limit = self._op[entry], self._value[entry]
        return np.where(op == 0, x > limit, np.where(op == 1, x < limit, x == limit))

    def _steps(self, instance: Instance, batch: Batch) -> Iterator[tuple[int, dict[int, float]]]:
        merged: dict[int, dict[int, float]] = {}
        for row in instance.rows:
            a, b = np.searchsorted(batch.row, (row, row + 1))
            for t, x in zip(batch.t_us[a:b].tolist(), batch.value[a:b].tolist(), strict=True):
                merged.setdefault(t, {})[row] = x
        for t in sorted(merged):
            yield t, merged[t]

    def _walk(self, instance: Instance, batch: Batch) -> list[Signal]:
        state = instance.state
        values = self._now(instance)
        heard = {row: int(self._latest["t_us"][row]) for row in instance.rows}
        found: list[Signal] = []
        for t_us, new in self._steps(instance, batch):
            if instance.hold:
                found += self._run_out(instance, values, t_us)
            for clause, row, _ in instance.clauses:
                if clause.op == "unchanged" and row in new:
                    state.steady = new[row] == values[row]
            values |= new
            heard |= dict.fromkeys(new, t_us)
            opened = state.phase in (OPEN, CLEARING)
            bad = all(
                _true(c, values.get(a, math.nan), values.get(b, 0.0), opened, state) for c, a, b in instance.clauses
            )
            bad = bad and (opened or all(t_us - heard[row] <= instance.stale_us[row] for row in instance.rows))
            phase = (OPEN if bad else CLEARING) if opened else (PENDING if bad else CALM)
            if phase != state.phase:
                state.phase, state.since_us = phase, t_us
            if instance.hold or any(self._registry["kind"][row] != STATE for row in new):
                found += self._run_out(instance, values, t_us, confirm=not instance.hold)
            elif (phase == PENDING and not instance.rule.for_s) or (
                phase == CLEARING and not instance.rule.clear_for_s
            ):
                found += self._run_out(instance, values, t_us)
        (self._busy.discard if state.phase == CALM else self._busy.add)(instance.number)
        return found

    def _now(self, instance: Instance) -> dict[int, float]:
        return {row: float(self._latest["value"][row]) for row in instance.rows}

    def _run_out(
        self, instance: Instance, values: dict[int, float], until_us: int, confirm: bool = False
    ) -> list[Signal]:
        state, rule = instance.state, instance.rule
        if state.phase not in (PENDING, CLEARING):
            return []
        opens = state.phase == PENDING
        since = state.since_us
        due = since + round((rule.for_s if opens else rule.clear_for_s) * SECOND)
        if until_us < due:
            return []
        if opens and instance.hold and self._aliased(instance, values, since):
            return []
        at = until_us if confirm else due
        state.phase, state.since_us = (OPEN if opens else CALM), at
        return [self._signal(instance, values, opens, at, since)]

    def _aliased(self, instance: Instance, values: dict[int, float], t_us: int) -> bool:
        """Its states are seen at some moments only: that they last cannot be judged."""
        for_us = round(instance.rule.for_s * SECOND)
        aliased = self._registry.sampling.aliased
        return for_us > 0 and any(aliased(row, values[row], for_us, t_us) for row in instance.rows)

    def _signal(
        self, instance: Instance, values: dict[int, float], active: bool, event_us: int, since_us: int
    ) -> Signal:
        rule = instance.rule
        said = [
            {
                "metric": clause.metric,
                "minus": clause.minus,
                "op": clause.op,
                "limit": clause.value,
                "value": values[row] - values.get(minus, 0.0),
                "unit": self._registry.units[row],
            }
            for clause, row, minus in instance.clauses
        ]
        return signal(
            self,
            self._registry,
            instance.clauses[-1][1],
            event_us,
            condition=rule.condition,
            tier=rule.tier,
            active=active,
            source=rule.id,
            text="combination",
            evidence={
                "actual": said[-1]["value"],
                "limit": {"value": rule.when[-1].value, "side": rule.when[-1].op, "for_s": rule.for_s},
                "driver": rule.when[-1].metric,
                "clauses": said,
                "since_us": since_us,
                "basis": rule.basis,
                "mark": rule.mark,
                "rule": rule.id,
            },
        )


def _true(clause: Clause, x: float, minus: float, opened: bool, state: Standing) -> bool:
    if clause.op == "unchanged":
        return state.steady
    if clause.minus:
        x -= minus
    limit = clause.clear if opened and clause.clear is not None else clause.value
    if clause.op == "equals":
        return x == clause.value
    return x > limit if clause.op == "above" else x < limit


def _stale_us(period_s: float) -> int:
    known = period_s if math.isfinite(period_s) else 0.0
    return round(max(STALE_S, STALE_PERIODS * known) * SECOND)
