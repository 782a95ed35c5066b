"""What a lane's writer remembers of the register: known gateways and what their aliases mean.

A cache in front of the database. `forget` after every transaction that did not commit: what it taught may not be so.
Only what was refused has no row anywhere: `confirm`ed refusals outlive that.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection
from psycopg.sql import SQL

from watchkeep_core.database import queries
from watchkeep_core.topics import GatewayRef
from watchkeep_ingest.columns import Ints
from watchkeep_ingest.ledger import Key

_GATEWAYS_FOR_S = 30.0
"""How long a gateway and its community's mode are believed, in seconds; unknown ones are asked for each time."""

_ALIAS = np.dtype([("alias", ">i4"), ("series", ">i4")])
"""What `read_aliases` packs: 5,000 of them are read in 2 ms, as rows in 15; a start reads a million."""

_AT_ONCE = 50
"""Alias tables in one answer: 2 MB at the most points that a birth holds."""

FOREIGN = "foreign_equipment"
"""Why readings of another gateway's equipment are parked; whatever was meant before, that stays."""

_MAX_TABLES = 20_000
"""Alias tables in memory; at 100 points each about 30 MB."""

_SPARSE = 16
"""Aliases are small numbers, so they are places in an array; where it would be this much too large, they are sought."""


@dataclass(frozen=True, slots=True)
class AliasTable:
    """Alias → series of one gateway and epoch."""

    series: NDArray[np.int32]
    """By place; −1 = no such alias."""
    aliases: Ints | None = None
    """Ascending, of each place; None: an alias is its own place."""
    refused: Mapping[int, str] = field(default_factory=dict)
    """Aliases that a birth declared and we did not register, with the reason their readings are parked for."""

    @classmethod
    def of(cls, pairs: Mapping[int, int], refused: Mapping[int, str] | None = None) -> Self:
        ordered = sorted(pairs.items())
        aliases = np.array([alias for alias, _ in ordered], np.int64)
        return cls.of_columns(aliases, np.array([series for _, series in ordered], np.int32), refused)

    @classmethod
    def of_columns(cls, aliases: Ints, series: NDArray[np.int32], refused: Mapping[int, str] | None = None) -> Self:
        """`aliases` ascending."""
        if len(aliases) and aliases[-1] >= _SPARSE * (len(aliases) + 64):
            return cls(series, aliases, refused or {})
        dense = np.full(int(aliases[-1]) + 1 if len(aliases) else 0, -1, np.int32)
        dense[aliases] = series
        return cls(dense, None, refused or {})

    def pairs(self) -> dict[int, int]:
        aliases = np.flatnonzero(self.series >= 0) if self.aliases is None else self.aliases
        series = self.series[aliases] if self.aliases is None else self.series
        return dict(zip(aliases.tolist(), series.tolist(), strict=True))

    def places(self, alias: Ints) -> Ints:
        """Where in `series` they are; at its end or beyond = unknown."""
        if self.aliases is None:
            return alias
        at = np.searchsorted(self.aliases, alias)
        return np.where(self.aliases[np.minimum(at, len(self.aliases) - 1)] == alias, at, len(self.aliases))


class Register:
    """One per writer thread; not shared."""

    def __init__(self) -> None:
        self._replay: dict[GatewayRef, bool] = {}
        self._gateways_from_s = 0.0
        self._tables: dict[Key, AliasTable] = {}
        self._fresh: set[Key] = set()
        self._refused: dict[Key, Mapping[int, str]] = {}

    def confirm(self) -> None:
        """The transaction has committed."""
        for key in self._fresh & self._tables.keys():
            if self._tables[key].refused:
                self._refused[key] = self._tables[key].refused
            else:
                self._refused.pop(key, None)
        self._fresh.clear()
        if len(self._refused) > _MAX_TABLES:
            self._refused.clear()

    def forget(self) -> None:
        self._replay.clear()
        self._tables.clear()
        self._fresh.clear()

    def modes(self, conn: Connection, sources: Iterable[GatewayRef], now_s: float) -> dict[GatewayRef, bool]:
        """Known gateways among these → whether their community replays recorded data; `now_s` is monotonic."""
        if now_s - self._gateways_from_s > _GATEWAYS_FOR_S:
            self._replay.clear()
            self._gateways_from_s = now_s
        wanted = set(sources)
        unknown = sorted(wanted - self._replay.keys(), key=lambda source: source.user)
        if unknown:
            row = {"communities": [s.community for s in unknown], "gateways": [s.gateway for s in unknown]}
            for community, gateway, replay in conn.execute(_sql("find_gateways"), row):
                self._replay[GatewayRef(community, gateway)] = replay
        return {source: self._replay[source] for source in wanted & self._replay.keys()}

    def tables(self, conn: Connection, keys: Collection[Key]) -> dict[Key, AliasTable]:
        """What the aliases of these gateways and epochs mean; those we do not know are read together."""
        known = {key: self._tables[key] for key in keys if key in self._tables}
        return known | self.reload(conn, [key for key in keys if key not in known])

    def reload(self, conn: Connection, keys: Sequence[Key]) -> dict[Key, AliasTable]:
        """From the database: another worker or a replayed birth may have added aliases."""
        found: dict[Key, AliasTable] = {}
        for start in range(0, len(keys), _AT_ONCE):
            part = keys[start : start + _AT_ONCE]
            row = {
                "communities": [source.community for source, _ in part],
                "gateways": [source.gateway for source, _ in part],
                "epochs": [epoch for _, epoch in part],
            }
            for community, gateway, epoch, packed in conn.cursor(binary=True).execute(_sql("read_aliases"), row):
                key = GatewayRef(community, gateway), epoch
                found[key] = self._read(key, np.frombuffer(packed or b"", _ALIAS))
        return found

    def _read(self, key: Key, found: NDArray[np.void]) -> AliasTable:
        old = self._tables.get(key)
        refused = dict(old.refused if old else self._refused.get(key, {}))
        foreign = [alias for alias, reason in refused.items() if reason == FOREIGN]
        found = found[~np.isin(found["alias"], foreign)]
        for alias in np.intersect1d(found["alias"], list(refused)).tolist():
            del refused[alias]
        aliases, series = found["alias"].astype(np.int64), found["series"].astype(np.int32)
        return self.learn(key, AliasTable.of_columns(aliases, series, refused))

    def learn(self, key: Key, table: AliasTable) -> AliasTable:
        if len(self._tables) >= _MAX_TABLES:
            self._tables.clear()
        self._tables[key] = table
        self._fresh.add(key)
        return table


def foreign(conn: Connection, named: Sequence[tuple[GatewayRef, str]]) -> list[int]:
    """Gateways and equipment that they name → the places of those whose equipment is another gateway's."""
    row = {
        "n": list(range(len(named))),
        "community": [source.community for source, _ in named],
        "gateway": [source.gateway for source, _ in named],
        "equipment": [equipment for _, equipment in named],
    }
    return [place for (place,) in conn.execute(_sql("find_foreign"), row)]


def _sql(name: str) -> SQL:
    return queries("watchkeep_ingest", "sql/content.sql")[name]
