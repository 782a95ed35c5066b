"""The contract of `connect`, held against both brokers."""

import dataclasses
import socket
import time

import pytest

from tests.brokers import KINDS, PASSWORD, USERS, Lab, running, until
from watchkeep_cli.ports import free_port
from watchkeep_core.broker import (
    BrokerAddress,
    BrokerRefused,
    BrokerUnreachable,
    Connected,
    ProtocolVersion,
    PublishRefused,
    TooManyOutstanding,
    Will,
)
from watchkeep_core.errors import SettingsError
from watchkeep_core.mqtt import connect
from watchkeep_core.mqtt_connection import MAX_PACKET_BYTES

pytestmark = pytest.mark.slow  # waits for brokers to notice things

SESSION = {"session_expiry_s": 3600, "manual_ack": True}


@pytest.fixture(scope="module", params=KINDS)
def broker(request):
    with running(request.param, users=USERS) as found:
        yield found


@pytest.fixture
def lab(broker):
    found = Lab(broker)
    yield found
    found.close()


def test_protocol_falls_back_once(lab):
    seen: list[Connected] = []
    client = lab.join(lab.name(), on_connect=seen.append)
    protocol: ProtocolVersion = "5.0" if lab.broker.kind == "mosquitto" else "3.1.1"
    assert client.connection.protocol == protocol
    assert seen == [Connected(session_present=False, epoch=1, protocol=protocol)]
    assert client.connection.alive()


def test_round_trip_with_retain(lab):
    user = lab.name()
    topic = f"x/{user}/birth"
    boss = lab.join("boss", topic)
    lab.join(user).connection.publish(topic, "水泵".encode(), retain=True).result(60)
    until(lambda: boss.received)
    boss.connection.close()
    late = lab.join("boss")
    late.connection.subscribe([topic])
    until(lambda: late.received)
    first, second = boss.received[0], late.received[0]
    assert (first.topic, first.payload, first.retain) == (topic, "水泵".encode(), False)
    assert (second.topic, second.payload, second.retain) == (topic, "水泵".encode(), True)
    assert abs(first.received_at_ns - time.time_ns()) < 60e9


def test_will_fires_when_the_line_is_cut_and_not_at_close(lab):
    lost, quiet, proxy = lab.name(), lab.name(), lab.proxy()
    boss = lab.join("boss", f"x/{lost}/state", f"x/{quiet}/state")
    lab.join(lost, address=proxy.address, will=Will(f"x/{lost}/state", b"offline"))
    lab.join(quiet, will=Will(f"x/{quiet}/state", b"offline")).connection.close()
    proxy.cut(closed=True)
    until(lambda: boss.received)
    assert [message.topic for message in boss.received] == [f"x/{lost}/state"]


def test_unacknowledged_messages_come_again_after_a_reconnect(lab):
    user, proxy = lab.name(), lab.proxy()
    topics = [f"x/{user}/data/{seq}" for seq in range(5)]
    epochs: list[Connected] = []
    reasons: list[str] = []
    client = lab.join(
        user,
        f"x/{user}/data/+",
        address=proxy.address,
        on_connect=epochs.append,
        on_disconnect=reasons.append,
        **SESSION,
    )
    boss = lab.join("boss")
    for topic in topics:
        boss.connection.publish(topic, topic.encode()).result(60)
    until(lambda: len(client.received) == 5)
    before = list(client.received)
    assert all(client.connection.ack(message) for message in before[:2])
    client.connection.publish(f"x/{user}/own", b"").result(60)  # on the same line: the broker has read both acks
    proxy.cut()
    until(lambda: len(client.received) == 8)
    again = client.received[5:]
    assert [message.topic for message in again[:3]] == topics[2:]
    assert all(message.epoch == 2 and message.duplicate for message in again)
    assert [connected.epoch for connected in epochs] == [1, 2]
    assert epochs[1].session_present
    assert len(reasons) == 1
    # An ack of the old connection would hit whatever the broker now sends under that id.
    assert not client.connection.ack(before[2])
    assert client.connection.stale_acks == 1
    assert client.connection.ack(again[0])


def test_session_queues_while_the_client_is_away(lab):
    user = lab.name()
    lab.join(user, f"x/{user}/data/+", **SESSION).connection.close()
    boss = lab.join("boss")
    sent = [str(number).encode() for number in range(300)]
    for future in [boss.connection.publish(f"x/{user}/data/1", payload) for payload in sent]:
        future.result(60)
    client = lab.join(user, **SESSION)
    until(lambda: len(client.received) == 300)
    assert client.payloads == sent
    assert not any(message.retain for message in client.received)


def test_clean_session_keeps_nothing(lab):
    user = lab.name()
    lab.join(user, f"x/{user}/data/+").connection.close()
    boss = lab.join("boss")
    boss.connection.publish(f"x/{user}/data/1", b"missed").result(60)
    client = lab.join(user, f"x/{user}/data/+")
    assert client.received == []


def test_exception_in_a_callback_does_not_end_the_thread(lab):
    user, proxy = lab.name(), lab.proxy()
    seen: list[bytes] = []

    def explode(message):
        seen.append(message.payload)
        raise ValueError("not for paho to see")

    client = lab.join(user, on_message=explode, on_connect=explode, on_disconnect=explode, address=proxy.address)
    client.connection.subscribe([f"x/{user}/a"])
    for payload in (b"1", b"2"):
        client.connection.publish(f"x/{user}/a", payload).result(60)
    until(lambda: seen == [b"1", b"2"])
    proxy.cut()
    until(lambda: client.connection.callback_errors == 5)  # on_connect, two messages, on_disconnect, on_connect
    assert client.connection.epoch == 2
    assert client.connection.alive()


def test_wrong_password_is_refused(lab):
    with pytest.raises(BrokerRefused, match="Not authorized") as refusal:
        lab.join(lab.name(), password="battery staple")
    assert refusal.value.reason == "Not authorized"
    assert "staple" not in str(refusal.value)


def test_publish_to_a_forbidden_topic(lab):
    user = lab.name()
    boss = lab.join("boss", f"x/{user}/data", "x/g/someone/#")
    client = lab.join(user)
    forbidden = client.connection.publish("x/g/someone/data", b"forged")
    if client.connection.protocol == "5.0":
        assert isinstance(forbidden.exception(60), PublishRefused)
    else:  # 3.1.1 has no way to say no
        assert forbidden.exception(60) is None
    client.connection.publish(f"x/{user}/data", b"mine").result(60)
    until(lambda: boss.received)
    assert boss.payloads == [b"mine"]


def test_isolation_shows_in_data_not_in_subscriptions(lab):
    spy, user = lab.name(), lab.name()
    boss = lab.join("boss", f"x/{user}/data")
    client = lab.join(user)
    client.connection.publish(f"x/{user}/birth", b"retained", retain=True).result(60)
    watcher = lab.join(spy, "#", f"x/{user}/#")
    client.connection.publish(f"x/{user}/data", b"secret").result(60)
    until(lambda: boss.received)
    watcher.connection.publish(f"x/{spy}/own", b"own").result(60)
    until(lambda: watcher.received)
    assert set(watcher.payloads) == {b"own"}


def test_publishes_wait_for_the_line_within_bounds(lab):
    user, proxy = lab.name(), lab.proxy()
    boss = lab.join("boss", f"x/{user}/+")
    client = lab.join(user, address=proxy.address, max_outstanding=5)
    proxy.cut(closed=True)
    until(lambda: not client.connection.connected)
    assert not client.connection.alive()
    futures = [client.connection.publish(f"x/{user}/{number}", b"") for number in range(5)]
    assert client.connection.outstanding == 5
    with pytest.raises(TooManyOutstanding):
        client.connection.publish(f"x/{user}/6", b"")
    proxy.closed = False
    for future in futures:
        future.result(60)
    until(lambda: len(boss.received) == 5)
    assert client.connection.outstanding == 0


def test_close_fails_what_is_outstanding(lab):
    user, proxy = lab.name(), lab.proxy()
    client = lab.join(user, address=proxy.address)
    proxy.deaf = True
    future = client.connection.publish(f"x/{user}/a", b"")
    client.connection.close()
    assert isinstance(future.exception(0), BrokerUnreachable)
    with pytest.raises(TooManyOutstanding):
        client.connection.publish(f"x/{user}/a", b"")


def test_payload_up_to_the_limit(lab):
    user = lab.name()
    topic = f"x/{user}/big"
    client = lab.join(user, topic)
    largest = bytes(MAX_PACKET_BYTES - len(topic) - 10)
    client.connection.publish(topic, largest).result(60)
    until(lambda: client.received)
    assert client.payloads == [largest]
    with pytest.raises(PublishRefused, match="more than the broker takes"):
        client.connection.publish(topic, largest + b"!")


def test_new_connection_replaces_one_the_broker_thinks_is_up(lab):
    user, proxy = lab.name(), lab.proxy()
    lab.join(user, f"x/{user}/data", address=proxy.address, **SESSION)
    proxy.deaf = True
    client = lab.join(user, **SESSION)
    lab.join("boss").connection.publish(f"x/{user}/data", b"1").result(60)
    until(lambda: client.received)
    proxy.cut(closed=True)


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(BrokerUnreachable, match="no connection to mqtt:"):
        attempt(port)


def test_listener_that_never_answers():
    with socket.create_server(("127.0.0.1", 0)) as server:
        start = time.monotonic()
        with pytest.raises(BrokerUnreachable, match="no answer"):
            attempt(server.getsockname()[1], timeout_s=0.4)
        assert time.monotonic() - start < 8  # not the 10 s that it would wait unless told otherwise


def attempt(port, **options):
    address = BrokerAddress("127.0.0.1", port)
    connect(address, client_id="a", user="a", password=PASSWORD, on_message=print, **options)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://broker", BrokerAddress("broker", 1883)),
        ("mqtt://broker:2883/", BrokerAddress("broker", 2883)),
        ("mqtts://[::1]", BrokerAddress("::1", 8883, tls=True)),
        ("mqtts://a,b:2,[::1]", BrokerAddress("a", 8883, tls=True, others=(("b", 2), ("::1", 8883)))),
    ],
)
def test_address(url, expected):
    assert BrokerAddress.parse(url) == expected
    assert BrokerAddress.parse(str(expected)) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "broker:1883",
        "http://broker",
        "mqtt://",
        "mqtt://h:70000",
        "mqtt://h:p",
        "mqtt://u:hidden@h",
        "mqtt://h/x",
        "mqtt://h,",
        "mqtt://h,u:hidden@h",
    ],
)
def test_bad_address(url):
    with pytest.raises(SettingsError, match="mqtt_url") as error:
        BrokerAddress.parse(url)
    assert "hidden" not in str(error.value)


def test_each_server_of_a_cluster_comes_first_once():
    address = BrokerAddress.parse("mqtt://a:1,b:2,c:3")
    assert [str(each) for each in address.each()] == ["mqtt://a:1,b:2,c:3", "mqtt://b:2,c:3,a:1", "mqtt://c:3,a:1,b:2"]
    assert str(address.next) == "mqtt://b:2,c:3,a:1"
    assert BrokerAddress("a", 1).next == BrokerAddress("a", 1)


def test_another_server_is_taken_when_one_is_not_there_or_goes_away(lab):
    first, second = lab.proxy(), lab.proxy()
    nobody = ("127.0.0.1", free_port("127.0.0.1", 0))
    servers = (nobody, (second.address.host, second.address.port))
    first.cut(closed=True)
    client = lab.join(address=BrokerAddress(first.address.host, first.address.port, others=servers))
    assert client.connection.epoch == 1
    first.closed = False
    second.cut(closed=True)
    until(lambda: client.connection.epoch == 2)
    client.connection.publish("x/1", b"there").result(60)


def test_password_is_in_no_repr(lab):
    client = lab.join(lab.name())
    assert PASSWORD not in repr(client.connection._wanted)
    assert "password" in {field.name for field in dataclasses.fields(client.connection._wanted)}


def test_small_messages_are_sent_at_once(lab):
    """Nagle's algorithm would hold the second of two events back until the first is acknowledged."""
    client = lab.join()
    inner = client.connection._client.socket()
    assert inner.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
