"""The faults of the fleet: which pieces of equipment have one now, how it bends their readings, what they say of it."""

import heapq
import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec
import numpy as np

from watchkeep_core.messages import Event
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_firmware_sim import documents, fleet
from watchkeep_firmware_sim.errors import FleetError, ScenarioError
from watchkeep_firmware_sim.faults import Fault, event_times
from watchkeep_firmware_sim.fleet import PlannedFault
from watchkeep_firmware_sim.fleet_load.plan import Device, Plan
from watchkeep_firmware_sim.fleet_load.values import Values
from watchkeep_firmware_sim.scenario import Scenario, ScenarioEvent, Spread, code_for, scenarios
from watchkeep_firmware_sim.signals import Floats
from watchkeep_firmware_sim.simulation import FaultNote

CLOCKS = ("clock_skew", "clock_timezone", "clock_2036")
"""What `--skew` spreads over the fleet."""

SPREAD_S = 600.0
"""Random faults begin within this."""

_FOR_EVER_S = 31_536_000.0
_TRIES = 200
"""At so many pieces of equipment a scenario is tried before the next one's turn."""


class FaultFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `--faults FILE` holds."""

    fault: list[PlannedFault]


class Said(NamedTuple):
    """An event of a gateway's event lane."""

    gateway: int
    event: Event


Output = FaultNote | Said


class Part(NamedTuple):
    """The readings of one sick device in one group: places `start` … `end - 1` of the group."""

    start: int
    end: int
    sick: "Sick"
    metrics: tuple[str, ...]


@dataclass(slots=True)
class Sick:
    """A device with at least one fault that is not over."""

    device: fleet.Device
    faults: list[Fault] = field(default_factory=list)

    def bend(self, t_s: float, values: Floats, metrics: tuple[str, ...], words: Vocabulary) -> None:
        """Change the readings in place to what the faulty device shows; NaN = no reading."""
        shown = {metric: value for metric, value in zip(metrics, values.tolist(), strict=True) if value == value}
        for fault in self.faults:
            shown = fault.bend(t_s, shown, words, self.device.kind)
        broken = any(fault.scenario.impossible and fault.active(t_s) for fault in self.faults)
        for at, metric in enumerate(metrics):
            row, value = words.metrics[metric], shown.get(metric, np.nan)
            values[at] = value if broken else np.clip(value, row.min, row.max)

    def silent(self, t_s: float) -> bool:
        return any(fault.scenario.silent and fault.active(t_s) for fault in self.faults)

    def shift_s(self, t_s: float) -> float:
        return sum(fault.scenario.shift_s for fault in self.faults if fault.active(t_s))

    def copies(self, t_s: float) -> int:
        return max((fault.scenario.copies for fault in self.faults if fault.active(t_s)), default=1)


class Infirmary:
    """All faults in event time, which begins at `start_s` (seconds since 1970 UTC)."""

    def __init__(self, plan: Plan, words: Vocabulary, start_s: float, values: Values | None = None) -> None:
        """Raises FleetError and ScenarioError for a fault that cannot happen in this fleet.

        `values` are the models that some faults bring to a halt.
        """
        self.parts: dict[int, list[Part]] = {}
        """By group, of the devices that are sick now."""
        self.shifts: dict[float, set[int]] = {}
        """Wrong clocks, s → places in the layout of the points that were ever stamped by one."""
        self.active = 0
        self.start_s = start_s
        self._plan = plan
        self._words = words
        self._values = values
        self._rng = Random(f"{plan.options.seed}/faults")  # noqa: S311 - a simulation wants repeatable numbers
        self._count = 0
        self._order = itertools.count()
        self._queue: list[tuple[float, int, Callable[[float], Iterator[Output]]]] = []
        self._sick: dict[str, Sick] = {}
        for planned in (*self._of_file(plan.options.fault_file), *self._at_random(), *self._clocks()):
            self.enter(planned, start_s)

    def step(self, t_s: float) -> Iterator[Output]:
        """What happened up to `t_s`."""
        while self._queue and self._queue[0][0] <= t_s:
            due, _, action = heapq.heappop(self._queue)
            yield from action(due)

    def _of_file(self, path: Path | None) -> list[PlannedFault]:
        return documents.read(path, FaultFile, FleetError).fault if path else []

    def _at_random(self) -> Iterator[PlannedFault]:
        """Scenarios in turn, each at a piece of equipment that it fits."""
        options = self._plan.options
        names = sorted(name for name, each in scenarios().items() if not (each.shift_s or _of_the_line(each)))
        within_s = min(SPREAD_S, options.for_s / 2 if options.for_s else SPREAD_S)
        made, turn, tried = 0, 0, 0
        while made < options.faults:
            if tried == _TRIES:  # a small fleet has nothing for some of them
                turn, tried = turn + 1, 0
            if turn > made + len(names):
                raise FleetError("--faults", "", f"only {made} scenarios find equipment in this fleet")
            gateway, number = self._any_device()
            tried += 1
            try:
                fleet.scenario_for(self._public(gateway, number), names[turn % len(names)], self._words)
            except ScenarioError:
                continue
            at_s = round(self._rng.uniform(0, within_s), 3)
            yield PlannedFault(
                equipment=self._public(gateway, number).name, scenario=names[turn % len(names)], at_s=at_s
            )
            made, turn, tried = made + 1, turn + 1, 0

    def _clocks(self) -> Iterator[PlannedFault]:
        devices = sum(self._plan.device_count(gateway) for gateway in range(len(self._plan.gateways)))
        chosen: set[tuple[int, int]] = set()
        while len(chosen) < round(self._plan.options.skew * devices):
            if (one := self._any_device()) not in chosen:
                chosen.add(one)
                scenario = CLOCKS[len(chosen) % len(CLOCKS)]
                yield PlannedFault(equipment=self._public(*one).name, scenario=scenario, at_s=0, for_s=_FOR_EVER_S)

    def _any_device(self) -> tuple[int, int]:
        gateway = self._rng.randrange(len(self._plan.gateways))
        return gateway, self._rng.randrange(self._plan.device_count(gateway))

    def _public(self, gateway: int, number: int) -> fleet.Device:
        ref, device = self._plan.gateways[gateway], self._plan.device(gateway, number)
        supply = self._plan.power_supply(gateway, number)
        return fleet.Device(
            community=ref.community,
            gateway=ref.gateway,
            equipment=device.equipment,
            kind=device.template.kind,
            metrics=list(device.metrics),
            period_s=max(0.1, self._plan.period_s),
            vendor_profile=device.template.profile or None,
            powered_by=supply.equipment if supply else None,
        )

    def enter(self, planned: PlannedFault, start_s: float, cause: int | None = None) -> None:
        gateway, number = self._plan.find(planned.equipment)
        public = self._public(gateway, number)
        scenario = fleet.scenario_for(public, planned.scenario, self._words)
        if _of_the_line(scenario):
            raise ScenarioError(f"{scenario.id} is of the line to a gateway: use `sim run`, or --shuffle here")
        self._count += 1
        begins = start_s + planned.at_s
        ends = begins + (scenario.for_s if planned.for_s is None else planned.for_s)
        rng = Random(f"{self._plan.options.seed}/{planned.equipment}/{self._count}")  # noqa: S311 - as above
        fault = Fault(self._count, number, scenario, begins, ends, True, rng, planned.severity, cause)
        self._at(begins, partial(self._begin, gateway, public, fault))
        if cause is None and scenario.spread:
            for other, name in self._fed(gateway, number, public, scenario.spread):
                wish = msgspec.structs.replace(planned, equipment=other, scenario=name, for_s=ends - begins)
                self.enter(wish, start_s, fault.number)

    def _fed(self, gateway: int, number: int, source: fleet.Device, spreads: list[Spread]) -> Iterator[tuple[str, str]]:
        """What fails with it, and by the first scenario that fits."""
        for other in range(self._plan.device_count(gateway)):
            device = self._public(gateway, other)
            for spread in spreads if other != number else ():
                if spread.relation == "same_gateway" or device.powered_by == source.equipment:
                    with suppress(ScenarioError):
                        fleet.scenario_for(device, spread.scenario, self._words)
                        yield device.name, spread.scenario
                        break

    def _at(self, t_s: float, action: Callable[[float], Iterator[Output]]) -> None:
        heapq.heappush(self._queue, (t_s, next(self._order), action))

    def _begin(self, gateway: int, public: fleet.Device, fault: Fault, t_s: float) -> Iterator[Output]:
        device = self._plan.device(gateway, fault.device)
        sick = self._sick.setdefault(public.name, Sick(public))
        sick.faults.append(fault)
        if len(sick.faults) == 1:
            for group, part in self._parts(gateway, device, sick):
                self.parts.setdefault(group, []).append(part)
        if fault.scenario.shift_s:
            self._note_shift(gateway, device, sick, fault.scenario.shift_s)
        if fault.scenario.halts and self._values:
            self._values.halt(gateway, fault.device, t_s)
        self.active += 1
        for event in fault.scenario.event:
            for moment, active in event_times(event, fault.begins, fault.ends):
                self._at(moment, partial(self._tell, gateway, public, event, active))
        self._at(fault.ends, partial(self._end, gateway, public, fault))
        yield FaultNote(public, fault, True, t_s)

    def _end(self, gateway: int, public: fleet.Device, fault: Fault, t_s: float) -> Iterator[Output]:
        self.active -= 1
        if fault.scenario.halts and self._values:
            self._values.resume(gateway, fault.device, t_s, fault.final_states())
        self._at(t_s + fault.scenario.recovered_after_s(), partial(self._over, public, fault))
        yield FaultNote(public, fault, False, t_s)

    def _over(self, public: fleet.Device, fault: Fault, _t_s: float) -> Iterator[Output]:
        sick = self._sick[public.name]
        sick.faults.remove(fault)
        if not sick.faults:
            del self._sick[public.name]
            for group in [group for group, parts in self.parts.items() if any(p.sick is sick for p in parts)]:
                self.parts[group] = [part for part in self.parts[group] if part.sick is not sick]
                if not self.parts[group]:
                    del self.parts[group]
        yield from ()

    def _tell(
        self, gateway: int, public: fleet.Device, event: ScenarioEvent, active: bool, t_s: float
    ) -> Iterator[Output]:
        """As the gateway tells it: the canonical condition, with the device's raw code."""
        profile = public.vendor_profile
        name, value = code_for(event, profile, self._words)
        raw = name == "code" and profile is not None
        condition = self._words.profiles[profile].codes.get(value, event.condition[0]) if raw and profile else value
        yield Said(
            gateway,
            Event(
                floor=0,
                t=round(t_s * 1000),
                equipment=public.equipment,
                condition=condition,
                active=active,
                raw_code=value if raw else "",
                profile=(profile or "") if raw else "",
            ),
        )

    def _parts(self, gateway: int, device: Device, sick: Sick) -> Iterator[tuple[int, Part]]:
        """A device may lie in several messages."""
        size = self._plan.options.readings_per_message
        alias, end = device.first, device.first + len(device.metrics)
        while alias < end:
            number, start = divmod(alias, size)
            until = min(end, (number + 1) * size)
            metrics = device.metrics[alias - device.first : until - device.first]
            yield int(self._plan.place[gateway, number]), Part(start, start + until - alias, sick, metrics)
            alias = until

    def _note_shift(self, gateway: int, device: Device, sick: Sick, own_s: float) -> None:
        """Two wrong clocks at once add up."""
        for shift_s in {own_s, sum(fault.scenario.shift_s for fault in sick.faults)}:
            for group, part in self._parts(gateway, device, sick):
                start = int(self._plan.group_start[group])
                self.shifts.setdefault(shift_s, set()).update(range(start + part.start, start + part.end))


def _of_the_line(scenario: Scenario) -> bool:
    """What happens between device and gateway, of which there is none here."""
    return scenario.disorder_s > 0 or scenario.flood_per_s > 0
