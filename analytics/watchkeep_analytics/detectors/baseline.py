"""Learned baseline: a number that leaves its own usual behaviour for long, or far."""

import math
from typing import Any, ClassVar

import numpy as np

from watchkeep_analytics.batch import NEVER, SECOND, Batch, Bools, Floats, Ints
from watchkeep_analytics.detectors import bank, gate
from watchkeep_analytics.detectors._make import signal
from watchkeep_analytics.detectors.bank_memory import PARTS
from watchkeep_analytics.detectors.kept import Kept
from watchkeep_analytics.registry import NUMBER, Registry
from watchkeep_analytics.signals import Signal, Tier
from watchkeep_analytics.table import Spec, Table
from watchkeep_core import vocabulary
from watchkeep_core.vocabulary_rows import ANY

READY_SAMPLES = 1440
"""Samples before the first verdict: 576 to settle, the rest to know what happens once in 500."""

READY_S = 7 * 86_400
"""And a week: with two days, most false warnings on clean synthetic sensors came in the second and third week."""

READY_MOVES = 288
"""And so many changes of value: a figure made once a day has shown too little after a week to know what is rare."""

_CALM = 36  # samples without anything unusual that end it (3 h at 5 min); 12 made three warnings out of one failure
_THAW = 576  # samples after which an open warning no longer stops learning: it may be the new normal
_RULES = (
    ("sustained", 1.4, 24, (0, 1, 2)),
    ("strong", 1.75, 6, (0, 1, 2, 3)),
    ("restless", 2.0, 6, (4,)),
    ("extreme", 3.5, 2, (0, 1, 2, 3)),
)
"""Times the own 99.8 % level, for so many samples in a row, by these parts: docs/detection.md has what they cost."""

_ROLLING = "per_h"
"""Unit of counts of the last hour, which are left to their limits: one start stands in a dozen readings in a row, and
what lasts long is what warnings are made of. Rain made four of them in one night."""

GENERAL = "abnormal_reading"

_CONDITIONS = {
    **dict.fromkeys(("car_vibration_horizontal", "car_vibration_vertical"), "vibration_abnormal"),
    **dict.fromkeys(("brake_release_time", "brake_engage_time"), "brake_timing_abnormal"),
    **dict.fromkeys(("door_open_time", "door_close_time"), "door_timing_abnormal"),
    **dict.fromkeys(("pump_current_percent", "pump_vibration", "bearing_temperature"), "pump_abnormal"),
    **dict.fromkeys(("household_pressure", "outlet_pressure", "inlet_pressure"), "pressure_abnormal"),
    "inlet_flow": "flow_abnormal",
    "machine_temperature": "machine_temperature_abnormal",
    "motor_current_percent": "motor_current_abnormal",
}
"""Metric → what a reading off its own course is called there."""


class Baseline(Kept):
    """One bank of EWMAs, profiles and histograms per number series; states and counters are left alone."""

    name: ClassVar[str] = "baseline"
    version: ClassVar[str] = "4"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._state = Table(
            **bank.SPECS,
            **gate.SPECS,
            runs=Spec(np.int16, 0, len(_RULES) * len(PARTS)),
            calm=Spec(np.int16),
            frozen=Spec(np.int16),
            open=Spec(np.bool_),
            busy=Spec(np.bool_),
            held=Spec(np.int16),
            normal_us=Spec(np.int64, NEVER),
        )
        self._watched = np.zeros(0, np.bool_)
        self.configure()

    def configure(self) -> list[Signal]:
        self._state.grow(self._registry.size)
        rolling = np.array([unit == _ROLLING for unit in self._registry.units], np.bool_)
        self._watched = (self._registry["kind"] == NUMBER) & ~rolling
        return []

    def observe(self, batch: Batch) -> list[Signal]:
        batch = batch.where(self._watched[batch.row])
        return [found for at in batch.rounds() for found in self._round(batch, at)]

    def ready(self, row: int) -> bool:
        rows = np.array([row])
        return bool(self._ready(rows, self._state["row"][rows, bank.LAST])[0])

    def _ready(self, rows: Ints, t_us: Ints | Floats) -> Bools:
        n, first_us, moves = bank.history(self._state, rows)
        known = (n >= READY_SAMPLES) & (moves >= READY_MOVES)
        return np.asarray(known & (t_us - first_us >= READY_S * SECOND), np.bool_)

    def _round(self, batch: Batch, at: Ints) -> list[Signal]:
        state, rows, t_us = self._state, batch.row[at], batch.t_us[at]
        self._accept(rows, t_us)
        busy = state["busy"][rows]
        frozen = (state["frozen"][rows] > 0) if busy.any() else busy
        scores = bank.step(state, rows, t_us, batch.value[at], frozen | self._held(rows, t_us))
        if not isinstance(bar := self._registry.bar(self.name, rows), float):
            scores = scores._replace(ratio=scores.ratio / bar)
        look = np.flatnonzero(busy | (scores.ratio.max(axis=0) >= 1) | (scores.score > gate.NOTICE))
        return self._judge(batch, at, scores, look) if len(look) else []

    def _held(self, rows: Ints, t_us: Ints) -> Bools:
        """Those with a warning of any detector: nothing is learnt from them, until it has stood too long."""
        registry, state = self._registry, self._state
        if not registry.holds:
            return np.zeros(len(rows), np.bool_)
        held = (t_us >= registry["held_from_us"][rows]) & (t_us < registry["held_until_us"][rows])
        if held.any() or state["held"][rows].any():
            state["held"][rows] = np.where(held, np.minimum(state["held"][rows] + 1, _THAW), 0)
            held &= state["held"][rows] < _THAW
        return np.asarray(held, np.bool_)

    def _accept(self, rows: Ints, t_us: Ints) -> None:
        """The present level of series that people call normal becomes the usual one."""
        if not self._registry.normals:
            return
        said = self._registry["normal_us"][rows]
        fresh = (said > self._state["normal_us"][rows]) & (t_us > said)
        if fresh.any():
            mine = rows[fresh]
            bank.accept(self._state, mine)
            self._state["normal_us"][mine] = said[fresh]
            self._state["frozen"][mine] = self._state["held"][mine] = 0

    def _judge(self, batch: Batch, at: Ints, scores: bank.Scores, look: Ints) -> list[Signal]:
        """Those series of a round that show something unusual, or did lately."""
        state, rows, ratio = self._state, batch.row[at[look]], scores.ratio[:, look].T
        ready = self._ready(rows, batch.t_us[at[look]])
        runs = state["runs"][rows].reshape(-1, len(_RULES), len(PARTS))
        hit = np.zeros(len(rows), np.bool_)
        for k, (_, level, length, parts) in enumerate(_RULES):
            runs[:, k] = np.where(ratio >= level, np.minimum(runs[:, k] + 1, 10_000), 0)
            hit |= (runs[:, k, parts] >= length).any(axis=1)
        was = state["open"][rows]
        calm = np.where((ratio >= 1).any(axis=1) | ~was, 0, state["calm"][rows] + 1)
        begins, ends = ~was & hit & ready, was & (calm >= _CALM)
        frozen = np.where(begins, _THAW, np.where(ends, 0, np.maximum(state["frozen"][rows] - 1, 0)))
        state["runs"][rows] = runs.reshape(len(rows), -1)
        state["calm"][rows], state["frozen"][rows] = calm, frozen
        state["open"][rows] = (was | begins) & ~ends
        state["busy"][rows] = runs.any(axis=(1, 2)) | (frozen > 0) | ((was | begins) & ~ends)
        above = gate.above(state, rows, state["row"][rows, bank.N], scores.score[look])
        notable = ready & ~was & ~begins & (above > gate.NOTICE)
        return [
            self._signal(batch, int(at[look[i]]), scores, int(look[i]), runs[i], bool(begins[i]), bool(ends[i]))
            for i in np.flatnonzero(begins | ends | notable)
        ]

    def _signal(
        self, batch: Batch, at: int, scores: bank.Scores, i: int, runs: Ints, begins: bool, ends: bool
    ) -> Signal:
        row, t_us, value = int(batch.row[at]), int(batch.t_us[at]), float(batch.value[at])
        tier: Tier = "warning" if begins or ends else "notice"
        return signal(
            self,
            self._registry,
            row,
            t_us,
            condition=self._condition(row),
            tier=tier,
            active=not ends,
            source="band" if begins or ends else "rank",
            text="baseline",
            evidence=self._explain(value, scores, i, runs, np.array([row])),
            score=round(float(scores.score[i]), 2),
        )

    def _condition(self, row: int) -> str:
        """The condition that the duty list knows for such a reading of such equipment, else the general one."""
        condition = _CONDITIONS.get(self._registry.metrics[row], GENERAL)
        known = vocabulary.load().conditions[condition].kinds
        return condition if {ANY, self._registry.equipment_at(row).kind} & set(known) else GENERAL

    def _explain(self, value: float, scores: bank.Scores, i: int, runs: Ints, rows: Ints) -> dict[str, Any]:
        strength: list[float] = scores.ratio[:, i].tolist()
        driver, total = strength.index(max(strength)), max(sum(strength), 1e-12)
        expected, band, beyond = float(scores.expected[i]), float(scores.band[i]), float(scores.beyond[i])
        long: list[list[int]] = runs.tolist()
        rules = [
            name for k, (name, _, length, parts) in enumerate(_RULES) if max(long[k][part] for part in parts) >= length
        ]
        bar = round(float(np.max(self._registry.bar(self.name, rows))), 2)
        return {
            "actual": value,
            "expected": {"value": expected, "low": expected - band, "high": expected + band},
            "driver": PARTS[driver],
            "contributions": [
                {"component": part, "ratio": round(ratio, 3), "share": round(ratio / total, 3)}
                for part, ratio in zip(PARTS, strength, strict=True)
            ],
            "rarity": round(math.exp(max(scores.rarity[:, i].tolist())), 1),
            **({"beyond_range": round(beyond, 4)} if beyond > 0 else {}),
            "samples": max(map(max, long)),
            "rule": ", ".join(rules) or "rank",
            **({"bar": bar} if bar > 1 else {}),
            "basis": "own history of this point (99.8 % level)",
            "mark": "C",
        }
