"""State logic of elevators: entrapment, stop outside the door zone, door open while running (DOMAIN.md §3.3).

States hold until they change; a delay may run out between two readings, which the gateway's watermark tells.
Rules for which the register has a limit row of the same condition are left to that row.
"""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import msgspec
import numpy as np

from watchkeep_analytics.batch import NEVER, SECOND
from watchkeep_analytics.detectors._make import signal
from watchkeep_analytics.detectors.cars import CLOSED, IN_ZONE, NOT_CLOSED, OFF_ZONE, PRESENT, RUNNING, STOPPED, Cars
from watchkeep_analytics.registry import Registry
from watchkeep_analytics.signals import Moment, Signal
from watchkeep_core import vocabulary
from watchkeep_core.vocabulary_rows import Parameter


class Car(msgspec.Struct):
    """What one elevator last said, and which rules count. Times in µs since 1970 UTC."""

    states: dict[str, float] = {}
    since: dict[str, int] = {}
    """Rule → since when its states have held."""
    open: dict[str, int] = {}
    """Rule → when it was opened."""
    seen: list[int] = []
    """When a person was seen, within the longest window."""
    present_us: int = NEVER
    """Since when the person has been there, when one is."""

    def has(self, metric: str, state: int) -> bool:
        return self.states.get(metric) == state


class Rule(NamedTuple):
    """A condition that stands when its states have held for `after_us`."""

    condition: str
    holds: Callable[[Car], bool]
    over: Callable[[Car], bool]
    """Ends an open one."""
    metric: str
    """The point it is shown with."""
    after_us: int
    sightings: int
    """A person must have been seen this often in that time, or throughout; 0 = no matter."""
    basis: str
    mark: str


def _stopped_off_zone(car: Car) -> bool:
    return car.has("car_status", STOPPED) and car.has("door_zone", OFF_ZONE)


def _shut_in_zone(car: Car) -> bool:
    return car.has("car_status", STOPPED) and car.has("door_zone", IN_ZONE) and car.has("door_status", CLOSED)


def _door_open_running(car: Car) -> bool:
    return car.has("car_status", RUNNING) and car.has("door_status", NOT_CLOSED)


def _freed(car: Car) -> bool:
    """Levelled and door opened."""
    return car.has("door_zone", IN_ZONE) and car.has("door_status", NOT_CLOSED)


def rules(figure: Callable[[str], Parameter] | None = None) -> tuple[Rule, ...]:
    """With the figures of the vocabulary, or those that `figure` gives."""
    figure = figure or vocabulary.load().parameters.__getitem__

    def rule(
        condition: str,
        holds: Callable[[Car], bool],
        over: Callable[[Car], bool],
        metric: str,
        delay: str,
        sightings: str | None = None,
    ) -> Rule:
        after = figure(delay)
        least = int(figure(sightings).value) if sightings else 0
        after_us = round(after.value * SECOND)
        return Rule(condition, holds, over, metric, after_us, least, after.basis, after.mark)

    return (
        rule(
            "entrapment_in_zone",
            _shut_in_zone,
            _freed,
            "passenger_status",
            "entrapment_in_zone_window",
            "entrapment_in_zone_sightings",
        ),
        rule("entrapment_off_zone", _trapped_off_zone, _freed, "passenger_status", "entrapment_off_zone_window"),
        rule(
            "stop_off_zone",
            _stopped_off_zone,
            lambda car: not _stopped_off_zone(car),
            "door_zone",
            "stop_off_zone_delay",
        ),
        rule(
            "door_open_running",
            _door_open_running,
            lambda car: not _door_open_running(car),
            "door_status",
            "door_open_running_debounce",
        ),
    )


def _trapped_off_zone(car: Car) -> bool:
    """A person seen since the car stopped there counts: nobody leaves without a door opening, PIR sensors flicker."""
    return _stopped_off_zone(car) and (car.has("passenger_status", PRESENT) or "entrapment_off_zone" in car.since)


class Elevator(Cars[Car]):
    """Rules on the four states of a car."""

    name: ClassVar[str] = "elevator"
    version: ClassVar[str] = "1"
    metrics = ("car_status", "door_zone", "door_status", "passenger_status")
    car = Car

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._cars: dict[int, Car] = {}
        self._by_limit: set[tuple[int, str]] = set()
        self.configure()

    def configure(self) -> list[Signal]:
        registry = self._registry
        self._rules = rules(registry.figure)
        self._window_us = max(rule.after_us for rule in self._rules)
        rows = registry.find(np.array([limit.series for limit in registry.limits], np.int64))
        self._by_limit = {
            (int(registry["equipment"][row]), limit.condition)
            for row, limit in zip(rows.tolist(), registry.limits, strict=True)
            if row >= 0 and limit.tier != "notice"
        }
        return super().configure()

    def tick(self, moment: Moment) -> list[Signal]:
        found: list[Signal] = []
        for number, car in self._cars.items():
            if car.since:
                found += self._run_out(number, car, self._passed_us(number, moment))
        return found

    def _step(self, number: int, t_us: int, states: dict[str, float]) -> list[Signal]:
        """One instant of one elevator: delays that ended before it, then its new states."""
        car = self._cars.setdefault(number, Car())
        found = self._run_out(number, car, t_us)
        car.states |= states
        if states.get("passenger_status") == PRESENT:
            car.seen = [t for t in car.seen if t > t_us - self._window_us] + [t_us]
            car.present_us = t_us if car.present_us == NEVER else car.present_us
        elif "passenger_status" in states:
            car.present_us = NEVER
        for rule in self._rules:
            if rule.holds(car):
                car.since.setdefault(rule.condition, t_us)
            else:
                car.since.pop(rule.condition, None)
            if rule.condition in car.open and rule.over(car):
                del car.open[rule.condition]
                found.append(self._signal(number, car, rule, t_us, active=False))
        return found + self._run_out(number, car, t_us)

    def _run_out(self, number: int, car: Car, until_us: int) -> list[Signal]:
        found: list[Signal] = []
        for rule in self._rules:
            since = car.since.get(rule.condition)
            if since is None or rule.condition in car.open or (number, rule.condition) in self._by_limit:
                continue
            due = self._due(car, rule, since)
            if due is not None and due <= until_us and not self._aliased(number, car, rule, since):
                car.open[rule.condition] = due
                found.append(self._signal(number, car, rule, due, active=True))
        return found

    def _aliased(self, number: int, car: Car, rule: Rule, t_us: int) -> bool:
        """Door and passenger flip unseen between readings. A car off the zone does not: nobody gets out there."""
        if rule.holds is not _shut_in_zone:
            return False
        points = self._registry.equipment[number].points
        aliased = self._registry.sampling.aliased
        return any(aliased(points[metric], x, rule.after_us, t_us) for metric, x in car.states.items())

    @staticmethod
    def _due(car: Car, rule: Rule, since: int) -> int | None:
        """When the rule stands, as things are now; None = not without another reading."""
        due = since + rule.after_us
        if not rule.sightings:
            return due
        options = [max(since, car.present_us) + rule.after_us] if car.present_us != NEVER else []
        sightings = [t for t in car.seen if t >= since]  # earlier ones may have left before the door closed
        if len(sightings) >= rule.sightings:
            options.append(max(due, sightings[rule.sightings - 1]))
        return min(options, default=None)

    def _signal(self, number: int, car: Car, rule: Rule, t_us: int, active: bool) -> Signal:
        points = self._registry.equipment[number].points
        row = points.get(rule.metric, next(iter(points.values())))
        return signal(
            self,
            self._registry,
            row,
            t_us,
            condition=rule.condition,
            tier="alarm",
            active=active,
            source=rule.condition,
            text="elevator",
            evidence={
                "actual": dict(car.states),
                "expected": {"high": rule.after_us / SECOND},
                "driver": rule.metric,
                "contributions": [{"metric": metric, "value": value} for metric, value in car.states.items()],
                "since_us": car.since.get(rule.condition, t_us),
                "basis": rule.basis,
                "mark": rule.mark,
                "rule": rule.condition,
            },
        )
