"""Connections to the broker that stand for many gateways: what they published, what came back, whether they are up."""

import threading
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field

from watchkeep_core import mqtt, topics
from watchkeep_core.broker import BrokerAddress, PublishRefused, Received, Will
from watchkeep_core.messages import State, encode
from watchkeep_core.mqtt_connection import Connection
from watchkeep_core.topics import GatewayRef
from watchkeep_firmware_sim.fleet_load.lanes import Held
from watchkeep_firmware_sim.fleet_load.plan import Plan

LOAD_USER = "sim-load"
"""The user that speaks for all gateways over one connection; only a demo's or bench's broker knows it."""

OUTSTANDING = 2000
"""Publishes without PUBACK on one connection: `max_inflight_messages` of our mosquitto.conf."""

SESSION_EXPIRY_S = 300
"""Acks that come while a connection is away for a moment are kept."""

RECONNECT_JITTER_S = 2.0


@dataclass(frozen=True, slots=True)
class Login:
    """How to reach the broker; with own connections every gateway uses this password."""

    address: BrokerAddress
    password: str = field(repr=False)
    user: str = LOAD_USER


@dataclass(slots=True)
class Link:
    """One connection. Its counters have one writer each: `published` the run's thread, the others paho's."""

    gateways: range
    user: str
    inbox: "deque[Received]"
    wake: threading.Event
    session: int = 0
    """Number of the connection that was greeted last."""
    greeted_s: float = 0.0
    published: int = 0
    settled: int = 0
    refused: int = 0
    why: str = ""
    """Why the broker refused the last one that it refused."""
    connection: Connection | None = None

    def connect(self, login: Login, will: Will | None) -> None:
        """Raises BrokerUnreachable and BrokerRefused."""
        self.connection = mqtt.connect(
            login.address,
            client_id=self.user,
            user=self.user,
            password=login.password,
            on_message=self._receive,
            will=will,
            session_expiry_s=SESSION_EXPIRY_S,
            max_outstanding=OUTSTANDING + len(self.gateways) * 4,  # births, states and farewells come on top
            reconnect_jitter_s=RECONNECT_JITTER_S,
        )

    @property
    def up(self) -> bool:
        return self.connection is not None and self.connection.connected

    @property
    def epoch(self) -> int:
        return self.connection.epoch if self.connection else 0

    @property
    def room(self) -> int:
        """How many more messages may be on the wire."""
        return OUTSTANDING - (self.published - self.settled)

    def publish(self, topic: str, payload: bytes, held: Held) -> None:
        """Raises PublishRefused for what is over the broker's packet limit."""
        if self.connection is None:
            return
        future = self.connection.publish(topic, payload)
        self.published += 1
        held.published = held.on_the_wire = True
        future.add_done_callback(lambda done: self._settled(done, held))

    def retain(self, topic: str, payload: bytes) -> "Future[None] | None":
        return self.connection.publish(topic, payload, retain=True) if self.connection else None

    def close(self) -> None:
        if self.connection:
            self.connection.close()

    def _receive(self, received: Received) -> None:
        self.inbox.append(received)
        self.wake.set()

    def _settled(self, done: "Future[None]", held: Held) -> None:
        held.on_the_wire = False
        self.settled += 1
        error = done.exception()
        if isinstance(error, PublishRefused):
            self.refused += 1
            self.why = error.reason
        if self.published - self.settled < OUTSTANDING // 2:
            self.wake.set()


class Links:
    """All connections of a run: one for all gateways, or one each."""

    def __init__(self, plan: Plan, login: Login) -> None:
        """Raises BrokerUnreachable and BrokerRefused, with nothing left open."""
        self.inbox: deque[Received] = deque()
        self.wake = threading.Event()
        everyone = range(len(plan.gateways))
        own = plan.options.own_connections
        groups = [range(number, number + 1) for number in everyone] if own else [everyone]
        self.all = [
            Link(group, plan.gateways[group[0]].user if own else login.user, self.inbox, self.wake) for group in groups
        ]
        self._own = own
        try:
            for link in self.all:
                ref = plan.gateways[link.gateways[0]]
                link.connect(login, _will(ref) if own else None)
                if link.connection:
                    link.connection.subscribe(_filters([ref.root] if own else _roots(plan)))
        except BaseException:
            self.close()
            raise

    def of(self, gateway: int) -> Link:
        return self.all[gateway if self._own else 0]

    @property
    def on_the_wire(self) -> int:
        return sum(link.published - link.settled for link in self.all)

    def close(self) -> None:
        for link in self.all:
            with suppress(OSError):
                link.close()


def _will(ref: GatewayRef) -> Will:
    return Will(topics.state(ref), encode(State(online=False)))


def _roots(plan: Plan) -> list[str]:
    return [f"{ref.root.rpartition('/')[0]}/+" for ref in {ref.community: ref for ref in plan.gateways}.values()]


def _filters(roots: list[str]) -> list[str]:
    return [f"{root}/{leaf}" for root in roots for leaf in ("ack/+", "cmd")]
