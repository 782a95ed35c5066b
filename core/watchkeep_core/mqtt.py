"""One `connect` to a broker or to the servers of a cluster: MQTT 5, with one fall-back to 3.1.1.

Everything is QoS 1: at QoS 2 a crash with manual ack lost 35 of 35 messages (measured). PUBACK proves nothing about
storage, and on 3.1.1 not even permission: a publish that the ACL refuses is answered as if it had been taken.
"""

from collections.abc import Callable
from dataclasses import replace

from watchkeep_core.broker import BrokerAddress, BrokerUnreachable, Connected, ProtocolVersion, Received, Will
from watchkeep_core.logs import get_logger
from watchkeep_core.mqtt_connection import Connection
from watchkeep_core.mqtt_handshake import OtherProtocolWanted, Wanted

log = get_logger(__name__)

MAX_OUTSTANDING = 500
"""Default window of unacknowledged publishes: paho's queue is memory only, the spool is the truth."""


def connect(
    address: BrokerAddress,
    *,
    client_id: str,
    user: str,
    password: str,
    on_message: Callable[[Received], None],
    on_connect: Callable[[Connected], None] | None = None,
    on_disconnect: Callable[[str], None] | None = None,
    will: Will | None = None,
    session_expiry_s: int = 0,
    receive_maximum: int = 2000,
    max_outstanding: int = MAX_OUTSTANDING,
    keepalive_s: int = 30,
    manual_ack: bool = False,
    reconnect_jitter_s: float = 5.0,
    timeout_s: float = 10.0,
) -> Connection:
    """Connect, wait for the broker's answer, then keep the connection up in a thread until `close`.

    The callbacks run in that thread (the first `on_connect` in the caller's) and must return at once; what they raise
    is logged and counted. `client_id` should be the user name: brokers of ours take that one (a stolen client id
    would steal the session). `session_expiry_s` 0 = no session is kept. `receive_maximum` = messages the broker may
    send ahead of our acks (MQTT 5 only). `reconnect_jitter_s` = up to this long is waited, at random, before each
    reconnect: gateways, of which there are thousands, take 30.

    Raises SettingsError (a certificate file), BrokerUnreachable and BrokerRefused, of which BrokerNotTrusted is one.
    Later losses are not raised: see `Connection.alive`, `dead`, `subscribed`.
    """
    wanted = Wanted(
        address,
        client_id,
        user,
        password,
        on_message,
        on_connect,
        on_disconnect,
        will,
        session_expiry_s,
        receive_maximum,
        max_outstanding,
        keepalive_s,
        manual_ack,
        reconnect_jitter_s,
    )
    return _first_that_answers(wanted, timeout_s)


def _first_that_answers(wanted: Wanted, timeout_s: float) -> Connection:
    """Each server of a cluster in turn; a refusal is an answer."""
    trouble: BrokerUnreachable | None = None
    for address in wanted.address.each():
        try:
            return _either_protocol(replace(wanted, address=address), timeout_s / (1 + len(address.others)))
        except BrokerUnreachable as error:
            trouble = error
    raise trouble or BrokerUnreachable(f"no server at {wanted.address}")


def _either_protocol(wanted: Wanted, timeout_s: float) -> Connection:
    versions: tuple[ProtocolVersion, ...] = ("5.0", "3.1.1")
    for version in versions:
        try:
            return Connection(wanted, version, timeout_s / len(versions))
        except OtherProtocolWanted as error:
            why = str(error)
            log.info("broker_refuses_protocol", address=str(wanted.address), version=version, why=why)
    raise BrokerUnreachable(f"the broker at {wanted.address} answers neither MQTT 5 nor 3.1.1: {why}")
