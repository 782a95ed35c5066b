"""Who is in the fleet: communities, gateways, equipment, points, and in which order they speak.

Nothing is stored per piece of equipment: gateways with as many points have the same equipment, and names follow from
numbers, so that a million points take some tens of megabytes. The same options give the same plan.

Points are laid out in the order in which they are sent: a *group* is what one message carries, group after group, the
first group of every gateway before the second of any, so that one stretch of an array is what is due in a moment.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from watchkeep_core import estate, messages
from watchkeep_core.messages import Birth, ClockState, PointDeclaration
from watchkeep_core.topics import GatewayRef
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_firmware_sim.errors import FleetError
from watchkeep_firmware_sim.fleet_load.options import FleetOptions

SPREAD_MS = 200
"""The readings of one message were taken over this long before it was made, as by a gateway that polls."""

SOFTWARE = "firmware-sim fleet"
AREA = "load-city"


_NAME = re.compile(r"([a-z]+)-(\d+)-(\d+)")


class Template(NamedTuple):
    """One sort of equipment in the mix."""

    short: str
    kind: str
    metrics: tuple[str, ...]
    profile: str = ""


def _of(short: str, kind: str, metrics: str, profile: str = "") -> Template:
    return Template(short, kind, tuple(metrics.split()), profile)


MIX = (
    _of(
        "lift",
        "elevator",
        "car_status car_direction car_floor door_zone door_status passenger_status service_mode motor_current_percent "
        "machine_room_temperature machine_temperature car_vibration_vertical ride_count",
        "gbt24476_2017",
    ),
    _of("smoke", "smoke_detector", "battery_voltage signal_strength"),
    _of("efd", "electrical_fire_detector", "residual_current conductor_temperature"),
    _of("riser", "supply_riser", "household_pressure"),
    _of(
        "pumps",
        "supply_pump_set",
        "outlet_pressure outlet_pressure_setpoint outlet_pressure_deviation inlet_pressure pump_flow power_status",
    ),
    _of("hydrant", "hydrant_system", "static_pressure pipe_temperature"),
    _of(
        "pump",
        "supply_pump",
        "pump_run_state pump_frequency pump_current_percent pump_vibration bearing_temperature starts_per_hour",
    ),
    _of("sump", "sump", "water_level water_level_rate pumps_running pump_run_state pump_current_percent"),
    _of("panel", "fire_alarm_panel", "power_status backup_power_status control_mode"),
    _of("tank", "water_tank", "water_level residual_chlorine turbidity ph"),
    _of("sprinkler", "sprinkler_system", "static_pressure end_test_pressure"),
    _of("meter", "dma_meter", "inlet_flow inlet_pressure night_minimum_flow water_volume"),
    _of("firepump", "fire_pump", "pump_run_state discharge_pressure control_mode bearing_temperature"),
    _of("firetank", "fire_tank", "water_level tank_volume"),
    _of("power", "power_supply", "power_status supply_voltage_deviation phase_loss"),
)
"""One after the other, again and again: about what a community of apartment towers has (DOMAIN §2).

One round of the mix is a building.
"""

POWERED = frozenset(("elevator", "supply_pump_set", "supply_pump", "sump"))
"""Kinds that hang on the power supply of their building, where it has one."""


class Device(NamedTuple):
    """One piece of equipment of a gateway; its points have the aliases `first` … `first + len(metrics) - 1`."""

    equipment: str
    template: Template
    metrics: tuple[str, ...]
    first: int


class Outfit(NamedTuple):
    """The equipment of a gateway with so many points."""

    devices: tuple[tuple[Template, int, int], ...]
    """(template, first alias, metrics it has)."""
    number: NDArray[np.int32]
    """Number of the device of each alias."""
    slot: NDArray[np.int16]
    """Which metric of its template."""


@dataclass(frozen=True)
class Plan:
    """Made by `plan`. Arrays over groups have one entry per message of a round, those over points one per series."""

    options: FleetOptions
    gateways: tuple[GatewayRef, ...]
    group_gateway: NDArray[np.int32]
    group_first: NDArray[np.int32]
    """First alias."""
    group_start: NDArray[np.int64]
    """Where its points begin in the layout; one entry more than groups."""
    place: NDArray[np.int32]
    """[gateway, number of the group in it] → group, −1 where it has none."""
    outfits: dict[int, Outfit]

    @property
    def groups(self) -> int:
        return len(self.group_gateway)

    @property
    def communities(self) -> list[str]:
        return list(dict.fromkeys(ref.community for ref in self.gateways))

    @property
    def period_s(self) -> float:
        """Of every point; as fast as it goes counts as one second."""
        return self.options.points / self.options.rate if self.options.rate else 1.0

    @cached_property
    def dt_ms(self) -> NDArray[np.int16]:
        """Offset from its message's `t0` of each point of the layout."""
        return np.concatenate([spread(int(size)) for size in np.diff(self.group_start)])

    def points_of(self, gateway: int) -> int:
        return self.options.points // self.options.gateways + (gateway < self.options.points % self.options.gateways)

    def position(self, gateway: int, alias: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the points with these aliases stand in the layout."""
        group = self.place[gateway, alias // self.options.readings_per_message]
        found: NDArray[np.int64] = self.group_start[group] + alias - self.group_first[group]
        return found

    @property
    def ids_per_gateway(self) -> int:
        """More than any gateway has devices; whole buildings."""
        most = max(len(outfit.devices) for outfit in self.outfits.values())
        return (most // len(MIX) + 1) * len(MIX)

    def device_id(self, gateway: int, number: int) -> int:
        """One number for each device of the fleet."""
        return gateway * self.ids_per_gateway + number

    def device_count(self, gateway: int) -> int:
        return len(self.outfit(gateway).devices)

    def device(self, gateway: int, number: int) -> Device:
        template, first, size = self.outfit(gateway).devices[number]
        return Device(
            f"{template.short}-{gateway:04d}-{1 + number // len(MIX)}", template, template.metrics[:size], first
        )

    def devices(self, gateway: int) -> Iterator[Device]:
        return (self.device(gateway, number) for number in range(self.device_count(gateway)))

    def power_supply(self, gateway: int, number: int) -> Device | None:
        """What feeds this device."""
        supply = number - number % len(MIX) + next(at for at, each in enumerate(MIX) if each.kind == "power_supply")
        fed = MIX[number % len(MIX)].kind in POWERED and supply < self.device_count(gateway)
        return self.device(gateway, supply) if fed else None

    def find(self, name: str) -> tuple[int, int]:
        """Gateway and number of the device `community/equipment`; raises FleetError."""
        community, _, equipment = name.partition("/")
        match = _NAME.fullmatch(equipment)
        if match and int(match[2]) < len(self.gateways) and self.gateways[int(match[2])].community == community:
            gateway = int(match[2])
            for at, template in enumerate(MIX):
                number = (int(match[3]) - 1) * len(MIX) + at
                if template.short == match[1] and 0 <= number < self.device_count(gateway):
                    return gateway, number
        raise FleetError("faults", "equipment", f"no {name!r} in this fleet")

    def birth(self, gateway: int, epoch: str, words: Vocabulary) -> Birth:
        """Declares every point of the gateway."""
        declared = (
            PointDeclaration(
                device.first + at, device.equipment, metric, words.metrics[metric].unit, round(self.period_s, 3)
            )
            for device in self.devices(gateway)
            for at, metric in enumerate(device.metrics)
        )
        return Birth(
            software=SOFTWARE,
            data_epoch=epoch,
            event_epoch=epoch,
            clock=ClockState(synchronised=True),
            equipment=messages.declare(declared),
        )

    def points_by_community(self) -> dict[str, int]:
        found = dict.fromkeys(self.communities, 0)
        for number, ref in enumerate(self.gateways):
            found[ref.community] += self.points_of(number)
        return found

    def communities_of_estate(self) -> Iterator[estate.Community]:
        """The same as records for the register, one community at a time."""
        for community in self.communities:
            mine = [number for number, ref in enumerate(self.gateways) if ref.community == community]
            yield estate.Community(
                community_id=community,
                name=f"模拟小区 {community}",
                name_en=f"Simulated community {community}",
                area_id=AREA,
                gateways=[estate.Gateway(gateway_id=self.gateways[number].gateway) for number in mine],
                equipment=[
                    estate.Equipment(
                        equipment_id=device.equipment,
                        kind=device.template.kind,
                        name=device.equipment,
                        metrics=list(device.metrics),
                        vendor_profile=device.template.profile,
                        gateway_id=self.gateways[number].gateway,
                        links=[estate.Link(relation="powered_by", to=supply.equipment)]
                        if (supply := self.power_supply(number, at))
                        else [],
                    )
                    for number in mine
                    for at, device in enumerate(self.devices(number))
                ],
            )

    def outfit(self, gateway: int) -> Outfit:
        return self.outfits[self.points_of(gateway)]


def plan(options: FleetOptions) -> Plan:
    """The plan of these options."""
    width = max(2, len(str(options.communities)))
    refs = tuple(
        GatewayRef(f"{options.prefix}-{1 + number % options.communities:0{width}d}", f"gw-{number:04d}")
        for number in range(options.gateways)
    )
    few, more = divmod(options.points, options.gateways)
    sizes = np.array([few + (number < more) for number in range(options.gateways)])
    per_message = options.readings_per_message
    rounds = -(-int(sizes.max()) // per_message)
    place = np.full((options.gateways, rounds), -1, np.int32)
    gateways: list[NDArray[np.int64]] = []
    firsts: list[NDArray[np.int64]] = []
    counts: list[NDArray[np.int64]] = []
    groups = 0
    for number in range(rounds):
        first = number * per_message
        speaking = np.flatnonzero(sizes > first)
        place[speaking, number] = np.arange(groups, groups + len(speaking))
        groups += len(speaking)
        gateways.append(speaking)
        firsts.append(np.full(len(speaking), first))
        counts.append(np.minimum(sizes[speaking] - first, per_message))
    return Plan(
        options,
        refs,
        np.concatenate(gateways).astype(np.int32),
        np.concatenate(firsts).astype(np.int32),
        np.concatenate([[0], np.cumsum(np.concatenate(counts))]),
        place,
        {size: _outfit(size) for size in {few, few + 1} if size},
    )


def spread(size: int) -> NDArray[np.int16]:
    """When, after `t0`, the readings of a message were taken, ms."""
    return (np.arange(size) * SPREAD_MS // size).astype(np.int16)


def _outfit(points: int) -> Outfit:
    devices: list[tuple[Template, int, int]] = []
    number: list[int] = []
    slot: list[int] = []
    first = 0
    while first < points:
        template = MIX[len(devices) % len(MIX)]
        size = min(len(template.metrics), points - first)
        number += [len(devices)] * size
        slot += range(size)
        devices.append((template, first, size))
        first += size
    return Outfit(tuple(devices), np.array(number, np.int32), np.array(slot, np.int16))
