"""Learned baseline: a number that leaves its own usual behaviour for long, or far."""

import math
from typing import Any, ClassVar

import numpy as np

from watchkeep_analytics.batch import SECOND, Batch
from watchkeep_analytics.detectors import bank
from watchkeep_analytics.detectors._make import signal
from watchkeep_analytics.detectors.bank_calendar import day_kinds
from watchkeep_analytics.detectors.bank_memory import PARTS, RULES, SAID, SPECS, Ready, Told, World
from watchkeep_analytics.detectors.kept import Kept
from watchkeep_analytics.registry import NUMBER, Registry
from watchkeep_analytics.signals import Signal
from watchkeep_analytics.table import Table
from watchkeep_core import vocabulary
from watchkeep_core.vocabulary_rows import ANY

READY_SAMPLES = 1440
"""Samples before the first verdict: 576 to settle, the rest to know what happens once in 500."""

READY_S = 7 * 86_400
"""And a week: with two days, most false warnings on clean synthetic sensors came in the second and third week."""

READY_MOVES = 288
"""And so many changes of value: a figure made once a day has shown too little after a week to know what is rare."""

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
    version: ClassVar[str] = "5"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._state = Table(**SPECS)
        self._watched = np.zeros(0, np.bool_)
        self.configure()

    def configure(self) -> list[Signal]:
        self._state.grow(self._registry.size)
        rolling = np.array([unit == _ROLLING for unit in self._registry.units], np.bool_)
        self._watched = (self._registry["kind"] == NUMBER) & ~rolling
        return []

    def observe(self, batch: Batch) -> list[Signal]:
        batch = batch.where(self._watched[batch.row])
        if batch.size == 0:
            return []
        said = np.empty(batch.size, SAID)
        told = bank.watch(self._state["series"], *batch, day_kinds(batch.t_us), self._world(), _need(), said)
        return [self._signal(batch, Told(*one)) for one in said[:told].tolist()]

    def ready(self, row: int) -> bool:
        return bool(bank.ready(self._state["series"][row], _need()))

    def _world(self) -> World:
        registry, nothing = self._registry, np.zeros(0, np.int64)
        return World(
            registry.bars(self.name),
            registry["held_from_us"] if registry.holds else nothing,
            registry["held_until_us"] if registry.holds else nothing,
            registry["normal_us"] if registry.normals else nothing,
        )

    def _signal(self, batch: Batch, said: Told) -> Signal:
        row, t_us, value = int(batch.row[said.at]), int(batch.t_us[said.at]), float(batch.value[said.at])
        warns = said.begins or said.ends
        return signal(
            self,
            self._registry,
            row,
            t_us,
            condition=self._condition(row),
            tier="warning" if warns else "notice",
            active=not said.ends,
            source="band" if warns else "rank",
            text="baseline",
            evidence=self._explain(row, value, said),
            score=round(said.score, 2),
        )

    def _condition(self, row: int) -> str:
        """The condition that the duty list knows for such a reading of such equipment, else the general one."""
        condition = _CONDITIONS.get(self._registry.metrics[row], GENERAL)
        known = vocabulary.load().conditions[condition].kinds
        return condition if {ANY, self._registry.equipment_at(row).kind} & set(known) else GENERAL

    def _explain(self, row: int, value: float, said: Told) -> dict[str, Any]:
        strength: list[float] = said.ratio.tolist()
        driver, total = strength.index(max(strength)), max(sum(strength), 1e-12)
        expected, band, beyond = said.expected, said.band, said.beyond
        long = np.any(bank.TELLING & (said.runs >= bank.LENGTHS[:, None]), axis=1)
        rules = [name for name, hit in zip(RULES, long.tolist(), strict=True) if hit]
        bar = round(float(np.max(self._registry.bar(self.name, np.array([row])))), 2)
        return {
            "actual": value,
            "expected": {"value": expected, "low": expected - band, "high": expected + band},
            "driver": PARTS[driver],
            "contributions": [
                {"component": part, "ratio": round(ratio, 3), "share": round(ratio / total, 3)}
                for part, ratio in zip(PARTS, strength, strict=True)
            ],
            "rarity": round(math.exp(float(said.rarity.max())), 1),
            **({"beyond_range": round(beyond, 4)} if beyond > 0 else {}),
            "samples": int(said.runs.max()),
            "rule": ", ".join(rules) or "rank",
            **({"bar": bar} if bar > 1 else {}),
            "basis": "own history of this point (99.8 % level)",
            "mark": "C",
        }


def _need() -> Ready:
    return Ready(READY_SAMPLES, READY_MOVES, READY_S * SECOND)
