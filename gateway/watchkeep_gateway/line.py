"""A line to one broker: made as soon as the broker answers, then kept; shared by all who speak over it."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from watchkeep_core.broker import BrokerAddress, BrokerRefused, BrokerUnreachable, Connected, Received, Will
from watchkeep_core.errors import WatchkeepError
from watchkeep_core.logs import get_logger
from watchkeep_core.mqtt import connect
from watchkeep_core.mqtt_connection import Connection

log = get_logger(__name__)

SESSION_EXPIRY_S = 14 * 86_400
"""The broker keeps what field devices send while the gateway is away (RELIABILITY §2.4)."""

RECEIVE_MAXIMUM = 500
"""Messages the broker may send ahead of our acks: two batches of the spool; 500 of the largest are 128 MB."""

MAX_OUTSTANDING = 500

FIRST_RETRY_S = 1.0
LAST_RETRY_S = 60.0


@dataclass(frozen=True, slots=True)
class Login:
    address: BrokerAddress
    user: str
    password: str = field(repr=False)


class Line:
    """Subscriptions are made before `start`; handlers run in the connection's thread and must return at once."""

    def __init__(
        self,
        login: Login,
        *,
        will: Will | None = None,
        reconnect_jitter_s: float = 30.0,
        clock_ms: Callable[[], int] | None = None,
    ) -> None:
        """`clock_ms` says when a message came; None = the wall clock."""
        self.clock_ms = clock_ms
        self._login = login
        self._will = will
        self._reconnect_jitter_s = reconnect_jitter_s
        self._handlers: list[tuple[str, Callable[[Received], None]]] = []
        self._topics: list[str] = []
        self._watchers: list[Callable[[bool, str], None]] = []
        self._connection: Connection | None = None
        self._early: list[Received] = []
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def subscribe(self, topics: list[str], prefix: str, handler: Callable[[Received], None]) -> None:
        """`handler` gets everything that comes on a topic beginning with `prefix`, and must `ack` it."""
        self._topics += topics
        self._handlers.append((prefix, handler))

    def watch(self, watcher: Callable[[bool, str], None]) -> None:
        """`watcher(up, why)` is called at each change."""
        self._watchers.append(watcher)

    @property
    def connected(self) -> bool:
        return self._connection is not None and self._connection.connected

    @property
    def subscribed(self) -> bool:
        """The broker granted all that we asked for, on this connection."""
        return self._connection is not None and self._connection.subscribed

    @property
    def dead(self) -> bool:
        """Nothing will ever come over it again, though nobody closed it: the process must be started again."""
        if self._connection is not None:
            return self._connection.dead
        return self._thread is not None and not self._thread.is_alive() and not self._ending.is_set()

    @property
    def epoch(self) -> int:
        """Number of the connection; 0 before the first."""
        return self._connection.epoch if self._connection else 0

    def alive(self) -> bool:
        """Whether the broker was heard of lately."""
        return self._connection is not None and self._connection.alive()

    def start(self, first_jitter_s: float = 0.0, patient: bool = False) -> None:
        """Connect now and raise what goes wrong; or, when `patient`, keep trying in a thread."""
        self._ending.wait(random.uniform(0, first_jitter_s))  # noqa: S311 - spreads load, no secret
        try:
            self._connect()
        except (BrokerUnreachable, BrokerRefused) as error:
            if not patient:
                raise
            self._tell(False, str(error))
            self._thread = threading.Thread(target=self._keep_trying, name="line", daemon=True)
            self._thread.start()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> "Future[None]":
        """As Connection.publish; raises BrokerUnreachable while there is no connection."""
        if self._connection is None or not self._connection.connected:
            raise BrokerUnreachable("the line is down")
        return self._connection.publish(topic, payload, retain=retain)

    def ack(self, received: Received) -> None:
        with self._lock:
            if self._connection is None:  # it came while `connect` had not returned yet
                self._early.append(received)
                return
        self._connection.ack(received)

    def close(self) -> None:
        self._ending.set()
        if self._thread:
            self._thread.join()
        if self._connection:
            self._connection.close()

    def _connect(self) -> None:
        login = self._login
        connection = connect(
            login.address,
            client_id=login.user,
            user=login.user,
            password=login.password,
            on_message=self._dispatch,
            on_connect=self._on_connect,
            on_disconnect=lambda why: self._tell(False, why),
            will=self._will,
            session_expiry_s=SESSION_EXPIRY_S,
            receive_maximum=RECEIVE_MAXIMUM,
            max_outstanding=MAX_OUTSTANDING,
            manual_ack=True,
            reconnect_jitter_s=self._reconnect_jitter_s,
        )
        connection.subscribe(self._topics)
        with self._lock:
            self._connection = connection
        for received in self._early:
            connection.ack(received)
        self._early.clear()
        self._tell(True, "")

    def _keep_trying(self) -> None:
        wait_s, last = FIRST_RETRY_S, ""
        while not self._ending.wait(wait_s * random.uniform(0.5, 1.0)):  # noqa: S311 - spreads load, no secret
            try:
                self._connect()
                return
            except WatchkeepError as error:
                if str(error) != last:
                    last = str(error)
                    log.warning("broker_not_there", why=last)
                wait_s = min(2 * wait_s, LAST_RETRY_S)
            except Exception:
                log.exception("connect_failed")
                wait_s = LAST_RETRY_S

    def _on_connect(self, connected: Connected) -> None:
        if self._connection is not None:  # the first is told by `_connect`, when one can publish
            self._tell(True, "")
        log.info("broker_connected", address=str(self._login.address), epoch=connected.epoch)

    def _tell(self, up: bool, why: str) -> None:
        if not up:
            log.warning("broker_lost", address=str(self._login.address), why=why)
        for watcher in self._watchers:
            watcher(up, why)

    def _dispatch(self, received: Received) -> None:
        if self.clock_ms:
            received = replace(received, received_at_ns=self.clock_ms() * 1_000_000)
        for prefix, handler in self._handlers:
            if received.topic.startswith(prefix):
                handler(received)
                return
        self.ack(received)  # a subscription of an earlier configuration, kept in our session

    def wait_until_idle(self, timeout_s: float) -> None:
        """Wait for the PUBACKs of what is under way, at the end of the process."""
        deadline = time.monotonic() + timeout_s
        connection = self._connection
        while connection and connection.connected and connection.outstanding and time.monotonic() < deadline:
            self._ending.wait(0.02)
