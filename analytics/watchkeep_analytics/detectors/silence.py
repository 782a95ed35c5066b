"""Points from which nothing comes. One gateway offline is one warning, not one for each of its sensors."""

from typing import ClassVar

import numpy as np

from watchkeep_analytics.batch import NEVER, SECOND, Batch, Bools, Floats, Ints
from watchkeep_analytics.detectors._make import signal
from watchkeep_analytics.detectors.kept import Kept
from watchkeep_analytics.registry import Gateway, Registry
from watchkeep_analytics.signals import Moment, Signal, Tier
from watchkeep_analytics.table import Spec, Table
from watchkeep_core import vocabulary

PERIODS = 3.0
"""Expected intervals without a reading; two are still normal (vocabulary: sensor_silent_periods)."""

SHORTEST_S = 60.0
"""Whatever the period: a gateway may send in blocks."""

NEVER_AFTER_S = 86_400.0
"""A point of the register that nobody has heard of for so long has never reported."""

_LEARN = 1 / 50  # EWMA of the interval where nobody has told it
_LEARNT_AFTER = 20  # intervals
_TIERS: tuple[Tier, ...] = ("notice", "warning", "alarm")


class Silence(Kept):
    """Judged at each tick against the present of the point's community, never by the batches themselves."""

    name: ClassVar[str] = "silence"
    version: ClassVar[str] = "2"

    def __init__(self, registry: Registry, periods: float = PERIODS, shortest_s: float = SHORTEST_S) -> None:
        self._registry = registry
        self._periods, self._shortest_s = periods, shortest_s
        self._state = Table(
            t_us=Spec(np.int64, NEVER),
            gap_s=Spec(np.float64),
            gaps=Spec(np.int32),
            silent=Spec(np.bool_),
            known_us=Spec(np.int64, NEVER),
            never=Spec(np.bool_),
        )
        self._gateways = Table(floor_us=Spec(np.int64, NEVER), away=Spec(np.bool_), level=Spec(np.int8))
        figures = vocabulary.load().parameters
        notice, offline = figures["gateway_silent_notice"], figures["gateway_offline_delay"]
        self._after_us = (round(notice.value * SECOND), round(offline.value * SECOND))
        self._basis = (f"{notice.basis} / {offline.basis}", f"{notice.mark} {offline.mark}")
        self.configure()

    def configure(self) -> list[Signal]:
        self._state.grow(self._registry.size)
        self._gateways.grow(len(self._registry.gateways))
        return []

    def observe(self, batch: Batch) -> list[Signal]:
        state = self._state
        learn = batch.where(np.isnan(self._registry["period_s"][batch.row]))
        for at in learn.rounds():
            rows, t_us = learn.row[at], learn.t_us[at]
            known = state["t_us"][rows] > NEVER
            gap = np.where(known, (t_us - state["t_us"][rows]) / SECOND, 0.0)
            rate = np.maximum(_LEARN, 1 / (state["gaps"][rows] + 1))
            state["gap_s"][rows] += np.where(known, (gap - state["gap_s"][rows]) * rate, 0.0)
            state["gaps"][rows] += known
            state["t_us"][rows] = t_us
        np.maximum.at(state["t_us"], batch.row, batch.t_us)
        return []

    def tick(self, moment: Moment) -> list[Signal]:
        fresh = self._gateways["floor_us"] == NEVER
        self._gateways["floor_us"][fresh] = moment.wall_us[fresh]
        limit_s = self._limits()
        away, found = self._judge_gateways(moment, limit_s)
        return found + self._judge_points(moment, limit_s, away) + self._judge_unheard(moment, away)

    def blind(self, moment: Moment) -> None:
        """We could not see until now (start, broker or database away): count silence from here on."""
        self.configure()
        self._gateways["floor_us"][:] = moment.wall_us

    def ready(self, row: int) -> bool:
        return bool(self._state["t_us"][row] > NEVER and np.isfinite(self._limits()[row]))

    def _limits(self) -> Floats:
        """Longest allowed silence of each point in seconds; inf where silence says nothing or nothing is learnt yet."""
        period = self._registry["period_s"].copy()
        learnt = np.isnan(period)
        known = self._state["gaps"] >= _LEARNT_AFTER
        period[learnt] = np.where(known, self._state["gap_s"], 0.0)[learnt]
        return np.where(period > 0, np.maximum(self._periods * period, self._shortest_s), np.inf)

    def _judge_gateways(self, moment: Moment, limit_s: Floats) -> tuple[Bools, list[Signal]]:
        count = len(self._registry.gateways)
        state, of = self._gateways, self._registry["gateway"]
        last, patience_s = np.full(count, NEVER), np.full(count, np.inf)
        np.maximum.at(last, of, self._state["t_us"])
        np.minimum.at(patience_s, of, limit_s)
        floor = state["floor_us"]
        seen = np.maximum(np.maximum(last, moment.heard_us), floor)
        quiet_us = moment.wall_us - seen
        data_us = moment.wall_us - np.maximum(last, floor)
        shortest_us = self._shortest_s * SECOND
        gone = (moment.online == 0) & (data_us > shortest_us)
        named = np.array([bool(gateway.id) for gateway in self._registry.gateways], np.bool_)
        away = named & (gone | (quiet_us > np.minimum(patience_s, 1e12) * SECOND))
        since = np.where(gone, np.maximum(np.maximum(moment.offline_us, floor), last), seen)
        lasting = np.where(away, moment.wall_us - since, 0)
        level = (lasting >= self._after_us[0]).astype(np.int8) + (lasting >= self._after_us[1])
        back = state["away"] & ~away
        floor[back] = moment.wall_us[back]  # its sensors get their full time again
        was, state["away"][:], state["level"][:] = state["level"].copy(), away, level
        found = [
            self._gateway_signal(
                self._registry.gateways[g], k, bool(level[g] >= k), int(moment.wall_us[g]), int(since[g])
            )
            for g in np.flatnonzero(level != was).tolist()
            for k in (1, 2)
            if (level[g] >= k) != (was[g] >= k)
        ]
        return away, found

    def _judge_points(self, moment: Moment, limit_s: Floats, away: Bools) -> list[Signal]:
        state, of = self._state, self._registry["gateway"]
        now = moment.wall_us[of]
        allowed_us = np.minimum(limit_s, 1e12) * SECOND
        watched = (state["t_us"] > NEVER) & np.isfinite(limit_s)
        overdue = watched & (now - np.maximum(state["t_us"], self._gateways["floor_us"][of]) > allowed_us)
        begins = overdue & ~away[of] & ~state["silent"]
        ends = state["silent"] & (now - state["t_us"] <= allowed_us)
        state["silent"][:] = (state["silent"] | begins) & ~ends
        return [
            self._signal(row, int(now[row]), float(limit_s[row]), bool(begins[row])) for row in _rows(begins | ends)
        ]

    def _judge_unheard(self, moment: Moment, away: Bools) -> list[Signal]:
        """Points that are in the register and have never been heard; recorded communities hold what they hold."""
        state, of = self._state, self._registry["gateway"]
        now = moment.wall_us[of]
        unheard = state["t_us"] == NEVER
        fresh = unheard & (state["known_us"] == NEVER)
        state["known_us"][fresh] = now[fresh]
        begins = unheard & ~state["never"] & (now - state["known_us"] > NEVER_AFTER_S * SECOND)
        begins &= ~away[of] & (self._registry["period_s"] != 0)
        ends = state["never"] & ~unheard
        if not (begins | ends).any():
            return []
        live = np.array([not gateway.replay for gateway in self._registry.gateways], np.bool_)[of]
        begins &= live
        state["never"][:] = (state["never"] | begins) & ~ends
        return [self._never_signal(row, int(now[row]), bool(begins[row])) for row in _rows(begins | ends)]

    def _never_signal(self, row: int, now_us: int, active: bool) -> Signal:
        known_us = int(self._state["known_us"][row])
        return signal(
            self,
            self._registry,
            row,
            known_us + round(NEVER_AFTER_S * SECOND) if active else now_us,
            condition="sensor_never_reported",
            tier="warning",
            active=active,
            source="never",
            text="never",
            evidence={
                "actual": (now_us - known_us) / SECOND,
                "expected": {"high": NEVER_AFTER_S},
                "driver": self._registry.metrics[row],
                "since_us": known_us,
                "basis": f"in the register for {NEVER_AFTER_S / 3600:g} h and never heard",
                "mark": "CP",
                "rule": "never",
            },
        )

    def _signal(self, row: int, now_us: int, allowed_s: float, active: bool) -> Signal:
        last_us = int(self._state["t_us"][row])
        return signal(
            self,
            self._registry,
            row,
            last_us + round(allowed_s * SECOND) if active else last_us,
            condition="sensor_silent",
            tier="warning",
            active=active,
            source="period",
            text="silence",
            evidence={
                "actual": (now_us - last_us) / SECOND,
                "expected": {"high": allowed_s},
                "driver": self._registry.metrics[row],
                "since_us": last_us,
                "basis": f"{self._periods:g} × expected interval, at least {self._shortest_s:g} s",
                "mark": "CP",
                "rule": "silence",
            },
        )

    def _gateway_signal(self, gateway: Gateway, level: int, active: bool, now_us: int, since_us: int) -> Signal:
        limit_us = self._after_us[level - 1]
        return Signal(
            community=gateway.community,
            equipment=gateway.equipment,
            condition="gateway_offline",
            tier=_TIERS[level],
            active=active,
            detector=self.name,
            version=self.version,
            event_us=since_us + limit_us if active else now_us,
            source=f"gateway:{_TIERS[level]}",
            text="gateway_offline",
            evidence={
                "gateway": gateway.id,
                "actual": (now_us - since_us) / SECOND,
                "expected": {"high": limit_us / SECOND},
                "driver": "gateway",
                "since_us": since_us,
                "basis": self._basis[0],
                "mark": self._basis[1],
                "rule": "all points silent, or the gateway's own state",
            },
        )


def _rows(mask: Bools) -> list[int]:
    rows: Ints = np.flatnonzero(mask)
    return [int(row) for row in rows]
