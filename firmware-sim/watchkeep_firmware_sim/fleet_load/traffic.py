"""The gateways' side of the wire for all of them at once: births, both lanes, acks, commands, resends."""

import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from watchkeep_core import topics
from watchkeep_core.broker import PublishRefused, Received, TooManyOutstanding
from watchkeep_core.errors import MessageError, PermanentError
from watchkeep_core.logs import get_logger
from watchkeep_core.messages import Ack, Cmd, State, decode, encode
from watchkeep_core.topics import LANES
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_firmware_sim.fleet_load.disorder import Disorder
from watchkeep_firmware_sim.fleet_load.lanes import Held, LoadLane
from watchkeep_firmware_sim.fleet_load.links import Link, Links
from watchkeep_firmware_sim.fleet_load.plan import Plan

log = get_logger(__name__)

RETAINED_ACK_WAIT_S = 1.0
"""After a reconnect the acks are read before anything is sent again."""

RESEND_AFTER_S = 60.0
"""First wait without progress of a lane, as a real gateway's."""

LOOK_FOR_STALLS_S = 1.0
BIRTH_TIMEOUT_S = 30.0
MAX_LAGS = 100_000


class FleetRefused(PermanentError):
    """The broker does not let the load user write for these communities."""


@dataclass(slots=True)
class Counts:
    """Since the start of the run."""

    put: int = 0
    """Messages that were put into a spool."""
    given_up: int = 0
    """Of these, taken out again without an ack."""
    acked_messages: int = 0
    acked_readings: int = 0
    resends: int = 0
    """Lanes that began again because no ack came."""
    reconnects: int = 0
    rebirths: int = 0
    """Births that ingest asked for."""

    @property
    def unacked(self) -> int:
        """Messages in the spools."""
        return self.put - self.acked_messages - self.given_up


class Traffic:
    """Used by one thread."""

    def __init__(self, plan: Plan, epoch: str, links: Links, words: Vocabulary) -> None:
        self.counts = Counts()
        self.lags_s: deque[float] = deque(maxlen=MAX_LAGS)
        """From the making of a message to its ack, of the newest in each ack."""
        self.refused: list[tuple[LoadLane, Held]] = []
        """What the broker's packet limit kept off the wire; the run empties it."""
        self.lanes = [
            {lane: LoadLane(gateway, lane, RESEND_AFTER_S) for lane in LANES} for gateway in range(len(plan.gateways))
        ]
        rng = Random(f"{plan.options.seed}/line")  # noqa: S311 - a simulation wants repeatable numbers
        self.disorder: Disorder[tuple[LoadLane, Held]] = Disorder(rng, plan.options.duplicate, plan.options.shuffle)
        self._plan = plan
        self._epoch = epoch
        self._links = links
        self._words = words
        self._by_root = {ref.root: number for number, ref in enumerate(plan.gateways)}
        self._topics = [
            {lane: topics.message(ref, lane, epoch, 0).removesuffix("0") for lane in LANES} for ref in plan.gateways
        ]
        self._ready: dict[str, deque[LoadLane]] = {lane: deque() for lane in LANES}
        self._stalls_looked_s = 0.0

    def greet(self) -> None:
        """Births and states on new connections; waits for one birth's answer and raises FleetRefused when it is no."""
        for link in self._links.all:
            first = self._greet(link)
            if first is None:
                continue
            try:
                first.result(BIRTH_TIMEOUT_S)
            except PublishRefused as error:
                raise FleetRefused(f"user {link.user} may not publish: {error} (see firmware-sim/README.md)") from None
            except TimeoutError:
                log.warning("no_answer_to_birth", user=link.user)

    def put(
        self, lane: LoadLane, body: bytes, readings: int, now_s: float, *, whole: bool = False, dead: bool = False
    ) -> int:
        """A new message in the spool; returns its seq."""
        held = lane.put(body, readings, now_s, whole=whole, dead=dead)
        self.counts.put += 1
        self.offer(lane)
        return held.seq

    def give_up(self, lane: LoadLane) -> Held:
        """Take the oldest message out of the spool without an ack."""
        self.counts.given_up += 1
        return lane.evict()

    def offer(self, lane: LoadLane) -> None:
        """The lane has something to send."""
        if not lane.queued and lane.waiting:
            lane.queued = True
            self._ready[lane.lane].append(lane)

    def step(self, now_s: float) -> None:
        """Take what came, send what may be sent; `now_s` is monotonic."""
        for link in self._links.all:
            if link.up and link.session != link.epoch:
                self._reconnected(link, now_s)
        self._take(now_s)
        if now_s - self._stalls_looked_s >= LOOK_FOR_STALLS_S:
            self._stalls_looked_s = now_s
            self._look_for_stalls(now_s)
        for lane in ("event", "data"):
            self._send(self._ready[lane], now_s)
        for message in self.disorder.due(now_s):
            self._publish(*message)

    def blocked(self) -> bool:
        """Whether something could be sent as soon as the broker takes it."""
        return any(self._ready.values())

    def say_offline(self) -> None:
        """Farewells, and a moment for their PUBACKs."""
        for number, ref in enumerate(self._plan.gateways):
            link = self._links.of(number)
            if link.up:
                with suppress(TooManyOutstanding):
                    link.retain(topics.state(ref), encode(State(online=False, t=_now_ms())))
        deadline = time.monotonic() + 5
        for link in self._links.all:
            while link.up and link.connection and link.connection.outstanding and time.monotonic() < deadline:
                self._links.wake.wait(0.02)

    def _greet(self, link: Link) -> "Future[None] | None":
        first: Future[None] | None = None
        for number in link.gateways:
            future = self._announce(link, number)
            first = first or future
        link.session = link.epoch
        return first

    def _announce(self, link: Link, gateway: int) -> "Future[None] | None":
        ref = self._plan.gateways[gateway]
        future = link.retain(topics.birth(ref), encode(self._plan.birth(gateway, self._epoch, self._words)))
        link.retain(topics.state(ref), encode(State(online=True, t=_now_ms())))
        return future

    def _reconnected(self, link: Link, now_s: float) -> None:
        link.greeted_s = now_s
        try:
            self._greet(link)
        except TooManyOutstanding:  # what waits since the loss goes first; the next step tries again
            return
        self.counts.reconnects += 1
        for number in link.gateways:
            for lane in self.lanes[number].values():
                lane.rewind()
                self.offer(lane)

    def _take(self, now_s: float) -> None:
        inbox = self._links.inbox
        while inbox:
            received = inbox.popleft()
            root, _, leaf = received.topic.removesuffix("/data").removesuffix("/event").rpartition("/")
            gateway = self._by_root.get(root)
            if gateway is None:
                continue
            try:
                if leaf == "ack":
                    self._take_ack(gateway, received, now_s)
                else:
                    self._obey(gateway, decode(Cmd, received.payload))
            except MessageError as error:
                log.warning("not_understood", topic=received.topic, why=str(error))

    def _take_ack(self, gateway: int, received: Received, now_s: float) -> None:
        ack = decode(Ack, received.payload)
        if ack.epoch != self._epoch:
            return
        lane = self.lanes[gateway]["event" if received.topic.endswith("event") else "data"]
        done = lane.ack(ack.seq, now_s)
        if done:
            self.counts.acked_messages += len(done)
            self.counts.acked_readings += sum(held.readings for held in done)
            self.lags_s.append(now_s - done[-1].made_s)
        self.offer(lane)

    def _obey(self, gateway: int, command: Cmd) -> None:
        log.info("command", gateway=self._plan.gateways[gateway].user, action=command.action)
        if command.action == "rebirth":
            self.counts.rebirths += 1
            try:
                self._announce(self._links.of(gateway), gateway)
            except TooManyOutstanding:
                log.warning("rebirth_put_off", gateway=self._plan.gateways[gateway].user)
        elif command.action == "resend":
            for lane in [command.lane] if command.lane else LANES:
                self.lanes[gateway][lane].rewind(command.seq or 0)
                self.offer(self.lanes[gateway][lane])

    def _look_for_stalls(self, now_s: float) -> None:
        for lanes in self.lanes:
            for lane in lanes.values():
                if lane.rewind_if_stalled(now_s):
                    self.counts.resends += 1
                    self.offer(lane)

    def _send(self, ready: "deque[LoadLane]", now_s: float) -> None:
        """One message of each lane in turn, as many as the connections take."""
        blocked = 0
        while blocked < len(ready):
            lane = ready.popleft()
            if not self._may_send(self._links.of(lane.gateway), now_s):
                ready.append(lane)
                blocked += 1
                continue
            blocked = 0
            lane.queued = False
            if lane.waiting:
                held = lane.take(now_s)
                if not held.on_the_wire:  # else paho holds it, and sends it again on a new connection by itself
                    for message in self.disorder.pass_on((lane, held), now_s):
                        self._publish(*message)
                self.offer(lane)

    def _may_send(self, link: Link, now_s: float) -> bool:
        return link.up and link.room > 0 and now_s - link.greeted_s >= RETAINED_ACK_WAIT_S

    def _publish(self, lane: LoadLane, held: Held) -> None:
        if held.gone:
            return
        topic = f"{self._topics[lane.gateway][lane.lane]}{held.seq}"
        try:
            self._links.of(lane.gateway).publish(topic, lane.payload(held), held)
        except TooManyOutstanding:
            lane.rewind(held.seq)
            self.offer(lane)
        except PublishRefused:
            lane.refuse(held)
            self.counts.given_up += 1
            self.refused.append((lane, held))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
