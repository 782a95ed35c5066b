"""When a point will reach its limit if it goes on like this (drift_towards_limit): a robust slope with a band.

Two clocks: the last hours against the same hours of other days, for what goes in a day; and daily medians, for what
takes weeks. The slope is Theil-Sen's, its band Sen's rank test; a day is named when the whole band leads there.
"""

from typing import Any, ClassVar, NamedTuple

import numpy as np

from watchkeep_analytics.batch import NEVER, Batch, Floats, Ints
from watchkeep_analytics.detectors import days
from watchkeep_analytics.detectors._make import signal
from watchkeep_analytics.detectors.chosen import Chosen
from watchkeep_analytics.registry import NUMBER, LimitRow, Registry
from watchkeep_analytics.signals import Signal
from watchkeep_analytics.table import Spec


class Clock(NamedTuple):
    """How often one looks, how many values make a slope, and how far it may be believed."""

    name: str
    window: int
    step_us: int
    ahead_us: int
    """The limit must be reached within this time."""
    ready: int
    """Values before anything is said."""


HOURS = Clock("hours", 8, days.HOUR_US, 24 * days.HOUR_US, 7 * 24)
DAYS = Clock("days", 14, days.DAY_US, 30 * days.DAY_US, 10)

BEYOND = 0.5
"""Usual sizes beyond whatever it was in the last two weeks: what it comes back from every few days is no drift."""

FAR = 4.0
"""Usual sizes that it must have gone within the window: less is how this point always is."""

FEWEST = 4
"""Values that make a slope."""

_Z = 2.576  # 99 % band of the slope
_LEARN = 0.1  # of the hour's profile per day
_CLIP = 3.0
_CALM = 3  # looks in a row without a way to the limit that end it


class Forecast(Chosen):
    """Points with a limit above or below. Only a notice: of eight on the simulated fleet three were false (docs)."""

    name: ClassVar[str] = "forecast"
    version: ClassVar[str] = "1"

    def __init__(self, registry: Registry) -> None:
        super().__init__(
            registry,
            **days.SPECS,
            profile=Spec(np.float32, np.nan, 24),
            off=Spec(np.float32, np.nan, HOURS.window),
            off_at=Spec(np.int64, NEVER, HOURS.window),
            size=Spec(np.float64),
            n=Spec(np.int64),
            lows=Spec(np.float32, np.nan, DAYS.window),
            highs=Spec(np.float32, np.nan, DAYS.window),
            daily=Spec(np.float32, np.nan, DAYS.window),
            daily_at=Spec(np.int64, NEVER, DAYS.window),
            change=Spec(np.float64),
            n_days=Spec(np.int64),
            last_day=Spec(np.float64, np.nan),
            open=Spec(np.int8, 0, 2),
            calm=Spec(np.int16, 0, 2),
            limit=Spec(np.float64, np.nan, 2),
        )
        self._limits: dict[int, list[LimitRow]] = {}
        self.configure()

    def configure(self) -> list[Signal]:
        """Without a limit that holds always there is nothing to drift towards."""
        registry = self._registry
        self._limits = {}
        for limit in registry.limits:
            row = registry.row_of(limit.series)
            if (
                row >= 0
                and limit.side in ("above", "below")
                and registry["kind"][row] == NUMBER
                and not limit.when_metric
            ):
                self._limits.setdefault(row, []).append(limit)
        before = self._rows
        self._choose(np.array(list(self._limits), np.int64))
        gone = [row for row in before.tolist() if row not in self._limits]
        return [found for row in gone for found in self._close(row)]

    def observe(self, batch: Batch) -> list[Signal]:
        slots = self._slots[batch.row] if len(self._rows) else np.full(batch.size, -1)
        mine = batch.where(slots >= 0)
        found: list[Signal] = []
        for at in mine.rounds():
            closed = days.turn(self._state, self._slots[mine.row[at]], mine.t_us[at], mine.value[at])
            if len(closed.slot):
                found += self._hours(closed)
                found += self._days(closed)
        return found

    def ready(self, row: int) -> bool:
        slot = int(self._slots[row]) if row < len(self._slots) else -1
        return slot >= 0 and bool(self._state["n"][slot] >= HOURS.ready or self._state["n_days"][slot] >= DAYS.ready)

    def _hours(self, closed: days.Closed) -> list[Signal]:
        """Against the same hour of other days; judged before it is learnt."""
        state, slot, hour = self._state, closed.slot, closed.hour
        usual = state["profile"][slot, hour % 24].astype(np.float64)
        off = np.where(np.isfinite(usual), closed.mean - usual, 0.0)
        state["off"][slot, hour % HOURS.window], state["off_at"][slot, hour % HOURS.window] = off, hour
        n, size = state["n"][slot], state["size"][slot]
        found = self._look(HOURS, 0, slot, hour, state["off"], state["off_at"], size, n, closed.mean)
        told = state["open"][slot].any(axis=1)
        settled = n >= HOURS.ready
        pull = np.where(settled, np.clip(off, -_CLIP * size, _CLIP * size), off) * ~told
        state["profile"][slot, hour % 24] = np.where(np.isfinite(usual), usual + _LEARN * pull, closed.mean)
        learn = np.where(n >= 24, np.maximum(1 / 500, 1 / np.maximum(n - 23, 1)), 0.0) * ~told
        state["size"][slot] += learn * (np.abs(np.where(settled, pull, off)) - size)
        state["n"][slot] = n + 1
        return found

    def _days(self, closed: days.Closed) -> list[Signal]:
        state, whole = self._state, np.isfinite(closed.median)
        ended, median = closed.day_over[whole], closed.median[whole]
        if len(ended) == 0:
            return []
        slot, day = closed.slot[ended], closed.hour[ended] // 24
        state["daily"][slot, day % DAYS.window], state["daily_at"][slot, day % DAYS.window] = median, day
        n, before = state["n_days"][slot], state["last_day"][slot]
        found = self._look(DAYS, 1, slot, day, state["daily"], state["daily_at"], state["change"][slot], n, median)
        step = np.abs(np.where(np.isfinite(before), median - before, 0.0))
        size = state["change"][slot]
        learn = np.maximum(0.05, 1 / np.maximum(n, 1)) * np.isfinite(before)
        state["change"][slot] += learn * (np.where(n >= DAYS.ready, np.minimum(step, _CLIP * size), step) - size)
        state["n_days"][slot], state["last_day"][slot] = n + 1, median
        state["lows"][slot, day % DAYS.window] = closed.low[whole]
        state["highs"][slot, day % DAYS.window] = closed.high[whole]
        return found

    def _look(
        self,
        clock: Clock,
        kind: int,
        slot: Ints,
        now: Ints,
        values: Any,
        times: Any,
        size: Floats,
        n: Ints,
        level: Floats,
    ) -> list[Signal]:
        """Series by series, but only those that have gone far enough, or are told."""
        state, found = self._state, []
        gone = np.nanmax(values[slot], axis=1) - np.nanmin(values[slot], axis=1)
        near = (n >= clock.ready) & (gone > FAR * size) & (size > 0)
        for i in np.flatnonzero(near | (state["open"][slot, kind] > 0)).tolist():
            one = int(slot[i])
            known = times[one] > now[i] - clock.window
            t, x = times[one][known], values[one][known].astype(np.float64)
            trend = slope(t, x) if near[i] else None
            moved = 0.0 if trend is None else abs(trend.middle) * (clock.window - 1)
            reach = None
            beyond = kind == 1 or self._beyond(one, float(level[i]), BEYOND * float(size[i]), trend)
            if trend is not None and beyond and known.sum() >= clock.window - 1 and moved > FAR * float(size[i]):
                reach = self._reach(int(self._rows[one]), float(level[i]), trend, clock)
            if reach is not None and (late := course(t, x)) is not None:  # whether is for the whole window, when is not
                trend, reach = late, self._reach(int(self._rows[one]), float(level[i]), late, clock) or reach
            found += self._tell(clock, kind, one, int(now[i]), float(level[i]), trend, reach)
        return found

    def _beyond(self, slot: int, level: float, by: float, trend: "Trend | None") -> bool:
        """Further along the trend than any hour of the last two weeks; the present day is not among them."""
        if trend is None or not np.isfinite(self._state["lows"][slot]).any():
            return False
        low, high = float(np.nanmin(self._state["lows"][slot])), float(np.nanmax(self._state["highs"][slot]))
        return level > high + by if trend.middle > 0 else level < low - by

    def _reach(self, row: int, level: float, trend: "Trend", clock: Clock) -> "Reach | None":
        """The limit that is met first; None = none within the time, or the band does not lead there."""
        ways = []
        for limit in self._limits.get(row, ()):
            way = limit.value - level
            if (way > 0) != (limit.side == "above") or way * trend.middle <= 0:
                continue
            slow, fast = sorted((trend.low, trend.high), key=abs)
            if trend.low * trend.high > 0:
                ways.append(Reach(limit, way / trend.middle, way / fast, way / slow))
        best = min(ways, key=lambda reach: reach.steps, default=None)
        return best if best is not None and best.steps * clock.step_us <= clock.ahead_us else None

    def _tell(
        self, clock: Clock, kind: int, slot: int, now: int, level: float, trend: "Trend | None", reach: "Reach | None"
    ) -> list[Signal]:
        state = self._state
        end_us = (now + 1) * clock.step_us - days.LOCAL_US
        if state["open"][slot, kind] == 0:
            if reach is None or trend is None:
                return []
            state["open"][slot, kind], state["calm"][slot, kind] = 1, 0
            state["limit"][slot, kind] = reach.limit.value
            return [self._opening(clock, slot, end_us, level, trend, reach)]
        state["calm"][slot, kind] = state["calm"][slot, kind] + 1 if reach is None else 0
        if state["calm"][slot, kind] < _CALM:
            return []
        state["open"][slot, kind] = 0
        return [self._end(clock, int(self._rows[slot]), end_us, level, float(state["limit"][slot, kind]))]

    def _opening(self, clock: Clock, slot: int, t_us: int, level: float, trend: "Trend", reach: "Reach") -> Signal:
        row, limit = int(self._rows[slot]), reach.limit
        at, soonest, latest = (
            t_us + round(steps * clock.step_us) for steps in (reach.steps, reach.soonest, reach.latest)
        )
        latest = min(latest, t_us + 10 * clock.ahead_us)
        evidence = {
            "actual": level,
            "limit": {"value": limit.value, "side": limit.side, "condition": limit.condition, "basis": limit.basis},
            "forecast": {"at_us": at, "from_us": soonest, "to_us": latest},
            "slope_per_day": trend.middle * days.DAY_US / clock.step_us,
            "driver": self._registry.metrics[row],
            "rule": clock.name,
            "basis": f"Theil-Sen slope of the last {clock.window} {clock.name}, 99 % band",
            "mark": "C",
        }
        return self._signal(clock, row, t_us, active=True, evidence=evidence)

    def _end(self, clock: Clock, row: int, t_us: int, level: float, limit: float) -> Signal:
        evidence = {"actual": level, "limit": {"value": limit}, "driver": self._registry.metrics[row]}
        return self._signal(clock, row, t_us, active=False, evidence=evidence)

    def _close(self, row: int) -> list[Signal]:
        """Its limits are gone."""
        slot, found = int(self._slots[row]), []
        for kind, clock in enumerate((HOURS, DAYS)):
            if self._state["open"][slot, kind]:
                self._state["open"][slot, kind] = 0
                last_us, limit = int(self._registry["last_us"][row]), float(self._state["limit"][slot, kind])
                found.append(self._end(clock, row, last_us, float("nan"), limit))
        return found

    def _signal(self, clock: Clock, row: int, t_us: int, *, active: bool, evidence: dict[str, Any]) -> Signal:
        return signal(
            self,
            self._registry,
            row,
            t_us,
            condition="drift_towards_limit",
            tier="notice",
            active=active,
            source=clock.name,
            text="forecast",
            evidence=evidence,
        )


class Trend(NamedTuple):
    """Per step."""

    middle: float
    low: float
    high: float


class Reach(NamedTuple):
    """Steps from now to one limit: at the middle slope, and at the ends of its band."""

    limit: LimitRow
    steps: float
    soonest: float
    latest: float


def course(t: Ints, x: Floats) -> Trend | None:
    """The slope of all values; a steeper one of the later half is believed: a drift seldom begins with the window."""
    by = np.argsort(t)
    whole, late = slope(t[by], x[by]), slope(t[by][len(t) // 2 :], x[by][len(t) // 2 :])
    if whole is None or late is None or abs(late.middle) <= abs(whole.middle) or late.middle * whole.middle <= 0:
        return whole
    if late.middle > 0:
        return Trend(late.middle, whole.low, max(whole.high, late.high))
    return Trend(late.middle, min(whole.low, late.low), whole.high)


def slope(t: Ints, x: Floats) -> Trend | None:
    """Theil and Sen's slope with the band of Sen's rank test (1968); None for fewer than `FEWEST` values."""
    n = len(t)
    if n < FEWEST:
        return None
    a, b = np.triu_indices(n, 1)
    slopes = np.sort((x[b] - x[a]) / (t[b] - t[a]))
    spread = _Z * np.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low = max(int(np.floor((len(slopes) - spread) / 2)), 0)
    high = min(int(np.ceil((len(slopes) + spread) / 2)), len(slopes) - 1)
    return Trend(float(np.median(slopes)), float(slopes[low]), float(slopes[high]))
