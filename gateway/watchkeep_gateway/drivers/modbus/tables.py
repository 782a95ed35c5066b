"""[[modbus_tcp]], [[modbus_rtu]]: which registers of which unit are read, over which line."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from msgspec import Meta, field

from watchkeep_core import vocabulary
from watchkeep_core.messages import Id
from watchkeep_gateway.report import Rule
from watchkeep_gateway.report_tables import Deadband, Heartbeat, rule_of
from watchkeep_gateway.tables import Name, Table
from watchkeep_gateway.values import PointKey

RegisterKind = Literal["holding", "input", "coil", "discrete"]
ValueType = Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64", "bit", "string"]
Order = Literal["ABCD", "CDAB", "BADC", "DCBA"]
"""Of the bytes of a value over its registers, A the most significant; 64 bit likewise (ABCDEFGH, GHEFCDAB, …)."""


class Cell(Table, frozen=True, kw_only=True):
    """Where a value stands in a unit, and how it is written there."""

    address: Annotated[int, Meta(ge=0, le=65535)]
    """As on the wire, from 0: register 40001 of a manual is holding 0."""
    equipment: Id | None = None
    """Absent = the equipment of the table it stands in."""
    kind: RegisterKind = "holding"
    type: ValueType | None = None
    """Absent = uint16, or bit for coils and discrete inputs."""
    bit: Annotated[int, Meta(ge=0, le=15)] | None = None
    """With type bit of a holding or input register: the lowest, 0 = least significant."""
    width: Annotated[int, Meta(ge=1, le=16)] = 1
    """Bits, with type bit: a field of several bits is a number."""
    length: Annotated[int, Meta(ge=1, le=60)] | None = None
    """Registers of a string, two characters each."""
    order: Order = "ABCD"

    @property
    def value_type(self) -> ValueType:
        return self.type or ("bit" if self.kind in ("coil", "discrete") else "uint16")

    @property
    def place(self) -> str:
        """`holding 40`, `holding 40.3`."""
        return f"{self.kind} {self.address}" + ("" if self.bit is None else f".{self.bit}")

    @property
    def words(self) -> int:
        """Registers (or bits of a coil or discrete input) it takes."""
        if self.value_type == "string":
            return self.length or 1
        return {"32": 2, "64": 4}.get(self.value_type[-2:], 1)


class RegisterTable(Cell, frozen=True, kw_only=True):
    """One point: (raw × scale) + offset in `unit`, or what `map` says of the raw value."""

    metric: str
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    """Unit after scale and offset; absent = the metric's own."""
    map: dict[str, float | str] = field(default_factory=dict)
    """Raw value (or text) → value or state id of the metric; "*" = any other."""
    invalid: tuple[int, ...] = ()
    """Raw values by which the device says that it has none."""
    deadband: Deadband = 0.0
    """Changes up to this are not sent, in the metric's unit."""
    deadband_percent: Deadband = 0.0
    """… or up to this share of the value sent last."""
    heartbeat_s: Heartbeat | None = None
    """Sent at least this often all the same; with it, or with a deadband, only changes are sent."""

    def rule(self, period_s: float) -> Rule | None:
        """When it is sent by exception, being read each `period_s`; None = whenever it is read."""
        by_exception = self.deadband or self.deadband_percent or self.heartbeat_s
        return rule_of(self, period_s) if by_exception else None


class EventTable(Cell, frozen=True, kw_only=True):
    """A vendor's fault code (read by the equipment's vendor_profile), or with `condition` a bit that says one thing."""

    condition: str = ""
    none: int | str = 0
    """The code for no fault."""
    active: Literal[0, 1] = 1
    """With `condition`: the bit while it lasts; 0 = a contact that opens."""


class ModbusTable(Table, frozen=True, kw_only=True):
    """One unit, whatever line it is on; units of one host and port, or of one serial line, share it."""

    name: Name
    registers: tuple[RegisterTable, ...] = ()
    events: tuple[EventTable, ...] = ()
    unit: Annotated[int, Meta(ge=0, le=255)] = 1
    equipment: Id | None = None
    period_s: Annotated[float, Meta(ge=0.01, le=86_400)] = 10.0
    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 2.0
    max_block: Annotated[int, Meta(ge=1, le=125)] = 120
    """Most registers asked for at once; the standard's limit is 125, some devices take less."""
    max_gap: Annotated[int, Meta(ge=0, le=100)] = 8
    """Registers between two wanted ones that are read along to save a request; 0 for devices that refuse holes."""


class ModbusTcpTable(ModbusTable, frozen=True, kw_only=True):
    host: Annotated[str, Meta(min_length=1)]
    port: Annotated[int, Meta(ge=1, le=65535)] = 502
    framing: Literal["tcp", "rtu"] = "tcp"
    """rtu: a serial server that passes RTU frames through as they are."""

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


class ModbusRtuTable(ModbusTable, frozen=True, kw_only=True):
    line: Annotated[str, Meta(min_length=1)]
    """Serial port, /dev/ttyUSB0."""
    baud_rate: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] = 9600
    data_bits: Literal[7, 8] = 8
    parity: Literal["none", "even", "odd"] = "none"
    stop_bits: Literal[1, 2] = 1

    @property
    def address(self) -> str:
        return self.line


Tables = Sequence[ModbusTcpTable | ModbusRtuTable]


def points(tables: Tables) -> Iterator[tuple[PointKey, float]]:
    """What they read, and how often at least it is sent, in s."""
    metrics = vocabulary.load().metrics
    for table in tables:
        for register in table.registers:
            equipment = register.equipment or table.equipment or ""
            rule = register.rule(table.period_s)
            period_s = rule.heartbeat_s if rule else table.period_s
            yield (equipment, register.metric, metrics[register.metric].unit), period_s


def periods(tables: Tables) -> dict[tuple[str, str], float]:
    """(equipment, metric) → how often it is read, in s."""
    return {
        (register.equipment or table.equipment or "", register.metric): table.period_s
        for table in tables
        for register in table.registers
    }


def rules(tables: Tables) -> Iterator[tuple[tuple[str, str], Rule]]:
    """Points that are sent by exception."""
    for table in tables:
        for register in table.registers:
            if rule := register.rule(table.period_s):
                yield (register.equipment or table.equipment or "", register.metric), rule
