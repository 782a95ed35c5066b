"""The tables of the technician's TOML file."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from watchkeep_core import topics, vocabulary
from watchkeep_core.messages import Id, PointDeclaration, Text
from watchkeep_gateway.values import PointKey

RegisterKind = Literal["holding", "input", "coil", "discrete"]
RegisterType = Literal["int16", "uint16", "int32", "uint32", "float32", "bit"]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
Positive = Annotated[float, Meta(gt=0)]


class _Table(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class GatewayTable(_Table, frozen=True):
    community: Id
    id: Id
    equipment: Id | None = None
    """Id under which the gateway itself is registered as equipment; absent = `id`."""


class SpoolTable(_Table, frozen=True):
    """Bounds of the telemetry kept on disk; events have none."""

    max_bytes: Annotated[int, Meta(ge=1_000_000)] = 1_000_000_000
    max_age_days: Positive = 30.0
    """Ingest puts readings older than 30 days into quarantine."""
    min_free_bytes: Annotated[int, Meta(ge=0)] = 100_000_000
    """Free disk that telemetry must leave, in bytes."""


class BridgeTable(_Table, frozen=True):
    name: Name = "field"
    topic: str = ""
    """Topics below this one are read, the next level is the equipment; absent = field/COMMUNITY/GATEWAY."""
    undeclared: Literal["accept", "reject"] = "accept"
    """What is done with equipment that no [[device]] declares."""
    url: str = ""
    """Broker of the site, mqtt://host:port; absent = the gateway's own broker, over its one connection."""
    user: str = ""
    password_file: str = ""
    ca_file: str = ""


class RegisterTable(_Table, frozen=True):
    """One value: (raw × scale) + offset, in the metric's unit."""

    metric: str
    address: Annotated[int, Meta(ge=0, le=65535)]
    equipment: Id | None = None
    """Absent = the equipment of the table it stands in."""
    kind: RegisterKind = "holding"
    type: RegisterType = "uint16"
    bit: Annotated[int, Meta(ge=0, le=15)] | None = None
    """With type bit of a holding or input register: which, 0 = least significant."""
    word_order: Literal["big", "little"] = "big"
    scale: float = 1.0
    offset: float = 0.0


class ModbusTable(_Table, frozen=True):
    name: Name
    host: Annotated[str, Meta(min_length=1)]
    registers: Annotated[tuple[RegisterTable, ...], Meta(min_length=1)]
    port: Annotated[int, Meta(ge=1, le=65535)] = 502
    unit: Annotated[int, Meta(ge=0, le=255)] = 1
    equipment: Id | None = None
    period_s: Annotated[float, Meta(ge=0.05, le=86_400)] = 10.0
    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 2.0
    max_block: Annotated[int, Meta(ge=1, le=125)] = 120
    """Most registers asked for at once; the standard's limit is 125, some devices take less."""
    max_gap: Annotated[int, Meta(ge=0, le=100)] = 8
    """Registers between two wanted ones that are read along to save a request; 0 for devices that refuse holes."""


class DeviceTable(_Table, frozen=True):
    equipment: Id
    kind: str
    vendor_profile: str = ""
    """Vocabulary profile that its raw codes are read by."""
    metrics: tuple[str, ...] = ()
    """Points it is expected to send, so that one that never reports is noticed."""


class Config(_Table, frozen=True):
    gateway: GatewayTable
    version: Text = ""
    """Told in birth: which configuration runs here."""
    spool: SpoolTable = SpoolTable()
    mqtt_bridge: tuple[BridgeTable, ...] = ()
    modbus_tcp: tuple[ModbusTable, ...] = ()
    device: tuple[DeviceTable, ...] = ()

    @property
    def ref(self) -> topics.GatewayRef:
        return topics.GatewayRef(self.gateway.community, self.gateway.id)

    @property
    def own_equipment(self) -> str:
        return self.gateway.equipment or self.gateway.id

    def bridge_topic(self, bridge: BridgeTable) -> str:
        return bridge.topic or f"field/{self.ref.user}"


def points(config: Config) -> dict[PointKey, float | None]:
    """Declared points and their expected interval in seconds (None = none expected), in file order."""
    known = vocabulary.load()
    found: dict[PointKey, float | None] = {}
    for device in config.device:
        for name in device.metrics:
            metric = known.metrics[name]
            found[device.equipment, name, metric.unit] = metric.period_s or None
    for table in config.modbus_tcp:
        for register in table.registers:
            key = (register.equipment or table.equipment or "", register.metric, known.metrics[register.metric].unit)
            found[key] = table.period_s
    return found


def declare(key: PointKey, alias: int, period_s: float | None) -> PointDeclaration:
    return PointDeclaration(alias=alias, equipment=key[0], metric=key[1], unit=key[2], period_s=period_s)
