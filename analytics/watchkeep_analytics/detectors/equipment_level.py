"""One piece of equipment as a whole: does each channel fit what the others say (abnormal_pattern)?

Runs the trained model of the registry (models/ trains it). Means of five minutes; a row is judged when the next one
begins, against the regression on the others now and one step before. Residuals are re-centred and re-scaled slowly and
smoothed; one that stays beyond its bound opens a warning that names the three channels that contribute most.
"""

from typing import Any, ClassVar, NamedTuple

import numpy as np

from watchkeep_analytics.batch import NEVER, SECOND, Batch, Bools, Floats, Ints
from watchkeep_analytics.detectors import equipment_model as judging
from watchkeep_analytics.detectors._make import signal
from watchkeep_analytics.detectors.chosen import Chosen
from watchkeep_analytics.models.fitted import Active, rarity
from watchkeep_analytics.registry import Registry
from watchkeep_analytics.signals import Signal
from watchkeep_analytics.table import Spec
from watchkeep_core import vocabulary
from watchkeep_core.vocabulary_rows import ANY

OPEN_AFTER_S = 900.0
"""Beyond the bound for so long, but at least one row, opens a warning."""

CALM, CALM_SHARE = 24, 0.7
"""Rows in a row within this share of it that end one: it must not come and go through one fault. Twice as many each
time that it has come again within a day of its end, up to a day: else what returns with each filling is a dozen."""

_DAY_S = 86_400

HOLD_ROWS = 12
"""Rows for which a channel's last value stands for it: many points report on change, or every half hour."""

SETTLE_ROWS = 24
"""Rows after a (re)start of a model until it may open anything; equipment must once have been within its bounds for so
many in a row: a model that never agreed with it knows another season, or another valve position, and no fault."""

_FOLLOW_S = 12.5 * 86_400
"""Over which residuals are re-centred: BATADAL's 300 rows of an hour (DETECTION.md §2), whatever the step."""

_CLIP = 3.0
_SMOOTH = 0.5
_THAW = 576
"""Rows after which a standing warning no longer keeps the model from following."""

TOP = 3

_CONDITIONS = {"supply_pump": "pump_abnormal", "fire_pump": "pump_abnormal", "jockey_pump": "pump_abnormal"}
"""Kinds for which the duty list knows a condition of its own."""

GENERAL = "abnormal_pattern"


class Course(NamedTuple):
    """How residuals have gone, in the model's sizes; each float64[channels]."""

    centre: Floats
    variance: Floats
    smooth: Floats


def begin(channels: int) -> Course:
    return Course(np.zeros(channels), np.ones(channels), np.zeros(channels))


def advance(course: Course, residual: Floats, *, learn: bool, step_s: float) -> Course:
    """One row on: smoothed as it was judged, then learnt from; one row moves centre and scale by little."""
    size = np.sqrt(course.variance)
    off = residual - course.centre
    smooth = course.smooth + _SMOOTH * (off / size - course.smooth)
    if not learn:
        return course._replace(smooth=smooth)
    follow, pull = step_s / _FOLLOW_S, np.clip(off, -_CLIP * size, _CLIP * size)
    variance = np.maximum(course.variance + follow * (pull * pull - course.variance), 0.25)
    return Course(course.centre + follow * pull, variance, smooth)


class Stand(NamedTuple):
    """Where one piece of equipment is on the way into a warning and out of it, in rows."""

    seen: int = 0
    """Judged by this version."""
    agreed: int = 0
    """Within the bounds in a row; stays at SETTLE_ROWS once it has been that."""
    run: int = 0
    calm: int = 0
    wait: int = 0
    """Within which a warning is the last one come again …"""
    again: int = 0
    """… and how often it has."""
    open: bool = False


def move(stand: Stand, excess: float, step_s: float) -> Stand:
    """One row on; `excess` is the largest residual over its bound."""
    over = excess > 1
    seen, run, calm = stand.seen + 1, stand.run + 1 if over else 0, stand.calm + 1 if excess <= CALM_SHARE else 0
    agreed = stand.agreed if stand.agreed >= SETTLE_ROWS else 0 if over else stand.agreed + 1
    opens = run >= max(1, round(OPEN_AFTER_S / step_s)) and min(seen, agreed) >= SETTLE_ROWS
    day, again = max(CALM, round(_DAY_S / step_s)), stand.again
    if opens and not stand.open:
        again = again + 1 if stand.wait else 0
    stays = stand.open and calm < min(CALM * 2**again, day)
    wait = day if stand.open and not stays else max(stand.wait - 1, 0)
    return Stand(seen, agreed, run, calm, wait, again, stays if stand.open else opens)


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
        self._lead = self._model = self._step_us = np.zeros(0, np.int64)
        """Of each unit: its first slot, version and step."""
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
        self._step_us = np.array([round(unit.active.fitted.step_s * SECOND) for unit in self._units], np.int64)
        now = {unit.number: unit.active.version for unit in self._units}
        gone = [u for u in before.values() if now.get(u.number) != u.active.version]
        return [found for unit in gone for found in self._retire(unit)]

    def observe(self, batch: Batch) -> list[Signal]:
        """Rows of one piece of equipment by time, whatever the channel."""
        slots = self._slots[batch.row] if self._units else np.full(batch.size, -1)
        units = np.where(slots >= 0, self._unit_of[np.maximum(slots, 0)], -1) if self._units else slots
        mine = np.flatnonzero(units >= 0)
        if len(mine) == 0:
            return []
        mine = mine[np.lexsort((batch.t_us[mine], units[mine]))]
        units, slots, value = units[mine], slots[mine], batch.value[mine]
        bucket = batch.t_us[mine] // self._step_us[units]
        fresh = np.r_[True, (units[1:] != units[:-1]) | (bucket[1:] != bucket[:-1])]
        part = np.cumsum(fresh) - 1
        begins = np.flatnonzero(fresh)
        rank = np.arange(len(begins)) - np.searchsorted(units[begins], units[begins])
        found: list[Signal] = []
        for k in range(int(rank.max()) + 1):
            for at in self._due(begins[rank == k], units, bucket):
                found += self._turn(self._units[int(units[at])], int(bucket[at]))
            now = rank[part] == k
            now[now] = (
                self._state["bucket"][self._lead[units[now]]] == bucket[now]
            )  # what comes for a row that is judged is left out
            np.add.at(self._state["sum"], slots[now], value[now])
            np.add.at(self._state["count"], slots[now], 1)
        return found

    def ready(self, row: int) -> bool:
        number = int(self._registry["equipment"][row])
        unit = next((unit for unit in self._units if unit.number == number), None)
        if unit is None or self._state["model"][unit.slots[0]] != unit.active.version:
            return False
        return min(self._stand(unit)[:2]) >= SETTLE_ROWS

    def _due(self, at: Ints, units: Ints, bucket: Ints) -> list[int]:
        """Of first rows of a step, those whose equipment has another step, or model, behind it."""
        lead = self._lead[units[at]]
        due = (self._state["bucket"][lead] < bucket[at]) | (self._state["model"][lead] != self._model[units[at]])
        found: list[int] = at[due].tolist()
        return found

    def _turn(self, unit: _Unit, bucket: int) -> list[Signal]:
        """A row of this equipment begins: the one before is complete."""
        state, lead = self._state, unit.slots[0]
        if state["model"][lead] != unit.active.version:
            self._start(unit)
        last = int(state["bucket"][lead])
        if bucket <= last:
            return []
        state["bucket"][lead] = bucket
        if last == NEVER:
            return []
        mine = unit.slots
        came = state["count"][mine] > 0
        values = np.where(came, state["sum"][mine] / np.maximum(state["count"][mine], 1), state["value"][mine])
        at = np.where(came, last, state["value_at"][mine])
        state["sum"][mine], state["count"][mine] = 0.0, 0
        before, adjacent = state["before"][mine].copy(), state["judged"][lead] == last - 1
        known = bool((last - at <= HOLD_ROWS).all())
        state["value"][mine], state["value_at"][mine] = values, at
        state["before"][mine] = values if known else np.nan
        state["judged"][lead] = last
        if not (known and adjacent and np.isfinite(before).all()):
            return []
        return self._judge(unit, values, before, round((last + 1) * unit.active.fitted.step_s * SECOND))

    def _judge(self, unit: _Unit, values: Floats, before: Floats, t_us: int) -> list[Signal]:
        state, lead, fitted = self._state, unit.slots[0], unit.active.fitted
        model = fitted.model
        z = judging.scaled(model, values)
        fits = np.concatenate([z, judging.scaled(model, before)]) @ model.weights
        course = self._accept(unit, t_us, Course(*(state[name][unit.slots] for name in Course._fields)))
        was = state["driver"][lead] >= 0
        learn = bool(state["stood"][lead] > _THAW if was else not self._held(unit, t_us).any())
        after = advance(course, (z - fits) / model.spread, learn=learn, step_s=fitted.step_s)
        for name, column in after._asdict().items():
            state[name][unit.slots] = column
        excess = np.abs(after.smooth) / (fitted.bound * self._registry.bar(self.name, unit.rows))
        stand = move(self._stand(unit), float(excess.max()), fitted.step_s)
        for name, count in stand._asdict().items():
            if name != "open":
                state[name][lead] = count
        state["stood"][lead] = state["stood"][lead] + 1 if was else 0
        expected = model.centre + model.scale * (fits + course.centre * model.spread)
        if was and not stand.open:
            return [self._end(unit, t_us, values, expected)]
        if was or not stand.open:
            return []
        driver = int(excess.argmax())
        state["driver"][lead], state["since_us"][lead] = self._registry["series"][unit.rows[driver]], t_us
        sizes = judging.latent_sizes(model, values[None])
        latent = {name: float(s[0] / limit) for name, s, limit in zip(("t2", "q"), sizes, model.limit[1:], strict=True)}
        return [self._opening(unit, t_us, driver, values, expected, course, excess, latent)]

    def _accept(self, unit: _Unit, t_us: int, course: Course) -> Course:
        """What people call normal is where the residuals belong from now on."""
        if not self._registry.normals:
            return course
        said = self._registry["normal_us"][unit.rows].max()
        lead = unit.slots[0]
        if said <= self._state["normal_us"][lead] or t_us <= said:
            return course
        self._state["normal_us"][lead] = said
        centre = course.centre + course.smooth * np.sqrt(course.variance)
        return Course(centre, course.variance, np.zeros_like(centre))

    def _held(self, unit: _Unit, t_us: int) -> Bools:
        """Channels on which a warning of whatever detector stands: they teach nothing."""
        registry = self._registry
        since, until = registry["held_from_us"][unit.rows], registry["held_until_us"][unit.rows]
        return np.asarray((t_us >= since) & (t_us < until))

    def _opening(
        self,
        unit: _Unit,
        t_us: int,
        driver: int,
        values: Floats,
        expected: Floats,
        course: Course,
        excess: Floats,
        latent: dict[str, float],
    ) -> Signal:
        fitted, registry = unit.active.fitted, self._registry
        bands = np.where(np.isfinite(fitted.bound), fitted.bound, 0) * np.sqrt(course.variance)
        bands = bands * fitted.model.spread * fitted.model.scale
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
                "t2": round(latent["t2"], 3),
                "q": round(latent["q"], 3),
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

    def _stand(self, unit: _Unit) -> Stand:
        state, lead = self._state, unit.slots[0]
        seen, agreed, run, calm, wait, again = (int(state[name][lead]) for name in Stand._fields[:-1])
        return Stand(seen, agreed, run, calm, wait, again, bool(state["driver"][lead] >= 0))

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


def _band(value: float, half: float) -> dict[str, float]:
    return {"value": float(value), "low": float(value - half), "high": float(value + half)}
