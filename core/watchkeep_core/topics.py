"""The topic tree `wk/1/{pp}/{community}/{gateway}/…`: built and parsed in one place."""

import re
import zlib
from dataclasses import dataclass
from typing import Literal, get_args

from watchkeep_core.errors import MessageError

PARTITIONS = 16
"""Fixed for ever: the partition of a community stands in topics, user names and lock numbers."""

ID_PATTERN = r"[A-Za-z0-9_-]{1,64}"
"""Ids of communities, gateways, equipment and epochs: safe in topics, user names and file names."""

MAX_SEQ = 2**63 - 1
"""PostgreSQL's bigint; seqs are kept in int8multirange columns."""

Lane = Literal["data", "event"]
LANES: tuple[Lane, ...] = get_args(Lane)

_ID = re.compile(ID_PATTERN)
_ROOT = "wk/1"


@dataclass(frozen=True, slots=True)
class GatewayRef:
    """One gateway of one community: the unit of identity on the wire."""

    community: str
    gateway: str

    def __post_init__(self) -> None:
        require_id("community", self.community)
        require_id("gateway", self.gateway)

    @property
    def user(self) -> str:
        """The gateway's MQTT user name."""
        return f"{self.community}/{self.gateway}"

    @property
    def root(self) -> str:
        return f"{_ROOT}/{partition_of(self.community)}/{self.community}/{self.gateway}"


@dataclass(frozen=True, slots=True)
class UpTopic:
    """A parsed topic that a gateway publishes on.

    `lane`, `epoch` and `seq` are set for kind `message` only, so that even an undecodable payload
    can be accounted for.
    """

    partition: int
    source: GatewayRef
    kind: Literal["birth", "state", "message"]
    lane: Lane | None = None
    epoch: str = ""
    seq: int = 0


def is_id(value: str) -> bool:
    return _ID.fullmatch(value) is not None


def require_id(field: str, value: str) -> str:
    if not is_id(value):
        raise MessageError("bad_id", f"{field}: {value[:80]!r} is not {ID_PATTERN}")
    return value


def partition_of(community: str) -> int:
    """crc32(community) mod 16."""
    return zlib.crc32(community.encode("ascii")) % PARTITIONS


def birth(source: GatewayRef) -> str:
    return f"{source.root}/birth"


def state(source: GatewayRef) -> str:
    return f"{source.root}/state"


def message(source: GatewayRef, lane: Lane, epoch: str, seq: int) -> str:
    return f"{source.root}/{lane}/{epoch}/{seq}"


def ack(source: GatewayRef, lane: Lane) -> str:
    return f"{source.root}/ack/{lane}"


def cmd(source: GatewayRef) -> str:
    return f"{source.root}/cmd"


def rows(partition: int) -> str:
    return f"{_ROOT}/_/rows/{partition}"


def ingest_filters(lane: Lane, partition: int) -> list[str]:
    """What the session of one lane and partition subscribes to; births and states ride on `event`."""
    root = f"{_ROOT}/{partition}/+/+"
    if lane == "data":
        return [f"{root}/data/+/+", f"{root}/birth"]
    return [f"{root}/event/+/+", f"{root}/birth", f"{root}/state"]


def parse_up(topic: str) -> UpTopic:
    """Parse a topic that a gateway published on.

    Raises MessageError (`bad_topic`, `bad_id`) when it is none, or its partition is not the community's.
    """
    parts = topic.split("/")
    if len(parts) not in (6, 8) or parts[:2] != _ROOT.split("/"):
        raise MessageError("bad_topic", f"not a gateway's topic: {topic[:200]!r}")
    source = GatewayRef(parts[3], parts[4])
    partition = partition_of(source.community)
    if parts[2] != str(partition):
        raise MessageError("bad_topic", f"{source.community} belongs to partition {partition}, not {parts[2][:20]!r}")
    kind = parts[5]
    if len(parts) == 6 and kind in ("birth", "state"):
        return UpTopic(partition, source, "birth" if kind == "birth" else "state")
    if len(parts) == 8 and kind in LANES:
        lane: Lane = "data" if kind == "data" else "event"
        return UpTopic(partition, source, "message", lane, require_id("epoch", parts[6]), _seq(parts[7]))
    raise MessageError("bad_topic", f"not a gateway's topic: {topic[:200]!r}")


def _seq(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise MessageError("bad_topic", f"seq: {text[:40]!r} is not a number")
    value = int(text)
    if str(value) != text or value > MAX_SEQ:
        raise MessageError("bad_topic", f"seq: {text[:40]!r} is not a canonical number up to {MAX_SEQ}")
    return value
