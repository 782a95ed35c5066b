"""Everything fails, in random order, under load; afterwards the database has what was sent, exactly once.

The short run is part of `make test`. `make chaos` is the long one: WATCHKEEP_CHAOS_FAULTS, WATCHKEEP_CHAOS_SEED.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from tests.system.chaos import machine
from tests.system.chaos.faults import Fault, World, plan
from tests.system.demo import until
from tests.system.house import HOST, PASSWORD, House, missing, processes_of
from watchkeep_cli.acl import LOAD_USER, load_acl
from watchkeep_cli.broker import mosquitto_installed
from watchkeep_core import estate
from watchkeep_core.database import OWNER, connect
from watchkeep_dispatch.duties import load_default
from watchkeep_firmware_sim.fleet_load.plan import AREA

FAULTS = int(os.environ.get("WATCHKEEP_CHAOS_FAULTS", "8"))
SEED = int(os.environ.get("WATCHKEEP_CHAOS_SEED", "7"))
LONG = "WATCHKEEP_CHAOS_FAULTS" in os.environ
LONGEST_S = 12.0 if LONG else 4.0
SHOWN_S = RECOVERED_S = 60.0
COMMUNITIES = ["load-01", "load-02"]
GATEWAYS = 20
TROUBLES = (("panel", "fire_alarm"), ("lift", "elevator_alarm_button"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240 + 150 * FAULTS)]

UNTOLD = """SELECT order_id, clock, level FROM escalations e WHERE NOT EXISTS (SELECT FROM notifications n
WHERE starts_with(n.dedup_key, concat_ws('/', 'order', e.order_id, e.clock, e.level, '')))"""
"""That nothing escalates or is told twice is a constraint of the database; that nothing is forgotten is not."""

BEHIND = """SELECT partition FROM batches WHERE lane = 'data' GROUP BY partition
HAVING max(max_ts) < now() - interval '5 s'"""
"""The oldest is sent first: once the newest is there, nothing waits in the spools."""

DEMANDS = "recall=1,duplicates=0,missing_orders=0,extra_orders=0,wrong_class=0"
"""Each trouble of the fleet is one warning, and each warning one order."""


@pytest.mark.skipif(not mosquitto_installed(), reason="mosquitto is not installed")
def test_whatever_fails_the_database_has_what_was_sent(capsys: pytest.CaptureFixture[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="watchkeep-chaos-") as name, ExitStack() as stack:
        means = machine.prepare(Path(name), Path(name) / "pg", stack)
        house = House(Path(name), stack, users=[LOAD_USER], acl=load_acl(COMMUNITIES))
        with connect(house.postgres.admin_url, "chaos", role=OWNER) as conn:
            load_default(conn, datetime.now(UTC))
        line = house.line()
        stack.enter_context(
            house.up(f"mqtt://{HOST}:{line.address.port}", means.clock.environ if means.clock else None)
        )
        until(house.green, 90)
        fleet = _fleet(house, stack)
        until(lambda: _stored(house) > 1_000 or fleet.poll() is not None, 90)
        _give_responsibility(house)
        told = [_survive(house, fault) for fault in plan(World(house, line, means, LONGEST_S), SEED, FAULTS)]
        until(lambda: house.query(BEHIND) == [], 90)
        fleet.send_signal(signal.SIGTERM)  # waits some seconds for its last acks
        assert fleet.wait(200) == 0, (house.folder / "fleet.log").read_text()[-2000:]
        _whole(house)
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join([*told, *(f"not played: {why}" for why in means.lacks)]) + "\n")


def _survive(house: House, fault: Fault) -> str:
    """Do it, see it shown, undo it, see everything green and data flowing again; one line about it."""
    began = time.monotonic()
    fault.begin()
    shown = _shown(house, fault)
    time.sleep(max(0.0, fault.lasts_s - (time.monotonic() - began)))
    fault.end()
    ended = time.monotonic()
    stored = _stored(house)
    while not (house.green() and _stored(house) > stored and fault.healed()):
        assert time.monotonic() - ended < RECOVERED_S, f"{fault.name}: {_state(house)}, {_stored(house)} stored"
        time.sleep(0.2)
    return f"{fault.name}: shown after {shown:.1f} s, well {time.monotonic() - ended:.1f} s after its end"


def _state(house: House) -> dict[str, object]:
    """What each part misses, and the last lines of its log."""
    logs = {part: (house.folder / "logs" / f"{part}.log").read_text().splitlines()[-3:] for part in house.health}
    return {part: (missing(port), logs[part]) for part, port in house.health.items()}


def _shown(house: House, fault: Fault) -> float:
    began = time.monotonic()
    for number, shown in enumerate(fault.shown):
        while not shown():
            waited_s = time.monotonic() - began
            assert waited_s < SHOWN_S, f"{fault.name}: sign {number} is not shown: {_state(house)}"
            time.sleep(0.2)
    return time.monotonic() - began


def _fleet(house: House, stack: ExitStack) -> "subprocess.Popen[bytes]":
    troubles = house.folder / "troubles.toml"
    troubles.write_text("\n".join(_troubles()))
    arguments = ["sim", "fleet", "--points", "2000", "--gateways", str(GATEWAYS), "--communities", "2"]
    arguments += ["--rate", "1000", "--faults", str(troubles), "--register"]
    arguments += ["--duplicate", "0.02", "--shuffle", "10", "--lose", "0.001"]
    arguments += ["--drain", "120s", "--ledger", str(house.folder / "ledger")]
    log = stack.enter_context((house.folder / "fleet.log").open("w"))
    fleet = subprocess.Popen(_command(*arguments), env=_sim_environment(house), stdout=log, stderr=log)
    stack.callback(_end, fleet)
    return fleet


def _give_responsibility(house: House) -> None:
    """From now on there is a company for every order."""
    ours = [
        estate.Community(community_id=name, name=name, area_id=AREA, property_org_id="blue-sea") for name in COMMUNITIES
    ]
    with connect(house.postgres.admin_url, "chaos", role=OWNER) as conn:
        estate.save(conn, estate.Estate(communities=ours))


def _troubles() -> Iterator[str]:
    """Something happens at every gateway, one after the other for as long as the faults will take."""
    for gateway in range(GATEWAYS):
        equipment, scenario = TROUBLES[gateway % len(TROUBLES)]
        yield "[[fault]]"
        yield f'equipment = "{COMMUNITIES[gateway % 2]}/{equipment}-{gateway:04d}-1"'
        yield f'scenario = "{scenario}"'
        yield f"at_s = {5 + gateway * FAULTS * 8 // GATEWAYS}"
        yield "for_s = 30"


def _whole(house: House) -> None:
    """Ledger = database, both accounting identities; every trouble one warning, one order, its escalations told."""
    ledger = str(house.folder / "ledger")
    done = _run(house, "sim", "compare", "--ledger", ledger)
    assert done.returncode == 0, done.stdout + done.stderr + (house.folder / "fleet.log").read_text()[-2000:]
    done = _run(house, "ingest", "audit")
    assert done.returncode == 0, done.stdout + done.stderr
    deadline = time.monotonic() + 60
    while (done := _run(house, "sim", "score", "--ledger", ledger, "--require", DEMANDS)).returncode:
        assert time.monotonic() < deadline, done.stdout + done.stderr
    until(lambda: house.query(UNTOLD) == [], 120)
    assert len(processes_of(house.folder, "watchkeep_cli ingest run")) >= 1


def _run(house: House, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        _command(*arguments), env=_sim_environment(house), capture_output=True, text=True, check=False
    )


def _sim_environment(house: House) -> dict[str, str]:
    return house.environment() | {
        "WATCHKEEP_SIM_MQTT_PASSWORD": PASSWORD,
        "WATCHKEEP_SIM_DATABASE_URL": house.postgres.admin_url,
        "WATCHKEEP_SIM_SCORE_DATABASE_URL": house.postgres.url("watchkeep_dispatch", PASSWORD),
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
