"""[[sparkplug]]: which groups are heard, and what their metrics mean here."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from msgspec import Meta, field

from watchkeep_core.messages import Id
from watchkeep_core.topics import is_id
from watchkeep_gateway.drivers.broker_tables import BrokerTable, broker_problems, name_problems
from watchkeep_gateway.drivers.mapping import MappingRow, row_problems
from watchkeep_gateway.drivers.patterns import Pattern, pattern_problem
from watchkeep_gateway.tables import Declared, Path, Problem


class PointRow(MappingRow, frozen=True, kw_only=True):
    """One metric of an edge node or device, by its name in the birth."""

    name: Annotated[str, Meta(min_length=1)]
    """Pattern: `Pumps/{pump}/Current`; a member of a template is `TEMPLATE/MEMBER`."""
    source: str = ""
    """Pattern of GROUP/EDGE or GROUP/EDGE/DEVICE; absent = every node and device."""
    equipment: str = ""
    """Equipment, with parts of `source` and `name`: `pump-{pump}`; absent = as `devices` says, else the device's
    (the node's) own name."""
    element: Annotated[int, Meta(ge=0)] | None = None
    """Which element of an array."""


class SparkplugTable(BrokerTable, frozen=True, kw_only=True):
    points: Annotated[tuple[PointRow, ...], Meta(min_length=1)]
    groups: tuple[Annotated[str, Meta(min_length=1)], ...] = ()
    """Group ids that are heard; absent = all that the broker lets us see."""
    devices: dict[str, Id] = field(default_factory=dict)
    """GROUP/EDGE or GROUP/EDGE/DEVICE → equipment."""
    undeclared: Literal["accept", "reject"] = "accept"
    """What is done with equipment that no [[device]] declares."""
    rebirth: bool = True
    """Ask a node to be born again after a gap: the only thing ever published to a device."""
    host_id: str | None = None
    """Id of this host application, published as STATE; absent = watchkeep-COMMUNITY-GATEWAY on a broker of the site and
    none on the gateway's own, whose one connection has another will; "" = none."""


def problems(tables: Sequence[SparkplugTable], declared: Declared) -> Iterator[Problem]:
    """What is wrong with tables that are well formed."""
    yield from name_problems("sparkplug", tables)
    heard: dict[tuple[str, str], str] = {}
    for number, table in enumerate(tables):
        path: Path = ("sparkplug", number)
        yield from broker_problems(path, table)
        line = (table.url, table.user)
        if other := heard.get(line):
            yield Problem((*path, "url"), f"{other!r} hears this broker already: one [[sparkplug]] per broker and user")
        heard[line] = table.name
        for index, group in enumerate(table.groups):
            if any(character in group for character in "/+#\0") or group == "STATE":
                yield Problem((*path, "groups", index), f"{group!r} is no group id")
        if table.host_id and not table.url:
            yield Problem((*path, "host_id"), "needs a url of its own: the gateway's own connection has another will")
        if table.host_id and any(character in table.host_id for character in "/+#\0"):
            yield Problem((*path, "host_id"), f"{table.host_id!r} is no host id")
        yield from _device_problems(path, table, declared)
        for index, row in enumerate(table.points):
            yield from _point_problems((*path, "points", index), row, declared)


def _device_problems(path: Path, table: SparkplugTable, declared: Declared) -> Iterator[Problem]:
    for source, equipment in table.devices.items():
        if source.count("/") not in (1, 2) or not all(source.split("/")):
            yield Problem((*path, "devices", source), "must be GROUP/EDGE or GROUP/EDGE/DEVICE")
        elif table.undeclared == "reject" and (problem := declared.equipment_problem(equipment)):
            yield Problem((*path, "devices", source), problem)


def _point_problems(path: Path, row: PointRow, declared: Declared) -> Iterator[Problem]:
    yield from row_problems(path, row)
    for part in ("name", "source"):
        if problem := pattern_problem(getattr(row, part)):
            yield Problem((*path, part), problem)
    if row.source and row.source.count("/") not in (1, 2):
        yield Problem((*path, "source"), f"{row.source!r} must be GROUP/EDGE or GROUP/EDGE/DEVICE")
    template = Pattern(row.equipment)
    if template.literal and row.equipment:
        if not is_id(row.equipment):
            yield Problem((*path, "equipment"), f"{row.equipment!r} is no id")
        elif row.metric and (problem := declared.metric_problem(row.equipment, row.metric)):
            yield Problem((*path, "metric"), problem)
    known = {"group", "edge", "device"} | set(Pattern(row.name).names) | set(Pattern(row.source).names)
    if unknown := set(template.names) - known:
        yield Problem((*path, "equipment"), f"{{{min(unknown)}}} is a part of neither source nor name")
