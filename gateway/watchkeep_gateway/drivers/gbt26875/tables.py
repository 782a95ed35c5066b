"""[[gbt26875]]: where fire transmission devices connect to, which there are, and what their addresses mean."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from msgspec import Meta

from watchkeep_core import vocabulary
from watchkeep_core.gbt26875 import Place, address_from, place_from
from watchkeep_core.messages import Id
from watchkeep_gateway.tables import Declared, Name, Path, Problem, Table, nearest
from watchkeep_gateway.values import PointKey

Byte = Annotated[int, Meta(ge=0, le=255)]
Hours = Annotated[float, Meta(ge=0, le=8760)]

LINK_METRIC, CLOCK_METRIC, DUTY_METRIC = "cabinet_link", "clock_offset", "duty_check_result"

REPORT_S = 60.0
"""Link and clock of a device are told this often."""


class ComponentTable(Table, frozen=True):
    """What one address of the panel is; without `place` it is the system as a whole."""

    equipment: Id
    system: Byte = 1
    """Type of the system, as in `fire.system_types` of the vocabulary."""
    address: Byte = 1
    """Of the system, set at the panel."""
    place: str | int | None = None
    """ZONE-PART, four bytes in hex as sent, or one number."""
    type: Byte | None = None
    """Of the component, as in `fire.component_types`; absent = whatever is at that place."""

    @property
    def where(self) -> Place | None:
        return None if self.place is None else place_from(str(self.place))


class TransmissionTable(Table, frozen=True):
    """One transmission device."""

    address: str | int
    """A number, or six bytes in hex as sent."""
    equipment: Id
    profile: str = "gbt26875_2011"
    """One of `fire.profiles` of the vocabulary."""
    unmapped: Literal["device", "reject"] = "device"
    """Whose the events of addresses are that no component names: the device's own, or nobody's (kept as rejected)."""
    components: tuple[ComponentTable, ...] = ()
    duty_check_h: Hours = 4.0
    """查岗 about this often, at moments that cannot be foretold; 0 = never."""
    duty_answer_min: Annotated[int, Meta(ge=1, le=255)] = 10
    """Minutes that the person on duty has to answer."""
    duty_equipment: Id | None = None
    """The control room that answers; absent = `equipment`."""

    @property
    def number(self) -> int:
        return address_from(str(self.address))


class ListenerTable(Table, frozen=True):
    """One TCP port that transmission devices connect to; nothing on it is encrypted, so bind it to their network."""

    name: Name
    host: Annotated[str, Meta(min_length=1)]
    port: Annotated[int, Meta(ge=1, le=65535)]
    devices: tuple[TransmissionTable, ...] = ()
    unknown: Literal["accept", "reject"] = "accept"
    """What is done with devices that are not listed: `accept` makes them equipment gbt26875-ADDRESS."""
    silent_s: Annotated[float, Meta(ge=5, le=86_400)] = 90.0
    """A device is told as not there after this; heartbeats come every 20 to 30 s."""
    utc_offset_h: Annotated[float, Meta(ge=-12, le=14)] = 8.0
    """Of the clocks of the devices."""
    clock_sync_h: Hours = 24.0
    """Clocks are set when a device connects and this often; 0 = never."""
    max_connections: Annotated[int, Meta(ge=1, le=2000)] = 200


def problems(tables: Sequence[ListenerTable], declared: Declared) -> Iterator[Problem]:
    """What is wrong with tables that are well formed."""
    names, places, numbers = set[str](), set[tuple[str, int]](), set[int]()
    for number, table in enumerate(tables):
        path: Path = ("gbt26875", number)
        if table.name in names:
            yield Problem((*path, "name"), f"{table.name!r} is there twice")
        if (table.host, table.port) in places:
            yield Problem((*path, "port"), f"{table.host}:{table.port} is there twice")
        names.add(table.name)
        places.add((table.host, table.port))
        for index, device in enumerate(table.devices):
            at: Path = (*path, "devices", index)
            yield from _address_problems(at, device, numbers)
            yield from _device_problems(at, device, declared)
            yield from _component_problems(at, device, declared)


def _address_problems(path: Path, device: TransmissionTable, seen: set[int]) -> Iterator[Problem]:
    try:
        if device.number in seen:
            yield Problem((*path, "address"), f"{device.address!r} is there twice")
        seen.add(device.number)
    except ValueError as error:
        yield Problem((*path, "address"), str(error))


def _device_problems(path: Path, device: TransmissionTable, declared: Declared) -> Iterator[Problem]:
    profiles = vocabulary.load().fire.profiles
    if device.profile not in profiles:
        text = f"{device.profile!r} is none of {', '.join(profiles)}{nearest(device.profile, profiles)}"
        yield Problem((*path, "profile"), text)
    if problem := declared.equipment_problem(device.equipment) or declared.metric_problem(
        device.equipment, CLOCK_METRIC
    ):
        yield Problem((*path, "equipment"), problem)
    if device.duty_equipment is not None:
        duty = device.duty_equipment
        if problem := declared.equipment_problem(duty) or declared.metric_problem(duty, DUTY_METRIC):
            yield Problem((*path, "duty_equipment"), problem)


def _component_problems(path: Path, device: TransmissionTable, declared: Declared) -> Iterator[Problem]:
    seen = set[tuple[int, int, Place | None, int | None]]()
    for index, component in enumerate(device.components):
        at: Path = (*path, "components", index)
        if problem := declared.equipment_problem(component.equipment):
            yield Problem((*at, "equipment"), problem)
        if component.place is None and component.type is not None:
            yield Problem((*at, "place"), "is needed with a type")
        try:
            key = (component.system, component.address, component.where, component.type)
        except ValueError as error:
            yield Problem((*at, "place"), str(error))
            continue
        if key in seen:
            yield Problem((*at, "place"), f"system {key[0]}.{key[1]} {key[2] or 'itself'} is there twice")
        seen.add(key)


def points(tables: Sequence[ListenerTable]) -> dict[PointKey, float | None]:
    """What the gateway tells of each device itself; the devices' own values are not known beforehand."""
    metrics = vocabulary.load().metrics
    found: dict[PointKey, float | None] = {}
    for device in (device for table in tables for device in table.devices):
        for metric in (LINK_METRIC, CLOCK_METRIC):
            found[device.equipment, metric, metrics[metric].unit] = REPORT_S
        if device.duty_check_h:
            found[device.duty_equipment or device.equipment, DUTY_METRIC, metrics[DUTY_METRIC].unit] = None
    return found
