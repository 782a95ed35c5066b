"""The services as processes: up, red while a server is away, green again without hands, gone within 10 s of SIGTERM."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.sample import sample_estate
from tests.system.demo import until
from watchkeep_cli.acl import default_acl
from watchkeep_cli.broker import start_broker
from watchkeep_cli.ports import free_port
from watchkeep_cli.postgres import start_postgres
from watchkeep_core import estate, topics
from watchkeep_core.database import OWNER, SERVICE_LOGINS, connect
from watchkeep_core.schema.migrate import migrate, set_password
from watchkeep_dispatch.notify.jobs import install_jobs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PARTS = ("ingest", "analytics", "dispatch", "console")
PASSWORD = "only-in-tests-and-long-enough"
RECOVERY_S = 90.0
"""The back-off of a session grows to 60 s while its broker is away."""


class House:
    """PostgreSQL and a broker that can be taken away and brought back on the same port."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self.postgres_port, self.broker_port = free_port("127.0.0.1", 0), free_port("127.0.0.1", 0)
        self.users = {f"ingest-{lane}-{pp}": PASSWORD for lane in topics.LANES for pp in range(topics.PARTITIONS)}
        self.users |= {f"analytics-{pp}": PASSWORD for pp in range(topics.PARTITIONS)}
        self.start_postgres()
        self.start_broker()
        migrate(self.postgres.admin_url)
        install_jobs(self.postgres.admin_url)
        for login in SERVICE_LOGINS:
            set_password(self.postgres.admin_url, login, PASSWORD)
        with connect(self.postgres.admin_url, "test", role=OWNER) as conn:
            estate.save(conn, sample_estate())

    def start_postgres(self) -> None:
        self.postgres = self._stack.enter_context(start_postgres(self._folder / "pg", port=self.postgres_port))

    def start_broker(self) -> None:
        self.broker = self._stack.enter_context(
            start_broker(self._folder / "broker", self.users, default_acl(), port=self.broker_port)
        )

    def environment(self, health: dict[str, int]) -> dict[str, str]:
        values = {
            "WATCHKEEP_MQTT_URL": self.broker.url,
            "WATCHKEEP_INGEST_MQTT_PASSWORD": PASSWORD,
            "WATCHKEEP_ANALYTICS_MQTT_PASSWORD": PASSWORD,
            "WATCHKEEP_CONSOLE_SESSION_SECRET": "0123456789abcdef0123456789abcdef",
            "WATCHKEEP_CONSOLE_PORT": str(health["console"]),
            "WATCHKEEP_LOG_DIR": str(self._folder / "logs"),
        }
        for part in PARTS:
            values[f"WATCHKEEP_{part.upper()}_DATABASE_URL"] = self.postgres.url(f"watchkeep_{part}", PASSWORD)
            values[f"WATCHKEEP_{part.upper()}_HEALTH_PORT"] = str(health[part])
        return os.environ | values


def missing(port: int) -> list[str] | None:
    """What /health says is missing; None when it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            body = answer.read()
    except urllib.error.HTTPError as error:
        with error:
            body = error.read()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None
    found: list[str] = json.loads(body)["missing"]
    return found


def test_up_survives_the_loss_of_each_server_and_stops_in_time():
    health = {part: free_port("127.0.0.1", 0) for part in PARTS}
    with tempfile.TemporaryDirectory(prefix="watchkeep-up-") as folder, ExitStack() as stack:
        house = House(Path(folder), stack)
        up = subprocess.Popen(
            [sys.executable, "-m", "watchkeep_cli", "up"], env=house.environment(health), stderr=subprocess.DEVNULL
        )
        try:
            until(lambda: all(missing(port) == [] for port in health.values()), 60)

            house.postgres.stop()
            until(lambda: all(missing(port) for port in health.values()), 60)
            house.start_postgres()
            until(lambda: all(missing(port) == [] for port in health.values()), RECOVERY_S)

            house.broker.stop()
            until(lambda: missing(health["ingest"]) and missing(health["analytics"]), 60)
            assert missing(health["dispatch"]) == []
            house.start_broker()
            until(lambda: all(missing(port) == [] for port in health.values()), RECOVERY_S)

            with psycopg.connect(house.postgres.admin_url) as conn:
                names = conn.execute("SELECT DISTINCT application_name FROM pg_stat_activity").fetchall()
            for part in PARTS:
                assert any(name.startswith(f"watchkeep-{part}") for (name,) in names if name), (
                    f"{part} is not connected"
                )
        finally:
            begin = time.monotonic()
            up.send_signal(signal.SIGTERM)
            code = up.wait(60)
        assert code == 0
        assert time.monotonic() - begin < 4 * 10  # one after the other, each within 10 s
        for log in Path(folder, "logs").glob("*.log"):
            for line in log.read_text().splitlines():
                json.loads(line)  # every line of a service is structured
