"""Which stream of messages a topic belongs to: the names of each are looked at once, not with every message."""

from dataclasses import dataclass
from functools import lru_cache

from watchkeep_core.errors import MessageError
from watchkeep_core.topics import GatewayRef, Lane, UpTopic, parse_up

_SEQ_DIGITS = 19
"""Numbers of so many may be beyond the largest seq."""

_HEAD_CHARS = 256
"""More than any gateway's topic has; a longer one is not worth remembering."""

_STREAMS = 20_000
"""Streams remembered: about 10 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Messages of one gateway, lane and epoch. Compared by identity, so that a batch is sorted by stream without a look
    at names; the same names may stand in two of them when memory of one was lost in between."""

    partition: int
    source: GatewayRef
    lane: Lane
    epoch: str

    @property
    def key(self) -> tuple[GatewayRef, str]:
        return self.source, self.epoch


def parse(topic: str) -> tuple[UpTopic, Stream | None]:
    """`parse_up`, which looks at the names of a stream once only. Raises MessageError."""
    head, _, seq = topic.rpartition("/")
    plain = seq.isascii() and seq.isdigit() and len(seq) < _SEQ_DIGITS and (seq[0] != "0" or seq == "0")
    stream = _stream(head) if plain and len(head) < _HEAD_CHARS else None
    if stream is not None:
        return UpTopic(stream.partition, stream.source, "message", stream.lane, stream.epoch, int(seq)), stream
    parsed = parse_up(topic)
    return parsed, _stream(head) if parsed.kind == "message" else None


@lru_cache(_STREAMS)
def _stream(head: str) -> Stream | None:
    """Of a topic without its seq; None when that is no message's."""
    try:
        topic = parse_up(f"{head}/0")
    except MessageError:
        return None
    return Stream(topic.partition, topic.source, topic.lane, topic.epoch) if topic.lane else None
