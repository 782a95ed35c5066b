"""The pure-Python broker of the demo: amqtt, with what it lacks for our contract put right here.

Run as `python -m watchkeep_cli.broker_amqtt CONFIG` (JSON: bind, accounts); `broker` does that.

Measured on amqtt 0.12.0 as it comes, with paho-mqtt 2.2:
* A CONNECT of MQTT 5 gets no answer at all, the line just stays open.          → answered with "unsupported" here
* QoS 1 messages a client holds without PUBACK: 0 of 5 come again after a reconnect, and each is forgotten after
  5 s anyway.                                                                   → kept until PUBACK here
* `clean_session=False` does queue while the client is away (300 of 300, in order) but marks them as retained.
                                                                                → marked right here
* At each connect a client is sent retained messages of filters that *others* subscribed to.  → only its own here
* Any client id is accepted, and the session is looked up before the password is checked.     → the user name here
* A client that falls silent stays connected: its will did not fire in 30 s at a keep-alive of 1 s. → ended here
* Retained messages, wills and payloads of 262,000 bytes work.
With this module, on two cores shared with the clients: 4,300 messages/s of 200 bytes, 2,500 of 20 kB, 0.5 ms each way
(Mosquitto: 5,300, 3,900, 0.24 ms). What stays: no MQTT 5, no TLS, no $SYS, and everything is in memory: a restart
loses sessions, queues and retained messages. Gateways and ingest survive that, as only `ack` frees a spool.
"""

import asyncio
import contextlib
import json
import logging
import signal
import sys
from pathlib import Path
from typing import Any

import amqtt.broker
from amqtt.adapters import BufferReader
from amqtt.broker import Broker
from amqtt.codecs_amqtt import read_or_raise
from amqtt.contexts import Action
from amqtt.errors import MQTTError
from amqtt.mqtt.connack import NOT_AUTHORIZED, UNACCEPTABLE_PROTOCOL_VERSION, ConnackPacket
from amqtt.mqtt.packet import MQTTFixedHeader
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.session import OutgoingApplicationMessage, Session

from watchkeep_cli.broker_accounts import Accounts

log = logging.getLogger("watchkeep.broker")

MAX_INFLIGHT = 2000
"""Messages sent to one client ahead of its acks, as `max_inflight_messages` of our mosquitto.conf."""

MAX_QUEUED = 100_000
"""Messages that wait for one session; the newest is dropped beyond. A tenth of Mosquitto's: all is in memory here."""

KEEP_ALIVE_GRACE_S = 15
"""Added to a client's keep-alive of usually 30 s: the standard's one and a half times."""

TAKEOVER_TIMEOUT_S = 2.0


CONNECT_TIMEOUT_S = 10.0
MAX_CONNECT_BYTES = 8192
"""A will of a few hundred bytes, a user name and a password: strangers get no more of our memory."""

_PROTOCOL_LEVEL_AT = 6
"""Offset in CONNECT, behind the length-prefixed name MQTT; 4 = 3.1.1, 5 = 5.0."""


class _Handler(BrokerProtocolHandler):  # type: ignore[misc]  # amqtt ships no types
    """One client's protocol: login before anything is touched, and QoS 1 that keeps a message until its PUBACK."""

    accounts: Accounts
    broker: "_Broker"

    @classmethod
    async def init_from_connect(
        cls, reader: Any, writer: Any, plugins_manager: Any, loop: asyncio.AbstractEventLoop | None = None
    ) -> tuple[BrokerProtocolHandler, Session]:
        """amqtt looks the session up before it checks the password, by a client id of the client's choice."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                first = await _read_connect(reader, writer)
        except TimeoutError:
            raise MQTTError("no CONNECT in time") from None
        handler, session = await super().init_from_connect(BufferReader(first), writer, plugins_manager, loop)
        if not await cls.accounts.knows(session.username, session.password):
            await ConnackPacket.build(0, NOT_AUTHORIZED).to_stream(writer)
            raise MQTTError("login refused")
        session.client_id = session.username
        if session.will_topic and not cls.accounts.allows(session.username or "", "write", session.will_topic):
            session.will_flag = False
        await cls.broker.end_other_connection(session.client_id)
        return handler, session

    def handle_read_timeout(self) -> None:
        """amqtt never gives up a client that fell silent, so its will would not fire."""
        if self._disconnect_waiter is not None and not self._disconnect_waiter.done():
            self._disconnect_waiter.set_result(None)

    async def mqtt_publish(
        self, topic: str, data: bytes | bytearray, qos: int | None, retain: bool, ack_timeout: int | None = None
    ) -> OutgoingApplicationMessage:
        if qos == 0 or self.session is None:
            return await super().mqtt_publish(topic, data, qos, retain, ack_timeout)
        message = OutgoingApplicationMessage(None, topic, 1, data, retain)
        enqueue(self.session, message)
        await self.send_waiting()
        return message

    async def send_waiting(self) -> None:
        session = self.session
        while session and len(session.inflight_out) < MAX_INFLIGHT and not session.retained_messages.empty():
            message: Any = session.retained_messages.get_nowait()
            message.packet_id = session.next_packet_id
            session.inflight_out[message.packet_id] = message
            await self._handle_qos1_message_flow(message)

    async def _handle_qos1_message_flow(self, app_message: Any) -> None:
        """amqtt forgets a sent message after 5 s or when the connection ends; here only PUBACK ends it."""
        if not isinstance(app_message, OutgoingApplicationMessage):
            await super()._handle_qos1_message_flow(app_message)
            return
        packet = app_message.build_publish_packet(dup=app_message.publish_packet is not None)
        app_message.publish_packet = packet
        await self._send_packet(packet)

    async def handle_puback(self, puback: Any) -> None:
        if self.session is not None:
            self.session.inflight_out.pop(puback.variable_header.packet_id, None)
            await self.send_waiting()


class _Broker(Broker):  # type: ignore[misc]  # amqtt ships no types
    """The broker: access by our rules, retained messages only to those who subscribed and may read them."""

    accounts: Accounts

    async def stream_connected(self, reader: Any, writer: Any, listener_name: str) -> None:
        with contextlib.suppress(OSError):  # a client that left before our answer is no news
            await super().stream_connected(reader, writer, listener_name)

    async def end_other_connection(self, user: str | None) -> None:
        """Let an older connection of the user end first: both share one session, which its end marks as gone."""
        session, handler = self._sessions.get(user or "", (None, None))
        if session is None or handler is None or not session.transitions.is_connected():
            return
        await handler.handle_connection_closed()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TAKEOVER_TIMEOUT_S):
                while session.transitions.is_connected():
                    await asyncio.sleep(0.005)

    async def _authenticate(self, session: Session, _: Any) -> bool:
        return True  # a refused login never gets this far: `_Handler.init_from_connect`

    async def _topic_filtering(self, session: Session, topic: str, action: Action) -> bool:
        """Any filter may be subscribed to; like Mosquitto, we look at each message instead."""
        access = {Action.PUBLISH: "write", Action.RECEIVE: "read"}.get(action)
        return access is None or self.accounts.allows(session.username or "", access, topic)

    async def _retain_broadcast_message(self, broadcast: Any, qos: int, target_session: Session) -> None:
        enqueue(target_session, OutgoingApplicationMessage(None, broadcast["topic"], 1, broadcast["data"], False))

    async def _publish_session_retained_messages(self, session: Session) -> None:
        """What waited for this session; amqtt sends it marked as retained, and forgets it after 5 s."""
        handler: Any = self._get_handler(session)
        if handler is not None:
            await handler.send_waiting()

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        """amqtt sends, at each connect, the retained messages of *everyone's* filters, whatever the rules say."""
        topic_filter, qos = subscription
        handler = self._get_handler(session)
        subscribers = self._subscriptions.get(topic_filter, [])
        if handler is None or all(subscriber is not session for subscriber, _ in subscribers):
            return
        for topic, retained in list(self._retained_messages.items()):
            if not self._matches(topic, topic_filter) or not retained.data:
                continue
            if await self._topic_filtering(session, topic, Action.RECEIVE):
                await handler.mqtt_publish(topic, retained.data, min(qos, retained.qos or 0), retain=True)


async def _read_connect(reader: Any, writer: Any) -> bytes:
    """The whole CONNECT packet; amqtt reads MQTT 5's as 3.1.1, waits for bytes that never come, and stays silent."""
    header = await MQTTFixedHeader.from_stream(reader)
    if header is None or header.remaining_length > MAX_CONNECT_BYTES:
        raise MQTTError("no CONNECT")
    body: bytes = await read_or_raise(reader, header.remaining_length)
    if body[_PROTOCOL_LEVEL_AT : _PROTOCOL_LEVEL_AT + 1] == b"\x05":
        await ConnackPacket.build(0, UNACCEPTABLE_PROTOCOL_VERSION).to_stream(writer)
        raise MQTTError("MQTT 5 is not spoken here")
    head: bytes = header.to_bytes()
    return head + body


def enqueue(session: Session, message: OutgoingApplicationMessage) -> None:
    """Put a message into the session's queue, from which `send_waiting` takes it in order."""
    if session.retained_messages.qsize() >= MAX_QUEUED:
        log.error("queue of %s is full, a message on %s is dropped", session.client_id, message.topic)
        return
    session.retained_messages.put_nowait(message)


async def serve(bind: str, accounts: Accounts) -> None:
    """Run the broker until SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    amqtt.broker.BrokerProtocolHandler = _Handler  # the broker has no other way in
    broker = _Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": bind}},
            "timeout_disconnect_delay": KEEP_ALIVE_GRACE_S,
            "plugins": {},
        }
    )
    broker.accounts = _Handler.accounts = accounts
    _Handler.broker = broker
    await broker.start()
    await stop.wait()
    await broker.shutdown()


def main() -> None:
    logging.basicConfig(level=logging.ERROR, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("transitions").setLevel(logging.ERROR)
    config = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    asyncio.run(serve(config["bind"], Accounts(Path(config["accounts"]))))


if __name__ == "__main__":
    main()
