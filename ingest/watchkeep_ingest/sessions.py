"""The persistent MQTT sessions of a worker: one per lane and partition, QoS 1, acknowledged by hand.

The callback only enqueues. What finds no room in memory is left unacknowledged, and the session is renewed when there
is room again: the broker then delivers it once more, to a new connection whose message ids are its own.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from watchkeep_core import topics
from watchkeep_core.broker import (
    BrokerAddress,
    BrokerRefused,
    BrokerUnreachable,
    Connected,
    PublishRefused,
    Received,
    TooManyOutstanding,
)
from watchkeep_core.logs import get_logger
from watchkeep_core.mqtt import connect
from watchkeep_core.mqtt_connection import Connection
from watchkeep_core.topics import LANES, Lane
from watchkeep_ingest import metrics
from watchkeep_ingest.incoming import Incoming
from watchkeep_ingest.intake import Intake

log = get_logger(__name__)

SESSION_EXPIRY_S = 14 * 86_400
"""How long the broker keeps queue and subscriptions while nobody is connected (ARCHITECTURE §4)."""

_ROOM_WAIT_S = 10.0
"""How long a callback waits for room: a third of the keep-alive, after which the broker would end the connection."""

_RECONNECT_JITTER_S = 1.0
"""Ours are 32 sessions, not thousands of gateways, and events wait for them."""

_MAX_ACKS = 2000
"""Publishes without PUBACK per session; an `ack` is about 100 bytes."""

_MAX_BULKY = 100
"""`rows` messages (up to 210 kB each) are refused while this many publishes are outstanding: 20 MB."""

_OPENERS = 8


@dataclass(frozen=True, slots=True)
class Access:
    """How sessions reach the broker."""

    address: BrokerAddress
    password: str
    receive_maximum: int

    def __repr__(self) -> str:
        return f"Access({self.address})"


class Session:
    """One connection of `ingest-{lane}-{partition}`; renewed by making another."""

    def __init__(self, access: Access, lane: Lane, partition: int, intake: Intake) -> None:
        """Raises BrokerUnreachable, BrokerRefused."""
        self._lane: Lane = lane
        self._partition = partition
        self._intake = intake
        self._lock = threading.Lock()
        self._early: list[Received] | None = []  # what came before we know the connection that acknowledges it
        self.overflowed = False
        self._ending = False
        self._epoch = 0  # of the connection that `_ack` belongs to
        self._ack: Callable[[Sequence[int]], object] = len
        user = f"ingest-{lane}-{partition}"
        self.connection: Connection = connect(
            access.address,
            client_id=user,
            user=user,
            password=access.password,
            on_message=self._take,
            on_connect=self._connected,
            on_disconnect=self._disconnected,
            session_expiry_s=SESSION_EXPIRY_S,
            receive_maximum=access.receive_maximum,
            max_outstanding=_MAX_ACKS,
            manual_ack=True,
            reconnect_jitter_s=_RECONNECT_JITTER_S,
        )
        with self._lock:
            early, self._early = self._early, None
            for received in early or []:
                self._put(received)
        self.connection.subscribe(topics.ingest_filters(lane, partition))

    @property
    def is_zombie(self) -> bool:
        """Its thread is dead, or it looks connected but has heard nothing for two keep-alives."""
        return self.connection.dead or (self.connection.connected and not self.connection.alive())

    def _connected(self, connected: Connected) -> None:
        if not connected.session_present:  # gateways send again what they get no `ack` for
            log.warning("broker_had_no_session", lane=self._lane, partition=self._partition, epoch=connected.epoch)

    def _disconnected(self, reason: str) -> None:
        if not self._ending:
            log.warning("session_lost", lane=self._lane, partition=self._partition, reason=reason)

    def close(self) -> None:
        self._ending = True
        self.connection.close()

    def _take(self, received: Received) -> None:
        with self._lock:
            if self._early is not None:
                self._early.append(received)
                return
        self._put(received)

    def _put(self, received: Received) -> None:
        if received.epoch != self._epoch:
            self._epoch, self._ack = received.epoch, partial(self.connection.ack_all, received.epoch)
        us = received.received_at_ns // 1000
        item = Incoming(
            self._lane, self._partition, received.topic, received.payload, us, received.mid, self._ack, received.retain
        )
        if self.overflowed or not self._intake.put(item, _ROOM_WAIT_S):
            self.overflowed = True
            metrics.LEFT.labels(self._lane).inc()


class Sessions:
    """All sessions of this worker, and the `Outbox` of its writers. Opened and closed by one thread."""

    def __init__(self, access: Access, intakes: Mapping[Lane, Intake]) -> None:
        self._access = access
        self._intakes = intakes
        self._open: dict[tuple[Lane, int], Session] = {}

    def open(self, partitions: list[int]) -> None:
        """Both lanes of each, those that are not open yet. Raises BrokerUnreachable, BrokerRefused."""
        missing = [(lane, each) for each in partitions for lane in LANES if (lane, each) not in self._open]
        with ThreadPoolExecutor(_OPENERS, "open-session") as pool:
            futures = {key: pool.submit(Session, self._access, *key, self._intakes[key[0]]) for key in missing}
        failures: list[BaseException] = []
        for key, future in futures.items():
            failure = future.exception()
            if failure is None:
                self._open[key] = future.result()
            else:
                failures.append(failure)
        if failures:
            raise failures[0]

    def close(self, partitions: list[int]) -> None:
        """Say farewell; the broker keeps session and queue for whoever takes the partition next."""
        gone = [self._open.pop((lane, each)) for each in partitions for lane in LANES if (lane, each) in self._open]
        with ThreadPoolExecutor(_OPENERS, "close-session") as pool:
            list(pool.map(lambda session: session.close(), gone))

    def renew_overflowed(self) -> None:
        """Reconnect sessions that left messages with the broker, once there is room for them."""
        for key, session in list(self._open.items()):
            if session.overflowed and self._intakes[key[0]].half_empty:
                log.info("session_renewed", lane=key[0], partition=key[1])
                session.close()
                try:
                    self._open[key] = Session(self._access, *key, self._intakes[key[0]])
                except (BrokerUnreachable, BrokerRefused) as error:
                    del self._open[key]  # the keeper opens it at its next look
                    log.warning("session_not_renewed", lane=key[0], partition=key[1], error=str(error))

    def connected(self) -> int:
        """Sessions that the broker lets us listen to."""
        connections = [session.connection for session in list(self._open.values())]
        return sum(connection.alive() and connection.subscribed for connection in connections)

    def zombies(self) -> list[str]:
        return [f"ingest-{lane}-{each}" for (lane, each), session in list(self._open.items()) if session.is_zombie]

    def publish(self, lane: Lane, partition: int, topic: str, payload: bytes, *, retain: bool, bulky: bool) -> bool:
        session = self._open.get((lane, partition))
        if session is None:
            return False
        connection = session.connection
        if bulky and (not connection.connected or connection.outstanding >= _MAX_BULKY):
            return False
        try:
            connection.publish(topic, payload, retain=retain)
        except (TooManyOutstanding, PublishRefused) as error:
            log.debug("not_published", topic=topic, error=str(error))
            return False
        return True
