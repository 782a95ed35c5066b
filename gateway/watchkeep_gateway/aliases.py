"""Aliases of points: the number that a data message says instead of a name; drawn within one transaction."""

import sqlite3
from collections.abc import Mapping

from watchkeep_gateway.batching import point_bytes
from watchkeep_gateway.spool_state import MAX_POINTS_BYTES, SpoolState
from watchkeep_gateway.statements import SQL
from watchkeep_gateway.values import PointKey, Points, Readings


class Aliases:
    """Those of `state`, and new ones; `publish` after COMMIT only."""

    def __init__(self, connection: sqlite3.Connection, state: SpoolState, units: Mapping[str, str]) -> None:
        """`units`: metric → unit."""
        self._connection = connection
        self._state = state
        self._units = units
        self._new: dict[PointKey, int] = {}
        self._new_points: dict[Points, tuple[int, ...]] = {}
        self._known_equipment: set[str] | None = None

    def of(self, readings: Readings) -> list[int] | None:
        """None when some point cannot have one."""
        found: list[int] = []
        for points in readings.points:
            aliases = self._state.aliases_of.get(points) or self._new_points.get(points)
            if aliases is None:
                said = [self.of_point(*key) for key in points.keys]
                aliases = tuple(alias for alias in said if isinstance(alias, int))
                if len(aliases) < len(said):
                    return None
                self._new_points[points] = aliases
            found += aliases
        return found

    def of_point(self, equipment: str, metric: str) -> int | str:
        """The alias, which may be a new one, or why there can be none."""
        unit = self._units.get(metric)
        if unit is None:
            return "unknown_metric"
        key = (equipment, metric, unit)
        alias = self._state.aliases.get(key)
        if alias is None:
            alias = self._new.get(key)
        return self.declare(key) if alias is None else alias

    def declare(self, key: PointKey) -> int | str:
        """A new alias, never one that meant something else in this epoch."""
        if self._known_equipment is None:
            self._known_equipment = {equipment for equipment, _, _ in self._state.aliases}
        size = point_bytes(key, self._known_equipment)
        if self._state.points_bytes + size > MAX_POINTS_BYTES:
            return "too_many_points"
        alias = len(self._state.aliases) + len(self._new)
        self._connection.execute(SQL["insert_alias"], (alias, *key))
        self._new[key] = alias
        self._state.points_bytes += size
        return alias

    def publish(self) -> None:
        """Make the new ones known."""
        if self._new:
            self._state.aliases = self._state.aliases | self._new
        self._state.aliases_of.update(self._new_points)
