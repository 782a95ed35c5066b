"""One piece of equipment as a whole: does each channel fit what the others say (abnormal_pattern)?

Runs the trained model of the registry (models/ trains it). Means of five minutes; a row is judged when the next one
begins, against the regression on the others now and one step before. Residuals are re-centred and re-scaled slowly and
smoothed; one that stays beyond its bound opens a warning that names the three channels that contribute most.
"""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from watchkeep_analytics.batch import NEVER, SECOND, Batch, Floats, Ints
from watchkeep_analytics.detectors import equipment_model as judging
from watchkeep_analytics.detectors import equipment_rows as rowwise
from watchkeep_analytics.detectors._make import signal
from watchkeep_analytics.detectors.chosen import Chosen
from watchkeep_analytics.detectors.equipment_rows import SETTLE_ROWS, Heard, Judged, Models, State
from watchkeep_analytics.models.fitted import Active, rarity
from watchkeep_analytics.registry import Registry
from watchkeep_analytics.signals import Signal
from watchkeep_analytics.table import Spec
from watchkeep_core import vocabulary
from watchkeep_core.vocabulary_rows import ANY

TOP = 3

_CONDITIONS = {"supply_pump": "pump_abnormal", "fire_pump": "pump_abnormal", "jockey_pump": "pump_abnormal"}
"""Kinds for which the duty list knows a condition of its own."""

GENERAL = "abnormal_pattern"


class _Unit(NamedTuple):
    """One piece of equipment with a model in force."""

    number: int
    active: Active
    rows: Ints
    """[channels] of the registry."""
    slots: Ints
    """[channels]; what is of the equipment as a whole stands at the first."""


class EquipmentLevel(Chosen):
    """Every change of the model starts its residuals anew."""

    name: ClassVar[str] = "equipment"
    version: ClassVar[str] = "3"

    def __init__(self, registry: Registry) -> None:
        super().__init__(
            registry,
            sum=Spec(np.float64),
            count=Spec(np.int64),
            value=Spec(np.float64, np.nan),
            value_at=Spec(np.int64, NEVER),
            before=Spec(np.float64, np.nan),
            centre=Spec(np.float64),
            variance=Spec(np.float64, 1.0),
            smooth=Spec(np.float64),
            model=Spec(np.int64),
            bucket=Spec(np.int64, NEVER),
            judged=Spec(np.int64, NEVER),
            seen=Spec(np.int64),
            agreed=Spec(np.int64),
            run=Spec(np.int64),
            calm=Spec(np.int64),
            wait=Spec(np.int64),
            again=Spec(np.int64),
            stood=Spec(np.int64),
            driver=Spec(np.int64, -1),
            since_us=Spec(np.int64, NEVER),
            normal_us=Spec(np.int64, NEVER),
        )
        self._units: list[_Unit] = []
        self._unit_of = np.zeros(0, np.int64)
        """Slot → unit, -1 = in no model now."""
        self._lead = self._model = np.zeros(0, np.int64)
        """Of each unit: its first slot and version."""
        self._models = _joined([])
        self._judged = _room([])
        self.configure()

    def configure(self) -> list[Signal]:
        registry = self._registry
        has = {n: registry.equipment[n].points.keys() for n in registry.models}
        wanted = [(n, active) for n, active in registry.models.items() if set(active.fitted.channels) <= has[n]]
        rows = [np.array([registry.equipment[n].points[name] for name in a.fitted.channels]) for n, a in wanted]
        self._choose(np.concatenate([*rows, np.zeros(0, np.int64)]))
        before = {unit.number: unit for unit in self._units}
        self._units = [
            _Unit(n, active, mine, self._slots[mine]) for (n, active), mine in zip(wanted, rows, strict=True)
        ]
        self._unit_of = np.full(len(self._rows), -1)
        for u, unit in enumerate(self._units):
            self._unit_of[unit.slots] = u
        self._lead = np.array([unit.slots[0] for unit in self._units], np.int64)
        self._model = np.array([unit.active.version for unit in self._units], np.int64)
        self._models, self._judged = _joined(self._units), _room(self._units)
        now = {unit.number: unit.active.version for unit in self._units}
        gone = [u for u in before.values() if now.get(u.number) != u.active.version]
        return [found for unit in gone for found in self._retire(unit)]

    def observe(self, batch: Batch) -> list[Signal]:
        """Rows of one piece of equipment by time, whatever the channel."""
        if not self._units:
            return []
        slots = self._slots[batch.row]
        units = np.where(slots >= 0, self._unit_of[np.maximum(slots, 0)], -1)
        mine = np.flatnonzero(units >= 0)
        if len(mine) == 0:
            return []
        for u in np.flatnonzero(self._state["model"][self._lead] != self._model).tolist():
            self._start(self._units[u])
        mine = mine[np.lexsort((batch.t_us[mine], units[mine]))]
        units, value = units[mine], batch.value[mine]
        return self._walk(units, slots[mine], batch.t_us[mine] // self._models.step_us[units], value)

    def prepare(self) -> None:
        """Compile, by walking through no readings at all."""
        none = np.zeros(0, np.int64)
        self._walk(none, none, none, np.zeros(0))

    def _walk(self, units: Ints, slots: Ints, bucket: Ints, value: Floats) -> list[Signal]:
        models, heard = self._in_force(), self._heard()
        state = State(*(self._state[name] for name in ("sum", "count", *State._fields[2:])))
        found: list[Signal] = []
        at = 0
        while (at := rowwise.walk(at, units, slots, bucket, value, models, state, heard, self._judged)) < len(units):
            found.append(self._turned(self._units[int(units[at])]))
        return found

    def ready(self, row: int) -> bool:
        number = int(self._registry["equipment"][row])
        unit = next((unit for unit in self._units if unit.number == number), None)
        if unit is None or self._state["model"][unit.slots[0]] != unit.active.version:
            return False
        lead = unit.slots[0]
        return bool(min(self._state["seen"][lead], self._state["agreed"][lead]) >= SETTLE_ROWS)

    def _in_force(self) -> Models:
        """With the bars that people and budgets have raised."""
        bar = self._registry.bar(self.name, self._models.rows)
        return self._models if isinstance(bar, float) else self._models._replace(bound=self._models.bound * bar)

    def _heard(self) -> Heard:
        return Heard(*(self._registry[name] for name in ("held_from_us", "held_until_us", "normal_us")))

    def _turned(self, unit: _Unit) -> Signal:
        """The row just judged opened or ended a warning."""
        state, lead, channels = self._state, unit.slots[0], len(unit.slots)
        t_us = (int(state["judged"][lead]) + 1) * round(unit.active.fitted.step_s * SECOND)
        values = state["value"][unit.slots]
        row = Judged(*(column[:channels].copy() for column in self._judged))
        if state["driver"][lead] >= 0:
            return self._end(unit, t_us, values, row.expected)
        driver = int(row.excess.argmax())
        state["driver"][lead], state["since_us"][lead] = self._registry["series"][unit.rows[driver]], t_us
        return self._opening(unit, t_us, driver, values, row)

    def _opening(self, unit: _Unit, t_us: int, driver: int, values: Floats, row: Judged) -> Signal:
        fitted, registry = unit.active.fitted, self._registry
        expected, bands, excess = row.expected, row.half, row.excess
        sizes = judging.latent_sizes(fitted.model, values[None])
        t2, q = (float(size[0] / limit) for size, limit in zip(sizes, fitted.model.limit[1:], strict=True))
        share = excess / max(float(excess.sum()), 1e-12)
        top = np.argsort(-excess, kind="stable")[:TOP].tolist()
        contributions = [
            {
                "metric": fitted.channels[i],
                "actual": float(values[i]),
                "expected": _band(expected[i], bands[i]),
                "share": round(float(share[i]), 3),
                "ratio": round(float(excess[i]), 3),
            }
            for i in top
            if excess[i] > 0
        ]
        bar = round(float(np.max(registry.bar(self.name, unit.rows[[driver]]))), 2)
        return self._signal(
            unit,
            driver,
            t_us,
            active=True,
            evidence={
                "actual": float(values[driver]),
                "expected": _band(expected[driver], bands[driver]),
                "driver": fitted.channels[driver],
                "contributions": contributions,
                "rarity": round(rarity(fitted.tail, float(excess.max())), 1),
                "since_us": t_us,
                "samples": int(self._state["run"][unit.slots[0]]),
                "t2": round(t2, 3),
                "q": round(q, 3),
                "model": unit.active.version,
                "rule": "regression",
                **({"bar": bar} if bar > 1 else {}),
                "basis": f"the {len(fitted.channels) - 1} other points of this equipment, model {unit.active.version}",
                "mark": "C",
            },
        )

    def _end(self, unit: _Unit, t_us: int, values: Floats, expected: Floats) -> Signal:
        lead = unit.slots[0]
        driver = self._driver(unit)
        since = int(self._state["since_us"][lead])
        self._state["driver"][lead] = -1
        evidence = {
            "actual": float(values[driver]),
            "expected": {"value": float(expected[driver])},
            "driver": unit.active.fitted.channels[driver],
            "since_us": since,
            "rule": "regression",
        }
        return self._signal(unit, driver, t_us, active=False, evidence=evidence)

    def _retire(self, unit: _Unit) -> list[Signal]:
        """Another version is in force, or none: what this one said is over."""
        lead = unit.slots[0]
        if self._state["model"][lead] != unit.active.version or self._state["driver"][lead] < 0:
            return []
        t_us = int(self._registry["last_us"][unit.rows].max())
        values = self._state["value"][unit.slots]
        return [self._end(unit, t_us, values, unit.active.fitted.model.centre)]

    def _start(self, unit: _Unit) -> None:
        """That the equipment has once agreed with a model holds for the next version, too: a fault may begin now."""
        agreed = self._state["agreed"][unit.slots].max()
        self._state.reset(unit.slots)
        self._state["model"][unit.slots] = unit.active.version
        self._state["agreed"][unit.slots[0]] = agreed

    def _driver(self, unit: _Unit) -> int:
        series = self._registry["series"][unit.rows].tolist()
        driver = int(self._state["driver"][unit.slots[0]])
        return series.index(driver) if driver in series else 0

    def _signal(self, unit: _Unit, driver: int, t_us: int, *, active: bool, evidence: dict[str, Any]) -> Signal:
        return signal(
            self,
            self._registry,
            int(unit.rows[driver]),
            t_us,
            condition=self._condition(unit),
            tier="warning",
            active=active,
            source="model",
            text="equipment",
            evidence=evidence,
        )

    def _condition(self, unit: _Unit) -> str:
        """The condition that the duty list knows for such equipment, else the general one."""
        kind = self._registry.equipment[unit.number].kind
        condition = _CONDITIONS.get(kind, GENERAL)
        known = vocabulary.load().conditions[condition].kinds
        return condition if {ANY, kind} & set(known) else GENERAL


def _joined(units: Sequence[_Unit]) -> Models:
    """Their models, as the compiled walk takes them."""
    fitted = [unit.active.fitted for unit in units]
    models = [one.model for one in fitted]

    def join(parts: Iterable[Any], dtype: DTypeLike = np.float64) -> Any:
        return np.concatenate([*parts, np.zeros(0)]).astype(dtype)

    return Models(
        begins=np.cumsum([0, *(len(unit.slots) for unit in units)], dtype=np.int64),
        step_us=np.array([round(one.step_s * SECOND) for one in fitted], np.int64),
        matrix=np.cumsum([0, *(model.weights.size for model in models)], dtype=np.int64)[:-1],
        weights=join(model.weights.ravel() for model in models),
        slots=join((unit.slots for unit in units), np.int64),
        rows=join((unit.rows for unit in units), np.int64),
        centre=join(model.centre for model in models),
        scale=join(model.scale for model in models),
        spread=join(model.spread for model in models),
        bound=join(one.bound for one in fitted),
    )


def _room(units: Sequence[_Unit]) -> Judged:
    widest = max((len(unit.slots) for unit in units), default=0)
    return Judged(*(np.zeros(widest) for _ in Judged._fields))


def _band(value: float, half: float) -> dict[str, float]:
    return {"value": float(value), "low": float(value - half), "high": float(value + half)}
