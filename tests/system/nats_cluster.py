"""Three `nats-server` processes with JetStream replicas: a clustered broker whose MQTT sessions live on three disks."""

import json
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from watchkeep_cli.acl import AclRule
from watchkeep_cli.ports import free_port

HOST = "127.0.0.1"
STARTUP_S = 60.0


def installed() -> str | None:
    """Path of the program, which Debian puts where only root looks."""
    return shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin:/usr/local/sbin")


@dataclass
class Node:
    """One server of the cluster."""

    name: str
    config: Path
    mqtt: int
    monitor: int
    log: Path
    process: "subprocess.Popen[bytes] | None" = field(default=None)

    def start(self) -> None:
        program = installed()
        assert program
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([program, "-c", str(self.config)], stdout=log, stderr=log)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process:
            self.process.send_signal(number)
            self.process.wait(60)
            self.process = None

    def ready(self) -> bool:
        """JetStream has a leader, and this server knows it."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.monitor}/healthz", timeout=2) as answer:
                return bool(json.load(answer)["status"] == "ok")
        except (urllib.error.URLError, TimeoutError, ConnectionError, ValueError):
            return False


@dataclass
class Cluster:
    """All servers; `url` names them all, beginning with the one at `first`."""

    nodes: Sequence[Node]

    def url(self, first: int = 0) -> str:
        turned = [*self.nodes[first:], *self.nodes[:first]]
        return "mqtt://" + ",".join(f"{HOST}:{node.mqtt}" for node in turned)

    def connections(self, node: Node) -> set[str]:
        """MQTT client ids that this server serves."""
        with urllib.request.urlopen(f"http://{HOST}:{node.monitor}/connz?limit=1024", timeout=5) as answer:
            return {each["mqtt_client"] for each in json.load(answer)["connections"] if each.get("mqtt_client")}


@contextmanager
def running(folder: Path, users: dict[str, str], acl: Sequence[AclRule]) -> Iterator[Cluster]:
    """Three servers on one disk; what is left of them is stopped at the end."""
    ports = [free_port(HOST, 0) for _ in range(9)]
    nodes = [
        Node(name, folder / f"{name}.conf", mqtt, monitor, folder / f"{name}.log")
        for name, mqtt, monitor in zip(("n0", "n1", "n2"), ports[0:3], ports[3:6], strict=True)
    ]
    route_ports = ports[6:9]
    routes = [f"nats-route://{HOST}:{port}" for port in route_ports]
    accounts = json.dumps([_user(user, password, acl) for user, password in users.items()], indent=1)
    for node, route in zip(nodes, route_ports, strict=True):
        node.config.write_text(
            f"""
server_name: {node.name}
listen: "{HOST}:-1"
http: "{HOST}:{node.monitor}"
jetstream {{ store_dir: "{folder / node.name}" }}
cluster {{ name: watchkeep, listen: "{HOST}:{route}", routes: {json.dumps(routes)} }}
mqtt {{ listen: "{HOST}:{node.mqtt}", max_ack_pending: 2000, ack_wait: "15s", stream_replicas: 3 }}
authorization {{ users: {accounts} }}
""",
            encoding="utf-8",
        )
    cluster = Cluster(nodes)
    try:
        for node in nodes:
            node.start()
        deadline = time.monotonic() + STARTUP_S
        while not all(node.ready() for node in nodes):
            assert time.monotonic() < deadline, nodes[0].log.read_text()[-2000:]
            time.sleep(0.2)
        yield cluster
    finally:
        for node in nodes:
            node.stop(signal.SIGKILL)


def _user(user: str, password: str, acl: Sequence[AclRule]) -> dict[str, object]:
    """Our access rules in NATS's words: levels by dots, `*` and `>` for wildcards; `$MQTT` holds its own streams."""
    allowed: dict[str, list[str]] = {"publish": [], "subscribe": []}
    for rule in acl:
        if rule.user_pattern != user:
            continue
        subject = rule.topic.replace("%u", user).replace("/", ".").replace("+", "*").replace("#", ">")
        if rule.access in ("write", "readwrite"):
            allowed["publish"].append(subject)
        if rule.access in ("read", "readwrite"):
            allowed["subscribe"] += [subject, *([subject.removesuffix(".>")] if subject.endswith(".>") else [])]
    allowed["subscribe"].append("$MQTT.sub.>")
    return {"user": user, "password": password, "permissions": allowed}
