"""Setting up paho and waiting for the broker's answer to CONNECT, in the caller's thread."""

import selectors
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from watchkeep_core.broker import (
    BrokerAddress,
    BrokerNotTrusted,
    BrokerRefused,
    BrokerUnreachable,
    Connected,
    ProtocolVersion,
    Received,
    Will,
)
from watchkeep_core.mqtt_watch import WatchedClient

RECONNECT_MAX_S = 60
"""paho doubles its wait from 1 s up to this; our jitter comes on top."""

_UNSUPPORTED_VERSION = 0x84
_TRY_LATER = frozenset({0x88, 0x89, 0x97, 0x9C, 0x9F})
"""CONNACK reasons of MQTT 5 that pass: unavailable, busy, quota, use another server, connection rate."""


class OtherProtocolWanted(Exception):
    """The broker does not speak the protocol version it was asked in; the text says how that showed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The arguments of `mqtt.connect`."""

    address: BrokerAddress
    client_id: str
    user: str
    password: str = field(repr=False)
    on_message: Callable[[Received], None]
    on_connect: Callable[[Connected], None] | None
    on_disconnect: Callable[[str], None] | None
    will: Will | None
    session_expiry_s: int
    receive_maximum: int
    max_outstanding: int
    keepalive_s: int
    manual_ack: bool
    reconnect_jitter_s: float


Answer = Callable[[], tuple[bool, ReasonCode | None]]
"""Whether CONNACK let us in, or its refusal; (False, None) = no answer yet."""


def new_client(wanted: Wanted, protocol: ProtocolVersion) -> WatchedClient:
    """A client without callbacks. Raises SettingsError for a certificate file that cannot be used."""
    five = protocol == "5.0"
    client = WatchedClient(
        CallbackAPIVersion.VERSION2,
        client_id=wanted.client_id,
        protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
        clean_session=None if five else wanted.session_expiry_s == 0,
        manual_ack=wanted.manual_ack,
    )
    client.username_pw_set(wanted.user, wanted.password)
    client.max_inflight_messages_set(wanted.max_outstanding)
    client.reconnect_delay_set(1, RECONNECT_MAX_S)
    if context := wanted.address.tls_context():
        client.tls_set_context(context)
    if wanted.will:
        client.will_set(wanted.will.topic, wanted.will.payload, qos=1, retain=wanted.will.retain)
    return client


def handshake(client: Client, wanted: Wanted, protocol: ProtocolVersion, timeout_s: float, answer: Answer) -> None:
    """Connect and read until CONNACK: no thread exists yet that would have to be stopped.

    Raises BrokerUnreachable, BrokerRefused, BrokerNotTrusted and OtherProtocolWanted.
    """
    address, deadline = wanted.address, time.monotonic() + timeout_s
    client.connect_timeout = timeout_s
    try:
        _start(client, wanted, protocol)
        _read_until_answer(client, deadline, answer)
    except ssl.SSLCertVerificationError as error:
        raise BrokerNotTrusted(address, error.verify_message) from None
    except OSError as error:
        raise BrokerUnreachable(f"no connection to {address}: {address.why(error)}") from error
    let_in, refusal = answer()
    if let_in:
        return
    if refusal is not None:
        if refusal.value == _UNSUPPORTED_VERSION:
            raise OtherProtocolWanted(str(refusal))
        if refusal.value in _TRY_LATER:
            raise BrokerUnreachable(f"the broker at {address} is not ready: {refusal}")
        raise BrokerRefused(address, str(refusal))
    if client.socket() is None:
        hint = "does it ask for a client certificate?" if address.tls else "is it a TLS listener, mqtts://?"
        raise OtherProtocolWanted(f"it closed the connection without an answer ({hint})")
    raise OtherProtocolWanted(f"no answer within {timeout_s:g} s")  # amqtt 0.12: silent when asked in MQTT 5


def _start(client: Client, wanted: Wanted, protocol: ProtocolVersion) -> None:
    arguments: dict[str, Any] = {}
    if protocol == "5.0":
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho left it untyped
        properties.ReceiveMaximum = wanted.receive_maximum
        if wanted.session_expiry_s:  # without it `clean_start=False` keeps no session at all
            properties.SessionExpiryInterval = wanted.session_expiry_s
        arguments = {"clean_start": wanted.session_expiry_s == 0, "properties": properties}
    client.connect(wanted.address.host, wanted.address.port, wanted.keepalive_s, **arguments)


def _read_until_answer(client: Client, deadline: float, answer: Answer) -> None:
    with selectors.DefaultSelector() as selector:
        sock: Any = client.socket()
        if sock is None:  # the broker ended it while CONNECT was being sent
            return
        selector.register(sock, selectors.EVENT_READ)
        while answer() == (False, None) and time.monotonic() < deadline:
            selector.select(0.1)
            if client.want_write():
                client.loop_write()
            client.loop_read()
            if client.socket() is None:
                return
