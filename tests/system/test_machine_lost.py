"""Two machines share the partitions; one dies under load: the other takes all over, nothing is lost or told twice."""

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.system.demo import until
from tests.system.house import HOST, PASSWORD, House, missing
from watchkeep_analytics.lanes import LOCK_SPACE as ANALYTICS
from watchkeep_cli.acl import LOAD_USER, load_acl
from watchkeep_cli.broker import mosquitto_installed
from watchkeep_cli.ports import free_port
from watchkeep_core.database import OWNER, connect
from watchkeep_dispatch.duties import load_default
from watchkeep_ingest.keeper import LOCK_SPACE as INGEST

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not mosquitto_installed(), reason="mosquitto is not installed"),
]

COMMUNITIES = [f"load-{number:02d}" for number in range(1, 9)]
"""In eight partitions, low ones and high ones: some with either machine."""

SPACES = {"ingest": INGEST, "events": ANALYTICS["event"], "telemetry": ANALYTICS["data"]}

HELD = """SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY pid"""

STORED = "SELECT coalesce(sum(stored), 0)::bigint FROM ingest_accounts WHERE lane = 'data'"

TOLD = "SELECT community_id, equipment_id, condition FROM warnings WHERE condition = 'fire_alarm' ORDER BY 1"


def test_the_other_machine_takes_over() -> None:
    with tempfile.TemporaryDirectory(prefix="watchkeep-lost-") as name, ExitStack() as stack:
        house = House(Path(name), stack, users=[LOAD_USER], acl=load_acl(COMMUNITIES))
        with connect(house.postgres.admin_url, "test", role=OWNER) as conn:
            load_default(conn, datetime.now(UTC))
        stack.enter_context(house.up())
        lost = [_second(house, stack, part) for part in ("ingest", "analytics")]
        until(lambda: all(shares(house, space) == [8, 8] for space in SPACES.values()), 120)
        fleet = _fleet(house, stack)
        until(lambda: house.query(STORED)[0][0] > 2_000 or fleet.poll() is not None, 90)
        before = house.query(STORED)[0][0]
        for process in lost:
            os.killpg(process.pid, signal.SIGKILL)
        until(lambda: all(shares(house, space) == [16] for space in SPACES.values()), 120)
        until(lambda: house.query(STORED)[0][0] > before + 2_000, 120)
        assert fleet.wait(200) == 0, (house.folder / "fleet.log").read_text()[-2000:]
        for arguments in (["sim", "compare", "--ledger", str(house.folder / "ledger")], ["ingest", "audit"]):
            done = subprocess.run(
                _command(*arguments), env=_environment(house), capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
        wanted = [(name, f"panel-{number:04d}-1", "fire_alarm") for number, name in enumerate(COMMUNITIES)]
        until(lambda: house.query(TOLD) == wanted, 120)


def shares(house: House, space: int) -> list[int]:
    """How many partitions each process holds that holds any."""
    return sorted(count for (count,) in house.query(HELD, space))


def _second(house: House, stack: ExitStack, part: str) -> "subprocess.Popen[bytes]":
    """A service as on another machine: nobody there starts it again."""
    port = free_port(HOST, 0)
    environ = house.environment() | {f"WATCHKEEP_{part.upper()}_HEALTH_PORT": str(port)}
    log = stack.enter_context((house.folder / f"second-{part}.log").open("w"))
    process = subprocess.Popen(_command(part, "run"), env=environ, stdout=log, stderr=log, start_new_session=True)
    stack.callback(_end, process)
    until(lambda: missing(port) == [] or process.poll() is not None, 90)
    return process


def _fleet(house: House, stack: ExitStack) -> "subprocess.Popen[bytes]":
    """In every community a fire alarm: in some before the loss, in some after it."""
    troubles = house.folder / "troubles.toml"
    troubles.write_text(
        "".join(
            f'[[fault]]\nequipment = "{name}/panel-{number:04d}-1"\nscenario = "fire_alarm"\nat_s = {2 * number}\n'
            for number, name in enumerate(COMMUNITIES)
        )
    )
    arguments = ["sim", "fleet", "--points", "800", "--gateways", "8", "--communities", str(len(COMMUNITIES))]
    arguments += ["--rate", "800", "--for", "20s", "--drain", "120s", "--faults", str(troubles), "--register"]
    log = stack.enter_context((house.folder / "fleet.log").open("w"))
    command = _command(*arguments, "--ledger", str(house.folder / "ledger"))
    fleet = subprocess.Popen(command, env=_environment(house), stdout=log, stderr=log, start_new_session=True)
    stack.callback(_end, fleet)
    return fleet


def _environment(house: House) -> dict[str, str]:
    return house.environment() | {
        "WATCHKEEP_SIM_MQTT_PASSWORD": PASSWORD,
        "WATCHKEEP_SIM_DATABASE_URL": house.postgres.admin_url,
    }


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "watchkeep_cli", *arguments]


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
