"""The whole service against a real broker of each kind: a fake gateway publishes until its `ack` comes."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.brokers import Proxy
from tests.conftest import Database
from tests.ingest.world import LIVE, birth, data, event, small_estate
from watchkeep_cli.acl import default_acl
from watchkeep_cli.broker import RunningBroker, mosquitto_installed, start_broker
from watchkeep_cli.ports import free_port
from watchkeep_core import estate, rows, topics
from watchkeep_core.broker import BrokerAddress, BrokerUnreachable, Received
from watchkeep_core.database import OWNER, DatabaseUnavailable, connect
from watchkeep_core.errors import SettingsError
from watchkeep_core.messages import Ack, Message, State, decode, encode
from watchkeep_core.mqtt import connect as connect_broker
from watchkeep_core.mqtt_connection import Connection
from watchkeep_core.service import Stop
from watchkeep_core.settings import load
from watchkeep_ingest import sessions
from watchkeep_ingest.service import Service, run
from watchkeep_ingest.settings import IngestSettings

PP = topics.partition_of(LIVE.community)
PASSWORD = "only-in-tests"
USERS = [LIVE.user, f"ingest-data-{PP}", f"ingest-event-{PP}", f"analytics-{PP}"]


@pytest.fixture(params=["mosquitto", "amqtt"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningBroker]:
    if request.param == "mosquitto" and not mosquitto_installed():
        pytest.skip("mosquitto is not installed")
    with start_broker(tmp_path, dict.fromkeys(USERS, PASSWORD), default_acl(), prefer=request.param) as running:
        yield running


@pytest.fixture
def registered(estate: Database) -> Database:
    with connect(estate.admin_url, "test", role=OWNER) as conn:
        save(conn)
    return estate


def save(conn: psycopg.Connection) -> None:
    estate.save(conn, small_estate())


def settings(database: Database, broker_url: str, **more: object) -> IngestSettings:
    given = {"database_url": database.url("watchkeep_ingest"), "mqtt_url": broker_url, "mqtt_password": PASSWORD}
    return load(IngestSettings, {}, **{**given, "partitions": str(PP), **more})


@contextmanager
def serving(wanted: IngestSettings) -> Iterator[Service]:
    """Runs in a thread until the block ends; what it raised is raised here."""
    service, stop, errors = Service(wanted), Stop(), list[BaseException]()

    def serve() -> None:
        try:
            service.run(stop)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield service
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()
        if errors:
            raise errors[0]


def until(what: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


class FakeGateway:
    """Publishes what it is told, and hears `ack` and `cmd`."""

    def __init__(self, broker: RunningBroker) -> None:
        self.heard: list[Received] = []
        self._connection: Connection = connect_broker(
            broker.address, client_id=LIVE.user, user=LIVE.user, password=PASSWORD, on_message=self.heard.append
        )
        self._connection.subscribe([f"{LIVE.root}/ack/+", topics.cmd(LIVE)])

    def close(self) -> None:
        self._connection.close()

    def send(self, topic: str, message: Message, *, retain: bool = False) -> None:
        self._connection.publish(topic, encode(message), retain=retain).result(60)

    def insist(self, topic: str, message: Message, what: Callable[[], object]) -> None:
        """Send again until `what`: as a gateway does, and as it must before ingest's first subscription."""
        deadline = time.monotonic() + 30
        while not what():
            assert time.monotonic() < deadline, "waited in vain"
            self.send(topic, message)
            again = time.monotonic() + 0.5
            while not what() and time.monotonic() < again:
                time.sleep(0.02)

    def acked(self, lane: topics.Lane) -> int:
        acks = [decode(Ack, each.payload).seq for each in self.heard if each.topic == topics.ack(LIVE, lane)]
        return acks[-1] if acks else -2


@pytest.mark.slow
def test_from_a_gateways_publish_to_its_ack(broker: RunningBroker, registered: Database):
    analytics: list[Received] = []
    listener = connect_broker(
        broker.address, client_id=USERS[3], user=USERS[3], password=PASSWORD, on_message=analytics.append
    )
    listener.subscribe([topics.rows(PP)])
    gateway = FakeGateway(broker)
    try:
        with serving(settings(registered, broker.url)) as service:
            gateway.insist(topics.message(LIVE, "data", "e1", 0), data([1.0]), lambda: gateway.heard)
            gateway.send(topics.birth(LIVE), birth(), retain=True)
            gateway.send(topics.state(LIVE), State(online=True), retain=True)
            gateway.send(topics.message(LIVE, "data", "e1", 1), data([2.0, 3.0]))
            gateway.insist(topics.message(LIVE, "event", "v1", 0), event(), lambda: gateway.acked("event") == 0)
            until(lambda: gateway.acked("data") == 1)
            until(lambda: len(analytics) >= 3)
            assert service._sessions.connected() == 2
        # While the service is away the broker keeps what comes; the next one inherits session and queue.
        gateway.send(topics.message(LIVE, "data", "e1", 2), data([4.0]))
        with serving(settings(registered, broker.url)):
            until(lambda: gateway.acked("data") == 2)
    finally:
        gateway.close()
        listener.close()
    with psycopg.connect(registered.admin_url) as conn:
        assert [v for (v,) in conn.execute("SELECT value FROM readings ORDER BY value")] == [1, 2, 3, 4]
        assert conn.execute("SELECT online FROM gateway_status").fetchall() == [(True,)]
        assert conn.execute("SELECT count(*) FROM dead_letters").fetchall() == [(0,)]
    heard = [rows.decode(each.payload) for each in analytics]
    assert sorted(type(each).__name__ for each in heard[:3]) == ["Columns", "Columns", "Events"]


@pytest.mark.slow
def test_a_second_worker_waits_for_the_partition_and_takes_it_over(tmp_path: Path, registered: Database):
    with start_broker(tmp_path, dict.fromkeys(USERS, PASSWORD), default_acl()) as broker:
        first = serving(settings(registered, broker.url))
        holder = first.__enter__()
        until(lambda: holder._keeper.held)
        with serving(settings(registered, broker.url)) as second:
            until(lambda: second._keeper.healthy)
            assert not second._keeper.held
            first.__exit__(None, None, None)
            until(lambda: second._keeper.held == {PP} and second._sessions.connected() == 2)


@pytest.mark.slow
def test_a_restart_of_all_database_connections_loses_nothing(tmp_path: Path, registered: Database):
    with start_broker(tmp_path, dict.fromkeys(USERS, PASSWORD), default_acl()) as broker:
        gateway = FakeGateway(broker)
        try:
            with serving(settings(registered, broker.url)) as service:
                gateway.send(topics.birth(LIVE), birth(), retain=True)
                gateway.insist(topics.message(LIVE, "data", "e1", 0), data([0.0]), lambda: gateway.acked("data") == 0)
                for seq in range(1, 60):
                    gateway.send(topics.message(LIVE, "data", "e1", seq), data([seq]))
                    if seq % 10 == 5:
                        _terminate(registered)
                until(lambda: gateway.acked("data") == 59)
                until(lambda: service._keeper.held == {PP})
        finally:
            gateway.close()
    with psycopg.connect(registered.admin_url) as conn:
        assert [v for (v,) in conn.execute("SELECT value FROM readings ORDER BY value")] == list(range(60))


@pytest.mark.slow
def test_what_finds_no_room_in_memory_stays_with_the_broker(
    tmp_path: Path, registered: Database, monkeypatch: pytest.MonkeyPatch
):
    """The database hangs, 4 MB come in, 1 MB may be kept: memory is bounded and nothing is lost."""
    monkeypatch.setattr(sessions, "_ROOM_WAIT_S", 0.05)
    with start_broker(tmp_path, dict.fromkeys(USERS, PASSWORD), default_acl()) as broker:
        gateway = FakeGateway(broker)
        try:
            with serving(settings(registered, broker.url, queue_bytes=2**20, batch_bytes=2**18)) as service:
                gateway.send(topics.birth(LIVE), birth(), retain=True)
                gateway.insist(topics.message(LIVE, "data", "e1", 0), data([0.0]), lambda: gateway.acked("data") == 0)
                with psycopg.connect(registered.admin_url) as conn:
                    conn.execute("LOCK TABLE readings IN ACCESS EXCLUSIVE MODE")
                    for seq in range(1, 200):
                        gateway.send(topics.message(LIVE, "data", "e1", seq), data([seq + 0.123] * 1500))
                    until(lambda: service._sessions._open["data", PP].overflowed)
                    assert service._intakes["data"].queued_bytes <= 2**20
                until(lambda: gateway.acked("data") == 199)
        finally:
            gateway.close()
    with psycopg.connect(registered.admin_url) as conn:
        assert conn.execute("SELECT count(*) FROM readings").fetchone() == (199 * 1500 + 1,)


def _terminate(database: Database) -> None:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'watchkeep-ingest-%'"
        )


@pytest.mark.slow
def test_health_goes_red_without_the_broker(registered: Database, unused_port: int):
    url = f"http://127.0.0.1:{unused_port}"
    with ExitStack() as stack:
        # Not in pytest's folder: another pytest run would take the broker's user the right to enter it.
        folder = stack.enter_context(TemporaryDirectory(prefix="watchkeep-broker-"))
        broker = stack.enter_context(start_broker(Path(folder), dict.fromkeys(USERS, PASSWORD), default_acl()))
        stack.enter_context(serving(settings(registered, broker.url, health_port=unused_port)))
        until(lambda: _status(f"{url}/health") == (200, []))
        broker.stop()
        until(lambda: _status(f"{url}/health") == (503, ["broker"]))
        with urllib.request.urlopen(f"{url}/metrics") as answer:  # noqa: S310 - our own server
            assert b"watchkeep_ingest_queue_messages" in answer.read()


@pytest.mark.slow
def test_it_is_not_healthy_before_it_serves(registered: Database, unused_port: int):
    """A slow line to the database, so that each step of the start is seen; a broker that accepts and says nothing."""
    address = conninfo_to_dict(registered.admin_url)
    waits_for_broker, gone = (503, ("broker",)), (0, ())
    seen: set[tuple[int, tuple[str, ...]]] = set()

    def look() -> set[tuple[int, tuple[str, ...]]]:
        status, missing = _status(f"http://127.0.0.1:{unused_port}/health")
        seen.add((status, tuple(missing)))
        return seen

    with ExitStack() as stack:
        line = stack.enter_context(Proxy(BrokerAddress(str(address["host"]), int(str(address["port"])))))
        line.delay_s = 0.05
        behind = Database(make_conninfo(registered.admin_url, port=line.address.port))
        mute = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        broker_url = f"mqtt://127.0.0.1:{mute.getsockname()[1]}"
        stack.enter_context(pytest.raises(BrokerUnreachable))
        stack.enter_context(serving(settings(behind, broker_url, health_port=unused_port)))
        until(lambda: waits_for_broker in look())
        seen.discard(gone)  # it did not listen yet
        mute.close()
        until(lambda: gone in look())
    assert waits_for_broker in seen
    assert not [status for status, _ in seen if status == 200]


def _status(url: str) -> tuple[int, list[str]]:
    try:
        with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own server
            return answer.status, json.load(answer)["missing"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)["missing"]
    except OSError:
        return 0, []


@pytest.fixture
def unused_port() -> int:
    return free_port("127.0.0.1")


def test_a_start_without_broker_database_or_password_says_so(estate: Database, unused_port: int):
    nobody = f"mqtt://127.0.0.1:{unused_port}"
    with pytest.raises(BrokerUnreachable, match=str(unused_port)):
        run(settings(estate, nobody), Stop())
    gone = Database(f"host=127.0.0.1 port={unused_port} dbname=x")
    with pytest.raises(DatabaseUnavailable, match=str(unused_port)):
        run(settings(gone, nobody), Stop())
    with pytest.raises(SettingsError, match="WATCHKEEP_INGEST_MQTT_PASSWORD"):
        run(settings(estate, nobody, mqtt_password=None), Stop())
    with pytest.raises(SettingsError, match=r"partitions.*0 to 15"):
        settings(estate, nobody, partitions="3,16")
