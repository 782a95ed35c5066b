"""The seam between the transaction, which is the same for both lanes, and what a lane does with its messages."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from psycopg import Connection

from watchkeep_core.errors import PermanentError
from watchkeep_core.topics import GatewayRef, Lane
from watchkeep_ingest.accounts import Tally
from watchkeep_ingest.batches import RowsMessage
from watchkeep_ingest.incoming import Decoded

REPLAY_FROM_US = 946_684_800_000_000
"""2000-01-01 UTC, in µs since 1970: recorded data is not older."""
REPLAY_UNTIL_US = 4_133_980_800_000_000
"""2101-01-01 UTC."""
MAX_AGE_US = 30 * 86_400_000_000
"""Readings older than this at their receive time are not live data (ARCHITECTURE §3)."""
MAX_AHEAD_US = 5 * 60_000_000
"""A clock more than this ahead of ours is wrong (ARCHITECTURE §3)."""
MAX_VALUE = 1e100
"""No quantity is larger, but a register read as the wrong type may be. Sums and squares of less stay finite: one sum
that overflows would end the rollups of all points."""

UNKNOWN_GATEWAY = "unknown_gateway"


class BatchTooWide(PermanentError):
    """One transaction would touch more days than the server's lock table can hold; halve the batch."""


@dataclass(slots=True)
class Handled:
    """What became of a batch's new messages."""

    dead: list[Decoded] = field(default_factory=list)
    """Those that are no use after all, with their problem."""
    rows: list[RowsMessage] = field(default_factory=list)
    rebirths: list[GatewayRef] = field(default_factory=list)
    """Gateways whose aliases we do not know."""


class LaneWork(Protocol):
    """One per writer; keeps memory between transactions, which `committed` confirms and `rolled_back` throws away."""

    lane: Lane

    def waiting(self) -> set[int]:
        """Partitions with work left that needs no new message (parked readings to replay)."""
        ...

    def handle(self, conn: Connection, accepted: Sequence[Decoded], tally: Tally) -> Handled:
        """Store new, decodable messages; counts everything but `processed`, `duplicate` and `dead_lettered`."""
        ...

    def resume(self, conn: Connection, tally: Tally) -> Handled:
        """Do some of what is waiting, in a transaction without new messages: no message can be blamed for it."""
        ...

    def finish(self, conn: Connection) -> None:
        """Write last what the other lane writes too, so that it is locked for a moment only."""
        ...

    def committed(self) -> None: ...

    def rolled_back(self) -> None: ...


def out_of_bounds(time_us: int, received_us: int, replay: bool) -> bool:
    """Whether one stamp is impossible."""
    if replay:
        return not REPLAY_FROM_US <= time_us < REPLAY_UNTIL_US
    return not received_us - MAX_AGE_US <= time_us <= received_us + MAX_AHEAD_US
