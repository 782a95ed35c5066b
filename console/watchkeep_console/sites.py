"""Communities, their buildings and what stands in them, each with its worst state; the board draws no map tiles."""

from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import class_row

from watchkeep_core.database import queries

_SQL = queries("watchkeep_console", "sql/board.sql")


@dataclass(frozen=True, slots=True)
class Site:
    """A community by its open warnings and cases."""

    community_id: str
    name: str
    name_en: str
    open_warnings: int
    worst_class: str | None
    open_cases: int


@dataclass(frozen=True, slots=True)
class House:
    """A building; `lowest` is its deepest storey, 0 or below."""

    building_id: str
    name: str
    storeys: int
    lowest: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A piece of equipment where it stands; lifts have no level."""

    equipment_id: str
    kind: str
    name: str
    name_en: str
    building_id: str | None
    level: int | None
    worst_class: str | None


@dataclass(frozen=True, slots=True)
class Block:
    """A building with its equipment; `house` None = what stands outside."""

    house: House | None
    equipment: list[Standing]

    @property
    def worst(self) -> str | None:
        return min((item.worst_class for item in self.equipment if item.worst_class), default=None)


def sites(conn: Connection) -> list[Site]:
    """Worst first."""
    with conn.cursor(row_factory=class_row(Site)) as cursor:
        return cursor.execute(_SQL["sites"], {}).fetchall()


def blocks(conn: Connection, community: str) -> list[Block]:
    """Buildings by their id, then what stands outside; buildings without equipment are left out."""
    with conn.cursor(row_factory=class_row(House)) as cursor:
        houses = cursor.execute(_SQL["houses"], {"community": community}).fetchall()
    with conn.cursor(row_factory=class_row(Standing)) as cursor:
        standing = cursor.execute(_SQL["standing"], {"community": community}).fetchall()
    known = {house.building_id for house in houses}
    found = [Block(house, [e for e in standing if e.building_id == house.building_id]) for house in houses]
    found.append(Block(None, [e for e in standing if e.building_id not in known]))
    return [block for block in found if block.equipment]
