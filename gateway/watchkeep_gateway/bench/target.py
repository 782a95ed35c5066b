"""Where the measures of `watchkeep bench gateway` run: a broker of their own, a server side, and ports to use."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from watchkeep_core.broker import BrokerAddress
from watchkeep_core.errors import TransientError
from watchkeep_core.topics import GatewayRef, partition_of

REF = GatewayRef("bench", "bench")

INGEST = f"ingest-data-{partition_of(REF.community)}"
INGEST_EVENT = f"ingest-event-{partition_of(REF.community)}"
"""MQTT users that ack."""

DEVICE = "sim"
"""MQTT user that plays the devices."""


class BenchFailed(TransientError):
    """A process of the bench did not come up, or nothing moved any more: the measurement is void."""


class Database(Protocol):
    """What has arrived: committed rows of the bench's community."""

    def readings(self) -> int: ...

    def events(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Target:
    broker: BrokerAddress
    password: str = field(repr=False)
    free_port: Callable[[], int]
    ingest: Callable[[], AbstractContextManager[Database]]
    """Starts a real ingest on a real database; it runs while the block does."""
