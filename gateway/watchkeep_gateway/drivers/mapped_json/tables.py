"""[[mapped_json]]: which topics are heard, which pointer is which metric or condition; presets for known publishers."""

import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from typing import Any, Literal

import msgspec
from msgspec import field

from watchkeep_core.messages import Id
from watchkeep_gateway.drivers.broker_tables import BrokerTable, broker_problems, name_problems
from watchkeep_gateway.drivers.mapped_json.pointer import pointer_problem
from watchkeep_gateway.drivers.mapping import MappingRow, row_problems
from watchkeep_gateway.drivers.patterns import Pattern, topic_problem
from watchkeep_gateway.tables import Declared, Path, Problem, Table

TimeFormat = Literal["ms", "s", "iso", "auto", "none"]
"""auto: ISO 8601 text, else s or ms by size. none: nothing is stamped, the receive time is taken."""

Preset = Literal["", "chirpstack", "zigbee2mqtt"]


class ValueRow(MappingRow, frozen=True, kw_only=True):
    """One value of the payload. Of the rows with one pointer the first that fits the equipment's kind is taken."""

    pointer: str
    """JSON pointer, `/object/temperature`; "" = the whole payload."""
    when: dict[str, str] = field(default_factory=dict)
    """Named levels of the topic that must be so: { event = "up" }."""
    unless: tuple[str, ...] = ()
    """Pointers to booleans that say, when true, that the value means nothing."""


class LinkRow(Table, frozen=True, kw_only=True):
    """Where a publisher tells that a device is there, or gone."""

    topic: str
    pointer: str = ""
    """Of the value; a payload that is plain text is the value."""
    up: tuple[str, ...] = ()
    """Absent, and down too: any message means that it is there."""
    down: tuple[str, ...] = ()


class TimeTable(Table, frozen=True):
    pointer: str = ""
    format: TimeFormat = "none"


class MappedJsonTable(BrokerTable, frozen=True, kw_only=True):
    preset: Preset = ""
    """What the fields below are when they are not given; its rows follow the given ones."""
    topic: str = ""
    """Topic with named levels, `zigbee2mqtt/{device}`; each is one level."""
    device: str = "{device}"
    """The device: a named level of the topic, or a JSON pointer."""
    devices: dict[str, Id] = field(default_factory=dict)
    """Device → equipment; where it is empty the device's own name is the equipment."""
    undeclared: Literal["accept", "reject"] = "accept"
    """What is done with equipment that no [[device]] declares."""
    time: TimeTable | None = None
    values: tuple[ValueRow, ...] = ()
    links: tuple[LinkRow, ...] = ()
    list_unmapped: str = "-"
    """Pointer of the object whose fields are listed when no row maps them; "-" = list none."""


@cache
def preset(name: str) -> dict[str, Any]:
    file = resources.files(__package__).joinpath("presets", f"{name}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def completed(table: MappedJsonTable) -> MappedJsonTable:
    """With what its preset says."""
    if not table.preset:
        return table
    known = msgspec.convert({"name": table.name, **preset(table.preset)}, MappedJsonTable)
    default = MappedJsonTable(name=table.name)
    given = {
        name: value for name in table.__struct_fields__ if (value := getattr(table, name)) != getattr(default, name)
    }
    rows = {"values": table.values + known.values, "links": table.links + known.links}
    return msgspec.structs.replace(known, **(given | rows))


def problems(tables: Sequence[MappedJsonTable], declared: Declared) -> Iterator[Problem]:
    """What is wrong with tables that are well formed."""
    yield from name_problems("mapped_json", tables)
    for number, given in enumerate(tables):
        path: Path = ("mapped_json", number)
        yield from broker_problems(path, given)
        table = completed(given)
        if problem := topic_problem(table.topic) if table.topic else "is needed, or a preset":
            yield Problem((*path, "topic"), problem)
        yield from _device_problems(path, table, declared)
        if not table.values and not table.links:
            yield Problem((*path, "values"), "at least one row is needed, here or in links")
        if table.time and (problem := pointer_problem(table.time.pointer)):
            yield Problem((*path, "time", "pointer"), problem)
        for index, row in enumerate(given.values):
            yield from _value_problems((*path, "values", index), row, table)
        for index, link in enumerate(given.links):
            yield from _link_problems((*path, "links", index), link, table)


def _device_problems(path: Path, table: MappedJsonTable, declared: Declared) -> Iterator[Problem]:
    if not table.device.startswith("/") and table.device.strip("{}") not in Pattern(table.topic).names:
        yield Problem((*path, "device"), f"{table.device!r} is neither a pointer nor a named level of the topic")
    for device, equipment in table.devices.items():
        if table.undeclared == "reject" and (problem := declared.equipment_problem(equipment)):
            yield Problem((*path, "devices", device), problem)


def _value_problems(path: Path, row: ValueRow, table: MappedJsonTable) -> Iterator[Problem]:
    yield from row_problems(path, row)
    if problem := pointer_problem(row.pointer):
        yield Problem((*path, "pointer"), problem)
    for index, pointer in enumerate(row.unless):
        if problem := pointer_problem(pointer):
            yield Problem((*path, "unless", index), problem)
    for name in row.when:
        if name not in Pattern(table.topic).names:
            yield Problem((*path, "when", name), f"{name!r} is no named level of {table.topic!r}")


def _link_problems(path: Path, link: LinkRow, table: MappedJsonTable) -> Iterator[Problem]:
    if problem := topic_problem(link.topic):
        yield Problem((*path, "topic"), problem)
    elif not table.device.startswith("/") and table.device.strip("{}") not in Pattern(link.topic).names:
        yield Problem((*path, "topic"), f"{link.topic!r} has no level {table.device}")
    if problem := pointer_problem(link.pointer):
        yield Problem((*path, "pointer"), problem)
