"""Builds the drivers of foreign publishers; their libraries are loaded only where a table asks for them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from watchkeep_core.broker import Will
from watchkeep_gateway.config import Config
from watchkeep_gateway.drivers import Driver
from watchkeep_gateway.drivers.sparkplug.tables import SparkplugTable
from watchkeep_gateway.line import Line
from watchkeep_gateway.site_lines import NoteLink, SiteLines
from watchkeep_gateway.values import Emit


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What such a driver is given."""

    emit: Emit
    note_link: NoteLink
    raised: frozenset[tuple[str, str]]
    """(equipment, condition) that codes had raised when the spool was opened."""
    memory: Mapping[str, str]
    """What drivers had told the spool to remember."""


def foreign_drivers(config: Config, lines: SiteLines, around: Surroundings) -> list[Driver]:
    """One per [[sparkplug]], and one for all [[mapped_json]] of a line."""
    kinds = {device.equipment: device.kind for device in config.device}
    found: list[Driver] = [_sparkplug(config, table, kinds, lines, around) for table in config.sparkplug]
    by_line: dict[int, tuple[Line, list[int]]] = {}
    for number, table in enumerate(config.mapped_json):
        line = lines.of("mapped_json", table)
        by_line.setdefault(id(line), (line, []))[1].append(number)
    for line, numbers in by_line.values():
        from watchkeep_gateway.drivers.mapped_json.driver import MappedJson

        tables = [config.mapped_json[number] for number in numbers]
        found.append(MappedJson(tables, line, around.emit, kinds=kinds, raised=around.raised, link=around.note_link))
    return found


def _sparkplug(
    config: Config, table: SparkplugTable, kinds: Mapping[str, str], lines: SiteLines, around: Surroundings
) -> Driver:
    from watchkeep_gateway.drivers.sparkplug.driver import Sparkplug, host_state

    host: Will | None = None
    default = f"watchkeep-{config.ref.community}-{config.ref.gateway}" if table.url else ""
    if host_id := default if table.host_id is None else table.host_id:
        host = host_state(host_id, False, time.time_ns() // 1_000_000)
    return Sparkplug(
        table,
        lines.of("sparkplug", table, host),
        around.emit,
        host=host,
        kinds=kinds,
        raised=around.raised,
        memory=around.memory,
        link=around.note_link,
    )
