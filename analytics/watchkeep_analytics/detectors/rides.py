"""What rides, doors and floors of an elevator say together: a lost position, doors that cycle, a car that moves
by itself, signals that contradict each other.

Most of this holds only for a lift that tells its states as they change: one that is polled once a minute seems to
change floors without a ride. So it is judged only once many changes of floor in a row came with a ride.
"""

from collections.abc import Iterator
from typing import ClassVar

import msgspec

from watchkeep_analytics.batch import NEVER, SECOND
from watchkeep_analytics.detectors._make import signal
from watchkeep_analytics.detectors.cars import CLOSED, IN_ZONE, NOT_CLOSED, OFF_ZONE, PRESENT, RUNNING, STOPPED, Cars
from watchkeep_analytics.registry import Registry
from watchkeep_analytics.signals import Moment, Signal, Tier

TRUSTED_AFTER = 20
"""Changes of floor in a row that came with a ride: a lift polled each minute shows a ride in less than half of them."""

SETTLED_US = 5 * SECOND
"""After a stop; states of one moment may come one after the other."""

UCM_US = 2 * SECOND
"""A car whose ride is told this late has not moved by itself."""

CYCLES, CYCLES_ALARM, WITHIN_US = 3, 5, 180 * SECOND
"""Reopenings at one landing (DOMAIN.md §2.1: 3 or more, 5 or more), and the time in which they count."""

BLIND_RIDES = 5
"""Rides with somebody inside during which the door was never seen open."""

BASIS = {
    "runtime_limit": ("GB/T 7588.1 运转时间限制器：运行而楼层不变 running while the floor stays the same", "R"),
    "position_lost": ("楼层变化而无运行 the floor changes without a ride (GB/T 24476 故障 07)", "CP"),
    "door_cycling": ("单次停靠重复开门 3/5 次及以上 3 or 5 reopenings at one landing", "CP"),
    "ucm": ("开门状态下未受控离开开锁区 the car leaves the door zone with open doors and no ride", "CP"),
    "sensor_inconsistent": ("有人乘梯到站而门从未打开 people ride and arrive, but the door never opens", "S52 CP"),
}


class Car(msgspec.Struct):
    """What one elevator last said. Times in µs since 1970 UTC, NEVER = not so."""

    states: dict[str, float] = {}
    stopped_us: int = NEVER
    running_us: int = NEVER
    floor_us: int = NEVER
    changed_us: int = NEVER
    """When the floor last changed."""
    ran: bool = False
    """Since the last change of floor."""
    proven: int = 0
    openings: list[int] = []
    """Of the door, in this stop."""
    blind: int = 0
    open_in_zone: bool = False
    """The door has been open since the car stood in the zone, without a ride."""
    leaving_us: int = NEVER
    """Since when it has been out of the zone like that."""
    open: list[str] = []
    """`condition:tier` of what is open."""


class Rides(Cars[Car]):
    """What a lift does from ride to ride."""

    name: ClassVar[str] = "rides"
    version: ClassVar[str] = "1"
    metrics = ("car_status", "door_zone", "door_status", "passenger_status", "car_floor")
    car = Car

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._cars: dict[int, Car] = {}
        self._own_count: set[int] = set()
        self.configure()

    def configure(self) -> list[Signal]:
        items = enumerate(self._registry.equipment)
        self._own_count = {number for number, item in items if "door_reopen_count" in item.points}
        return super().configure()

    def tick(self, moment: Moment) -> list[Signal]:
        found: list[Signal] = []
        for number, car in self._cars.items():
            if car.leaving_us != NEVER:
                found += self._moved_by_itself(number, car, self._passed_us(number, moment))
        return found

    def _step(self, number: int, t_us: int, new: dict[str, float]) -> Iterator[Signal]:
        car = self._cars.setdefault(number, Car())
        yield from self._moved_by_itself(number, car, t_us)
        old, car.states = car.states, car.states | new
        status, door = car.states.get("car_status"), car.states.get("door_status")
        if status == RUNNING:
            car.ran, car.stopped_us, car.openings = True, NEVER, []
            car.running_us = t_us if car.running_us == NEVER else car.running_us
            yield from self._end(number, car, "door_cycling", t_us)
        elif status == STOPPED and car.stopped_us == NEVER:
            car.stopped_us, car.running_us = t_us, NEVER
            yield from self._end(number, car, "runtime_limit", t_us)
        yield from self._floor(number, car, t_us, old, new)
        if door == NOT_CLOSED and old.get("door_status") == CLOSED:
            car.openings = [t for t in car.openings if t > t_us - WITHIN_US] + [t_us]
            yield from self._opened(number, car, t_us)
        if old.get("car_status") == RUNNING and status == STOPPED:
            yield from self._arrived(number, car, t_us)
        if door == NOT_CLOSED:
            car.blind = 0
            yield from self._end(number, car, "sensor_inconsistent", t_us)
        self._watch_zone(car, t_us, status, door)
        if car.open and car.states.get("door_zone") == IN_ZONE and door == CLOSED:
            yield from self._end(number, car, "ucm", t_us)

    def _floor(
        self, number: int, car: Car, t_us: int, old: dict[str, float], new: dict[str, float]
    ) -> Iterator[Signal]:
        if "car_floor" not in new:
            return
        changed = old.get("car_floor", new["car_floor"]) != new["car_floor"]
        if changed and car.ran:
            car.proven = min(car.proven + 1, 1000)
            yield from self._end(number, car, "position_lost", t_us)
        elif changed:
            still = car.stopped_us != NEVER and car.floor_us >= car.stopped_us + SETTLED_US
            if car.proven >= TRUSTED_AFTER and still:
                yield from self._begin(
                    number, car, "position_lost", t_us, "warning", "car_floor", abs(new["car_floor"] - old["car_floor"])
                )
            else:
                car.proven = 0
        elif car.running_us != NEVER and car.proven >= TRUSTED_AFTER:
            lasting_s = (t_us - max(car.running_us, car.changed_us)) / SECOND
            if lasting_s >= self._registry.figure("runtime_limit_longest").value:
                yield from self._begin(number, car, "runtime_limit", t_us, "alarm", "car_status", lasting_s)
        if changed:
            car.changed_us = t_us
            car.ran = car.states.get("car_status") == RUNNING
        car.floor_us = t_us

    def _opened(self, number: int, car: Car, t_us: int) -> Iterator[Signal]:
        again = len(car.openings) - 1
        if number in self._own_count or car.proven < TRUSTED_AFTER or again < CYCLES:
            return
        tier: Tier = "alarm" if again >= CYCLES_ALARM else "warning"
        yield from self._begin(number, car, "door_cycling", t_us, tier, "door_status", again)

    def _arrived(self, number: int, car: Car, t_us: int) -> Iterator[Signal]:
        """A ride ends. With somebody inside and a door that never opens, one of the two sensors is wrong."""
        inside = car.states.get("passenger_status") == PRESENT and car.states.get("door_status") == CLOSED
        car.blind = car.blind + 1 if inside and car.proven >= TRUSTED_AFTER else 0
        if car.blind >= BLIND_RIDES:
            yield from self._begin(number, car, "sensor_inconsistent", t_us, "warning", "door_status", car.blind)

    @staticmethod
    def _watch_zone(car: Car, t_us: int, status: float | None, door: float | None) -> None:
        if status != STOPPED or door != NOT_CLOSED:
            car.open_in_zone, car.leaving_us = False, NEVER
        elif car.states.get("door_zone") == IN_ZONE:
            car.open_in_zone, car.leaving_us = True, NEVER
        elif car.states.get("door_zone") == OFF_ZONE and car.open_in_zone and car.leaving_us == NEVER:
            car.leaving_us = t_us

    def _moved_by_itself(self, number: int, car: Car, until_us: int) -> Iterator[Signal]:
        if car.leaving_us != NEVER and until_us >= car.leaving_us + UCM_US:
            at, car.leaving_us, car.open_in_zone = car.leaving_us + UCM_US, NEVER, False
            yield from self._begin(number, car, "ucm", at, "alarm", "door_zone", UCM_US / SECOND)

    def _begin(
        self, number: int, car: Car, condition: str, t_us: int, tier: Tier, metric: str, actual: float
    ) -> Iterator[Signal]:
        if f"{condition}:{tier}" not in car.open:
            car.open.append(f"{condition}:{tier}")
            yield self._signal(number, car, condition, t_us, tier, metric, actual, True)

    def _end(self, number: int, car: Car, condition: str, t_us: int) -> Iterator[Signal]:
        tiers: tuple[Tier, ...] = ("warning", "alarm")
        for tier in tiers if car.open else ():
            if f"{condition}:{tier}" in car.open:
                car.open.remove(f"{condition}:{tier}")
                yield self._signal(number, car, condition, t_us, tier, "car_status", 0, False)

    def _signal(
        self, number: int, car: Car, condition: str, t_us: int, tier: Tier, metric: str, actual: float, active: bool
    ) -> Signal:
        points = self._registry.equipment[number].points
        basis, mark = BASIS[condition]
        return signal(
            self,
            self._registry,
            points.get(metric, next(iter(points.values()))),
            t_us,
            condition=condition,
            tier=tier,
            active=active,
            source=f"{condition}:{tier}",
            text="rides",
            evidence={
                "actual": actual,
                "expected": {"states": dict(car.states)},
                "driver": metric,
                "contributions": [{"metric": name, "value": value} for name, value in car.states.items()],
                "basis": basis,
                "mark": mark,
                "rule": condition,
            },
        )
