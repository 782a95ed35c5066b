"""One message as it came in, and what it turned out to be: bytes become typed values here, before any database work."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

from watchkeep_core import messages
from watchkeep_core.errors import MessageError
from watchkeep_core.messages import Birth, Data, Event, State
from watchkeep_core.topics import GatewayRef, Lane, UpTopic, parse_up

Content = Data | Event | Birth | State

_KINDS: dict[str, type[Content]] = {"data": Data, "event": Event, "birth": Birth, "state": State}


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
    ack: Callable[[], object]
    """Acknowledges the message to the broker; dropped there when its connection is gone."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """`problem` is set or `content` is, or neither: an emptied retained message, which says nothing."""

    incoming: Incoming
    topic: UpTopic | None
    content: Content | None
    problem: Problem | None

    @property
    def key(self) -> tuple[GatewayRef, str] | None:
        """(gateway, epoch) of a message with a seq."""
        if self.topic is None or self.topic.kind != "message":
            return None
        return self.topic.source, self.topic.epoch

    @property
    def floor(self) -> int:
        """What the message says its spool still begins with; 0 when it cannot be trusted."""
        return self.content.floor if isinstance(self.content, Data | Event) and self.problem is None else 0

    def refused(self, problem: Problem) -> "Decoded":
        return replace(self, problem=problem)


def decode(incoming: Incoming) -> Decoded:
    """Never raises: what cannot be understood carries its problem."""
    topic: UpTopic | None = None
    try:
        topic = parse_up(incoming.topic)
        if topic.kind != "message" and not incoming.payload:
            return Decoded(incoming, topic, None, None)
        content = messages.decode(_KINDS[topic.lane or topic.kind], incoming.payload)
    except MessageError as error:
        return Decoded(incoming, topic, None, Problem(error.reason, error.detail))
    problem = None
    if topic.kind == "message" and cast(Data | Event, content).floor > topic.seq:
        problem = Problem("bad_floor", f"floor {cast(Data | Event, content).floor} is above the message's own seq")
    return Decoded(incoming, topic, content, problem)
