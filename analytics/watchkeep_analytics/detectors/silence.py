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
    """Judged at each tick by when readings came, never by the batches themselves.

    Arrival is counted on a clock that nobody sets (Moment.steady_us), so that a step of ours or of a gateway's own
    neither makes nor hides a silence. The stamp of a reading only says when, between two looks, it came.
    """

    name: ClassVar[str] = "silence"
    version: ClassVar[str] = "3"

    def __init__(self, registry: Registry, periods: float = PERIODS, shortest_s: float = SHORTEST_S) -> None:
        self._registry = registry
        self._periods, self._shortest_s = periods, shortest_s
        self._state = Table(
            t_us=Spec(np.int64, NEVER),
            gap_s=Spec(np.float64),
            gaps=Spec(np.int32),
            silent=Spec(np.bool_),
            waited_us=Spec(np.int64),
            never=Spec(np.bool_),
        )
        self._arrived = Table(stamp_us=Spec(np.int64, NEVER), seen_us=Spec(np.int64, NEVER))
        """Latest stamp since the last look, and when the series was last heard: of this process, so not saved."""
        self._gateways = Table(
            look_us=Spec(np.int64, NEVER),
            floor_us=Spec(np.int64, NEVER),
            heard_us=Spec(np.int64, NEVER),
            seen_us=Spec(np.int64, NEVER),
            gone_us=Spec(np.int64, NEVER),
            away=Spec(np.bool_),
            level=Spec(np.int8),
        )
        figures = vocabulary.load().parameters
        notice, offline = figures["gateway_silent_notice"], figures["gateway_offline_delay"]
        self._after_us = (round(notice.value * SECOND), round(offline.value * SECOND))
        self._basis = (f"{notice.basis} / {offline.basis}", f"{notice.mark} {offline.mark}")
        self.configure()

    def configure(self) -> list[Signal]:
        self._state.grow(self._registry.size)
        self._arrived.grow(self._registry.size)
        self._gateways.grow(len(self._registry.gateways))
        return []

    def hear(self, rows: Ints, t_us: Ints | int) -> None:
        """Something came of these series, with that stamp."""
        self._arrived["stamp_us"][rows] = t_us

    def observe(self, batch: Batch) -> list[Signal]:
        """Late rows, too: they are a sign of life like any other, but teach no interval."""
        state = self._state
        self.hear(batch.row, batch.t_us)
        learn = batch.where(np.isnan(self._registry["period_s"][batch.row]))
        for at in learn.rounds():
            rows, t_us = learn.row[at], learn.t_us[at]
            known = (state["t_us"][rows] > NEVER) & (t_us > state["t_us"][rows])
            gap = np.where(known, (t_us - state["t_us"][rows]) / SECOND, 0.0)
            rate = np.maximum(_LEARN, 1 / (state["gaps"][rows] + 1))
            state["gap_s"][rows] += np.where(known, (gap - state["gap_s"][rows]) * rate, 0.0)
            state["gaps"][rows] += known
            state["t_us"][rows] = np.maximum(state["t_us"][rows], t_us)
        state["t_us"][batch.row] = np.maximum(state["t_us"][batch.row], batch.t_us)
        return []

    def tick(self, moment: Moment) -> list[Signal]:
        passed_us = self._listen(moment)
        limit_s = self._limits()
        away, found = self._judge_gateways(moment, limit_s)
        return found + self._judge_points(moment, limit_s, away) + self._judge_unheard(moment, away, passed_us)

    def blind(self, moment: Moment) -> None:
        """We could not see until now (start, broker or database away): count silence from here on."""
        self.configure()
        self._gateways["floor_us"][:] = self._gateways["look_us"][:] = moment.steady_us

    def ready(self, row: int) -> bool:
        return bool(self._state["t_us"][row] > NEVER and np.isfinite(self._limits()[row]))

    def _listen(self, moment: Moment) -> Ints:
        """Note what has come since the last look; µs since then for each gateway, 0 at the first."""
        gateways, arrived, steady = self._gateways, self._arrived, moment.steady_us
        first = gateways["look_us"] == NEVER
        passed = np.where(first, -NEVER, steady - gateways["look_us"])
        heard = np.flatnonzero(arrived["stamp_us"] > NEVER)
        of = self._registry["gateway"][heard]
        ago = np.clip(moment.wall_us[of] - arrived["stamp_us"][heard], 0, passed[of])
        arrived["seen_us"][heard] = np.maximum(arrived["seen_us"][heard], steady[of] - ago)
        arrived["stamp_us"][heard] = NEVER

        news = (moment.heard_us != gateways["heard_us"]) & (moment.heard_us > NEVER)
        ago = np.clip(moment.wall_us - moment.heard_us, 0, passed)
        gateways["seen_us"][:] = np.where(news, np.maximum(gateways["seen_us"], steady - ago), gateways["seen_us"])
        gateways["heard_us"][:] = np.where(news, moment.heard_us, gateways["heard_us"])
        left = (moment.online == 0) & (gateways["gone_us"] == NEVER)
        ago = np.clip(moment.wall_us - moment.offline_us, 0, passed)
        gone = np.where(left, steady - ago, gateways["gone_us"])
        gateways["gone_us"][:] = np.where(moment.online == 0, gone, NEVER)
        gateways["look_us"][:] = steady
        gateways["floor_us"][first] = steady[first]
        return np.where(first, 0, passed)

    def _limits(self) -> Floats:
        """Longest allowed silence of each point in seconds; inf where silence says nothing or nothing is learnt yet."""
        period = self._registry["period_s"].copy()
        learnt = np.isnan(period)
        known = self._state["gaps"] >= _LEARNT_AFTER
        period[learnt] = np.where(known, self._state["gap_s"], 0.0)[learnt]
        return np.where(period > 0, np.maximum(self._periods * period, self._shortest_s), np.inf)

    def _judge_gateways(self, moment: Moment, limit_s: Floats) -> tuple[Bools, list[Signal]]:
        count = len(self._registry.gateways)
        state, of, steady = self._gateways, self._registry["gateway"], moment.steady_us
        last, patience_s = np.full(count, NEVER), np.full(count, np.inf)
        np.maximum.at(last, of, self._arrived["seen_us"])
        np.minimum.at(patience_s, of, limit_s)
        floor = state["floor_us"]
        heard = np.maximum(last, floor)
        seen = np.maximum(heard, state["seen_us"])
        gone = (moment.online == 0) & (steady - heard > self._shortest_s * SECOND)
        named = np.array([bool(gateway.id) for gateway in self._registry.gateways], np.bool_)
        away = named & (gone | (steady - seen > np.minimum(patience_s, 1e12) * SECOND))
        lasting = np.where(away, steady - np.where(gone, np.maximum(state["gone_us"], heard), seen), 0)
        level = (lasting >= self._after_us[0]).astype(np.int8) + (lasting >= self._after_us[1])
        back = state["away"] & ~away
        floor[back] = steady[back]  # its sensors get their full time again
        was, state["away"][:], state["level"][:] = state["level"].copy(), away, level
        found = [
            self._gateway_signal(
                self._registry.gateways[g], k, bool(level[g] >= k), int(moment.wall_us[g]), int(lasting[g])
            )
            for g in np.flatnonzero(level != was).tolist()
            for k in (1, 2)
            if (level[g] >= k) != (was[g] >= k)
        ]
        return away, found

    def _judge_points(self, moment: Moment, limit_s: Floats, away: Bools) -> list[Signal]:
        state, of, seen = self._state, self._registry["gateway"], self._arrived["seen_us"]
        steady, floor = moment.steady_us[of], self._gateways["floor_us"][of]
        allowed_us = np.minimum(limit_s, 1e12) * SECOND
        quiet_us = steady - np.maximum(seen, floor)
        watched = (state["t_us"] > NEVER) & np.isfinite(limit_s)
        begins = watched & (quiet_us > allowed_us) & ~away[of] & ~state["silent"]
        ends = state["silent"] & (steady - seen <= allowed_us)
        state["silent"][:] = (state["silent"] | begins) & ~ends
        wall = moment.wall_us[of]
        return [
            self._signal(row, int(wall[row]), int(quiet_us[row]), float(limit_s[row]), bool(begins[row]))
            for row in _rows(begins | ends)
        ]

    def _judge_unheard(self, moment: Moment, away: Bools, passed_us: Ints) -> list[Signal]:
        """Points that are in the register and have never been heard; recorded communities hold what they hold."""
        state, of = self._state, self._registry["gateway"]
        unheard = (state["t_us"] == NEVER) & (self._arrived["seen_us"] == NEVER)
        state["waited_us"][:] += np.where(unheard, passed_us[of], 0)
        begins = unheard & ~state["never"] & (state["waited_us"] > NEVER_AFTER_S * SECOND)
        begins &= ~away[of] & (self._registry["period_s"] != 0)
        ends = state["never"] & ~unheard
        if not (begins | ends).any():
            return []
        live = np.array([not gateway.replay for gateway in self._registry.gateways], np.bool_)[of]
        begins &= live
        state["never"][:] = (state["never"] | begins) & ~ends
        wall = moment.wall_us[of]
        return [self._never_signal(row, int(wall[row]), bool(begins[row])) for row in _rows(begins | ends)]

    def _never_signal(self, row: int, now_us: int, active: bool) -> Signal:
        known_us = now_us - int(self._state["waited_us"][row])
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

    def _signal(self, row: int, now_us: int, quiet_us: int, allowed_s: float, active: bool) -> Signal:
        last_us = now_us - quiet_us
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
                "actual": quiet_us / SECOND,
                "expected": {"high": allowed_s},
                "driver": self._registry.metrics[row],
                "since_us": min(last_us, int(self._state["t_us"][row])),
                "basis": f"{self._periods:g} × expected interval, at least {self._shortest_s:g} s",
                "mark": "CP",
                "rule": "silence",
            },
        )

    def _gateway_signal(self, gateway: Gateway, level: int, active: bool, now_us: int, lasting_us: int) -> Signal:
        limit_us, since_us = self._after_us[level - 1], now_us - lasting_us
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
                "actual": lasting_us / SECOND,
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
