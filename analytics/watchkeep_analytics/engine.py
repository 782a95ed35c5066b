"""All detectors over one partition: sorts, filters and hands on columns; keeps each series' time moving forward."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import msgspec
import numpy as np

from watchkeep_analytics import standing
from watchkeep_analytics.batch import NEVER, SECOND, Batch, Floats, Ints, order
from watchkeep_analytics.detectors import Detector
from watchkeep_analytics.detectors.baseline import Baseline
from watchkeep_analytics.detectors.battery import Battery
from watchkeep_analytics.detectors.clocks import Clocks, Told
from watchkeep_analytics.detectors.combinations import Combinations
from watchkeep_analytics.detectors.counters import Counters
from watchkeep_analytics.detectors.drift import Drift
from watchkeep_analytics.detectors.elevator import Elevator
from watchkeep_analytics.detectors.equipment_level import EquipmentLevel
from watchkeep_analytics.detectors.flatline import Flatline
from watchkeep_analytics.detectors.fleet import Fleet
from watchkeep_analytics.detectors.forecast import Forecast
from watchkeep_analytics.detectors.impossible import Impossible
from watchkeep_analytics.detectors.limits import Limits
from watchkeep_analytics.detectors.night_flow import NightFlow
from watchkeep_analytics.detectors.rails import Rails
from watchkeep_analytics.detectors.rates import Rates
from watchkeep_analytics.detectors.ratios import Ratios
from watchkeep_analytics.detectors.rides import Rides
from watchkeep_analytics.detectors.silence import Silence
from watchkeep_analytics.detectors.spikes import Spikes
from watchkeep_analytics.detectors.starts import Starts
from watchkeep_analytics.detectors.steps import Steps
from watchkeep_analytics.failures import Failures
from watchkeep_analytics.feedback import Feedback
from watchkeep_analytics.models.fitted import Active
from watchkeep_analytics.orphans import Orphans
from watchkeep_analytics.registry import STATE, LimitRow, PointRow, Registry
from watchkeep_analytics.rulebook import Rulebook
from watchkeep_analytics.signals import GatewayState, Moment, Signal
from watchkeep_analytics.standing import Standing
from watchkeep_analytics.suppression import Modes, Suppression, mode_reason
from watchkeep_core import vocabulary
from watchkeep_core.logs import get_logger

log = get_logger(__name__)

T = TypeVar("T")

BAD = 2
"""Quality that no detector sees."""


_LOOK_US = 60 * SECOND  # planned work begins and ends by itself


@dataclass
class Counts:
    """Since the start."""

    rows: int = 0
    late: int = 0
    unknown: int = 0
    bad: int = 0
    failures: int = 0


class Engine:
    """One partition. Not thread-safe: its lane's worker owns it."""

    def __init__(self, modes: Modes, make: Callable[[Registry], Sequence[Detector]] | None = None) -> None:
        self.registry = Registry()
        self.counts = Counts()
        self.silence = Silence(self.registry)
        self.clocks = Clocks(self.registry)
        self.rails = Rails(self.registry)
        self.impossible = Impossible(self.registry)
        others = (make or detectors)(self.registry)
        self.detectors: list[Detector] = [self.impossible, self.rails, self.silence, self.clocks, *others]
        self._modes = modes
        self._suppression = Suppression(modes)
        self._mode_rows = np.zeros(0, np.bool_)
        self._register = 0
        self._orphans = Orphans()
        self._standing = Standing()
        self.failures = Failures()
        """Also of what is outside the detectors: a sentence that cannot be made."""
        self._work = (-1, NEVER)
        """Changes of modes and time when work was last looked at."""
        self._failed: list[Signal] = []
        """What is to be told of detectors that raised."""
        self._now_us = NEVER
        self.lost: list[str] = [detector.name for detector in self.detectors]
        """Detectors that began anew."""

    def update(
        self, points: Sequence[PointRow], limits: Sequence[LimitRow], rulebook: Rulebook | None = None
    ) -> list[Signal]:
        """The register and the rules as they are now; nothing is done when they have not changed."""
        fingerprint = hash((tuple(points), tuple(limits), rulebook))
        if fingerprint == self._register:
            return []
        self._register = fingerprint
        self.registry.update(points, limits, rulebook)
        metrics = vocabulary.load().metrics
        telling = {name for name, metric in metrics.items() if any(s.suppresses for s in metric.states.values())}
        self._mode_rows = np.array([metric in telling for metric in self.registry.metrics], np.bool_)
        return self._pass([found for d in self.detectors for found in self._signals(d, d.configure)])

    def unknown(self, series: Ints) -> Ints:
        """Those series ids that the registry does not know."""
        ids = np.unique(series)
        return np.asarray(ids[self.registry.find(ids) < 0])

    def observe(self, series: Ints, t_us: Ints, value: Floats, quality: Ints) -> list[Signal]:
        """Rows just committed, in any order; late, bad and unknown ones are counted and left out."""
        rows = self.registry.find(series)
        known, good = rows >= 0, (quality < BAD) & np.isfinite(value)
        usable = known & good
        self.counts.rows += len(series)
        self.counts.unknown += int((~known).sum())
        self.counts.bad += int((known & ~good).sum())
        batch = order(rows[usable], t_us[usable].astype(np.int64), value[usable])
        self._signals(self.silence, partial(self.silence.observe, batch))  # before anything is left out as late
        fresh = batch.where(batch.t_us > self.registry["last_us"][batch.row])
        self.counts.late += int(usable.sum()) - fresh.size
        if fresh.size == 0:
            return []
        self.registry.advance(fresh.row, fresh.t_us)
        self._now_us = max(self._now_us, int(fresh.t_us.max()))
        self.registry.sampling.observe(fresh, self.registry["kind"][fresh.row] == STATE)
        self._note_modes(fresh)
        self._note_work(int(fresh.t_us.max()))
        lower, upper = self.registry["lower"][fresh.row], self.registry["upper"][fresh.row]
        possible = fresh.where((fresh.value >= lower) & (fresh.value <= upper))
        sound = possible.where(~self.rails.at_end(possible))
        found: list[Signal] = []
        for detector in self.detectors:  # rules before what learns: it is told where a warning stands
            if detector is self.silence:
                continue
            seen = fresh if detector is self.impossible else possible if detector is self.rails else sound
            said = self._signals(detector, partial(detector.observe, seen))
            self._standing.note(said, self.registry)
            found += said
        return self._pass(found)

    def tick(
        self, now_us: int, gateways: Mapping[tuple[str, str], GatewayState], steady_us: int | None = None
    ) -> list[Signal]:
        """Time has passed; `now_us` is the wall clock, `steady_us` one that nobody sets (None = the same)."""
        if self.registry.size == 0:
            return []
        self._now_us = now_us
        self._note_work(now_us)
        moment = self.moment(now_us, gateways, steady_us)
        found = [hit for d in self.detectors for hit in self._signals(d, partial(d.tick, moment))]
        self._standing.note(found, self.registry)
        found += self.failures.over(now_us)
        return self._pass(found) + self._suppression.release(now_us) + self._orphans.over(self._judged_us)

    def heed(self, said: Feedback) -> None:
        """What people say of warnings, as it is in force now."""
        self.registry.heed(said)

    def learn(self, models: Mapping[tuple[str, str], Active]) -> list[Signal]:
        """Trained models in force, by (community, equipment)."""
        if not self.registry.learn(models):
            return []
        levels = [detector for detector in self.detectors if isinstance(detector, EquipmentLevel)]
        return self._pass([found for level in levels for found in self._signals(level, level.configure)])

    def adopt(self, openings: Sequence[Signal]) -> None:
        """Openings of detectors that began anew: closed when they are over (see orphans)."""
        self._orphans = Orphans(openings)

    def tell(self, told: Told) -> None:
        """What ingest knows of clocks; readings that it refused for their stamps are a sign of life all the same."""
        self.clocks.tell(told)
        for key, refused in told.refused.items():
            item = self.registry.equipment_of(*key)
            if item is not None:
                self.silence.hear(np.array(list(item.points.values()), np.int64), refused.received_us)

    def blind(self, now_us: int, steady_us: int | None = None) -> None:
        """Nothing could be seen until now: silence counts from here on."""
        if self.registry.size:
            self._guard(self.silence, lambda: self.silence.blind(self.moment(now_us, {}, steady_us)), None)

    def moment(
        self, now_us: int, gateways: Mapping[tuple[str, str], GatewayState], steady_us: int | None = None
    ) -> Moment:
        count = len(self.registry.gateways)
        watermark = np.full(count, NEVER)
        np.maximum.at(watermark, self.registry["gateway"], self.registry["last_us"])
        recorded: dict[str, int] = {}
        for gateway, mark in zip(self.registry.gateways, watermark.tolist(), strict=True):
            recorded[gateway.community] = max(recorded.get(gateway.community, NEVER), mark)
        never = np.full(count, NEVER)
        steady = np.full(count, now_us if steady_us is None else steady_us)
        moment = Moment(np.full(count, now_us), watermark, never.copy(), np.full(count, -1), never, steady)
        for g, gateway in enumerate(self.registry.gateways):
            state = gateways.get((gateway.community, gateway.id))
            if gateway.replay:
                moment.wall_us[g] = moment.steady_us[g] = recorded[gateway.community]
            elif state is not None:
                moment.heard_us[g], moment.offline_us[g] = state.heard_us, state.offline_us
                moment.online[g] = int(state.online)
        return moment

    def save(self) -> dict[str, tuple[str, bytes]]:
        """Detector name → version and state; `registry` holds the times up to which each series was judged."""
        held = [(s, dict(s.evidence)) for s in self._suppression.held]
        kept = {d.name: (d.version, self._guard(d, d.save, None)) for d in self.detectors}
        states = {name: (version, state) for name, (version, state) in kept.items() if state is not None}
        states["registry"] = ("1", self.registry.save())
        states["sampling"] = ("1", self.registry.sampling.save(self.registry["series"]))
        states["failures"] = ("1", self.failures.save())
        states["standing"] = (standing.VERSION, self._standing.save(self._now_us))
        states["suppression"] = ("1", msgspec.msgpack.encode([_plain(signal, evidence) for signal, evidence in held]))
        return states

    def load(self, states: Mapping[str, tuple[str, bytes]]) -> None:
        """What fits is taken over; a detector whose version has changed starts anew."""
        for detector in self.detectors:
            version, data = states.get(detector.name, ("", b""))
            if version == detector.version:
                try:
                    detector.load(data)
                    self.lost.remove(detector.name)
                except Exception as error:  # a state that cannot be read must not stop the lane at every start
                    log.warning("state_not_restored", detector=detector.name, why=f"{type(error).__name__}: {error}")
        if "registry" in states:
            self.registry.load(states["registry"][1])
        if "sampling" in states:
            self.registry.sampling.load(states["sampling"][1], self.registry.find)
        if "failures" in states:
            self.failures.load(states["failures"][1])
        if states.get("standing", ("", b""))[0] == standing.VERSION:
            self._standing.load(states["standing"][1], self.registry)
        if "suppression" in states:
            self._suppression.restore([Signal(**s) for s in msgspec.msgpack.decode(states["suppression"][1])])

    @property
    def nbytes(self) -> int:
        return sum(detector.nbytes for detector in self.detectors)

    def _judged_us(self, signal: Signal) -> int:
        """How far what the signal is about was judged; NEVER when its detector is not ready, or nothing came."""
        registry = self.registry
        if signal.series is not None:
            rows = registry.find(np.array([signal.series]))
        else:
            item = registry.equipment_of(signal.community, signal.equipment)
            of = [g.community == signal.community and g.equipment == signal.equipment for g in registry.gateways]
            own = [] if item is None else list(item.points.values())
            rows = np.r_[np.array(own, np.int64), np.flatnonzero(np.array(of, np.bool_)[registry["gateway"]])]
        rows = rows[rows >= 0]
        detector = next((d for d in self.detectors if d.name == signal.detector), None)
        if detector is None or len(rows) == 0:
            return NEVER
        ready = self._guard(detector, partial(detector.ready, int(rows[0])), False)
        return int(registry["last_us"][rows].max()) if ready else NEVER

    def _pass(self, found: list[Signal]) -> list[Signal]:
        found, self._failed = found + self._failed, []
        self._orphans.see(found)
        return self._suppression.filter(sorted(found, key=lambda signal: signal.event_us))

    def _note_modes(self, batch: Batch) -> None:
        telling = batch.where(self._mode_rows[batch.row])
        for row, t_us, value in zip(telling.row.tolist(), telling.t_us.tolist(), telling.value.tolist(), strict=True):
            equipment, name = self.registry.equipment_at(row), self.registry.metrics[row]
            self._modes.set(equipment.community, equipment.id, name, t_us, mode_reason(name, value))

    def _note_work(self, now_us: int) -> None:
        """What is read while people work on equipment is no lesson."""
        if self._modes.changes == self._work[0] and now_us - self._work[1] < _LOOK_US:
            return
        self._work = self._modes.changes, now_us
        for (community, id), span in self._modes.work(now_us).items():
            for item in self.registry.equipment_in(community, id):
                self._standing.work(item, span, self.registry)

    def _signals(self, detector: Detector, call: Callable[[], list[Signal]]) -> list[Signal]:
        return self._guard(detector, call, [])

    def _guard(self, detector: Detector, call: Callable[[], T], otherwise: T) -> T:
        """A detector that fails is told with the next signals and left out of this call; the others go on."""
        try:
            return call()
        except Exception as error:
            self.counts.failures += 1
            log.exception("detector_failed", detector=detector.name)
            about = [(gateway.community, gateway.equipment or gateway.community) for gateway in self.registry.gateways]
            first = dict(reversed(about))
            self._failed += self.failures.note(detector.name, error, self._now_us, first.items())
            return otherwise


LAYERS: tuple[tuple[Callable[[Registry], Detector], ...], ...] = (
    (Limits, Combinations, Rates, Starts, Ratios, Elevator, Rides, NightFlow),
    (Spikes, Counters, Battery, Drift, Steps, Flatline),
    (Baseline,),
    (EquipmentLevel,),
    (Fleet, Forecast),
)
"""Rules, sensor health (with what every engine has), one series, one piece of equipment, all of a kind."""


def detectors(registry: Registry, layers: int = len(LAYERS)) -> list[Detector]:
    """Those of the first so many layers, cheap first."""
    return [kind(registry) for kinds in LAYERS[:layers] for kind in kinds]


def prepare() -> None:
    """What is compiled is compiled or loaded now, by one reading of one point, so that no other waits for it."""
    metric = "room_temperature"
    point = PointRow(0, "", "", "", "", "", metric, "", "", "", False, 60.0, "number", -math.inf, math.inf)
    engine = Engine(Modes())
    engine.update([point], [])
    engine.observe(np.zeros(1, np.int64), np.full(1, SECOND), np.zeros(1), np.zeros(1, np.int64))
    for detector in engine.detectors:
        if isinstance(detector, EquipmentLevel):  # a point alone has no model
            detector.prepare()


def _plain(signal: Signal, evidence: dict[str, object]) -> dict[str, object]:
    fields = {name: getattr(signal, name) for name in Signal.__dataclass_fields__}
    return fields | {"evidence": evidence}
