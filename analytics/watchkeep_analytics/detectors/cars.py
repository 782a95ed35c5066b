"""What state machines of elevators have in common: one small state per car, fed with all it says at one instant."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar, Generic, TypeVar

import msgspec
import numpy as np

from watchkeep_analytics.batch import Batch, Bools
from watchkeep_analytics.detectors.limits import GRACE_US
from watchkeep_analytics.registry import Registry
from watchkeep_analytics.signals import Moment, Signal

STOPPED, RUNNING = 0, 1
IN_ZONE, OFF_ZONE = 1, 2
CLOSED, NOT_CLOSED = 1, 2
PRESENT = 1

Car = TypeVar("Car", bound=msgspec.Struct)


class Cars(ABC, Generic[Car]):
    """Only rows of its `metrics` are looked at; the state is saved by (community, equipment)."""

    metrics: ClassVar[tuple[str, ...]]
    car: type[Car]
    """A fresh one of these for each elevator."""

    _registry: Registry
    _cars: dict[int, Car]
    """By number of the equipment."""
    _watched: Bools

    @abstractmethod
    def _step(self, number: int, t_us: int, states: dict[str, float]) -> Iterable[Signal]:
        """What an elevator says anew at one instant."""

    def configure(self) -> list[Signal]:
        self._watched = np.array([metric in self.metrics for metric in self._registry.metrics], np.bool_)
        return []

    def observe(self, batch: Batch) -> list[Signal]:
        mine = batch.where(self._watched[batch.row])
        number = self._registry["equipment"][mine.row]
        found: list[Signal] = []
        instant: dict[str, float] = {}
        at = (-1, 0)
        for i in np.lexsort((mine.t_us, number)).tolist():
            here = (int(number[i]), int(mine.t_us[i]))
            if here != at and instant:
                found += self._step(*at, instant)
                instant = {}
            at = here
            instant[self._registry.metrics[mine.row[i]]] = float(mine.value[i])
        return [*found, *self._step(*at, instant)] if instant else found

    def ready(self, row: int) -> bool:
        return True

    def save(self) -> bytes:
        items = self._registry.equipment
        return msgspec.msgpack.encode([(items[n].community, items[n].id, car) for n, car in self._cars.items()])

    def load(self, data: bytes) -> None:
        known = {(item.community, item.id): number for number, item in enumerate(self._registry.equipment)}
        try:
            saved = msgspec.msgpack.decode(data, type=list[tuple[str, str, self.car]])  # type: ignore[name-defined]
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from None
        self._cars = {known[c, e]: car for c, e, car in saved if (c, e) in known}

    @property
    def nbytes(self) -> int:
        return 1_000 * len(self._cars)  # a rough figure: four small dicts

    def _passed_us(self, number: int, moment: Moment) -> int:
        """Everything of this elevator before this has probably come."""
        row = next(iter(self._registry.equipment[number].points.values()))
        return int(moment.watermark_us[self._registry["gateway"][row]]) - GRACE_US
