"""A point against the same one of equipment of its kind and model: what leaves its peers day by day (fleet_outlier).

Each day's median is compared with the median of the peers; what counts is how that difference has moved since it was
learnt, in the spread of the peers and of the point itself: weather, season and load move all of them alike, and a slow
drift that each point's own levels would take for normal stays visible. Only a notice, for the ranked list.
"""

from typing import Any, ClassVar

import numpy as np

from watchkeep_analytics.batch import NEVER, Batch, Bools, Floats, Ints
from watchkeep_analytics.detectors import days
from watchkeep_analytics.detectors._make import signal
from watchkeep_analytics.detectors.chosen import Chosen
from watchkeep_analytics.registry import NUMBER, Registry
from watchkeep_analytics.signals import Moment, Signal
from watchkeep_analytics.table import Spec

FEWEST = 5
"""Alike, itself included: with fewer the median follows the odd one."""

READY_DAYS = 10
FAR, BACK = 5.0, 2.5
"""Robust standard deviations from its usual difference at which it is told, and no more."""

RUN = 2
"""Days in a row."""

_KEEP = 16
"""Days in memory until the peers have theirs; a catch-up plays a week at once."""

_FOLLOW = 1 / 60  # of the usual difference per day once it is learnt; nothing is learnt beyond BACK: it may be a drift
_FLOOR = 0.01  # of the median's size: less is no difference to anybody
_LATE_US = 2 * days.HOUR_US  # after midnight until the day is judged
_MAD = 1.4826  # makes the median absolute deviation a standard deviation


class Fleet(Chosen):
    """Peers are those of the same partition. Days are judged at ticks, each once, when all could have ended it."""

    name: ClassVar[str] = "fleet"
    version: ClassVar[str] = "1"

    def __init__(self, registry: Registry) -> None:
        super().__init__(
            registry,
            **days.SPECS,
            medians=Spec(np.float32, np.nan, _KEEP),
            at_day=Spec(np.int32, -1, _KEEP),
            done=Spec(np.int32, -1),
            n=Spec(np.int64),
            usual=Spec(np.float64),
            spread=Spec(np.float64),
            run=Spec(np.int64),
            open=Spec(np.bool_),
            normal_us=Spec(np.int64, NEVER),
        )
        self._group = np.zeros(0, np.int64)
        """Slot → group of peers."""
        self._groups = 0
        self.configure()

    def configure(self) -> list[Signal]:
        registry = self._registry
        keys: dict[tuple[str, str, str], list[int]] = {}
        for row in np.flatnonzero((registry["kind"] == NUMBER) & (registry["period_s"] != 0)).tolist():
            item = registry.equipment_at(row)
            keys.setdefault((item.kind, item.model, registry.metrics[row]), []).append(row)
        groups = [rows for rows in keys.values() if len(rows) >= FEWEST]
        self._choose(np.array([row for rows in groups for row in rows], np.int64))
        self._group = np.full(len(self._rows), -1)
        for number, rows in enumerate(groups):
            self._group[self._slots[np.array(rows)]] = number
        self._groups = len(groups)
        return []

    def observe(self, batch: Batch) -> list[Signal]:
        slots = self._slots[batch.row] if len(self._rows) else np.full(batch.size, -1)
        mine = batch.where(slots >= 0)
        state = self._state
        for at in mine.rounds():
            closed = days.turn(state, self._slots[mine.row[at]], mine.t_us[at], mine.value[at])
            ended = closed.day_over
            if len(ended) == 0:
                continue
            slot, day = closed.slot[ended], closed.hour[ended] // 24
            state["medians"][slot, day % _KEEP], state["at_day"][slot, day % _KEEP] = closed.median, day
        return []

    def ready(self, row: int) -> bool:
        slot = int(self._slots[row]) if row < len(self._slots) else -1
        return slot >= 0 and self._group[slot] >= 0 and bool(self._state["n"][slot] >= READY_DAYS)

    def tick(self, moment: Moment) -> list[Signal]:
        """Each day that has ended everywhere, in order."""
        if self._groups == 0:
            return []
        gateways = self._registry["gateway"][self._rows]
        today = (moment.wall_us[gateways] - _LATE_US + days.LOCAL_US) // days.DAY_US
        waiting = self._state["at_day"]
        fresh = (waiting > self._state["done"][:, None]) & (waiting < today[:, None])
        return [found for day in np.unique(waiting[fresh]).tolist() for found in self._judge(day, today)]

    def _judge(self, day: int, today: Ints) -> list[Signal]:
        state = self._state
        value = state["medians"][:, day % _KEEP].astype(np.float64)
        due = (state["at_day"][:, day % _KEEP] == day) & (state["done"] < day) & (day < today)
        use = due & np.isfinite(value) & (self._group >= 0)
        state["done"][due] = day
        found: list[Signal] = []
        for number in np.unique(self._group[use]).tolist():
            slots = np.flatnonzero(use & (self._group == number))
            if len(slots) >= FEWEST:
                found += self._compare(slots, value[slots], day)
        return found

    def _compare(self, slots: Ints, value: Floats, day: int) -> list[Signal]:
        """One group on one day."""
        state, end_us = self._state, (day + 1) * days.DAY_US - days.LOCAL_US
        self._accept(slots, end_us)
        middle = float(np.median(value))
        n, usual = state["n"][slots], state["usual"][slots]
        off = value - middle
        known = n >= READY_DAYS
        shift = float(np.median((off - usual)[known])) if known.any() else 0.0  # one that leaves moves the median, too
        moved = off - usual - np.where(known, shift, 0.0)
        peers = _MAD * float(np.median(np.abs(moved[known]))) if known.any() else 0.0
        size = np.maximum(np.maximum(peers, state["spread"][slots]), _FLOOR * max(abs(middle), 1e-6))
        far = np.abs(moved) / size
        was = state["open"][slots]
        run = np.where(known & (far > FAR), state["run"][slots] + 1, 0)
        begins, ends = ~was & (run >= RUN), was & (far < BACK)
        learn = np.where(known, np.where(was | (far > BACK), 0.0, _FOLLOW), 1 / (n + 1))
        pull = np.where(known, np.clip(moved, -2 * size, 2 * size), moved)
        state["usual"][slots] = usual + learn * pull
        state["spread"][slots] += learn * (_MAD * np.abs(pull) - state["spread"][slots]) * (n > 0)
        state["n"][slots], state["run"][slots], state["open"][slots] = n + 1, run, (was | begins) & ~ends
        return [
            self._signal(slots, i, value, middle, usual + shift, size, far, end_us, bool(begins[i]))
            for i in np.flatnonzero(begins | ends).tolist()
        ]

    def _accept(self, slots: Ints, end_us: int) -> None:
        """What people call normal is the new usual difference: it is learnt anew."""
        if not self._registry.normals:
            return
        said = self._registry["normal_us"][self._rows[slots]]
        fresh: Bools = (said > self._state["normal_us"][slots]) & (end_us > said)
        mine = slots[fresh]
        self._state["normal_us"][mine] = said[fresh]
        for name in ("n", "run", "open", "spread"):
            self._state[name][mine] = 0

    def _signal(
        self,
        slots: Ints,
        i: int,
        value: Floats,
        middle: float,
        usual: Floats,
        size: Floats,
        far: Floats,
        t_us: int,
        active: bool,
    ) -> Signal:
        row = int(self._rows[slots[i]])
        expected = middle + float(usual[i])
        evidence: dict[str, Any] = {
            "actual": float(value[i]),
            "expected": {
                "value": expected,
                "low": expected - FAR * float(size[i]),
                "high": expected + FAR * float(size[i]),
            },
            "driver": self._registry.metrics[row],
            "peers": {"count": len(slots) - 1, "median": middle, "low": float(value.min()), "high": float(value.max())},
            "samples": int(self._state["run"][slots[i]]),
            "ratio": round(float(far[i]), 2),
            "rule": "peers",
            "basis": f"median of the day against {len(slots) - 1} alike",
            "mark": "C",
        }
        return signal(
            self,
            self._registry,
            row,
            t_us,
            condition="fleet_outlier",
            tier="notice",
            active=active,
            source="peers",
            text="fleet",
            evidence=evidence,
            score=round(float(far[i]), 2),
        )
