"""What a restarted bridge must know, as text in the spool: births, and how far each node has counted; pure.

It is on disk with the readings of the same message: one that is delivered again meets the aliases it was sent with.
"""

import binascii
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

from watchkeep_core.logs import get_logger
from watchkeep_gateway.drivers.sparkplug.payload import MAX_BYTES
from watchkeep_gateway.drivers.sparkplug.targets import Source
from watchkeep_gateway.drivers.sparkplug.values import Outcome

log = get_logger(__name__)


@dataclass(slots=True)
class Remembered:
    births: dict[str, bytes] = field(default_factory=dict)
    counts: dict[str, str] = field(default_factory=dict)
    order: int = 0
    """Number of the latest message that left a count."""


def to_remember(driver: str, node: Source, outcome: Outcome, order: int, *, urgent: bool) -> dict[str, str | None]:
    """Events overtake readings on their way to disk: their counts have a key of their own, and the later one counts."""
    kept: dict[str, str | None] = {
        f"{driver} birth {source}": None if data is None else b64encode(zlib.compress(data)).decode()
        for source, data in outcome.births.items()
    }
    if outcome.link is False:
        kept |= {f"{driver} {lane} {node}": None for lane in ("count", "urgent")}
    elif outcome.count:
        kept[f"{driver} {'urgent' if urgent else 'count'} {node}"] = f"{order} {outcome.count}"
    return kept


def recall(driver: str, memory: Mapping[str, str]) -> Remembered:
    """The other way; what cannot be read is left out, and those nodes are asked to be born again."""
    found = Remembered()
    latest: dict[str, int] = {}
    for key, value in memory.items():
        if not key.startswith(f"{driver} "):
            continue
        kind, _, source = key.removeprefix(f"{driver} ").partition(" ")
        try:
            if kind == "birth":
                found.births[source] = zlib.decompressobj().decompress(b64decode(value, validate=True), MAX_BYTES)
                continue
            order, count = value.split(" ", 1)
            if int(order) > latest.get(source, -1):
                latest[source], found.counts[source] = int(order), count
        except (ValueError, zlib.error, binascii.Error) as error:
            log.error("memory_not_understood", driver=driver, key=key, why=str(error))
    found.order = max(latest.values(), default=0)
    return found
