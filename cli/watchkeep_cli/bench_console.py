"""The scene of `watchkeep bench console`: database, broker, ingest, a sending fleet and the console, each a process."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from watchkeep_cli.acl import LOAD_USER, default_acl, load_acl, service_users
from watchkeep_cli.bench_servers import login, server
from watchkeep_cli.broker import start_broker
from watchkeep_cli.demo.figures import healthy
from watchkeep_cli.ports import free_port
from watchkeep_core.errors import TransientError

START_S = 120.0
STOP_S = 60.0
LOGINS = ("ingest", "console", "analytics")
COMMUNITIES = 5
AREA = "load-city"
"""Where `watchkeep sim fleet --register` puts its communities."""


class NotUp(TransientError):
    """The measurement is void."""


@contextmanager
def scene(folder: Path, *, rate: float, points: int) -> Iterator[dict[str, Any]]:
    """What `watchkeep_console.bench.Target` is made of."""
    password = secrets.token_urlsafe(24)
    communities = [f"load-{number:02d}" for number in range(1, COMMUNITIES + 1)]
    with ExitStack() as stack:
        postgres = stack.enter_context(server())
        users = service_users(password, password, password) | {LOAD_USER: password}
        acl = [*default_acl(), *load_acl(communities)]
        broker = stack.enter_context(start_broker(folder / "broker", users, acl))
        subprocess.run([sys.executable, "-c", _JOBS, postgres.admin_url], check=True)
        urls = {part: login(postgres, part) for part in LOGINS}
        health, port, secret = free_port("127.0.0.1"), free_port("127.0.0.1"), secrets.token_hex(32)
        ingest = {
            "DATABASE_URL": urls["ingest"], "MQTT_URL": broker.url, "MQTT_PASSWORD": password,
            "HEALTH_PORT": str(health), "LOG_LEVEL": "warning",
        }  # fmt: skip
        console = {
            "DATABASE_URL": urls["console"], "SESSION_SECRET": secret, "PORT": str(port), "LOG_LEVEL": "warning",
            "POOL_SIZE": "16",
        }  # fmt: skip
        for name, settings, at in (("ingest", ingest, health), ("console", console, port)):
            command = [sys.executable, "-m", f"watchkeep_{name}", "run"]
            given = {f"WATCHKEEP_{name.upper()}_{key}": value for key, value in settings.items()}
            log = folder / f"{name}.log"
            process = _start(stack, command, given, log)
            _await(lambda at=at: healthy(at), process, log)  # type: ignore[misc]  # bound now
        command = [sys.executable, "-m", "watchkeep_firmware_sim", "fleet", "--register", "--rate", str(rate)]
        command += ["--points", str(points), "--gateways", "50", "--communities", str(COMMUNITIES), "--drain", "30s"]
        command += ["--database-url", postgres.admin_url, "--mqtt-url", broker.url]
        fleet = _start(
            stack, command, {"WATCHKEEP_SIM_MQTT_PASSWORD": password}, folder / "fleet.log", folder / "fleet.json"
        )
        with psycopg.connect(postgres.admin_url, autocommit=True) as conn:
            _await(
                lambda: conn.execute("SELECT FROM batches LIMIT 1").fetchone() is not None, fleet, folder / "fleet.log"
            )

        def ended() -> tuple[float, float]:
            fleet.terminate()
            fleet.wait(STOP_S)
            totals = json.loads((folder / "fleet.json").read_text(encoding="utf-8"))
            if totals["ack_lag_ms_p99"] is None:
                raise NotUp("no message of the fleet was acknowledged")
            return float(totals["ack_lag_ms_p99"]), float(totals["readings_per_s"])

        yield {
            "url": f"http://127.0.0.1:{port}",
            "admin_url": postgres.admin_url,
            "console_url": urls["console"],
            "analytics_url": urls["analytics"],
            "session_secret": secret,
            "area": AREA,
            "fleet": ended,
        }


_JOBS = "import sys; from watchkeep_dispatch.notify.jobs import install_jobs; install_jobs(sys.argv[1])"


def _start(
    stack: ExitStack, command: Sequence[str], settings: Mapping[str, str], log: Path, out: Path | None = None
) -> "subprocess.Popen[bytes]":
    """Ends with the scene."""
    errors = stack.enter_context(log.open("wb"))
    output = stack.enter_context(out.open("wb")) if out else errors
    process = subprocess.Popen(command, env=os.environ | settings, stdout=output, stderr=errors)
    stack.callback(_stop, process)
    return process


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await(true: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_S
    while not true():
        if process.poll() is not None or time.monotonic() > deadline:
            raise NotUp(f"{log.stem} did not come up: {log.read_text(encoding='utf-8')[-300:]}")
        time.sleep(0.1)
