"""One connection to a broker that comes back by itself; a thin rim over paho-mqtt.

paho waits with select(), so one process holds at most about 300 connections (1,024 file descriptors).
"""

import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Self

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from watchkeep_core.broker import Connected, ProtocolVersion, PublishRefused, Received, TooManyOutstanding
from watchkeep_core.logs import get_logger
from watchkeep_core.mqtt_handshake import Wanted, handshake, new_client
from watchkeep_core.mqtt_outstanding import Outstanding
from watchkeep_core.mqtt_receive import PublishReader, pubacks
from watchkeep_core.mqtt_subscriptions import Subscriptions
from watchkeep_core.mqtt_watch import AnswerWatch, WatchedClient, hang_up

log = get_logger(__name__)

MAX_PACKET_BYTES = 262_144
"""`max_packet_size` of our mosquitto.conf. A larger publish would be cut off and resent for ever, so it is refused."""

_PUBLISH_OVERHEAD_BYTES = 10
"""Most that a QoS 1 PUBLISH without properties adds to topic and payload: header 5, lengths 2, id 2, properties 1."""


class Connection:
    """A connection that comes back by itself; made by `mqtt.connect`."""

    def __init__(self, wanted: Wanted, protocol: ProtocolVersion, timeout_s: float) -> None:
        self.protocol: ProtocolVersion = protocol
        self.callback_errors = 0
        """Exceptions that our own callbacks raised; in manual ack mode their messages stay unacknowledged."""
        self.stale_acks = 0
        """Acks that were dropped because their connection is gone; the broker delivers those messages again."""
        self._wanted = wanted
        self._address = wanted.address
        self._epoch = 0
        self._open = False
        self._refusal: ReasonCode | None = None
        self._max_packet_bytes = MAX_PACKET_BYTES
        self._subscriptions = Subscriptions()
        self._trouble = ""
        # Never held while paho takes a lock of its own that it also holds around callbacks: that would deadlock.
        self._lock = threading.RLock()
        self._outstanding = Outstanding()
        self._closing = threading.Event()
        self._watch = AnswerWatch(2 * wanted.keepalive_s)  # as long as a silent broker is called alive
        self._client = new_client(wanted, protocol)
        self._answer_to(self._client)
        try:
            handshake(self._client, wanted, protocol, timeout_s, lambda: (self._open, self._refusal))
        except BaseException:
            self._client.disconnect()
            self._client._reset_sockets()
            raise
        self._client.loop_start()
        # paho sets its own reference to None when the thread dies; this one can still be asked.
        self._thread = self._client._thread or threading.Thread()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def epoch(self) -> int:
        """Number of the latest connection; rises by one at each CONNACK."""
        return self._epoch

    @property
    def connected(self) -> bool:
        return self._open

    @property
    def outstanding(self) -> int:
        """Publishes without a PUBACK, offline ones included."""
        return len(self._outstanding)

    @property
    def last_activity(self) -> float:
        """time.monotonic() of the last byte from the broker; pings keep it younger than the keep-alive."""
        reader = self._client.socket()
        last: float = self._client._last_bytes_received
        return max(last, reader.last_read) if isinstance(reader, PublishReader) else last

    @property
    def dead(self) -> bool:
        """Its thread has ended though nobody closed it, so it will never come back: the process must be restarted."""
        return not self._thread.is_alive() and not self._closing.is_set()

    @property
    def subscribed(self) -> bool:
        """The broker answered every subscription of this connection, and none with a refusal."""
        return self._open and self._subscriptions.granted

    @property
    def trouble(self) -> str:
        """Why the latest attempt to reconnect failed; empty once one succeeded."""
        return self._trouble

    @property
    def refused_topics(self) -> Mapping[str, str]:
        """Topics whose subscription the broker refused on this connection → its reason."""
        return self._subscriptions.refused

    def alive(self) -> bool:
        """Whether the thread lives, is connected and has heard from the broker within two keep-alives."""
        silence_s = time.monotonic() - self.last_activity
        return self._thread.is_alive() and self._open and silence_s < 2 * self._wanted.keepalive_s

    def subscribe(self, topics: Iterable[str]) -> None:
        """Subscribe at QoS 1, now and again after each reconnect; the broker sends the retained messages each time.

        A granted subscription proves nothing: brokers grant what the ACL forbids and then deliver nothing.
        """
        fresh = self._subscriptions.add(topics)
        if fresh and self._open:
            self._subscriptions.ask(self._client, fresh)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> Future[None]:
        """Publish at QoS 1; the future ends at PUBACK, or with PublishRefused, or BrokerUnreachable at `close`.

        While the connection is down the message waits in memory. `add_done_callback` of the future runs in the
        connection's thread. Raises TooManyOutstanding and, for what is over the packet limit, PublishRefused.
        """
        size = len(payload) + len(topic.encode()) + _PUBLISH_OVERHEAD_BYTES
        if size > self._max_packet_bytes:
            raise PublishRefused(topic, f"{size} bytes are more than the broker takes ({self._max_packet_bytes})")
        if self.outstanding >= self._wanted.max_outstanding or self._closing.is_set():
            raise TooManyOutstanding(f"{self.outstanding} publishes wait for their PUBACK")
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            raise TooManyOutstanding("no free message id")
        if not self.outstanding:
            self._watch.progress(time.monotonic())
        return self._outstanding.add(info.mid, topic)

    def ack(self, received: Received) -> bool:
        """Acknowledge a message (manual ack mode); false when its connection is gone and the ack was dropped."""
        with self._lock:  # the epoch must not end between the question and the queueing
            if not self._open or received.epoch != self._epoch:
                self.stale_acks += 1
                return False
            if received.mid:
                self._client.ack(received.mid, 1)
            return True

    def ack_all(self, epoch: int, mids: Sequence[int]) -> bool:
        """`ack` of many messages of one connection, given by their ids, in one write."""
        with self._lock:
            if not self._open or epoch != self._epoch:
                self.stale_acks += len(mids)
                return False
            if packets := pubacks([mid for mid in mids if mid]):
                self._client._packet_queue(PacketTypes.PUBACK << 4, packets, 0, 1)
            return True

    def close(self, timeout_s: float = 5.0) -> None:
        """Say farewell (no will fires), stop the thread, and fail what is still outstanding."""
        self._closing.set()
        deadline = time.monotonic() + timeout_s
        while self._thread.is_alive() and time.monotonic() < deadline:
            self._client.disconnect()  # again, as a reconnect under way overwrites the wish
            self._thread.join(0.1)
        self._open = False
        if not self._thread.is_alive():
            self._client._reset_sockets()
        self._outstanding.give_up()

    def _answer_to(self, client: WatchedClient) -> None:
        """Have paho call us."""
        client.look = self._look
        client.on_socket_open = self._on_socket_open
        client.on_pre_connect = self._before_connect
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._subscriptions.answered

    def _before_connect(self, _client: Client, _userdata: Any) -> None:
        if self._epoch:
            jitter_s = random.uniform(0, self._wanted.reconnect_jitter_s)  # noqa: S311 - spreads load, no secret
            self._closing.wait(jitter_s)

    def _on_connect(
        self, client: Client, _userdata: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            if self._epoch:
                log.warning("broker_refused_reconnect", address=str(self._wanted.address), reason=str(reason))
            self._refusal = reason
            return
        self._obey(client, properties)
        with self._lock:
            self._epoch += 1
            self._open = True
            self._trouble = ""
            self._watch.progress(time.monotonic())
        self._subscriptions.ask_again(client)
        if self._wanted.on_connect:
            self._guard(self._wanted.on_connect, Connected(flags.session_present, self._epoch, self.protocol))

    def _on_connect_fail(self, _client: Client, _userdata: Any) -> None:
        """A reconnect failed; paho calls from its handler, so the reason is still the exception being handled."""
        error = sys.exception()
        why = self._address.why(error) if isinstance(error, OSError) else str(error)
        if why != self._trouble:
            self._trouble = why
            log.warning("broker_not_there", address=str(self._wanted.address), why=why)
        self._turn_to_the_next_server()

    def _turn_to_the_next_server(self) -> None:
        self._address = self._address.next
        self._client._host, self._client._port = self._address.host, self._address.port

    def _obey(self, client: Client, properties: Properties | None) -> None:
        """Take over the broker's limits, which paho reads but does not keep: exceeding one ends the connection."""
        packet = getattr(properties, "MaximumPacketSize", MAX_PACKET_BYTES)
        self._max_packet_bytes = min(MAX_PACKET_BYTES, packet)
        window = getattr(properties, "ReceiveMaximum", 65_535)
        client._max_inflight_messages = min(self._wanted.max_outstanding, window)  # its setter refuses while connected

    def _on_disconnect(self, _c: Client, _u: Any, _flags: DisconnectFlags, reason: ReasonCode, *_: Any) -> None:
        with self._lock:  # from here on no ack may enter paho's queue: it would go out on the next connection
            was_open, self._open = self._open, False
        if not was_open:
            self._turn_to_the_next_server()
        if was_open and self._wanted.on_disconnect:
            self._guard(self._wanted.on_disconnect, str(reason))

    def _on_socket_open(self, client: Client, _userdata: Any, sock: Any) -> None:
        # Without it a second event waits for the TCP ack of the first: p50 47 ms instead of 2.6 ms (measured).
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._wanted.manual_ack:  # else paho must see the messages itself, to acknowledge them
            client._sock = PublishReader(sock, self._deliver, five=self.protocol == "5.0")

    def _deliver(self, topic: str, payload: bytes, mid: int, at_ns: int, retain: bool, duplicate: bool) -> None:
        received = Received(topic, payload, self._epoch, mid, at_ns, retain, duplicate)
        self._guard(self._wanted.on_message, received)

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        self._guard(self._take, message)

    def _take(self, message: MQTTMessage) -> None:
        now, payload = time.time_ns(), bytes(message.payload)
        self._wanted.on_message(
            Received(message.topic, payload, self._epoch, message.mid, now, message.retain, message.dup)
        )

    def _on_publish(self, _client: Client, _userdata: Any, mid: int, reason: ReasonCode, *_: Any) -> None:
        self._watch.progress(time.monotonic())
        self._guard(self._outstanding.answered, mid, str(reason) if reason.is_failure else None)

    def _look(self) -> None:
        """In paho's thread: ask again for what was refused; leave a broker that answers pings and nothing else."""
        now_s = time.monotonic()
        if not self._open or not self._watch.due(now_s):
            return
        self._subscriptions.ask_refused(self._client, now_s)
        if self._watch.in_vain(now_s, self._client, self.outstanding, self._subscriptions.asked_s(now_s)):
            log.warning("broker_answers_nothing", address=str(self._address), outstanding=self.outstanding)
            self._turn_to_the_next_server()
            hang_up(self._client)

    def _guard(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call; an exception would end paho's thread while `is_connected()` stays true (measured), so none gets out."""
        try:
            function(*arguments)
        except Exception:
            self.callback_errors += 1
            log.exception("mqtt_callback_failed", function=getattr(function, "__qualname__", str(function)))
