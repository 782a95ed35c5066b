"""What a lane's writer remembers of the register: known gateways and what their aliases mean.

A cache in front of the database. `forget` after every transaction that did not commit: what it taught may not be so.
"""

from collections.abc import Iterable, Mapping
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

_MAX_TABLES = 20_000
"""Alias tables in memory; at 100 points each about 30 MB."""


@dataclass(frozen=True, slots=True)
class AliasTable:
    """Alias → series of one gateway and epoch."""

    aliases: Ints
    """Ascending."""
    series: NDArray[np.int32]
    refused: Mapping[int, str] = field(default_factory=dict)
    """Aliases that a birth declared and we did not register, with the reason their readings are parked for."""

    @classmethod
    def of(cls, pairs: Mapping[int, int], refused: Mapping[int, str] | None = None) -> Self:
        ordered = sorted(pairs.items())
        aliases = np.array([alias for alias, _ in ordered], np.int64)
        series = np.array([series for _, series in ordered], np.int32)
        return cls(aliases, series, refused or {})

    def pairs(self) -> dict[int, int]:
        return dict(zip(self.aliases.tolist(), self.series.tolist(), strict=True))

    def look_up(self, wanted: Ints) -> NDArray[np.int32]:
        """Series of each alias; −1 = unknown."""
        if not len(self.aliases):
            return np.full(len(wanted), -1, np.int32)
        at = np.minimum(np.searchsorted(self.aliases, wanted), len(self.aliases) - 1)
        return np.where(self.aliases[at] == wanted, self.series[at], np.int32(-1)).astype(np.int32)


class Register:
    """One per writer thread; not shared."""

    def __init__(self) -> None:
        self._replay: dict[GatewayRef, bool] = {}
        self._gateways_from_s = 0.0
        self._tables: dict[Key, AliasTable] = {}

    def forget(self) -> None:
        self._replay.clear()
        self._tables.clear()

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

    def table(self, conn: Connection, key: Key) -> AliasTable:
        table = self._tables.get(key)
        return self.reload(conn, key) if table is None else table

    def reload(self, conn: Connection, key: Key) -> AliasTable:
        """From the database: another worker or a replayed birth may have added aliases."""
        source, epoch = key
        row = {"community": source.community, "gateway": source.gateway, "epoch": epoch}
        pairs: dict[int, int] = dict(conn.execute(_sql("read_aliases"), row).fetchall())
        old = self._tables.get(key)
        refused = {alias: reason for alias, reason in (old.refused if old else {}).items() if alias not in pairs}
        return self.learn(key, AliasTable.of(pairs, refused))

    def learn(self, key: Key, table: AliasTable) -> AliasTable:
        if len(self._tables) >= _MAX_TABLES:
            self._tables.clear()
        self._tables[key] = table
        return table


def _sql(name: str) -> SQL:
    return queries("watchkeep_ingest", "sql/content.sql")[name]
