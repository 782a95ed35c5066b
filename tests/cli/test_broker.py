"""The embedded brokers: private files, users added while running, our access rules, and what survives."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from tests.brokers import KINDS, PASSWORD, USERS, Lab, running, until
from watchkeep_cli.broker import AclRule, BrokerStartError, default_acl, mosquitto_installed, start_broker
from watchkeep_core import topics
from watchkeep_core.broker import BrokerAddress, BrokerRefused
from watchkeep_core.errors import SettingsError
from watchkeep_core.topics import GatewayRef

pytestmark = pytest.mark.slow  # starts servers

HERE, THERE = GatewayRef("garden", "gw-1"), GatewayRef("garden", "gw-2")
PARTITION = topics.partition_of("garden")
INGEST, OTHER_INGEST = f"ingest-data-{PARTITION}", f"ingest-data-{(PARTITION + 1) % 16}"
EVENTS, ANALYTICS = f"ingest-event-{PARTITION}", f"analytics-{PARTITION}"
STAFF = dict.fromkeys((HERE.user, THERE.user, INGEST, OTHER_INGEST, EVENTS, ANALYTICS, "console", "sim"), PASSWORD)
SESSION = {"session_expiry_s": 3600, "manual_ack": True}


@pytest.fixture(scope="module", params=KINDS)
def broker(request):
    with running(request.param) as found:
        yield found


@pytest.fixture
def lab(broker):
    found = Lab(broker)
    yield found
    found.close()


@pytest.fixture(scope="module", params=KINDS)
def house(request):
    """A broker with Watchkeep's own users and rules."""
    with running(request.param, users=STAFF, acl=default_acl()) as found:
        yield found


FLOWS = [
    (HERE.user, topics.birth(HERE), {INGEST, EVENTS}),
    (HERE.user, topics.message(HERE, "data", "e1", 1), {INGEST}),
    (HERE.user, topics.message(HERE, "event", "e1", 1), {EVENTS}),
    (HERE.user, topics.state(HERE), {EVENTS}),
    (INGEST, topics.ack(HERE, "data"), {HERE.user}),
    (EVENTS, topics.ack(HERE, "event"), {HERE.user}),
    (INGEST, topics.cmd(HERE), {HERE.user}),
    ("console", topics.cmd(HERE), {HERE.user}),
    (INGEST, topics.rows(PARTITION), {ANALYTICS}),
    ("sim", f"field/{HERE.user}/meter-1", {HERE.user, "sim"}),
    (HERE.user, f"field/{HERE.user}/meter-1", {HERE.user, "sim"}),
    (THERE.user, topics.birth(HERE), set()),
    (THERE.user, topics.message(HERE, "data", "e1", 1), set()),
    (HERE.user, topics.ack(HERE, "data"), set()),
    (HERE.user, topics.cmd(HERE), set()),
    (HERE.user, topics.rows(PARTITION), set()),
    (OTHER_INGEST, topics.ack(HERE, "data"), set()),
    (OTHER_INGEST, topics.rows(PARTITION), set()),
    (ANALYTICS, topics.rows(PARTITION), set()),
    ("console", topics.birth(HERE), set()),
    ("sim", topics.birth(HERE), set()),
]


def test_who_hears_whom(house):
    lab = Lab(house)
    try:
        clients = {user: lab.join(user) for user in STAFF}
        for client in clients.values():
            client.connection.subscribe(["#"])
        for sender, topic, expected in FLOWS:  # until every subscription is known to work

            def warm(sender=sender, topic=topic, expected=expected):
                clients[sender].connection.publish(topic, b"warm").exception(60)
                return all(b"warm" in clients[user].payloads for user in expected)

            until(warm)
        mark = b"mark"
        for number, (sender, topic, expected) in enumerate(FLOWS):
            payload = str(number).encode()
            done = clients[sender].connection.publish(topic, payload)
            refused = done.exception(60)
            assert bool(refused) == (not expected and house.kind == "mosquitto"), (sender, topic)
            for user in expected:
                clients[user].expect(payload)
        # What must not arrive would have arrived before this: one broker, one order.
        for user, topic in ((INGEST, topics.rows(PARTITION)), ("sim", f"field/{HERE.user}/x")):
            clients[user].connection.publish(topic, mark).result(60)
        for user in (ANALYTICS, "sim", HERE.user):
            clients[user].expect(mark)
        for number, (sender, topic, expected) in enumerate(FLOWS):
            got = {user for user, client in clients.items() if str(number).encode() in client.payloads}
            assert got == expected, (sender, topic)
    finally:
        lab.close()


def test_add_user_while_running(lab):
    watcher = lab.join("boss", "x/#")
    for number in range(3):
        lab.broker.add_user(f"new/{number}", PASSWORD, [AclRule(f"new/{number}", "write", f"x/only/{number}")])
        client = lab.join(f"new/{number}")
        client.connection.publish(f"x/only/{number}", b"yes").result(60)
        client.connection.publish(f"x/new/{number}/a", b"yes").result(60)
        client.connection.publish("x/else", b"no").exception(60)
    until(lambda: len(watcher.received) == 6)
    assert set(watcher.payloads) == {b"yes"}
    assert watcher.connection.epoch == 1


def test_changed_password(lab):
    lab.broker.add_user("changing", "old password")
    lab.broker.add_user("changing", "new password")

    def old_is_refused():
        try:
            lab.join("changing", password="old password").connection.close()
        except BrokerRefused:
            return True
        return False

    until(old_is_refused)
    assert lab.join("changing", password="new password").connection.alive()


def test_client_id_of_another_user_steals_nothing(lab):
    victim, thief = lab.name(), lab.name()
    lab.join(victim, f"x/{victim}/data", **SESSION).connection.close()
    boss = lab.join("boss")
    boss.connection.publish(f"x/{victim}/data", b"1").result(60)
    stolen = lab.join(thief, client_id=victim, **SESSION)
    with pytest.raises(BrokerRefused):
        lab.join(victim, password="guessed", **SESSION)
    boss.connection.publish(f"x/{victim}/data", b"2").result(60)
    back = lab.join(victim, **SESSION)
    until(lambda: len(back.received) == 2)
    assert back.payloads == [b"1", b"2"]
    assert stolen.received == []


def test_more_messages_than_may_be_in_flight(lab):
    user, count = lab.name(), 2500
    done = threading.Semaphore(400)
    reader = lab.join(user, f"x/{user}/data", **SESSION)
    boss = lab.join("boss")
    for number in range(count):
        assert done.acquire(timeout=60)
        future = boss.connection.publish(f"x/{user}/data", str(number).encode())
        future.add_done_callback(lambda _: done.release())
    until(lambda: len(reader.received) == 2000)
    until(lambda: boss.connection.outstanding == 0)
    assert len(reader.received) == 2000  # the window: `max_inflight_messages`, `receive_maximum`
    acked = 0

    def all_acked():
        nonlocal acked
        for message in reader.received[acked:]:
            assert reader.connection.ack(message)
            acked += 1
        return acked == count

    until(all_acked)
    assert reader.payloads == [str(number).encode() for number in range(count)]


@pytest.mark.skipif(not mosquitto_installed(), reason="mosquitto is not installed")
def test_mosquitto_keeps_queues_and_retained_messages_over_a_restart(tmp_path):
    users = {"a": PASSWORD, "b": PASSWORD}
    rules = [AclRule("a", "readwrite", "t/#"), AclRule("b", "readwrite", "t/#")]
    with start_broker(tmp_path, users, rules, prefer="mosquitto") as broker:
        lab = Lab(broker)
        lab.join("a", **SESSION).connection.subscribe(["t/queue"])
        sender = lab.join("b")
        sender.connection.publish("t/flush", b"").result(60)
        lab.join("a", **SESSION).connection.close()
        sender.connection.publish("t/queue", b"queued").result(60)
        sender.connection.publish("t/retained", b"kept", retain=True).result(60)
        lab.close()
    with start_broker(tmp_path, users, rules, prefer="mosquitto", port=broker.address.port) as broker:
        lab = Lab(broker)
        client = lab.join("a", **SESSION)
        client.connection.subscribe(["t/retained"])
        until(lambda: set(client.payloads) == {b"queued", b"kept"})
        lab.close()


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_private_and_hold_no_password(kind):
    with running(kind) as broker:
        directory = broker.log_file.parent
        lab = Lab(broker)
        lab.join().connection.publish("x/a", b"1", retain=True).result(60)
        lab.close()
        for file in directory.iterdir():
            text = file.read_bytes()
            assert PASSWORD.encode() not in text
            if any(name in file.name for name in ("passw", "accounts", "acl")):
                assert file.stat().st_mode & 0o777 == 0o600
        assert directory.stat().st_mode & 0o777 == 0o700
        command = Path(f"/proc/{broker.pid}/cmdline").read_bytes()
        assert PASSWORD.encode() not in command
        errors = broker.log_file.read_text()
    assert "Traceback" not in errors
    assert "ERROR" not in errors


SUPERVISOR = """
import sys, time, pathlib
from watchkeep_cli.broker import start_broker
broker = start_broker(pathlib.Path(sys.argv[1]), {"a": "secret"}, [], prefer=sys.argv[2])
print(broker.address.port, flush=True)
time.sleep(170)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
@pytest.mark.parametrize("kind", KINDS)
def test_broker_ends_with_its_supervisor(kind, tmp_path):
    command = [sys.executable, "-c", SUPERVISOR, str(tmp_path), kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        port = int(supervisor.stdout.readline())
        supervisor.kill()

    def gone():
        try:
            start_broker(tmp_path, {}, [], prefer=kind, port=port).stop()
        except BrokerStartError:
            return False
        return True

    until(gone)


def test_killed_broker_is_noticed(lab):
    with running(lab.broker.kind) as broker:
        other = Lab(broker)
        client = other.join()
        os.killpg(broker.pid, signal.SIGKILL)
        until(lambda: not broker.alive())
        until(lambda: not client.connection.alive())
        other.close()


def test_port_in_use_is_said(broker, tmp_path):
    with pytest.raises(BrokerStartError, match="Address already in use"):
        start_broker(tmp_path, {}, [], port=broker.address.port)


@pytest.mark.skipif(not mosquitto_installed(), reason="mosquitto is not installed")
def test_start_error_shows_the_log(tmp_path):
    (tmp_path / "mosquitto.db").write_bytes(b"not a database")
    with pytest.raises(BrokerStartError, match=r"(?s)mosquitto did not start.*rror"):
        start_broker(tmp_path, {"a": "b"}, [], prefer="mosquitto")


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_gets_in_without_users_and_nothing_out_without_rules(kind):
    with running(kind, users={}, acl=[]) as broker:
        lab = Lab(broker)
        for name in ("", "boss", ":nobody"):
            with pytest.raises(BrokerRefused):
                lab.join(name)
        broker.add_user("a", PASSWORD)
        client = lab.join("a")
        client.connection.subscribe(["#", "nothing"])
        client.connection.publish("nothing", b"1").exception(60)
        client.connection.publish("t", b"1").exception(60)
        assert client.received == []
        lab.close()


@pytest.mark.parametrize("user", ["", "a:b", "a+", "#", "a\nb"])
def test_bad_user_name(user, tmp_path):
    with pytest.raises(SettingsError, match="broker user"):
        start_broker(tmp_path, {user: "secret"}, [])


@pytest.mark.parametrize("password", ["", "two\nlines"])
def test_bad_password(password, tmp_path):
    with pytest.raises(SettingsError, match="password must not") as error:
        start_broker(tmp_path, {"a": password}, [])
    assert "lines" not in str(error.value)


@pytest.mark.parametrize(
    "rule",
    [("", "read", "t"), ("a", "read", ""), ("a", "read", "t\nuser b"), ("a b", "read", "t"), ("+/+", "read", "t")],
)
def test_bad_rule(rule):
    with pytest.raises(SettingsError, match="acl"):
        AclRule(*rule)


def test_many_users_start_quickly(tmp_path):
    users = USERS | {f"c/{number}": PASSWORD for number in range(2000)}
    with start_broker(tmp_path, users, default_acl()) as broker:
        assert broker.url == str(BrokerAddress.parse(broker.url))
        assert broker.kind == ("mosquitto" if mosquitto_installed() else "amqtt")
        assert tempfile.gettempdir() in str(broker.log_file)
