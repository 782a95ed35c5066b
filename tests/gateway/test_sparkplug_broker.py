"""Sparkplug B through a real broker: our own bytes, and an independent client (npm sparkplug-client)."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.gateway import sparkplug_bytes as sp
from tests.gateway.conftest import PASSWORD, REF, USERS, FakeIngest, Site, wait_until
from tests.npm import installed
from watchkeep_cli.acl import AclRule, default_acl
from watchkeep_cli.broker import RunningBroker, mosquitto_installed, start_broker
from watchkeep_core import messages
from watchkeep_core.broker import Received, Will
from watchkeep_core.mqtt import connect
from watchkeep_core.mqtt_connection import Connection
from watchkeep_gateway.drivers.sparkplug import rebirths
from watchkeep_gateway.spool_reader import rejected, status, unmapped

T = int(time.time() * 1000)

CONFIG = """
version = "test-1"

[gateway]
community = "c1"
id = "g1"

[spool]
min_free_bytes = 0

[[device]]
equipment = "lift-1"
kind = "elevator"

[[sparkplug]]
name = "plant"
url = "{url}"
user = "site"
password_file = "{password_file}"
groups = ["harbour"]
points = [
  {{ name = "Motor/Temperature", metric = "machine_temperature" }},
  {{ name = "Floor", metric = "car_floor" }},
  {{ name = "Trapped", condition = "entrapment" }},
]
"""
RULES = [
    AclRule("site", "read", "spBv1.0/#"),
    AclRule("site", "write", "spBv1.0/+/NCMD/+"),
    AclRule("site", "write", "spBv1.0/STATE/#"),
    AclRule("node", "readwrite", "spBv1.0/#"),
    AclRule("watcher", "read", "spBv1.0/#"),
]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    if not mosquitto_installed():
        pytest.skip("needs Mosquitto")
    users = USERS | {"node": PASSWORD, "watcher": PASSWORD}
    with start_broker(tmp_path / "broker", users, default_acl() + RULES, prefer="mosquitto") as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, broker: RunningBroker) -> Iterator[Site]:
    made = Site(tmp_path, broker)
    (tmp_path / "secret").write_text(PASSWORD, encoding="utf-8")
    made.config_file.write_text(CONFIG.format(url=broker.url, password_file=tmp_path / "secret"), encoding="utf-8")
    yield made
    made.close()


class EdgeNode:
    """One edge node with a device; publishes at QoS 1, so that what it says can be delivered again."""

    def __init__(self, broker: RunningBroker, edge: str = "edge-1", bd_seq: int = 0) -> None:
        self.edge, self.bd_seq, self.seq = edge, bd_seq, 0
        self.commands: list[bytes] = []
        self.asked: list[str] = []
        """Nodes that were asked to be born again."""
        will = Will(f"spBv1.0/harbour/NDEATH/{edge}", sp.payload([sp.bd_seq(bd_seq)]), retain=False)
        self.connection: Connection = connect(
            broker.address, client_id="node", user="node", password=PASSWORD, on_message=self._heard, will=will
        )
        self.connection.subscribe(["spBv1.0/harbour/NCMD/+"])

    def _heard(self, received: Received) -> None:
        self.asked.append(received.topic.rpartition("/")[2])
        if self.asked[-1] == self.edge:
            self.commands.append(received.payload)

    def say(self, kind: str, metrics: list[bytes], *, seq: bool = True, t: int | None = None) -> None:
        device = "/lift-1" if kind.startswith("D") else ""
        data = sp.payload(metrics, self.seq % 256 if seq else None, T if t is None else t)
        self.seq += 1
        while True:  # the window of the connection
            try:
                self.connection.publish(f"spBv1.0/harbour/{kind}/{self.edge}{device}", data)
                return
            except Exception as error:
                if type(error).__name__ != "TooManyOutstanding":
                    raise
                time.sleep(0.01)

    def be_born(self, t: int = T, first_alias: int = 0) -> None:
        self.seq = 0
        self.say("NBIRTH", [sp.bd_seq(self.bd_seq), sp.metric("Node Control/Rebirth", False, sp.BOOLEAN)])
        names = [("Motor/Temperature", None, sp.DOUBLE), ("Floor", None, sp.INT32), ("Trapped", False, sp.BOOLEAN)]
        self.say(
            "DBIRTH",
            [
                sp.metric(name, value, kind, alias=first_alias + number, t=t)
                for number, (name, value, kind) in enumerate(names)
            ],
        )

    def floor(self, number: int, alias: int = 1) -> None:
        self.say("DDATA", [sp.metric("", number, sp.INT32, alias=alias, t=T + number, typed=False)], t=T + number)

    def close(self) -> None:
        self.connection.close()


@pytest.fixture
def node(broker: RunningBroker) -> Iterator[EdgeNode]:
    with ExitStack() as stack:
        one = EdgeNode(broker)
        stack.callback(one.close)
        yield one


def floors(ingest: FakeIngest) -> list[float]:
    return sorted(value for _, metric, _, value in ingest.readings() if metric == "car_floor")


def heard_readings(ingest: FakeIngest) -> int:
    return sum(len(body.alias) for *_, body in list(ingest.received) if isinstance(body, messages.Data))


def start(site: Site, node: EdgeNode) -> FakeIngest:
    """Returns when the gateway hears the node."""
    ingest = site.ingest()
    gateway = site.start()
    node.say("NDATA", [], seq=False)  # before its birth: answered when it is heard

    def heard() -> bool:
        if not node.commands:
            node.say("NDATA", [], seq=False)
        return bool(node.commands)

    wait_until(heard)
    assert gateway.drivers
    return ingest


def test_birth_data_gap_rebirth_and_death(site: Site, node: EdgeNode) -> None:
    ingest = start(site, node)
    assert b"Node Control/Rebirth" in node.commands[0]
    node.be_born()
    for number in range(5):
        node.floor(number)
    node.say("DDATA", [sp.metric("", True, sp.BOOLEAN, alias=2, t=T + 9, typed=False)])
    wait_until(lambda: len(floors(ingest)) == 5 and ingest.events())
    assert [(event.equipment, event.condition, event.active) for event in ingest.events()] == [
        ("lift-1", "entrapment", True)
    ]
    node.seq += 3  # three messages are lost
    node.floor(100, alias=1)
    wait_until(lambda: any("no_birth" in one["reason"] for one in rejected(site.folder, 50)))
    node.be_born(first_alias=10)  # the aliases mean something else now
    node.floor(6, alias=11)
    wait_until(lambda: 6.0 in floors(ingest))
    assert 100.0 not in floors(ingest), "what cannot be understood for certain is not guessed"
    node.connection._client.socket().close()  # type: ignore[union-attr]  # the line is cut: the will fires
    wait_until(lambda: any(event.condition == "sensor_silent" and event.active for event in ingest.events()))
    links = {link["name"]: link["up"] for link in status(site.folder)["links"]}
    assert links["sparkplug-plant harbour/edge-1"] is False


def test_what_is_published_to_devices_is_rebirth_and_nothing_else(
    site: Site, broker: RunningBroker, node: EdgeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebirths, "FIRST_WAIT_S", 600.0)  # before it is asked again
    heard: list[str] = []
    with connect(
        broker.address,
        client_id="watcher",
        user="watcher",
        password=PASSWORD,
        on_message=lambda received: heard.append(received.topic),
    ) as watcher:
        watcher.subscribe(["spBv1.0/harbour/NCMD/#", "spBv1.0/harbour/DCMD/#", "spBv1.0/STATE/#"])
        start(site, node)
        for _ in range(20):
            node.say("DDATA", [sp.metric("Floor", 1, sp.INT32, t=T)])
        wait_until(lambda: status(site.folder)["rejected_kept"] > 10)
        wait_until(lambda: "spBv1.0/STATE/watchkeep-c1-g1" in heard)
        assert heard.count("spBv1.0/harbour/NCMD/edge-1") == 1, "asked once, not once per message"
        assert set(heard) == {"spBv1.0/harbour/NCMD/edge-1", "spBv1.0/STATE/watchkeep-c1-g1"}


def test_state_of_the_host_is_online_while_it_runs(site: Site, broker: RunningBroker, node: EdgeNode) -> None:
    states: list[dict[str, object]] = []
    with connect(
        broker.address,
        client_id="watcher",
        user="watcher",
        password=PASSWORD,
        on_message=lambda received: states.append(json.loads(received.payload)),
    ) as watcher:
        start(site, node)
        watcher.subscribe(["spBv1.0/STATE/watchkeep-c1-g1"])  # retained
        wait_until(lambda: states and states[-1]["online"])
        assert isinstance(states[-1]["timestamp"], int)
        site.stop()
        wait_until(lambda: not states[-1]["online"])
        site._stack.pop_all().close()


def test_garbage_and_unmapped_metrics_are_told_once_and_stop_nothing(site: Site, node: EdgeNode) -> None:
    ingest = start(site, node)
    for data in (b"\xff\xff", b"", b"{}", bytes(range(256))):
        node.connection.publish("spBv1.0/harbour/DDATA/edge-1/lift-1", data).result(60)
        node.connection.publish("spBv1.0/harbour/NBIRTH/edge-1", data + b"\xff").result(60)
        node.connection.publish("spBv1.0/harbour/NDATA/edge-1/too/many/levels", data).result(60)
    node.be_born()
    for _ in range(3):
        node.say("DBIRTH", [sp.metric("Serial", "1", sp.STRING, t=T), sp.metric("Floor", None, sp.INT32, alias=1)])
    node.floor(7)
    wait_until(lambda: floors(ingest) == [7.0])
    assert [(one["source"], one["name"]) for one in unmapped(site.folder, 10)] == [("harbour/edge-1/lift-1", "Serial")]
    reasons = {one["reason"].partition(":")[0] for one in rejected(site.folder, 100)}
    assert {"undecodable", "bad_topic"} <= reasons
    assert "internal" not in reasons


def test_a_node_that_restarts(site: Site, node: EdgeNode, broker: RunningBroker) -> None:
    ingest = start(site, node)
    node.be_born()
    node.floor(1)
    wait_until(lambda: floors(ingest) == [1.0])
    node.connection._client.socket().close()  # type: ignore[union-attr]
    wait_until(lambda: any(event.active for event in ingest.events()))
    node.close()
    again = EdgeNode(broker, bd_seq=1)
    try:
        again.be_born(first_alias=20)
        again.floor(2, alias=21)
        wait_until(lambda: floors(ingest) == [1.0, 2.0] and len(ingest.events()) == 2)
        told = [(event.condition, event.active) for event in ingest.events()]
        assert told == [("sensor_silent", True), ("sensor_silent", False)]
    finally:
        again.close()


class Process:
    """The gateway as a process of its own, so that it can be killed."""

    def __init__(self, site: Site, folder: Path, stack: ExitStack) -> None:
        self._site, self._folder, self._stack = site, folder, stack
        self.running: subprocess.Popen[bytes] | None = None

    def start(self, batch_s: float = 0.05) -> None:
        (self._folder / "gateway-secret").write_text(PASSWORD, encoding="utf-8")
        environ = os.environ | {
            "WATCHKEEP_GATEWAY_MQTT_PASSWORD_FILE": str(self._folder / "gateway-secret"),
            "WATCHKEEP_GATEWAY_SPOOL_DIR": str(self._site.folder),
            "WATCHKEEP_GATEWAY_BATCH_S": str(batch_s),
            "WATCHKEEP_GATEWAY_RECONNECT_JITTER_S": "0.1",
            "WATCHKEEP_GATEWAY_RESEND_AFTER_S": "1",
        }
        command = [sys.executable, "-m", "watchkeep_gateway", "run", "--config", str(self._site.config_file)]
        with (self._folder / "log").open("ab") as log:
            self.running = subprocess.Popen([*command, "--mqtt-url", self._site.broker.url], env=environ, stderr=log)
        self._stack.callback(self.running.wait, 10)
        self._stack.callback(self.running.kill)

    def kill(self) -> None:
        assert self.running
        self.running.send_signal(signal.SIGKILL)
        self.running.wait(60)


@pytest.fixture
def process(site: Site, tmp_path: Path) -> Iterator[Process]:
    with ExitStack() as stack:
        yield Process(site, tmp_path, stack)


def births_heard(ingest: FakeIngest, node: EdgeNode) -> Callable[[], bool]:
    def heard() -> bool:
        if not node.commands:
            node.say("NDATA", [], seq=False)
        return bool(node.commands)

    return heard


@pytest.mark.slow
def test_killed_before_the_commit_nothing_is_lost_and_nothing_twice(
    site: Site, node: EdgeNode, process: Process
) -> None:
    ingest = site.ingest()
    process.start()
    wait_until(births_heard(ingest, node))
    node.be_born()
    for number in range(50):
        node.floor(number)
    wait_until(lambda: len(floors(ingest)) == 50)
    process.kill()
    process.start(batch_s=60)  # heard, and not on disk when it is killed
    for number in range(50, 90):
        node.floor(number)
    node.connection.publish("spBv1.0/harbour/NDATA/unborn", sp.payload([], 1, T))
    wait_until(lambda: "unborn" in node.asked, what="it has heard all before this")
    process.kill()
    process.start()
    for number in range(90, 100):
        node.floor(number)
    wait_until(lambda: len(floors(ingest)) >= 100)
    assert floors(ingest) == [float(number) for number in range(100)]
    assert all("no_birth" not in one["reason"] or "not born" in one["reason"] for one in rejected(site.folder, 1000))


@pytest.mark.slow
def test_ten_thousand_messages_and_three_kills(site: Site, node: EdgeNode, process: Process) -> None:
    """What the node said is what ingest got, each message once, by aliases of a birth before the kills."""
    ingest = site.ingest()
    process.start()
    wait_until(births_heard(ingest, node))
    node.be_born()
    for number in range(10_000):
        node.floor(number)
        if number in (2_000, 4_500, 7_000):
            process.kill()
            process.start()
    wait_until(lambda: heard_readings(ingest) >= 10_000, 60, str(rejected(site.folder, 3)))
    assert floors(ingest) == [float(number) for number in range(10_000)]


CLIENT = """
const sparkplug = require("sparkplug-client");
const [serverUrl, password] = process.argv.slice(2);
const client = sparkplug.newClient({
  serverUrl, username: "node", password, clientId: "node", groupId: "harbour", edgeNode: "js-1", publishDeath: true,
});
const t = Date.now();
const device = (temperature) => ({
  timestamp: Date.now(),
  metrics: [
    { name: "Motor/Temperature", alias: 1, value: temperature, type: "Double", timestamp: Date.now() },
    { name: "Floor", alias: 2, value: -2, type: "Int32", timestamp: Date.now() },
    { name: "Trapped", alias: 3, value: false, type: "Boolean", timestamp: Date.now() },
    { name: "Model", value: "J-1", type: "String", timestamp: Date.now() },
  ],
});
const birth = () => {
  client.publishNodeBirth({ timestamp: Date.now(), metrics: [
    { name: "Node Control/Rebirth", type: "Boolean", value: false, timestamp: Date.now() },
  ] });
  client.publishDeviceBirth("lift-1", device(20.5));
};
const say = (...metrics) => client.publishDeviceData("lift-1", { timestamp: Date.now(), metrics });
client.on("birth", birth);
client.on("ncmd", (payload) => {
  if (payload.metrics.some((metric) => metric.name === "Node Control/Rebirth" && metric.value)) {
    console.log("rebirth");
    birth();
  }
});
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const [verb, value] = line.split(" ");
  if (verb === "temperature") say({ alias: 1, value: Number(value), type: "Double", timestamp: Date.now() });
  if (verb === "floor") say({ name: "Floor", value: Number(value), type: "Int32", timestamp: Date.now() });
  if (verb === "trapped") say({ alias: 3, value: value === "true", type: "Boolean", timestamp: Date.now() });
  if (verb === "skip") client.incrementSeqNum();
  if (verb === "stop") { client.stop(); setTimeout(() => process.exit(0), 300); }
});
console.log("ready");
"""


@pytest.mark.slow
def test_an_independent_client(site: Site, broker: RunningBroker, tmp_path: Path) -> None:
    """npm sparkplug-client: birth, data by alias and by name, a gap that it answers by a rebirth, events, death."""
    modules = installed("sparkplug-client")
    ingest = site.ingest()
    site.start()
    script = tmp_path / "client.js"
    script.write_text(CLIENT, encoding="utf-8")
    url = broker.url.replace("mqtt://", "tcp://")
    program = [shutil.which("node") or "node", str(script), url, PASSWORD]
    with ExitStack() as stack:
        client = subprocess.Popen(
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"NODE_PATH": str(modules)},
        )
        stack.callback(client.wait, 10)
        stack.callback(client.kill)
        assert client.stdin
        assert client.stdout
        stack.callback(client.stdout.close)
        stdin = stack.enter_context(client.stdin)

        def tell(line: str) -> None:
            stdin.write(line + "\n")
            stdin.flush()

        def values(metric: str) -> list[float]:
            return [value for _, name, _, value in sorted(ingest.readings(), key=lambda one: one[2]) if name == metric]

        wait_until(lambda: 20.5 in values("machine_temperature") and -2.0 in values("car_floor"))
        for number in range(300):  # beyond 255
            tell(f"temperature {number}.25")
        tell("floor -1")
        tell("trapped true")
        wait_until(lambda: 299.25 in values("machine_temperature") and -1.0 in values("car_floor") and ingest.events())
        assert [value for value in values("machine_temperature") if value % 1 == 0.25] == [
            number + 0.25 for number in range(300)
        ]
        assert ("entrapment", True) in [(event.condition, event.active) for event in ingest.events()]
        tell("skip")
        tell("temperature 1000.25")
        wait_until(lambda: values("machine_temperature").count(20.5) >= 2, what="it is born again")
        tell("temperature 1001.25")
        wait_until(lambda: 1001.25 in values("machine_temperature"))
        assert 1000.25 not in values("machine_temperature")
        tell("stop")
        wait_until(lambda: any(event.condition == "sensor_silent" and event.active for event in ingest.events()))
        assert [one["name"] for one in unmapped(site.folder, 10)] == ["Model"]
        assert REF.user == "c1/g1"
