"""The gateway's side of the wire contract: birth, state, the two lanes, acks and commands."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

from watchkeep_core import topics
from watchkeep_core.broker import Received
from watchkeep_core.errors import MessageError
from watchkeep_core.logs import get_logger
from watchkeep_core.messages import Ack, ClockState, decode
from watchkeep_core.topics import LANES, Lane
from watchkeep_gateway.lane_sender import LaneSender, SenderCounts
from watchkeep_gateway.line import Line
from watchkeep_gateway.presence import BIRTH_RETRY_S, Presence, UplinkRules
from watchkeep_gateway.remote import obey
from watchkeep_gateway.spool import Spool
from watchkeep_gateway.spool_reader import SpoolReader
from watchkeep_gateway.window import Pace

log = get_logger(__name__)

RETAINED_ACK_WAIT_S = 1.0
"""After a connect the retained acks are read before anything is published: they may tell that our spool is a copy."""

MAX_COMMANDS_WAITING = 100
"""More at once are dropped with a log line: nobody sends them that fast and means it."""

RENEW_TIMEOUT_S = 30.0


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
        self._presence = Presence(line, spool, rules, clock)
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
        return self._line.subscribed and self._presence.taken

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
        self._presence.leave()
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
        if not self._presence.tell(self._session, now_s):
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
        self._presence.restart()
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
        self._presence.forget()

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
