"""The technician's TOML file as one frozen value, and what a well-formed one can still have wrong.

A driver's tables, their checks and their points live beside the driver (`drivers/…tables.py`); here they are collected.
"""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from watchkeep_core import topics, vocabulary
from watchkeep_core.messages import Id, PointDeclaration, Text
from watchkeep_gateway.drivers import mqtt_bridge_tables
from watchkeep_gateway.drivers.gbt26875 import tables as gbt26875_tables
from watchkeep_gateway.drivers.gbt26875.tables import ListenerTable
from watchkeep_gateway.drivers.mapped_json import tables as mapped_json_tables
from watchkeep_gateway.drivers.mapped_json.tables import MappedJsonTable
from watchkeep_gateway.drivers.modbus import checks as modbus_checks
from watchkeep_gateway.drivers.modbus import tables as modbus_tables
from watchkeep_gateway.drivers.modbus.tables import ModbusRtuTable, ModbusTcpTable
from watchkeep_gateway.drivers.mqtt_bridge_tables import BridgeTable
from watchkeep_gateway.drivers.sparkplug import tables as sparkplug_tables
from watchkeep_gateway.drivers.sparkplug.tables import SparkplugTable
from watchkeep_gateway.report import Rule
from watchkeep_gateway.report_tables import ReportTable, report_problems, rule_of
from watchkeep_gateway.tables import Declared, Path, Positive, Problem, Table, metric_problem, nearest
from watchkeep_gateway.values import PointKey

DRIVERS = ("mqtt_bridge", "sparkplug", "mapped_json", "modbus_tcp", "modbus_rtu", "gbt26875")
"""Fields of Config that are drivers' tables; a file needs at least one of them."""


class GatewayTable(Table, frozen=True):
    community: Id
    id: Id
    equipment: Id | None = None
    """Id under which the gateway itself is registered as equipment; absent = `id`."""


class SpoolTable(Table, frozen=True):
    """Bounds of the telemetry kept on disk; events have none."""

    max_bytes: Annotated[int, Meta(ge=1_000_000)] = 1_000_000_000
    max_age_days: Positive = 30.0
    """Ingest puts readings older than 30 days into quarantine."""
    min_free_bytes: Annotated[int, Meta(ge=0)] = 100_000_000
    """Free disk that telemetry must leave, in bytes."""


class DeviceTable(Table, frozen=True):
    equipment: Id
    kind: str
    vendor_profile: str = ""
    """Vocabulary profile that its raw codes are read by."""
    metrics: tuple[str, ...] = ()
    """Points it is expected to send, so that one that never reports is noticed."""
    report: tuple[ReportTable, ...] = ()
    """Which of its points are sent by exception; the others are sent as they come."""


class Config(Table, frozen=True):
    gateway: GatewayTable
    version: Text = ""
    """Told in birth: which configuration runs here."""
    spool: SpoolTable = SpoolTable()
    device: tuple[DeviceTable, ...] = ()
    mqtt_bridge: tuple[BridgeTable, ...] = ()
    sparkplug: tuple[SparkplugTable, ...] = ()
    mapped_json: tuple[MappedJsonTable, ...] = ()
    modbus_tcp: tuple[ModbusTcpTable, ...] = ()
    modbus_rtu: tuple[ModbusRtuTable, ...] = ()
    gbt26875: tuple[ListenerTable, ...] = ()

    @property
    def ref(self) -> topics.GatewayRef:
        return topics.GatewayRef(self.gateway.community, self.gateway.id)

    @property
    def own_equipment(self) -> str:
        return self.gateway.equipment or self.gateway.id

    @property
    def modbus(self) -> tuple[ModbusTcpTable | ModbusRtuTable, ...]:
        return (*self.modbus_tcp, *self.modbus_rtu)

    def bridge_topic(self, bridge: BridgeTable) -> str:
        return bridge.topic or f"field/{self.ref.user}"


def problems(config: Config, declared: Declared) -> Iterator[Problem]:
    """What is wrong with a well-formed file."""
    yield from _device_problems(config)
    yield from _heartbeat_problems(config)
    yield from mqtt_bridge_tables.problems(config.mqtt_bridge)
    yield from sparkplug_tables.problems(config.sparkplug, declared)
    yield from mapped_json_tables.problems(config.mapped_json, declared)
    yield from modbus_checks.problems(config.modbus_tcp, config.modbus_rtu, declared)
    yield from gbt26875_tables.problems(config.gbt26875, declared)


def points(config: Config) -> dict[PointKey, float | None]:
    """Declared points and their expected interval in seconds (None = none expected), in file order."""
    known = vocabulary.load()
    found: dict[PointKey, float | None] = {}
    for device in config.device:
        for name in device.metrics:
            metric = known.metrics[name]
            found[device.equipment, name, metric.unit] = metric.period_s or None
    found.update(modbus_tables.points(config.modbus))
    found.update(gbt26875_tables.points(config.gbt26875))
    for (equipment, name), rule in report_rules(config).items():
        found[equipment, name, known.metrics[name].unit] = rule.heartbeat_s
    return found


def report_rules(config: Config) -> dict[tuple[str, str], Rule]:
    """(equipment, metric) of points that are sent by exception → when; a [[device]] has the last word."""
    found = dict(modbus_tables.rules(config.modbus))
    periods = modbus_tables.periods(config.modbus)
    for device in config.device:
        for one in device.report:
            found[device.equipment, one.metric] = rule_of(one, periods.get((device.equipment, one.metric), 0.0))
    return found


def declare(key: PointKey, alias: int, period_s: float | None) -> PointDeclaration:
    return PointDeclaration(alias=alias, equipment=key[0], metric=key[1], unit=key[2], period_s=period_s)


def _device_problems(config: Config) -> Iterator[Problem]:
    known, seen = vocabulary.load(), set[str]()
    for number, device in enumerate(config.device):
        path: Path = ("device", number)
        if device.equipment in seen:
            yield Problem((*path, "equipment"), f"{device.equipment!r} is declared twice")
        seen.add(device.equipment)
        if device.kind not in known.kinds:
            hint = nearest(device.kind, known.kinds)
            yield Problem((*path, "kind"), f"{device.kind!r} is no kind of equipment{hint}")
        if device.vendor_profile and device.vendor_profile not in known.profiles:
            text = f"{device.vendor_profile!r} is none of {', '.join(known.profiles)}"
            yield Problem((*path, "vendor_profile"), text)
        kind = device.kind if device.kind in known.kinds else None
        for index, metric in enumerate(device.metrics):
            if problem := metric_problem(metric, kind):
                yield Problem((*path, "metrics", index), problem)
        for index, report in enumerate(device.report):
            place: Path = (*path, "report", index)
            if problem := metric_problem(report.metric, kind):
                yield Problem((*place, "metric"), problem)
            else:
                yield from report_problems(place, report, known.metrics[report.metric])


def _heartbeat_problems(config: Config) -> Iterator[Problem]:
    """A heartbeat below the period at which the point is read could never be kept."""
    periods = modbus_tables.periods(config.modbus)
    for number, device in enumerate(config.device):
        for index, report in enumerate(device.report):
            period_s = periods.get((device.equipment, report.metric), 0.0)
            if report.heartbeat_s is not None and report.heartbeat_s < period_s:
                text = f"{report.heartbeat_s:g} is shorter than the {period_s:g} s at which it is read"
                yield Problem(("device", number, "report", index, "heartbeat_s"), text)
