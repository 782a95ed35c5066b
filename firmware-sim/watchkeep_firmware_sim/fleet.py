"""The fleet file: which devices there are, how they are reached, and which faults will happen when."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from watchkeep_core.messages import Id
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_core.vocabulary_rows import ANY
from watchkeep_firmware_sim import documents
from watchkeep_firmware_sim.errors import FleetError, ScenarioError
from watchkeep_firmware_sim.gbt26875_fleet import Component, FireAddress, Transmission
from watchkeep_firmware_sim.gbt26875_fleet import problems as gbt26875_problems
from watchkeep_firmware_sim.scenario import Scenario, code_for, find, require_fit

UnitId = Annotated[int, Meta(ge=1, le=247)]
Port = Annotated[int, Meta(ge=0, le=65535)]
Period = Annotated[float, Meta(ge=0.1, le=86_400)]
Duration = Annotated[float, Meta(gt=0, le=31_536_000)]
MAX_METRICS = 60
"""60 floats and the fault code are 121 registers: one Modbus read takes at most 125."""


class _Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what stands in a fleet file."""


class Device(_Record, frozen=True):
    """One piece of equipment with its sensors."""

    community: Id
    gateway: Id
    equipment: Id
    kind: str
    metrics: Annotated[list[str], Meta(min_length=1, max_length=MAX_METRICS)]
    period_s: Period
    """Every metric is published this often, in seconds of event time; states also at once when they change."""
    transport: Literal["mqtt", "modbus", "gbt26875"] = "mqtt"
    vendor_profile: str | None = None
    """Events carry the raw code of this profile; absent = the canonical condition."""
    unit_id: UnitId | None = None
    """Modbus only: the unit (slave) address, unique in its gateway."""
    fire: FireAddress | None = None
    """GB/T 26875.3 only: where it hangs behind the transmission device of its gateway."""
    building: Id | None = None
    """Devices of one building share its mains voltage and load."""
    powered_by: Id | None = None
    """The equipment of the same community that feeds it: what a power loss there takes with it."""

    @property
    def name(self) -> str:
        return f"{self.community}/{self.equipment}"

    @property
    def topic(self) -> str:
        return f"field/{self.community}/{self.gateway}/{self.equipment}"


class PlannedFault(_Record, frozen=True):
    """One fault of the plan."""

    equipment: str
    """`community/equipment`."""
    scenario: str
    at_s: Annotated[float, Meta(ge=0)]
    """Begins this long after the start of the run, in seconds of event time."""
    for_s: Duration | None = None
    """Lasts this long; absent = as long as the scenario usually does."""
    severity: Annotated[float, Meta(ge=0, le=1)] = 1
    """0 = just beyond the limit, 1 = all of it."""


class ModbusListener(_Record, frozen=True):
    """Where the Modbus devices of one gateway answer."""

    community: Id
    gateway: Id
    port: Port
    host: str = "127.0.0.1"


class Fleet(_Record, frozen=True):
    """A whole fleet file."""

    seed: int
    device: Annotated[list[Device], Meta(min_length=1)]
    fault: list[PlannedFault] = []
    modbus: list[ModbusListener] = []
    gbt26875: list[Transmission] = []
    utc_offset_h: Annotated[float, Meta(ge=-12, le=14)] = 8.0
    """Local time of the communities: when people get up, use water and ride."""

    def devices(self) -> dict[str, Device]:
        """By `community/equipment`."""
        return {device.name: device for device in self.device}

    def points(self) -> int:
        return sum(len(device.metrics) for device in self.device)

    def readings_per_s(self) -> float:
        """Periodic readings; those on change come on top."""
        return sum(len(device.metrics) / device.period_s for device in self.device)


def load(path: Path, vocabulary: Vocabulary) -> Fleet:
    """Read and check a fleet file; raises FleetError that names the field."""
    return checked(documents.read(path, Fleet, FleetError), path.name, vocabulary)


def checked(fleet: Fleet, name: str, vocabulary: Vocabulary) -> Fleet:
    """The same fleet, when nothing in it contradicts itself or the vocabulary."""
    for field, problem in _problems(fleet, vocabulary):
        raise FleetError(name, field, problem)
    return fleet


def scenario_for(device: Device, name: str, vocabulary: Vocabulary) -> Scenario:
    """The scenario of that name for this device; raises ScenarioError when there is none or it does not fit."""
    scenario = find(name)
    codes = [code_for(event, device.vendor_profile, vocabulary) for event in scenario.event]
    tells = device.transport == "mqtt" or any(field == "code" and code.isdigit() for field, code in codes)
    if device.transport == "gbt26875":
        bits = Component(device.kind, device.fire, vocabulary).bits
        tells = any(code in bits for _, code in codes)
    if scenario.wire and (device.transport != "gbt26875" or device.fire is not None):
        raise ScenarioError(f"{name} happens to transmission devices on GB/T 26875.3, not to {device.name}")
    require_fit(scenario, device.kind, device.metrics, sends_events=tells)
    return scenario


def _problems(fleet: Fleet, vocabulary: Vocabulary) -> Iterator[tuple[str, str]]:
    names = Counter(device.name for device in fleet.device)
    for index, device in enumerate(fleet.device):
        if names[device.name] > 1:
            yield f"device[{index}].equipment", f"{device.name} is there {names[device.name]} times"
        for field, problem in _device_problems(device, vocabulary):
            yield f"device[{index}].{field}", f"{problem} ({device.name})"
    yield from _modbus_problems(fleet)
    yield from gbt26875_problems(fleet.device, fleet.gbt26875, vocabulary)
    devices = fleet.devices()
    for index, fault in enumerate(fleet.fault):
        if fault.equipment not in devices:
            yield f"fault[{index}].equipment", f"no device {fault.equipment!r} (community/equipment)"
            continue
        try:
            scenario_for(devices[fault.equipment], fault.scenario, vocabulary)
        except ScenarioError as error:
            yield f"fault[{index}].scenario", str(error)


def _device_problems(device: Device, vocabulary: Vocabulary) -> Iterator[tuple[str, str]]:
    if device.kind not in vocabulary.kinds:
        yield "kind", f"no kind {device.kind!r} in the vocabulary"
    for metric in device.metrics:
        if metric not in vocabulary.metrics:
            yield "metrics", f"no metric {metric!r} in the vocabulary"
        elif not {device.kind, ANY} & set(vocabulary.metrics[metric].kinds):
            yield "metrics", f"{metric!r} does not belong to kind {device.kind!r}"
    if len(set(device.metrics)) < len(device.metrics):
        yield "metrics", "one of them is there twice"
    if device.vendor_profile is not None and device.vendor_profile not in vocabulary.profiles:
        yield "vendor_profile", f"no profile {device.vendor_profile!r} in the vocabulary"
    if device.transport == "modbus" and device.unit_id is None:
        yield "unit_id", "is needed for transport 'modbus'"
    if device.transport == "mqtt" and device.unit_id is not None:
        yield "unit_id", "has no meaning for transport 'mqtt'"


def _modbus_problems(fleet: Fleet) -> Iterator[tuple[str, str]]:
    listeners = [(listener.community, listener.gateway) for listener in fleet.modbus]
    addresses = [(listener.host, listener.port) for listener in fleet.modbus if listener.port]
    for index, listener in enumerate(fleet.modbus):
        if listeners.count((listener.community, listener.gateway)) > 1:
            yield f"modbus[{index}].gateway", f"{listener.community}/{listener.gateway} has two listeners"
        if addresses.count((listener.host, listener.port)) > 1:
            yield f"modbus[{index}].port", f"{listener.host}:{listener.port} is used twice"
    seen: set[tuple[str, str, int]] = set()
    for index, device in enumerate(fleet.device):
        if device.transport != "modbus" or device.unit_id is None:
            continue
        if (device.community, device.gateway) not in listeners:
            yield f"device[{index}].gateway", f"no [[modbus]] listener for {device.community}/{device.gateway}"
        key = (device.community, device.gateway, device.unit_id)
        if key in seen:
            yield f"device[{index}].unit_id", f"{device.unit_id} is used twice in {device.community}/{device.gateway}"
        seen.add(key)
