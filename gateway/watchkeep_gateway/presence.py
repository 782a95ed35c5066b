"""What the gateway says of itself, retained at the broker: birth and state, told anew when something has changed."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from watchkeep_core import messages, topics
from watchkeep_core.broker import BrokerUnreachable, PublishRefused, TooManyOutstanding, Will
from watchkeep_core.logs import get_logger
from watchkeep_core.messages import Birth, ClockState, Message, State, encode
from watchkeep_core.topics import GatewayRef
from watchkeep_gateway.clock_state import StepWatch
from watchkeep_gateway.config import declare
from watchkeep_gateway.line import Line
from watchkeep_gateway.server_clock import ServerClock
from watchkeep_gateway.spool import Spool
from watchkeep_gateway.values import PointKey

log = get_logger(__name__)

CLOCK_LOOK_S = 60.0
SKEW_TOLD_MS = 1000.0
"""A new birth when the offset to the server has changed by about this much."""

BIRTH_RETRY_S = 10.0


@dataclass(frozen=True, slots=True)
class UplinkRules:
    """What the uplink must know and never changes."""

    ref: GatewayRef
    software: str
    configuration: str = ""
    declared: Mapping[PointKey, float | None] | None = None
    """Expected intervals in s, for the birth."""
    resend_after_s: float = 60.0
    max_messages_per_s: float = 1000.0
    server_clock: ServerClock = field(default_factory=ServerClock)
    stamp_lead_ms: Callable[[], float] = lambda: 0.0
    """By how much stamps are ahead of the clock just now."""


def will_of(ref: GatewayRef) -> Will:
    return Will(topics.state(ref), encode(State(online=False)))


class Presence:
    """Used by the uplink's thread."""

    def __init__(self, line: Line, spool: Spool, rules: UplinkRules, clock: Callable[[], ClockState]) -> None:
        """`clock` asks the kernel."""
        self._line = line
        self._spool = spool
        self._rules = rules
        self._clock = clock
        self._told: tuple[object, ...] = ()
        self._told_in = 0
        self._again_s = 0.0
        self._steps = StepWatch()
        self._clock_at_s = 0.0
        self._clock_state = clock()

    @property
    def taken(self) -> bool:
        """The broker took our state on this connection."""
        return self._told_in == self._line.epoch

    def forget(self) -> None:
        """Say it again in the next round."""
        self._told = ()

    def restart(self) -> None:
        """After each connect."""
        self.forget()
        self._again_s = 0.0

    def tell(self, session: int, now_s: float) -> bool:
        """Publish birth and state when something in them has changed; false when the broker does not take them."""
        offset = self._rules.server_clock.offset
        first_known = self._clock_state.server_offset_ms is None and offset is not None
        if now_s >= self._clock_at_s or first_known:
            self._look_at_clock(now_s)
        aliases, lanes = self._spool.aliases, self._spool.lanes
        wanted = (
            session,
            len(aliases),
            lanes["data"].epoch,
            lanes["event"].epoch,
            self._clock_state.synchronised,
            self._clock_state.server_offset_ms is not None,
            round((self._clock_state.server_offset_ms or 0) / SKEW_TOLD_MS),
        )
        if wanted == self._told:
            return True
        if now_s < self._again_s:
            return False
        known = self._rules.declared or {}
        birth = Birth(
            software=self._rules.software,
            data_epoch=lanes["data"].epoch,
            event_epoch=lanes["event"].epoch,
            clock=self._clock_state,
            equipment=messages.declare(declare(key, alias, known.get(key)) for key, alias in aliases.items()),
            configuration=self._rules.configuration,
        )
        taken = self._publish(topics.birth(self._rules.ref), birth)
        taken = taken and self._publish(
            topics.state(self._rules.ref), State(online=True, t=_now_ms()), self._note(session)
        )
        if taken:
            self._told = wanted
        else:
            self._again_s = now_s + BIRTH_RETRY_S
        return taken

    def leave(self) -> None:
        """Say that we are offline."""
        self._publish(topics.state(self._rules.ref), State(online=False, t=_now_ms()))

    def _look_at_clock(self, now_s: float) -> None:
        """Ask the kernel and the acks; a clock that was set is told at once."""
        self._clock_at_s = now_s + CLOCK_LOOK_S
        if step_s := self._steps.step_s():
            log.warning("clock_was_set", by_s=round(step_s, 3))
            self._told = ()
        known = self._rules.server_clock.offset
        self._clock_state = msgspec.structs.replace(
            self._clock(),
            server_offset_ms=known and round(known.offset_ms, 3),
            server_error_ms=known and round(known.error_ms, 3),
            stamp_lead_ms=round(self._rules.stamp_lead_ms(), 3),
        )
        self._spool.note_fact("clock", encode(self._clock_state).decode())

    def _note(self, session: int) -> Callable[[], None]:
        def note() -> None:
            self._told_in = session

        return note

    def _publish(self, topic: str, message: Message, taken: Callable[[], None] = lambda: None) -> bool:
        try:
            future = self._line.publish(topic, encode(message), retain=True)
            future.add_done_callback(lambda done: _settled(topic, done.exception(), taken))
        except (BrokerUnreachable, TooManyOutstanding):
            return False
        except PublishRefused as error:
            log.error("publish_refused", topic=topic, why=error.reason)
            return False
        return True


def _settled(topic: str, error: BaseException | None, taken: Callable[[], None]) -> None:
    if error is None:
        taken()
    elif isinstance(error, PublishRefused):
        log.error("publish_refused", topic=topic, why=error.reason)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
