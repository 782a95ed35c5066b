"""One message as it came in, and what it turned out to be: bytes become typed values here, before any database work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from watchkeep_core import messages
from watchkeep_core.errors import MessageError
from watchkeep_core.messages import Birth, Data, Event, State
from watchkeep_core.topics import Lane, UpTopic
from watchkeep_ingest.columns import Readings
from watchkeep_ingest.streams import Stream, parse

Content = Readings | Event | Birth | State

_KINDS: dict[str, type[Data | Event | Birth | State]] = {"data": Data, "event": Event, "birth": Birth, "state": State}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a message goes to the dead letter: a short slug to count by, and the sentence for people."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """`lane` and `partition` are those of the session it came through, so that any topic can be accounted for."""

    lane: Lane
    partition: int
    topic: str
    payload: bytes
    received_us: int
    """Wall clock, µs since 1970 UTC."""
    mid: int
    """The broker's id of the message, within one connection."""
    ack: Callable[[Sequence[int]], object]
    """Acknowledges messages of its connection by their ids; equal for all of them, so that one call does for many."""
    retained: bool = False
    """The broker had kept it, and tells it anew with each subscription."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """`problem` is set or `content` is, or neither: an emptied retained message, which says nothing."""

    incoming: Incoming
    topic: UpTopic | None
    content: Content | None
    problem: Problem | None
    stream: Stream | None = None
    """Of a message with a seq."""
    floor: int = 0
    """What such a message says its spool still begins with; 0 when it cannot be trusted."""

    def refused(self, problem: Problem) -> "Decoded":
        return replace(self, problem=problem, floor=0)


def decode(incoming: Incoming) -> Decoded:
    """Never raises: what cannot be understood carries its problem."""
    topic: UpTopic | None = None
    stream: Stream | None = None
    try:
        topic, stream = parse(incoming.topic)
        if topic.kind != "message" and not incoming.payload:
            return Decoded(incoming, topic, None, None)
        message = messages.decode(_KINDS[topic.lane or topic.kind], incoming.payload)
    except MessageError as error:
        return Decoded(incoming, topic, None, Problem(error.reason, error.detail), stream)
    content = Readings.of(message) if isinstance(message, Data) else message
    floor = content.floor if isinstance(content, Readings | Event) else 0
    if floor > topic.seq:
        text = f"floor {floor} is above the message's own seq"
        return Decoded(incoming, topic, content, Problem("bad_floor", text), stream)
    return Decoded(incoming, topic, content, None, stream, floor)
