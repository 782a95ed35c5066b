"""TLS to a real broker: only our CA is trusted, for the right name, until it expires; every mistake is one line."""

import contextlib
import socket
import ssl
import threading
from typing import Any

import pytest

from tests.brokers import PASSWORD, until
from watchkeep_cli.broker import AclRule, mosquitto_installed, start_broker
from watchkeep_cli.ports import free_port
from watchkeep_cli.tls import make
from watchkeep_core.broker import BrokerAddress, BrokerNotTrusted, BrokerUnreachable, PublishRefused, Received
from watchkeep_core.errors import SettingsError, WatchkeepError
from watchkeep_core.mqtt import connect

pytestmark = [
    pytest.mark.slow,  # starts servers
    pytest.mark.skipif(not mosquitto_installed(), reason="mosquitto is not installed"),
]

USERS = {"a/b": PASSWORD}
RULES = [AclRule("+/+", "readwrite", "x/%u/#")]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    make(folder / "good", client="a/b")
    make(folder / "other", client="a/b")
    make(folder / "elsewhere", ["broker.example"])
    make(folder / "expired", days=-1)
    return folder


@pytest.fixture
def broker(request, certificates, tmp_path):
    options = dict(getattr(request, "param", {}))
    folder = certificates / options.pop("folder", "good")
    with start_broker(tmp_path / "broker", USERS, RULES, prefer="mosquitto", certificates=folder, **options) as found:
        yield found


def join(broker, certificates, ca="good", client=None, **options):
    ca_file = certificates / ca / "ca.crt" if ca else None
    own = (certificates / client / "client.crt", certificates / client / "client.key") if client else (None, None)
    address = BrokerAddress("127.0.0.1", broker.address.port, True, ca_file, *own)
    arguments: dict[str, Any] = {
        "client_id": "a/b",
        "user": "a/b",
        "password": PASSWORD,
        "reconnect_jitter_s": 0.0,
    } | options
    return connect(address, on_message=arguments.pop("on_message", print), **arguments)


def test_messages_go_through_tls_of_today(broker, certificates):
    got: list[Received] = []
    with join(broker, certificates, on_message=got.append) as connection:
        connection.subscribe(["x/a/b/1"])
        connection.publish("x/a/b/1", b"secret").result(60)
        until(lambda: got)
        inner = connection._client.socket()
        assert inner.version() in ("TLSv1.2", "TLSv1.3")
        assert inner.context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert inner.context.verify_mode == ssl.CERT_REQUIRED
        assert inner.context.check_hostname


@pytest.mark.parametrize(
    ("broker", "ca", "reason"),
    [
        ({}, "other", "self-signed certificate in certificate chain"),
        ({}, None, "self-signed certificate in certificate chain"),  # the system's store does not have it
        ({"folder": "elsewhere"}, "elsewhere", "IP address mismatch"),
        ({"folder": "expired"}, "expired", "certificate has expired"),
    ],
    indirect=["broker"],
)
def test_a_broker_that_is_not_trusted_is_told_in_one_line_and_gets_no_password(broker, certificates, ca, reason):
    with pytest.raises(BrokerNotTrusted, match=f"is not trusted: .*({reason})") as refusal:
        join(broker, certificates, ca)
    assert "\n" not in str(refusal.value)


def test_a_pinned_ca_shuts_out_the_system_store(certificates):
    address = BrokerAddress("broker.example", 8883, True, certificates / "good" / "ca.crt")
    context = address.tls_context()
    assert context
    assert len(context.get_ca_certs()) == 1
    assert BrokerAddress("broker.example", 1883).tls_context() is None


def test_a_plain_listener_where_tls_is_wanted_and_the_other_way_round(broker, certificates, tmp_path):
    with (
        start_broker(tmp_path / "plain", USERS, RULES, prefer="mosquitto") as plain,
        pytest.raises(BrokerUnreachable, match=r"no TLS there \(.*\); is it a plain mqtt:// listener\?"),
    ):
        join(plain, certificates)
    with pytest.raises(BrokerUnreachable, match="is it a TLS listener, mqtts://"):
        connect(
            BrokerAddress("127.0.0.1", broker.address.port),
            client_id="a/b",
            user="a/b",
            password=PASSWORD,
            on_message=print,
        )


def test_a_broker_that_speaks_only_old_tls_is_refused(certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "good" / "server.crt", certificates / "good" / "server.key")
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            near, _ = server.accept()
            far = context.wrap_socket(near, server_side=True, do_handshake_on_connect=False)
            with far, pytest.raises(ssl.SSLError):
                far.do_handshake()

        address = BrokerAddress("127.0.0.1", server.getsockname()[1], True, certificates / "good" / "ca.crt")
        with threaded(serve), pytest.raises(BrokerUnreachable, match="no TLS there"):
            connect(address, client_id="a", user="a", password=PASSWORD, on_message=print)


@pytest.mark.parametrize("broker", [{"client_certificates": True}], indirect=True)
def test_a_client_certificate_where_the_broker_asks_for_one(broker, certificates):
    with join(broker, certificates, client="good") as connection:
        connection.publish("x/a/b/1", b"1").result(60)
    with pytest.raises(WatchkeepError, match=r"client certificate|no TLS there"):
        join(broker, certificates)
    with pytest.raises(WatchkeepError, match=r"client certificate|no TLS there"):
        join(broker, certificates, client="other")


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({"ca_file": "none"}, "mqtt_ca_file: .*none: No such file"),
        ({"ca_file": "good/server.key"}, "mqtt_ca_file: .*server.key: holds no usable PEM"),
        ({"cert_file": "good/client.crt", "key_file": "none"}, "mqtt_cert_file, mqtt_key_file: .*No such file"),
        (
            {"cert_file": "good/client.crt", "key_file": "other/client.key"},
            "mqtt_cert_file, mqtt_key_file: .*no usable PEM",
        ),
    ],
)
def test_certificate_files_that_cannot_be_used(certificates, files, text):
    address = BrokerAddress.parse("mqtts://h", **{name: certificates / file for name, file in files.items()})
    with pytest.raises(SettingsError, match=text):
        connect(address, client_id="a", user="a", password=PASSWORD, on_message=print)


@pytest.mark.parametrize(
    ("url", "files", "text"),
    [
        ("mqtt://h", {"ca_file": "x"}, "mqtt_url: certificates are given, but only mqtts:// uses them"),
        ("mqtts://h", {"cert_file": "x"}, "mqtt_cert_file, mqtt_key_file: need each other"),
    ],
)
def test_settings_that_contradict_each_other(url, files, text):
    with pytest.raises(SettingsError, match=text):
        BrokerAddress.parse(url, **files)


def test_a_reconnect_to_a_broker_with_another_certificate_is_refused_until_it_is_right(certificates, tmp_path):
    port = free_port("127.0.0.1")
    reasons: list[str] = []
    options: dict[str, Any] = {"prefer": "mosquitto", "port": port}
    with start_broker(tmp_path / "1", USERS, RULES, certificates=certificates / "good", **options) as first:
        connection = join(first, certificates, on_disconnect=reasons.append)
    with connection:
        until(lambda: reasons)
        with start_broker(tmp_path / "2", USERS, RULES, certificates=certificates / "other", **options):
            until(lambda: "certificate is not trusted" in connection.trouble)
            assert not connection.connected
        with start_broker(tmp_path / "3", USERS, RULES, certificates=certificates / "good", **options):
            until(lambda: connection.connected)
            assert connection.trouble == ""


def test_the_subscription_is_known_to_stand(broker, certificates):
    with join(broker, certificates) as connection:
        assert connection.subscribed  # nothing was asked for
        connection.subscribe(["x/a/b/#", "x/other"])
        until(lambda: connection.subscribed)
        assert connection.refused_topics == {}
        refused = connection.publish("x/other", b"")
        assert isinstance(refused.exception(60), PublishRefused)
    assert not connection.subscribed
    assert not connection.dead


def test_a_refused_subscription_is_told(certificates, tmp_path):
    """Our brokers grant every filter; one that does not is played here: a listener that speaks just enough MQTT."""
    with socket.create_server(("127.0.0.1", 0)) as server, threaded(lambda: _refuse_subscription(server)):
        address = BrokerAddress("127.0.0.1", server.getsockname()[1])
        with connect(address, client_id="a", user="a", password=PASSWORD, on_message=print) as connection:
            connection.subscribe(["x/a", "x/b"])
            until(lambda: connection.refused_topics)
            assert connection.refused_topics == {"x/b": "Not authorized"}
            assert not connection.subscribed


def _refuse_subscription(server):
    near, _ = server.accept()
    with near:
        near.recv(1000)
        near.sendall(bytes([0x20, 3, 0, 0, 0]))  # CONNACK, success
        subscribe = near.recv(1000)
        near.sendall(bytes([0x90, 5, *subscribe[2:4], 0, 1, 0x87]))  # SUBACK: granted QoS 1, not authorized
        while near.recv(1000):
            pass


@contextlib.contextmanager
def threaded(body):
    thread = threading.Thread(target=body)
    thread.start()
    yield
    thread.join(60)
    assert not thread.is_alive()


def test_a_dead_thread_is_noticed(broker, certificates):
    with join(broker, certificates) as connection:
        assert not connection.dead
        connection._client._thread_terminate = True  # the only way: nothing that our callbacks raise gets through
        connection._client.disconnect()
        until(lambda: connection.dead)
        assert not connection.alive()
