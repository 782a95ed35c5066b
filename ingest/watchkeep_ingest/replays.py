"""Parked readings that are on their way back: of gateways that were born anew, or whose flood is over."""

from collections.abc import Collection
from dataclasses import dataclass, field

from psycopg import Connection

from watchkeep_core.topics import GatewayRef, partition_of
from watchkeep_ingest import parking
from watchkeep_ingest.columns import Portion
from watchkeep_ingest.ledger import Key


@dataclass(slots=True)
class _Step:
    """What a transaction has looked at."""

    sources: frozenset[GatewayRef] = frozenset()
    cursors: dict[Key, int | None] = field(default_factory=dict)


class Replays:
    """One per writer. The database knows what is parked; in memory is only where to go on."""

    def __init__(self) -> None:
        self._due: set[GatewayRef] = set()  # nobody has looked yet which epochs of theirs are parked
        self._cursors: dict[Key, int] = {}  # → the last parked row looked at
        self._step = _Step()

    def begin(self, sources: Collection[GatewayRef]) -> None:
        """Look at all that is parked of these gateways, from the first row on."""
        self._due.update(sources)

    def partitions(self) -> set[int]:
        """Of gateways that are not done."""
        waiting = self._due | {source for source, _ in self._cursors}
        return {partition_of(source.community) for source in waiting}

    def next(self, conn: Connection, max_days: int) -> list[Portion]:
        """The next parked messages of one gateway and epoch; the caller holds the accounts lock of `partitions`."""
        self._step = _Step(frozenset(self._due))
        waiting = dict.fromkeys(parking.epochs(conn, self._due), 0) if self._due else {}
        waiting = self._cursors | waiting
        if not waiting:
            return []
        key = next(iter(waiting))
        found, cursor = parking.read(conn, key, waiting[key], max_days)
        self._step.cursors = {**waiting, key: cursor}
        return found

    def committed(self) -> None:
        self._due -= self._step.sources
        self._cursors |= {key: cursor for key, cursor in self._step.cursors.items() if cursor is not None}
        for key in [key for key, cursor in self._step.cursors.items() if cursor is None]:
            self._cursors.pop(key, None)
        self._step = _Step()

    def rolled_back(self) -> None:
        self._step = _Step()
