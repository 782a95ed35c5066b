"""`watchkeep gateway enroll | revoke | enroller` and `watchkeep tls dev`, against a real Mosquitto over TLS."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time

import psycopg
import pytest
import typer
from typer.testing import CliRunner

from tests.brokers import Lab, until
from watchkeep_cli.__main__ import build
from watchkeep_cli.acl import AclRule, default_acl
from watchkeep_cli.broker import mosquitto_installed, start_broker
from watchkeep_cli.tls import make
from watchkeep_core import topics
from watchkeep_core.broker import BrokerAddress, BrokerRefused, PublishRefused
from watchkeep_core.errors import WatchkeepError
from watchkeep_core.messages import State, decode
from watchkeep_core.mqtt import connect
from watchkeep_core.topics import GatewayRef
from watchkeep_gateway.config_file import read

pytestmark = [
    pytest.mark.slow,  # starts servers and processes
    pytest.mark.skipif(not mosquitto_installed(), reason="mosquitto is not installed"),
]

MINE, THEIRS = GatewayRef("garden", "gw-1"), GatewayRef("harbour", "gw-1")
PASSWORD = "only-in-tests-and-long"


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("enrol")
    make(folder / "tls")
    users = dict.fromkeys(("observer", THEIRS.user), PASSWORD)
    rules = [*default_acl(), AclRule("observer", "read", "wk/#")]
    with start_broker(folder / "broker", users, rules, prefer="mosquitto", certificates=folder / "tls") as found:
        yield found


class House:
    """What a person types on the broker's machine."""

    def __init__(self, broker, tmp_path):
        self.broker = broker
        self.folder = broker.log_file.parent
        self.ca = broker.address.ca_file
        self.tmp_path = tmp_path
        self.where = ["--broker-dir", str(self.folder), "--pid-file", str(self.folder / "mosquitto.pid")]
        self.to_broker = ["--mqtt-url", broker.url, "--ca-file", str(self.ca)]

    def run(self, *arguments, code=0, **environ):
        answer = CliRunner(env=environ).invoke(build(arguments), arguments)
        assert answer.exit_code == code, answer.output or repr(answer.exception)
        if code:
            assert isinstance(answer.exception, WatchkeepError), answer.output
        return str(answer.exception) if code else json.loads(answer.stdout)

    def enroll(self, ref, *more, code=0, out="bundle", **environ):
        arguments = ["gateway", "enroll", ref.community, ref.gateway, *self.where, *self.to_broker]
        return self.run(*arguments, "--out", str(self.tmp_path / out), *more, code=code, **environ)

    def revoke(self, ref, *more, code=0, **environ):
        return self.run(
            "gateway", "revoke", ref.community, ref.gateway, *self.where, *self.to_broker, *more, code=code, **environ
        )

    def secret(self, out="bundle"):
        return (self.tmp_path / out / "mqtt-password").read_text(encoding="utf-8").strip()


@pytest.fixture
def house(broker, tmp_path):
    made = House(broker, tmp_path)
    yield made
    for user in (MINE, GatewayRef("garden", "gw-2")):
        made.run("gateway", "revoke", user.community, user.gateway, *made.where, code=_any(made, user))


def _any(house, ref):
    """0 when there is such a user, 1 when the test has removed it itself."""
    return 0 if f"{ref.user}:" in (house.folder / "passwords").read_text(encoding="utf-8") else 1


@pytest.fixture
def lab(broker):
    found = Lab(broker)
    yield found
    found.close()


def test_an_enrolled_gateway_is_in_at_once_with_a_bundle_that_is_ready(house, lab):
    started = time.monotonic()
    told = house.enroll(MINE)
    client = lab.join(MINE.user, password=house.secret())
    assert time.monotonic() - started < 60
    assert (told["user"], told["renewed"], told["checked"]) == (MINE.user, False, True)
    assert house.secret() not in json.dumps(told)
    client.connection.publish(topics.message(MINE, "event", "e1", 1), b"{}").result(60)

    bundle = house.tmp_path / "bundle"
    assert stat.S_IMODE((bundle / "mqtt-password").stat().st_mode) == 0o600
    assert (bundle / "ca.crt").read_bytes() == house.ca.read_bytes()
    assert read(bundle / "gateway.toml").ref == MINE
    assert (bundle / "gateway.env").read_text(encoding="utf-8").splitlines() == [
        "WATCHKEEP_GATEWAY_CONFIG_FILE=/etc/watchkeep/gateway.toml",
        f"WATCHKEEP_GATEWAY_MQTT_URL={house.broker.url}",
        "WATCHKEEP_GATEWAY_MQTT_CA_FILE=/etc/watchkeep/ca.crt",
    ]
    assert "LoadCredential" in (bundle / "INSTALL.txt").read_text(encoding="utf-8")


def test_a_revoked_gateway_is_out_with_its_live_connection_and_is_said_to_be_offline(house, lab):
    house.enroll(MINE)
    states = []
    watcher = lab.join("observer", password=PASSWORD, on_message=lambda got: states.append(got))
    watcher.connection.subscribe([topics.state(MINE)])
    other = lab.join(THEIRS.user, password=PASSWORD)
    live = lab.join(MINE.user, password=house.secret(), session_expiry_s=3600)
    live.connection.publish(topics.state(MINE), b'{"online":true}', retain=True).result(60)
    started = time.monotonic()
    told = house.revoke(MINE)
    until(lambda: not live.connection.connected)
    assert time.monotonic() - started < 60
    assert (told["revoked"], told["said_offline"]) == (True, True)
    with pytest.raises(BrokerRefused):
        lab.join(MINE.user, password=house.secret())
    until(lambda: states and not decode(State, states[-1].payload).online)
    assert other.connection.epoch == 1, "the others did not notice"
    assert "no user of the broker" in house.revoke(MINE, code=1)


def test_a_revocation_without_a_way_to_the_broker_ends_the_connection_as_well(house, lab):
    house.enroll(MINE)
    live = lab.join(MINE.user, password=house.secret())
    told = house.run("gateway", "revoke", MINE.community, MINE.gateway, *house.where)
    until(lambda: not live.connection.connected)
    assert not told["said_offline"]


def test_other_communities_are_neither_read_nor_written_and_a_stolen_client_id_is_harmless(house, lab):
    house.enroll(MINE)
    heard = []
    watcher = lab.join("observer", password=PASSWORD, on_message=lambda got: heard.append(got.payload))
    watcher.connection.subscribe(["wk/#"])
    victim = lab.join(THEIRS.user, password=PASSWORD, session_expiry_s=3600)
    victim.connection.subscribe([f"{THEIRS.root}/#", f"field/{THEIRS.user}/#"])
    thief = lab.join(MINE.user, password=house.secret(), client_id=THEIRS.user)
    thief.connection.subscribe(["#", f"{THEIRS.root}/#", f"field/{THEIRS.user}/#", f"$share/x/{THEIRS.root}/#"])
    until(lambda: thief.connection.subscribed and victim.connection.subscribed)
    for topic in (
        topics.birth(THEIRS),
        topics.message(THEIRS, "event", "e1", 1),
        topics.state(THEIRS),
        topics.cmd(THEIRS),
        topics.ack(MINE, "data"),
        topics.cmd(MINE),
        f"field/{THEIRS.user}/lift-1",
        f"wk/1/0/{MINE.community}/other/birth",
    ):
        assert isinstance(thief.connection.publish(topic, b"forged").exception(60), PublishRefused), topic
    victim.connection.publish(topics.birth(THEIRS), b"theirs").result(60)
    victim.connection.publish(f"field/{THEIRS.user}/lift-1", b"theirs").result(60)
    thief.connection.publish(f"field/{MINE.user}/lift-1", b"mine").result(60)
    thief.expect(b"mine")
    victim.expect(b"theirs")
    until(lambda: b"theirs" in heard)
    assert set(thief.payloads) == {b"mine"}
    assert b"forged" not in heard + victim.payloads
    assert victim.connection.epoch == 1, "its connection was not taken over"


def test_a_second_enrolment_needs_renew_and_ends_the_old_password(house, lab):
    house.enroll(MINE)
    assert "--renew gives it another" in house.enroll(MINE, code=1, out="second")
    live = lab.join(MINE.user, password=house.secret())
    told = house.enroll(MINE, "--renew", out="third")
    assert told["renewed"]
    until(lambda: not live.connection.connected)
    assert house.secret() != house.secret("third")
    assert lab.join(MINE.user, password=house.secret("third")).connection.connected


def test_nothing_is_changed_when_something_is_wrong(house):
    before = (house.folder / "passwords").read_text(encoding="utf-8")
    (house.tmp_path / "full").mkdir()
    (house.tmp_path / "full" / "x").touch()
    assert "is not empty" in house.enroll(MINE, code=1, out="full")
    assert "names no running process" in house.enroll(MINE, "--pid-file", "/nowhere", code=1)
    strange = house.tmp_path / "pid"
    strange.write_text(str(os.getpid()), encoding="utf-8")
    assert "not mosquitto" in house.enroll(MINE, "--pid-file", str(strange), code=1)
    assert "bad_id" in house.run("gateway", "enroll", "a+", "b", *house.where, *house.to_broker, "--out", "x", code=1)
    assert "certificates are given" in house.enroll(MINE, "--mqtt-url", "mqtt://h", code=1)
    plain = ["--mqtt-url", "mqtt://broker.example", "--out", str(house.tmp_path / "plain")]
    assert "must be mqtts://" in house.run("gateway", "enroll", "garden", "gw-1", *house.where, *plain, code=1)
    assert "cannot write" in house.enroll(MINE, "--broker-dir", "/nowhere", code=1)
    other = house.tmp_path / "other"
    other.mkdir()
    (other / "mosquitto.acl").write_text("user x\ntopic read y\n", encoding="utf-8")
    assert "lacks the line 'pattern" in house.enroll(MINE, "--broker-dir", str(other), code=1)
    assert (house.folder / "passwords").read_text(encoding="utf-8") == before
    assert "garden" not in before


def test_the_register_gives_the_equipment_and_keeps_the_gateway(house, database):
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        conn.execute("INSERT INTO areas (area_id, kind, name, path) VALUES ('city', 'city', 'City', '{city}')")
        conn.execute("INSERT INTO organisations (org_id, kind, name) VALUES ('keeper', 'property', 'Keeper')")
        conn.execute(
            "INSERT INTO communities (community_id, name, area_id, property_org_id)"
            " VALUES ('garden', '花园', 'city', 'keeper')"
        )
        conn.execute(
            "INSERT INTO equipment (community_id, equipment_id, kind, name, vendor_profile) VALUES"
            " ('garden', 'lift-1', 'elevator', E'一号\\n电梯', 'java_gateway'),"
            " ('garden', 'pump-1', 'supply_pump', '泵', '')"
        )
    database_url = {"WATCHKEEP_DB_ADMIN_URL": database.admin_url}
    assert house.enroll(MINE, **database_url)["equipment"] == 2
    config = read(house.tmp_path / "bundle" / "gateway.toml")
    assert [(device.equipment, device.kind, device.vendor_profile) for device in config.device] == [
        ("lift-1", "elevator", "java_gateway"),
        ("pump-1", "supply_pump", ""),
    ]
    assert gateways(database) == [("gw-1", False)]
    assert house.revoke(MINE, **database_url)["register_updated"]
    assert gateways(database) == [("gw-1", True)]
    house.enroll(MINE, out="again", **database_url)
    assert gateways(database) == [("gw-1", False)]
    with psycopg.connect(database.admin_url) as conn:
        found = conn.execute("SELECT action FROM audit_entries ORDER BY audit_id").fetchall()
    assert [action for (action,) in found] == ["gateway_enrolled", "gateway_revoked", "gateway_enrolled"]
    assert "is not in the register" in house.enroll(GatewayRef("else", "g"), code=1, out="else", **database_url)


def gateways(database):
    with psycopg.connect(database.admin_url) as conn:
        return conn.execute("SELECT gateway_id, revoked_at IS NOT NULL FROM gateways").fetchall()


def test_the_enroller_serves_the_console(house, lab, tmp_path):
    """The console asks by a file, wherever the broker comes from: the same request the demo's supervisor serves."""
    requests = tmp_path / "requests"
    requests.mkdir()
    command = [sys.executable, "-m", "watchkeep_cli", "gateway", "enroller", "--folder", str(requests), *house.where]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        request = requests / "one.request.json"
        request.write_text(json.dumps({"user": "garden/gw-2", "password": PASSWORD}), encoding="utf-8")
        until((requests / "one.done").exists)
        until(lambda: accepted(house.broker.address, "garden/gw-2"))
        assert lab.join("garden/gw-2", password=PASSWORD).connection.connected
        assert not request.exists()
    finally:
        process.send_signal(signal.SIGTERM)
        log = process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert PASSWORD not in log


def accepted(address, user):
    try:
        connect(address, client_id=user, user=user, password=PASSWORD, on_message=print).close()
    except BrokerRefused:
        return False
    return True


def test_the_passwords_keep_their_owner_and_are_private(house):
    file = house.folder / "passwords"
    os.chown(file, os.getuid(), os.getgid())
    file.chmod(0o640)
    house.enroll(MINE)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert house.secret() not in file.read_text(encoding="utf-8")


def test_no_password_can_be_given_on_a_command_line():
    """What stands there is in the process list, for everyone on the machine to read."""
    group = typer.main.get_command(build(["gateway"])).commands["gateway"]  # type: ignore[attr-defined]  # a click group
    assert {"run", "enroll", "revoke", "enroller", "check"} <= group.commands.keys()
    for verb, command in group.commands.items():
        for parameter in command.params:
            words = " ".join(parameter.opts + parameter.secondary_opts).replace("-file", "").lower()
            assert not re.search("password|secret|token", words), (verb, words)


def test_tls_dev(tmp_path):
    folder = tmp_path / "made"
    command = [sys.executable, "-m", "watchkeep_cli", "tls", "dev", str(folder), "--host", "127.0.0.1"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert files == dict.fromkeys(("ca.crt", "server.crt", "server.key"), 0o600)
    assert json.loads(answer.stdout)["hosts"] == ["127.0.0.1"]
    before = (folder / "server.key").read_bytes()
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == f"watchkeep: {folder}/ca.crt is there already; choose another folder\n"
    assert (folder / "server.key").read_bytes() == before
    with start_broker(tmp_path / "b", {"a/b": PASSWORD}, [], prefer="mosquitto", certificates=folder) as broker:
        address = BrokerAddress.parse(broker.url, folder / "ca.crt")
        connect(address, client_id="a/b", user="a/b", password=PASSWORD, on_message=print).close()
