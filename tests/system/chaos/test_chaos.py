"""Everything fails, in random order, under load; afterwards the database has what was sent, exactly once.

The short run is part of `make test`. `make chaos` is the long one: WATCHKEEP_CHAOS_FAULTS, WATCHKEEP_CHAOS_SEED.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from tests.system.chaos.faults import Fault, plan
from tests.system.demo import until
from tests.system.house import HOST, PASSWORD, House, missing, processes_of
from watchkeep_cli.acl import LOAD_USER, load_acl
from watchkeep_cli.broker import mosquitto_installed
from watchkeep_core.database import OWNER, connect
from watchkeep_dispatch.duties import load_default

FAULTS = int(os.environ.get("WATCHKEEP_CHAOS_FAULTS", "7"))
SEED = int(os.environ.get("WATCHKEEP_CHAOS_SEED", "7"))
SHOWN_S = RECOVERED_S = 60.0
COMMUNITIES = ["load-01", "load-02"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240 + 150 * FAULTS)]

WITHOUT_A_CASE = """SELECT warning_id FROM warnings w WHERE life_safety AND NOT EXISTS
(SELECT 1 FROM case_warnings c WHERE c.warning_id = w.warning_id)"""
"""That nothing is filed or escalated twice is a constraint of the database; that nothing is forgotten is not."""


@pytest.mark.skipif(not mosquitto_installed(), reason="mosquitto is not installed")
def test_whatever_fails_the_database_has_what_was_sent(capsys: pytest.CaptureFixture[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="watchkeep-chaos-") as name, ExitStack() as stack:
        house = House(Path(name), stack, users=[LOAD_USER], acl=load_acl(COMMUNITIES))
        with connect(house.postgres.admin_url, "chaos", role=OWNER) as conn:
            load_default(conn, datetime.now(UTC))
        line = house.line()
        stack.enter_context(house.up(f"mqtt://{HOST}:{line.address.port}"))
        until(house.green, 90)
        fleet = _fleet(house, stack)
        until(lambda: _stored(house) > 1_000 or fleet.poll() is not None, 90)
        told = [_survive(house, fault) for fault in plan(house, line, SEED, FAULTS)]
        fleet.send_signal(signal.SIGTERM)  # it drains its spools first
        assert fleet.wait(200) == 0, (house.folder / "fleet.log").read_text()[-2000:]
        _whole(house)
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(told) + "\n")


def _survive(house: House, fault: Fault) -> str:
    """Do it, see it shown, undo it, see everything green and data flowing again; one line about it."""
    began = time.monotonic()
    fault.begin()
    shown = _shown(house, fault)
    time.sleep(max(0.0, fault.lasts_s - (time.monotonic() - began)))
    fault.end()
    ended = time.monotonic()
    stored = _stored(house)
    while not (house.green() and _stored(house) > stored):
        assert time.monotonic() - ended < RECOVERED_S, f"{fault.name}: {_state(house)}, {_stored(house)} stored"
        time.sleep(0.2)
    return f"{fault.name}: shown after {shown:.1f} s, well {time.monotonic() - ended:.1f} s after its end"


def _state(house: House) -> dict[str, object]:
    """What each part misses, and the last lines of its log."""
    logs = {part: (house.folder / "logs" / f"{part}.log").read_text().splitlines()[-3:] for part in house.health}
    return {part: (missing(port), logs[part]) for part, port in house.health.items()}


def _shown(house: House, fault: Fault) -> float:
    began = time.monotonic()
    for part in fault.shown_by:
        until(lambda part=part: missing(house.health[part], 2.0) != [], SHOWN_S)  # type: ignore[misc]
    return time.monotonic() - began


def _fleet(house: House, stack: ExitStack) -> "subprocess.Popen[bytes]":
    arguments = ["sim", "fleet", "--points", "2000", "--gateways", "20", "--communities", "2", "--rate", "1000"]
    arguments += ["--faults", "8", "--duplicate", "0.02", "--shuffle", "10", "--lose", "0.001", "--register"]
    arguments += ["--drain", "120s", "--ledger", str(house.folder / "ledger")]
    log = stack.enter_context((house.folder / "fleet.log").open("w"))
    fleet = subprocess.Popen(_command(*arguments), env=_sim_environment(house), stdout=log, stderr=log)
    stack.callback(_end, fleet)
    return fleet


def _whole(house: House) -> None:
    """Ledger = database, both accounting identities, and no life-safety warning forgotten."""
    for arguments in (["sim", "compare", "--ledger", str(house.folder / "ledger")], ["ingest", "audit"]):
        result = subprocess.run(
            _command(*arguments), env=_sim_environment(house), capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stdout + result.stderr
    with psycopg.connect(house.postgres.admin_url) as conn:
        until(lambda: conn.execute(WITHOUT_A_CASE).fetchall() == [], 60)
    assert len(processes_of(house.folder, "watchkeep_cli ingest run")) >= 1


def _sim_environment(house: House) -> dict[str, str]:
    return house.environment() | {
        "WATCHKEEP_SIM_MQTT_PASSWORD": PASSWORD,
        "WATCHKEEP_SIM_DATABASE_URL": house.postgres.admin_url,
    }


def _stored(house: House) -> int:
    with psycopg.connect(house.postgres.admin_url) as conn:
        row = conn.execute(
            "SELECT coalesce(sum(stored), 0)::bigint FROM ingest_accounts WHERE lane = 'data'"
        ).fetchone()
    return int(row[0]) if row else 0


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "watchkeep_cli", *arguments]


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.kill()
        process.wait()
