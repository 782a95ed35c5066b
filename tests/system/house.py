"""The four services under `watchkeep up`, with a database and a broker that can be taken away and brought back."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

from tests.brokers import Proxy
from tests.sample import sample_estate
from watchkeep_cli.acl import AclRule, default_acl
from watchkeep_cli.broker import start_broker
from watchkeep_cli.ports import free_port
from watchkeep_cli.postgres import start_postgres
from watchkeep_core import estate, topics
from watchkeep_core.broker import BrokerAddress
from watchkeep_core.database import OWNER, SERVICE_LOGINS, connect
from watchkeep_core.schema.migrate import migrate, set_password
from watchkeep_dispatch.notify.jobs import install_jobs

HOST = "127.0.0.1"
PARTS = ("ingest", "analytics", "dispatch", "console")
PASSWORD = "only-in-tests-and-long-enough"


class House:
    """Servers at fixed ports; what is open is closed with `stack`."""

    def __init__(
        self, folder: Path, stack: ExitStack, *, users: Sequence[str] = (), acl: Sequence[AclRule] = ()
    ) -> None:
        self.folder = folder
        self._stack = stack
        self._acl = [*default_acl(), *acl]
        self.postgres_port, self.broker_port = free_port(HOST, 0), free_port(HOST, 0)
        self.health = {part: free_port(HOST, 0) for part in PARTS}
        self.users = {f"ingest-{lane}-{pp}": PASSWORD for lane in topics.LANES for pp in range(topics.PARTITIONS)}
        self.users |= {f"analytics-{pp}": PASSWORD for pp in range(topics.PARTITIONS)} | dict.fromkeys(users, PASSWORD)
        self.start_postgres()
        self.start_broker()
        migrate(self.postgres.admin_url)
        install_jobs(self.postgres.admin_url)
        for login in SERVICE_LOGINS:
            set_password(self.postgres.admin_url, login, PASSWORD)
        with connect(self.postgres.admin_url, "test", role=OWNER) as conn:
            estate.save(conn, sample_estate())

    def start_postgres(self) -> None:
        self.postgres = self._stack.enter_context(start_postgres(self.folder / "pg", port=self.postgres_port))

    def start_broker(self) -> None:
        self.broker = self._stack.enter_context(
            start_broker(self.folder / "broker", self.users, self._acl, port=self.broker_port)
        )

    def line(self) -> Proxy:
        """A line to the broker that can be cut, slowed and deafened."""
        return self._stack.enter_context(Proxy(BrokerAddress(HOST, self.broker_port)))

    def environment(self, mqtt_url: str = "") -> dict[str, str]:
        values = {
            "WATCHKEEP_MQTT_URL": mqtt_url or self.broker.url,
            "WATCHKEEP_INGEST_MQTT_PASSWORD": PASSWORD,
            "WATCHKEEP_ANALYTICS_MQTT_PASSWORD": PASSWORD,
            "WATCHKEEP_CONSOLE_SESSION_SECRET": "0123456789abcdef0123456789abcdef",
            "WATCHKEEP_CONSOLE_PORT": str(self.health["console"]),
            "WATCHKEEP_LOG_DIR": str(self.folder / "logs"),
        }
        for part in PARTS:
            values[f"WATCHKEEP_{part.upper()}_DATABASE_URL"] = self.postgres.url(f"watchkeep_{part}", PASSWORD)
            values[f"WATCHKEEP_{part.upper()}_HEALTH_PORT"] = str(self.health[part])
        return os.environ | values

    @contextmanager
    def up(self, mqtt_url: str = "", more: Mapping[str, str] | None = None) -> "Iterator[subprocess.Popen[bytes]]":
        """`watchkeep up` with `more` in its environment; stopped by SIGTERM unless it has ended."""
        command = [sys.executable, "-m", "watchkeep_cli", "up"]
        environ = self.environment(mqtt_url) | dict(more or {})
        process = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(60)

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres.admin_url, connect_timeout=5) as conn:
            return conn.execute(statement, values).fetchall()

    def answers(self) -> bool:
        """Whether the database does."""
        try:
            return self.query("SELECT 1") == [(1,)]
        except psycopg.OperationalError:
            return False

    def green(self) -> bool:
        return all(missing(port) == [] for port in self.health.values())


def missing(port: int, timeout_s: float = 5.0) -> list[str] | None:
    """What /health says is missing; None when it does not answer."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=timeout_s) as answer:
            body = answer.read()
    except urllib.error.HTTPError as error:
        with error:
            body = error.read()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None
    found: list[str] = json.loads(body)["missing"]
    return found


def processes_of(folder: Path, command: str = "") -> list[int]:
    """Processes that have the folder on their command line or in their environment, and `command` on their line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
            about = line + (entry / "environ").read_bytes()
            if str(folder).encode() in about and command.encode() in line and int(entry.name) != os.getpid():
                found.append(int(entry.name))
    return found
