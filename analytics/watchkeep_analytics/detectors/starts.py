"""States that are entered too often (rows `starts` of the book): pumps that start and stop all the time."""

from collections.abc import Iterator
from typing import ClassVar

import msgspec
import numpy as np

from watchkeep_analytics.batch import SECOND, Batch
from watchkeep_analytics.detectors._make import signal
from watchkeep_analytics.registry import Registry
from watchkeep_analytics.rulebook import Starts as StartsRule
from watchkeep_analytics.signals import Moment, Signal
from watchkeep_analytics.table import Spec, Table

HOUR_US = 3600 * SECOND


class Count(msgspec.Struct):
    """Of one rule on one point."""

    at_us: list[int] = []
    """When the state was entered, the newest last; no more than the rule needs."""
    open: bool = False


class Starts:
    """Only changes of these few states are looked at, so that each is handled by itself."""

    name: ClassVar[str] = "starts"
    version: ClassVar[str] = "1"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._rules: dict[int, list[StartsRule]] = {}
        self._counts: dict[tuple[int, str], Count] = {}
        """(series, rule)"""
        self._state = Table(last=Spec(np.float64, np.nan), open=Spec(np.bool_))
        self._watched = np.zeros(0, np.bool_)
        self.configure()

    def configure(self) -> list[Signal]:
        registry = self._registry
        before = {rule.id: rule for rules in self._rules.values() for rule in rules}
        self._rules = {}
        self._state.grow(registry.size)
        self._watched = np.zeros(registry.size, np.bool_)
        for number, rule in registry.rules(StartsRule):
            points = registry.equipment[number].points
            if rule.metric in points and rule.unless not in points:
                self._rules.setdefault(points[rule.metric], []).append(rule)
                self._watched[points[rule.metric]] = True
        return list(self._close_gone(before))

    def observe(self, batch: Batch) -> list[Signal]:
        mine = batch.where(self._watched[batch.row])
        if mine.size == 0:
            return []
        state = self._state
        begin = np.r_[True, mine.row[1:] != mine.row[:-1]]
        before = np.where(begin, state["last"][mine.row], np.r_[0.0, mine.value[:-1]])
        news = ((mine.value != before) & ~np.isnan(before)) | state["open"][mine.row]
        last = np.r_[begin[1:], True]
        state["last"][mine.row[last]] = mine.value[last]
        found: list[Signal] = []
        for at in np.flatnonzero(np.isin(mine.row, np.unique(mine.row[news]))).tolist():
            row, t_us, x = int(mine.row[at]), int(mine.t_us[at]), float(mine.value[at])
            for rule in self._rules[row]:
                found += self._one(row, rule, t_us, x == rule.state and bool(news[at]) and before[at] != x)
        return found

    def tick(self, moment: Moment) -> list[Signal]:
        return []

    def ready(self, row: int) -> bool:
        return True

    def save(self) -> bytes:
        return msgspec.msgpack.encode((list(self._counts.items()), self._state.save(self._registry["series"])))

    def load(self, data: bytes) -> None:
        try:
            shape = tuple[list[tuple[tuple[int, str], Count]], bytes]
            saved, state = msgspec.msgpack.decode(data, type=shape)
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from None
        self._counts = dict(saved)
        self._state.load(state, self._registry.find)

    @property
    def nbytes(self) -> int:
        return self._state.nbytes + 400 * sum(len(rules) for rules in self._rules.values())

    def _close_gone(self, before: dict[str, StartsRule]) -> Iterator[Signal]:
        """Rules that are no more: what they have open is over."""
        kept = {(int(self._registry["series"][row]), rule.id) for row, rules in self._rules.items() for rule in rules}
        for series, id in [key for key in self._counts if key not in kept]:
            count = self._counts.pop((series, id))
            row = int(self._registry.find(np.array([series]))[0])
            if row >= 0:
                self._state["open"][row] = False
            if count.open and row >= 0 and id in before:
                yield self._signal(row, before[id], int(self._registry["last_us"][row]), 0, False)

    def _one(self, row: int, rule: StartsRule, t_us: int, started: bool) -> Iterator[Signal]:
        series = int(self._registry["series"][row])
        count = self._counts.setdefault((series, rule.id), Count())
        if started:
            count.at_us = [*count.at_us[-rule.above :], t_us]
        within = sum(1 for at in count.at_us if at > t_us - HOUR_US)
        if not count.open and within > rule.above:
            count.open = self._state["open"][row] = True
            yield self._signal(row, rule, t_us, within, True)
        elif count.open and within <= rule.clear:
            count.open = False
            self._state["open"][row] = any(c.open for (of, _), c in self._counts.items() if of == series)
            yield self._signal(row, rule, t_us, within, False)

    def _signal(self, row: int, rule: StartsRule, t_us: int, within: int, active: bool) -> Signal:
        return signal(
            self,
            self._registry,
            row,
            t_us,
            condition=rule.condition,
            tier=rule.tier,
            active=active,
            source=rule.id,
            text="starts",
            evidence={
                "actual": within,
                "samples": within,
                "limit": {"value": rule.above, "clear": rule.clear, "side": "above", "for_s": 3600},
                "driver": rule.metric,
                "basis": rule.basis,
                "mark": rule.mark,
                "rule": rule.id,
            },
        )
