"""Where the metrics of a node or device go: the technician's rows, looked up by name once per birth."""

from collections.abc import Mapping
from typing import NamedTuple

from watchkeep_core.topics import is_id
from watchkeep_gateway.drivers.patterns import Pattern, fill
from watchkeep_gateway.drivers.sparkplug.tables import PointRow, SparkplugTable


class Source(NamedTuple):
    """An edge node, or with `device` one of its devices."""

    group: str
    edge: str
    device: str = ""

    @property
    def node(self) -> "Source":
        return Source(self.group, self.edge)

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


class Target(NamedTuple):
    """Equipment and the row that says what the value means."""

    equipment: str
    row: PointRow


class Targets:
    """Pure."""

    def __init__(self, table: SparkplugTable, kinds: Mapping[str, str]) -> None:
        """`kinds`: declared equipment → kind."""
        self._table = table
        self._kinds = kinds
        self._rows = [(Pattern(row.source) if row.source else None, Pattern(row.name), row) for row in table.points]

    def find(self, source: Source, name: str) -> Target | None:
        """The first row that fits source, name and the equipment's kind."""
        own = source._asdict() if source.device else {"group": source.group, "edge": source.edge}
        for source_pattern, name_pattern, row in self._rows:
            of_name = name_pattern.match(name)
            if of_name is None:
                continue
            of_source = own if source_pattern is None else source_pattern.match(str(source))
            if of_source is None:
                continue
            equipment = self._equipment(source, row, own | of_source | of_name)
            if equipment and row.fits(self._kinds.get(equipment)):
                return Target(equipment, row)
        return None

    def _equipment(self, source: Source, row: PointRow, parts: Mapping[str, str]) -> str | None:
        if row.equipment:
            equipment = fill(row.equipment, parts)
        else:
            equipment = self._table.devices.get(str(source)) or source.device or source.edge
        if not is_id(equipment) or (self._table.undeclared == "reject" and equipment not in self._kinds):
            return None
        return equipment
