"""The gateway's side of the wire contract: birth, state, the two lanes, acks and commands."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from watchkeep_core import messages, topics
from watchkeep_core.broker import BrokerUnreachable, PublishRefused, Received, TooManyOutstanding, Will
from watchkeep_core.errors import MessageError
from watchkeep_core.logs import get_logger
from watchkeep_core.messages import Ack, Birth, ClockState, Message, State, decode, encode
from watchkeep_core.topics import LANES, GatewayRef, Lane
from watchkeep_gateway.clock_state import StepWatch
from watchkeep_gateway.config import declare
from watchkeep_gateway.lane_sender import LaneSender, SenderCounts
from watchkeep_gateway.line import Line
from watchkeep_gateway.remote import obey
from watchkeep_gateway.server_clock import ServerClock
from watchkeep_gateway.spool import Spool
from watchkeep_gateway.spool_reader import SpoolReader
from watchkeep_gateway.values import PointKey
from watchkeep_gateway.window import Pace

log = get_logger(__name__)

RETAINED_ACK_WAIT_S = 1.0
"""After a connect the retained acks are read before anything is published: they may tell that our spool is a copy."""

MAX_COMMANDS_WAITING = 100
"""More at once are dropped with a log line: nobody sends them that fast and means it."""

CLOCK_LOOK_S = 60.0
SKEW_TOLD_MS = 1000.0
"""A new birth when the offset to the server has changed by about this much."""

BIRTH_RETRY_S = 10.0
RENEW_TIMEOUT_S = 30.0


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


class Uplink:
    """One thread that sends; the line's thread only leaves word and wakes it."""

    def __init__(
        self,
        line: Line,
        spool: Spool,
        reader: SpoolReader,
        rules: UplinkRules,
        counts: Mapping[Lane, SenderCounts],
        clock: Callable[[], ClockState],
    ) -> None:
        self._line = line
        self._spool = spool
        self._rules = rules
        self._clock = clock
        self._reader = reader
        self._wake = threading.Event()
        self._ending = False
        self._lock = threading.Lock()
        self._acks: dict[Lane, Ack] = {}
        self._commands: deque[tuple[bytes, bool]] = deque()
        self._server_clock = rules.server_clock
        self._session = 0
        self._acks_seen: set[Lane] = set()
        self._greet_until_s = 0.0
        self._born_as: tuple[object, ...] = ()
        self._announced = 0
        self._birth_again_s = 0.0
        self._steps = StepWatch()
        self._clock_at_s = 0.0
        self._clock_state = clock()
        self._senders = {
            lane: LaneSender(
                lane,
                rules.ref,
                reader,
                resend_after_s=rules.resend_after_s,
                pace=Pace(rules.max_messages_per_s) if lane == "data" else None,
                counts=counts[lane],
                wake=self._wake.set,
                on_publish=rules.server_clock.published,
            )
            for lane in LANES
        }
        wanted = [*(topics.ack(rules.ref, lane) for lane in LANES), topics.cmd(rules.ref)]
        line.subscribe(wanted, f"{rules.ref.root}/", self._receive)
        line.watch(lambda up, why: self._wake.set())
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Something new is in the spool."""
        self._wake.set()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def started(self) -> bool:
        return self._thread.ident is not None

    @property
    def announced(self) -> bool:
        """The broker took our state on this connection, and our subscriptions stand.

        Before that a device that publishes may publish to nobody (measured: 6 of 6 messages gone at a first start).
        """
        return self._line.subscribed and self._announced == self._line.epoch

    @property
    def accepted(self) -> bool:
        """The broker refuses nothing that we publish."""
        return not any(sender.refused for sender in self._senders.values())

    def acked(self, lane: Lane) -> int:
        return self._senders[lane].window.acked

    def stop(self, timeout_s: float = 3.0) -> None:
        """Say offline and end; what is unsent stays in the spool."""
        self._ending = True
        self._wake.set()
        self._thread.join(timeout_s)
        self._publish(topics.state(self._rules.ref), State(online=False, t=_now_ms()))
        self._line.wait_until_idle(timeout_s)
        self._reader.close()

    def _receive(self, received: Received) -> None:
        """In the line's thread: leave word."""
        try:
            if received.topic == topics.cmd(self._rules.ref):
                with self._lock:
                    if len(self._commands) >= MAX_COMMANDS_WAITING:
                        log.error("command_dropped", why=f"{MAX_COMMANDS_WAITING} wait already")
                    else:
                        self._commands.append((received.payload, received.retain))
            else:
                for lane in LANES:
                    if received.topic == topics.ack(self._rules.ref, lane):
                        ack = decode(Ack, received.payload)
                        with self._lock:
                            self._acks[lane] = ack
                        if ack.t is not None and not received.retain:
                            self._server_clock.acked(ack.epoch, ack.seq, ack.t)
        except MessageError as error:
            log.warning("not_understood", topic=received.topic, why=str(error))
        self._line.ack(received)
        self._wake.set()

    def _run(self) -> None:
        while not self._ending:
            self._wake.clear()
            try:
                wait_s = self._step(time.monotonic())
            except Exception:
                log.exception("uplink_step_failed")
                wait_s = 1.0
            self._wake.wait(wait_s)

    def _step(self, now_s: float) -> float:
        """One round; returns how long nothing needs to be done unless something happens, in s."""
        if not self._line.connected:
            return 1.0
        if self._session != self._line.epoch:
            self._begin_session(now_s)
        self._take_acks(now_s)
        greeting_s = self._greet_until_s - now_s
        if greeting_s > 0 and len(self._acks_seen) < len(LANES):
            return greeting_s
        self._take_commands()
        if not self._announce(now_s):
            return BIRTH_RETRY_S
        lanes = self._spool.lanes
        while self._senders["event"].step(lanes["event"], now_s, self._line.publish):
            pass
        more = self._senders["data"].step(lanes["data"], now_s, self._line.publish)
        return 0.0 if more else min(sender.waits_s(now_s) for sender in self._senders.values())

    def _begin_session(self, now_s: float) -> None:
        self._session = self._line.epoch
        self._acks_seen.clear()
        self._greet_until_s = now_s + RETAINED_ACK_WAIT_S
        self._born_as = ()
        self._birth_again_s = 0.0
        for lane, sender in self._senders.items():
            sender.restart(self._spool.lanes[lane], now_s)

    def _take_acks(self, now_s: float) -> None:
        with self._lock:
            acks, self._acks = self._acks, {}
        for lane, ack in acks.items():
            self._acks_seen.add(lane)
            state = self._spool.lanes[lane]
            if ack.epoch != state.epoch:
                continue
            if ack.seq >= state.next_seq:  # a copied or restored spool: nothing is published before it has a new epoch
                self._spool.ack_ahead(lane, ack.epoch, ack.seq).result(RENEW_TIMEOUT_S)
                continue
            self._spool.ack(lane, ack.epoch, ack.seq)
            self._senders[lane].window.take_ack(ack.seq, now_s)

    @property
    def configuration(self) -> str:
        return self._rules.configuration

    def rebirth(self) -> None:
        """Say again who we are, in the next round."""
        self._born_as = ()

    def resend(self, lane: Lane, seq: int) -> int:
        """Publish again from `seq`, or from the first that is still held."""
        start = max(self._spool.lanes[lane].floor, seq)
        self._senders[lane].window.rewind(start)
        return start

    def _take_commands(self) -> None:
        with self._lock:
            commands = list(self._commands)
            self._commands.clear()
        for payload, retained in commands:
            self._spool.note_command(*obey(payload, retained, self))

    def _announce(self, now_s: float) -> bool:
        """Publish birth and state when something in them has changed; false when the broker does not take them."""
        first_known = self._clock_state.server_offset_ms is None and self._server_clock.offset is not None
        if now_s >= self._clock_at_s or first_known:
            self._look_at_clock(now_s)
        aliases, lanes = self._spool.aliases, self._spool.lanes
        wanted = (
            self._session,
            len(aliases),
            lanes["data"].epoch,
            lanes["event"].epoch,
            self._clock_state.synchronised,
            self._clock_state.server_offset_ms is not None,
            round((self._clock_state.server_offset_ms or 0) / SKEW_TOLD_MS),
        )
        if wanted == self._born_as:
            return True
        if now_s < self._birth_again_s:
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
            topics.state(self._rules.ref), State(online=True, t=_now_ms()), self._note_announced(self._session)
        )
        if taken:
            self._born_as = wanted
        else:
            self._birth_again_s = now_s + BIRTH_RETRY_S
        return taken

    def _look_at_clock(self, now_s: float) -> None:
        """Ask the kernel and the acks; a clock that was set is told at once."""
        self._clock_at_s = now_s + CLOCK_LOOK_S
        if step_s := self._steps.step_s():
            log.warning("clock_was_set", by_s=round(step_s, 3))
            self._born_as = ()
        known = self._server_clock.offset
        self._clock_state = msgspec.structs.replace(
            self._clock(),
            server_offset_ms=known and round(known.offset_ms, 3),
            server_error_ms=known and round(known.error_ms, 3),
            stamp_lead_ms=round(self._rules.stamp_lead_ms(), 3),
        )
        self._spool.note_fact("clock", encode(self._clock_state).decode())

    def _note_announced(self, session: int) -> Callable[[], None]:
        def note() -> None:
            self._announced = session

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
