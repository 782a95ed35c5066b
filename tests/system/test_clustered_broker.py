"""A clustered broker: one of three servers is killed under load, and the database has what was sent, exactly once."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.system import nats_cluster
from tests.system.demo import until
from watchkeep_cli.acl import LOAD_USER, default_acl, load_acl
from watchkeep_cli.ports import free_port
from watchkeep_cli.postgres import start_postgres
from watchkeep_core import topics
from watchkeep_core.database import SERVICE_LOGINS
from watchkeep_core.schema.migrate import migrate, set_password

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PASSWORD = "only-in-tests-and-long-enough"
COMMUNITIES = ["load-01", "load-02"]
RUN_S = 20


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "watchkeep_cli", *arguments]


@pytest.mark.skipif(not nats_cluster.installed(), reason="nats-server is not installed (apt-get install nats-server)")
def test_a_server_killed_under_load_costs_nothing(tmp_path: Path) -> None:
    users = {f"ingest-{lane}-{pp}": PASSWORD for lane in topics.LANES for pp in range(topics.PARTITIONS)}
    users[LOAD_USER] = PASSWORD
    acl = [*default_acl(), *load_acl(COMMUNITIES)]
    ledger, health = tmp_path / "ledger", free_port("127.0.0.1", 0)
    with ExitStack() as stack:
        cluster = stack.enter_context(nats_cluster.running(tmp_path, users, acl))
        postgres = stack.enter_context(start_postgres(tmp_path / "pg"))
        migrate(postgres.admin_url)
        for login in SERVICE_LOGINS:
            set_password(postgres.admin_url, login, PASSWORD)
        environment = os.environ | {
            "WATCHKEEP_INGEST_DATABASE_URL": postgres.url("watchkeep_ingest", PASSWORD),
            "WATCHKEEP_INGEST_MQTT_PASSWORD": PASSWORD,
            "WATCHKEEP_INGEST_MQTT_URL": cluster.url(0),
            "WATCHKEEP_INGEST_HEALTH_PORT": str(health),
            "WATCHKEEP_SIM_MQTT_PASSWORD": PASSWORD,
            "WATCHKEEP_SIM_MQTT_URL": cluster.url(1),
            "WATCHKEEP_SIM_DATABASE_URL": postgres.admin_url,
        }
        log = stack.enter_context((tmp_path / "ingest.log").open("w"))
        told = stack.enter_context((tmp_path / "sender.log").open("w"))
        ingest = subprocess.Popen(_command("ingest", "run"), env=environment, stderr=log)
        try:
            until(lambda: any(user.startswith("ingest-") for user in cluster.connections(cluster.nodes[0])), 120)
            load = _command("sim", "fleet", "--points", "2000", "--gateways", "20", "--communities", "2", "--register")
            load += ["--rate", "2000", "--for", f"{RUN_S}s", "--drain", "120s", "--ledger", str(ledger)]
            sender = subprocess.Popen(load, env=environment, stdout=told, stderr=told)
            until(lambda: _stored(postgres.admin_url) > 2_000, 170)
            before = _stored(postgres.admin_url)
            cluster.nodes[0].stop(signal.SIGKILL)  # the one that serves ingest
            until(lambda: _stored(postgres.admin_url) > before + 4_000, 170)
            assert sender.wait(300) == 0, _last_lines(tmp_path)
            compared = subprocess.run(
                _command("sim", "compare", "--ledger", str(ledger), "--json"),
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert compared.returncode == 0, compared.stdout + compared.stderr + _last_lines(tmp_path)
            assert ingest.poll() is None, "ingest survived the loss of its server"
        finally:
            ingest.terminate()
            ingest.wait(60)


def _last_lines(folder: Path) -> str:
    """Of all logs: who stalled?"""
    logs = {log.name: log.read_text(errors="replace").splitlines()[-12:] for log in sorted(folder.glob("*.log"))}
    return "".join(f"\n--- {name}\n" + "\n".join(lines) for name, lines in logs.items())


def _stored(url: str) -> int:
    with psycopg.connect(url) as conn:
        row = conn.execute(
            "SELECT coalesce(sum(stored), 0)::bigint FROM ingest_accounts WHERE lane = 'data'"
        ).fetchone()
    return int(row[0]) if row else 0
