"""One listening port: its devices, its connections, and which device speaks over which."""

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta, timezone

from msgspec.structs import replace

from watchkeep_core.gbt26875 import address_text
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_gateway.drivers.gbt26875.device import Device
from watchkeep_gateway.drivers.gbt26875.tables import ListenerTable, TransmissionTable

MAX_UNKNOWN = 100
"""Devices that no table lists; those that come later are rejected."""

MAX_SEEN = 10_000
"""Frames that are known when they come again; the spool knows as many over a restart."""

MAX_UNSENT_BYTES = 65_536
"""A device that does not read its confirmations is cut off."""


@dataclass(slots=True, eq=False)
class Connection:
    """One TCP connection; more than one device may speak over it."""

    writer: asyncio.StreamWriter
    origin: str
    strikes: int = 0
    """Refused in a row."""

    def send(self, raw: bytes) -> None:
        """Never waits."""
        transport = self.writer.transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            transport.abort()
        else:
            self.writer.write(raw)


class Listener:
    """Used in the driver's thread only."""

    def __init__(
        self,
        table: ListenerTable,
        words: Vocabulary,
        kinds: Mapping[str, str],
        memory: Mapping[str, str],
        now: tuple[float, int],
    ) -> None:
        """`now`: monotonic s and ms since 1970 UTC."""
        self.table = table
        self.zone = timezone(timedelta(hours=table.utc_offset_h))
        self.socket: socket.socket | None = None
        self.connections: set[Connection] = set()
        self.where: dict[int, Connection] = {}
        """Device → the connection it spoke over last."""
        self._words = words
        self._kinds = kinds
        self._memory = memory
        self.devices = {row.number: self._device(row, table, now) for row in table.devices}

    def device(self, number: int, now: tuple[float, int]) -> Device | None:
        """None = one that we do not take."""
        known = self.devices.get(number)
        room = len(self.devices) < len(self.table.devices) + MAX_UNKNOWN
        if known is None and room and self.table.unknown == "accept":
            row = TransmissionTable(number, f"gbt26875-{address_text(number)}", duty_check_h=0)
            # Nobody has said that it may be told the time.
            known = self.devices[number] = self._device(row, replace(self.table, clock_sync_h=0), now)
        return known

    def moved(self, number: int, connection: Connection) -> bool:
        """The device speaks over this connection; true when it did not before. One that it left is closed."""
        before = self.where.get(number)
        if before is connection:
            return False
        self.where[number] = connection
        if before is not None and before not in self.where.values():
            before.writer.transport.abort()
        return True

    def forget(self, connection: Connection) -> None:
        self.connections.discard(connection)
        for number in [number for number, found in self.where.items() if found is connection]:
            del self.where[number]

    def _device(self, row: TransmissionTable, table: ListenerTable, now: tuple[float, int]) -> Device:
        return Device.of(row, table, self._words, self._kinds, self._memory, now)


class Seen:
    """Digests of the last frames, and whether they are on disk."""

    def __init__(self, digests: Iterable[bytes]) -> None:
        """`digests`: of what is on disk."""
        self._on_disk: Future[None] = Future()
        self._on_disk.set_result(None)
        self._found: OrderedDict[bytes, Future[None]] = OrderedDict((digest, self._on_disk) for digest in digests)

    def get(self, digest: bytes) -> "Future[None] | None":
        return self._found.get(digest)

    def settle(self, digest: bytes) -> None:
        """It is on disk: the future of its own, which is large, can go."""
        if digest in self._found:
            self._found[digest] = self._on_disk

    def add(self, digest: bytes, future: "Future[None]") -> None:
        self._found[digest] = future
        if len(self._found) > MAX_SEEN:
            self._found.popitem(last=False)
