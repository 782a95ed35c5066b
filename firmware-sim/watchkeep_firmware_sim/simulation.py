"""The fleet in event time: what every device sends, and when. No clock, no network; the same seed, the same output."""

import heapq
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from random import Random

from watchkeep_core.vocabulary import Vocabulary
from watchkeep_firmware_sim.errors import ScenarioError
from watchkeep_firmware_sim.faults import Fault, event_times
from watchkeep_firmware_sim.fleet import Device, Fleet, scenario_for
from watchkeep_firmware_sim.models import DeviceModel, Group, Place, Values
from watchkeep_firmware_sim.scenario import ScenarioEvent, Spread, code_for, find


@dataclass(frozen=True, slots=True)
class Readings:
    """One message of readings; `t_ms` is the device's own clock."""

    device: Device
    t_ms: int
    values: Values


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """One event message; `field` is `code` or `condition`."""

    device: Device
    t_ms: int
    field: str
    value: str
    active: bool


@dataclass(frozen=True, slots=True)
class FaultNote:
    """Ground truth: a fault began or ended."""

    device: Device
    fault: Fault
    begins: bool
    t: float


@dataclass(frozen=True, slots=True)
class Silence:
    """A device falls silent or speaks again; only a transport that is polled needs to know."""

    device: Device
    silent: bool


Output = Readings | DeviceEvent | FaultNote | Silence
_Action = Callable[[float], Iterator[Output]]

_FLOOD_TICK_S = 0.1
"""A flood is sent in bursts this far apart."""


class Simulation:
    """All devices of a fleet; `run_to` yields what they send, in the order of event time."""

    def __init__(self, fleet: Fleet, vocabulary: Vocabulary, start: float) -> None:
        """`start` in seconds since 1970 UTC."""
        self.start = start
        self._vocabulary = vocabulary
        self._seed = fleet.seed
        self._devices = fleet.device
        self._index = {device.name: index for index, device in enumerate(fleet.device)}
        self._models = [self._model(device, fleet.utc_offset_h) for device in fleet.device]
        self._faults: list[list[Fault]] = [[] for _ in fleet.device]
        self._kept: list[list[Readings]] = [[] for _ in fleet.device]
        self._fault_count = 0
        self._queue: list[tuple[float, int, _Action]] = []
        self._order = 0
        self._wakes = [0] * len(fleet.device)
        self._due = [
            start + device.period_s * share for device, share in zip(fleet.device, _shares(fleet), strict=True)
        ]
        for index in range(len(fleet.device)):
            self._wake_later(index)
        for plan in fleet.fault:
            at = start + plan.at_s
            self.add_fault(plan.equipment, plan.scenario, at, plan.for_s, planned=True, severity=plan.severity)

    def next_due(self) -> float:
        """Event time of the next output."""
        return self._queue[0][0]

    def run_to(self, t: float) -> Iterator[Output]:
        """Everything up to and including event time `t`."""
        while self._queue[0][0] <= t:
            due, _, action = heapq.heappop(self._queue)
            yield from action(due)

    def add_fault(
        self, equipment: str, scenario: str, at: float, for_s: float | None, *, planned: bool, severity: float = 1.0
    ) -> Fault:
        """Let a fault begin at event time `at`, also at what hangs on it; raises ScenarioError when it does not fit."""
        fault = self._enter(equipment, scenario, at, for_s, planned, severity, None)
        source = self._devices[fault.device]
        for device in self._devices:
            if device is not source and (name := self._spread_to(fault, source, device)):
                self._enter(device.name, name, at, fault.ends - at, planned, severity, fault.number)
        return fault

    def _enter(
        self,
        equipment: str,
        scenario: str,
        at: float,
        for_s: float | None,
        planned: bool,
        severity: float,
        cause: int | None,
    ) -> Fault:
        index = self._index.get(equipment)
        if index is None:
            raise ScenarioError(f"no device {equipment!r} in this fleet")
        found = scenario_for(self._devices[index], scenario, self._vocabulary)
        self._fault_count += 1
        rng = Random(f"{self._seed}/{equipment}/{scenario}/{self._fault_count}")  # noqa: S311 - repeatable
        ends = at + (found.for_s if for_s is None else for_s)
        fault = Fault(self._fault_count, index, found, at, ends, planned, rng, severity, cause)
        self._at(at, partial(self._begin, fault))
        return fault

    def _spread_to(self, fault: Fault, source: Device, device: Device) -> str | None:
        """The first scenario by which the fault at `source` reaches this device."""
        for spread in fault.scenario.spread:
            if _hangs_on(device, source, spread):
                try:
                    scenario_for(device, spread.scenario, self._vocabulary)
                except ScenarioError:
                    find(spread.scenario)
                    continue
                return spread.scenario
        return None

    def _model(self, device: Device, utc_offset_h: float) -> DeviceModel:
        place = Place(device.community, device.building or device.equipment, device.equipment)
        group = Group.of(self._seed, [place], self.start, utc_offset_h)
        return DeviceModel(group, device.kind, device.metrics, self._vocabulary)

    def _at(self, t: float, action: _Action) -> None:
        self._order += 1
        heapq.heappush(self._queue, (t, self._order, action))

    def _wake_later(self, index: int) -> None:
        """Wake the device at its next change or period; a wake planned before no longer counts."""
        self._wakes[index] += 1
        due = min(self._due[index], self._models[index].next_change())
        self._at(due, partial(self._wake, index, self._wakes[index]))

    def _wake(self, index: int, number: int, t: float) -> Iterator[Output]:
        """The device's own rhythm: a change of its states, its period, or both."""
        if number != self._wakes[index]:
            return
        model = self._models[index]
        values = model.changed(t) if model.next_change() <= t else {}
        if self._due[index] <= t:
            if not model.lost(t):
                values = model.read(t) | values
            self._due[index] += self._devices[index].period_s
        self._wake_later(index)
        yield from self._send(index, t, values)

    def _send(self, index: int, t: float, values: Values) -> Iterator[Output]:
        faults = self._faults[index]
        if faults:
            faults[:] = [fault for fault in faults if not fault.over(t)]
        active = [fault.scenario for fault in faults if fault.active(t)]
        if not values or any(scenario.silent for scenario in active):
            return
        kind = self._devices[index].kind
        for fault in faults:
            values = fault.bend(t, values, self._vocabulary, kind)
        broken = any(scenario.impossible or scenario.missing for scenario in active)
        rounded = {metric: self._possible(metric, value, broken) for metric, value in values.items()}
        shift_s = sum(scenario.shift_s for scenario in active)
        sent = Readings(self._devices[index], round((t + shift_s) * 1000), rounded)
        if any(scenario.disorder_s for scenario in active):
            self._kept[index].append(sent)
            return
        for _ in range(max((scenario.copies for scenario in active), default=1)):
            yield sent

    def _possible(self, metric: str, value: float, broken: bool) -> float:
        """As the sensor tells it: three decimals, and within physics unless it is broken."""
        if not broken:
            row = self._vocabulary.metrics[metric]
            value = min(max(value, row.min), row.max)
        return round(value, 3)

    def _begin(self, fault: Fault, t: float) -> Iterator[Output]:
        device = self._devices[fault.device]
        self._faults[fault.device].append(fault)
        if fault.scenario.halts:
            self._models[fault.device].halt(t)
            self._wake_later(fault.device)
        self._at(fault.ends, partial(self._end, fault))
        for event in fault.scenario.event:
            for moment, active in event_times(event, fault.begins, fault.ends):
                self._at(moment, partial(self._tell, fault, event, active))
        if fault.scenario.disorder_s:
            self._at(min(fault.ends, t + fault.scenario.disorder_s), partial(self._let_go, fault))
        if fault.scenario.flood_per_s:
            self._at(t + _FLOOD_TICK_S, partial(self._flood, fault))
        yield FaultNote(device, fault, True, t)
        if fault.scenario.silent:
            yield Silence(device, True)
        yield from self._send(fault.device, t, self._models[fault.device].read(t))

    def _end(self, fault: Fault, t: float) -> Iterator[Output]:
        device = self._devices[fault.device]
        if fault.scenario.halts:
            self._models[fault.device].resume(t, fault.final_states())
            self._wake_later(fault.device)
        yield FaultNote(device, fault, False, t)
        if fault.scenario.silent:
            yield Silence(device, False)
        yield from self._send(fault.device, t, self._models[fault.device].read(t))

    def _let_go(self, fault: Fault, t: float) -> Iterator[Output]:
        """What was kept goes out in random order."""
        kept, self._kept[fault.device] = self._kept[fault.device], []
        fault.rng.shuffle(kept)
        if t < fault.ends:
            self._at(min(fault.ends, t + fault.scenario.disorder_s), partial(self._let_go, fault))
        yield from kept

    def _flood(self, fault: Fault, t: float) -> Iterator[Output]:
        """As a firmware does that lost its timer: the same reading, again and again."""
        if not fault.active(t):
            return
        count = round(fault.scenario.flood_per_s * _FLOOD_TICK_S)
        device = self._devices[fault.device]
        model = self._models[fault.device]
        values = {metric: self._possible(metric, value, False) for metric, value in model.read(t).items()}
        for number in range(count):
            yield Readings(device, round((t - _FLOOD_TICK_S * (1 - number / count)) * 1000), values)
        self._at(t + _FLOOD_TICK_S, partial(self._flood, fault))

    def _tell(self, fault: Fault, event: ScenarioEvent, active: bool, t: float) -> Iterator[Output]:
        device = self._devices[fault.device]
        name, value = code_for(event, device.vendor_profile, self._vocabulary)
        yield DeviceEvent(device, round(t * 1000), name, value, active)


def _hangs_on(device: Device, source: Device, spread: Spread) -> bool:
    if device.community != source.community:
        return False
    if spread.relation == "powered_by":
        return device.powered_by == source.equipment
    return device.gateway == source.gateway


def _shares(fleet: Fleet) -> list[float]:
    """Part of its period after which each device begins: evenly spread, never all at once.

    What is polled begins at once, as a poll may come at any moment.
    """
    golden = (math.sqrt(5) - 1) / 2
    return [(index * golden) % 1 if device.transport == "mqtt" else 0.0 for index, device in enumerate(fleet.device)]
