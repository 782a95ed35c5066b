"""What all sensors of the fleet read: the device models, asked for many devices of a kind at once.

The models' cost per sample falls with their number (1.2 µs per reading at 20 devices of a kind, 0.11 at 400:
measured), so devices are asked in *buckets*: stretches of groups of some 20,000 points. All of a bucket is sampled when
its first group is due; the others follow within the bucket's share of the period.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from watchkeep_core.vocabulary import Vocabulary
from watchkeep_firmware_sim.fleet_load.plan import MIX, Plan, Template
from watchkeep_firmware_sim.models import Devices, Group, Place
from watchkeep_firmware_sim.signals import Floats

BUCKET_POINTS = 20_000
UTC_OFFSET_H = 8.0

_Places = NDArray[np.int32]


class _Squad(NamedTuple):
    """The devices of one template in one bucket."""

    devices: Devices
    ids: NDArray[np.int64]
    """`Plan.device_id` of each, rising."""
    where: dict[str, tuple[_Places, _Places]]
    """Metric → (which device, where in the bucket) of the points that lie in this bucket."""


class Values:
    """Models of all devices. A device whose points lie in two buckets has a model in each: the same readings."""

    def __init__(self, plan: Plan, words: Vocabulary, start_s: float) -> None:
        """`start_s` in seconds since 1970 UTC."""
        self._plan = plan
        per_bucket = max(1, BUCKET_POINTS // plan.options.readings_per_message)
        firsts = list(range(0, plan.groups, per_bucket))
        self._edges = np.array([*(int(plan.group_start[first]) for first in firsts), plan.options.points])
        self._buckets = [self._squads(first, min(first + per_bucket, plan.groups), words, start_s) for first in firsts]
        self.bucket_groups = per_bucket
        self._current = -1
        self._values: Floats = np.empty(0)

    def read(self, start: int, end: int, t_s: float) -> Floats:
        """Readings of the points `start` … `end - 1` of the layout, which lie in one bucket, as a copy.

        NaN where there is none yet. A bucket is asked anew at its first point; `t_s` must not go back.
        """
        bucket = int(np.searchsorted(self._edges, start, side="right")) - 1
        low = int(self._edges[bucket])
        if start == low or bucket != self._current:
            self._current = bucket
            self._values = self._sample(bucket, t_s)
        return self._values[start - low : end - low].copy()

    def halt(self, gateway: int, number: int, t_s: float) -> None:
        """The machine stands still."""
        for devices, who in self._models(gateway, number):
            devices.halt(t_s, who)

    def resume(self, gateway: int, number: int, t_s: float, states: Mapping[str, float]) -> None:
        """It works again, from the states in which a fault left it."""
        for devices, who in self._models(gateway, number):
            devices.resume(t_s, who, states)

    def _sample(self, bucket: int, t_s: float) -> Floats:
        values: Floats = np.empty(int(self._edges[bucket + 1] - self._edges[bucket]))
        for squad in self._buckets[bucket]:
            readings = squad.devices.sample(t_s)
            for metric, (device, place) in squad.where.items():
                values[place] = readings[metric][device]
        return values

    def _models(self, gateway: int, number: int) -> list[tuple[Devices, NDArray[np.bool_]]]:
        wanted = self._plan.device_id(gateway, number)
        found = []
        for bucket in self._buckets:
            for squad in bucket:
                at = int(np.searchsorted(squad.ids, wanted))
                if at < len(squad.ids) and squad.ids[at] == wanted:
                    found.append((squad.devices, np.arange(len(squad.ids)) == at))
        return found

    def _squads(self, first: int, end: int, words: Vocabulary, start_s: float) -> list[_Squad]:
        """The devices with points in the groups `first` … `end - 1`."""
        plan = self._plan
        ids: list[NDArray[np.int64]] = []
        slots: list[NDArray[np.int16]] = []
        for group in range(first, end):
            gateway, alias = int(plan.group_gateway[group]), int(plan.group_first[group])
            size = int(plan.group_start[group + 1] - plan.group_start[group])
            outfit = plan.outfit(gateway)
            ids.append(plan.device_id(gateway, 0) + outfit.number[alias : alias + size].astype(np.int64))
            slots.append(outfit.slot[alias : alias + size])
        device, slot = np.concatenate(ids), np.concatenate(slots)
        mine = (device % plan.ids_per_gateway) % len(MIX)
        found = []
        for number, template in enumerate(MIX):
            places = np.flatnonzero(mine == number).astype(np.int32)
            if len(places):
                found.append(self._squad(template, device[places], slot[places], places, words, start_s))
        return found

    def _squad(
        self,
        template: Template,
        device: NDArray[np.int64],
        slot: NDArray[np.int16],
        places: _Places,
        words: Vocabulary,
        start_s: float,
    ) -> _Squad:
        ids, row = np.unique(device, return_inverse=True)
        sites = []
        for one in ids.tolist():
            gateway, number = divmod(one, self._plan.ids_per_gateway)
            building = f"{gateway:04d}-{number // len(MIX)}"
            name = self._plan.device(gateway, number).equipment
            sites.append(Place(self._plan.gateways[gateway].community, building, name))
        group = Group.of(self._plan.options.seed, sites, start_s, UTC_OFFSET_H)
        where = {
            metric: (row[slot == at].astype(np.int32), places[slot == at])
            for at, metric in enumerate(template.metrics)
            if (slot == at).any()
        }
        return _Squad(Devices(group, template.kind, template.metrics, words), ids, where)
