"""Load runs against a real broker, a real database and the real ingest: the ledger is what the database holds."""

import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from tests.brokers import until
from tests.conftest import Database
from tests.firmware_sim import fleet_load_world as world
from tests.firmware_sim.test_service import quiet_logs
from watchkeep_cli.acl import LOAD_USER, default_acl, load_acl
from watchkeep_cli.broker import start_broker
from watchkeep_core.broker import BrokerAddress
from watchkeep_core.service import Stop
from watchkeep_firmware_sim import score_ledger
from watchkeep_firmware_sim.commands import app
from watchkeep_firmware_sim.fleet_load import FleetOptions, run_fleet
from watchkeep_firmware_sim.fleet_load.register import register
from watchkeep_firmware_sim.fleet_load.traffic import FleetRefused

BAD_LINE: dict[str, Any] = {
    "duplicate": 0.1,
    "shuffle": 20,
    "lose": 0.03,
    "poison": 0.03,
    "skew": 0.03,
    "faults": 5,
    "seed": 3,
}


class Running:
    """A load run in a thread, while the test disturbs it."""

    def __init__(self, options: FleetOptions, address: BrokerAddress, ledger: Path) -> None:
        self.totals: dict[str, Any] = {}
        self.acked = 0
        self.made = 0
        self.ledger = ledger
        self._stop = Stop()
        self._errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=(options, address))
        self._thread.start()

    def _run(self, options: FleetOptions, address: BrokerAddress) -> None:
        def note(snapshot):
            self.acked, self.made = snapshot.acked, snapshot.made

        try:
            self.totals = run_fleet(options, world.login(address), self._stop, ledger=self.ledger, progress=note)
        except BaseException as error:
            self._errors.append(error)

    def join(self) -> dict[str, Any]:
        self._thread.join(90)
        self._stop.set()
        self._thread.join(60)
        if self._errors:
            raise self._errors[0]
        assert self.totals
        return self.totals


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


@pytest.fixture
def registered(database: Database) -> Database:
    register(database.admin_url, FleetOptions(points=2000, gateways=20, communities=4))
    return database


def execute(database: Database, statement: str) -> int:
    with psycopg.connect(database.admin_url) as conn:
        return conn.execute(statement).rowcount


@pytest.mark.slow
def test_broker_and_ingest_restart_amid_every_delivery_fault_and_the_ledger_is_the_database(
    registered, ledger, tmp_path
):
    options = FleetOptions(points=2000, gateways=20, communities=4, rate=4000, for_s=10, **BAD_LINE)
    with world.broker(tmp_path / "b", options) as first:
        port = first.address.port
        with world.ingest(registered, first.url, options):
            run = Running(options, first.address, ledger)
            until(lambda: run.acked > 2_000)
        until(lambda: run.made > 10_000)  # ingest is away
    with world.broker(tmp_path / "b", options, port=port) as again, world.ingest(registered, again.url, options):
        totals = run.join()
    assert totals["reconnects"] >= 1
    assert totals["messages_unacked"] == 0
    assert totals["duplicates"] > 0 < totals["lost_messages"]
    assert sum(totals["poison"].values()) > 0 < totals["events"]
    found = world.compared(registered, ledger)
    assert found.equal, found.differences
    assert found.readings_found == found.readings_sent > 20_000
    assert found.quarantined["in_future"] > 0
    (run_of,), faults = score_ledger.read(ledger, datetime.now(UTC))
    assert run_of.points == {f"load-0{number}": 500 for number in range(1, 5)}
    assert len(faults) == totals["faults"] >= 5
    differences_are_found(registered, ledger)


def differences_are_found(database: Database, ledger: Path) -> None:
    """Rows taken away, doubled and changed behind the ledger's back."""
    one = "(SELECT ctid, tableoid FROM readings ORDER BY series_id, ts OFFSET 1000 LIMIT 1) one"
    here = "readings.ctid = one.ctid AND readings.tableoid = one.tableoid"
    assert execute(database, f"UPDATE readings SET value = value + 1 FROM {one} WHERE {here}") == 1
    found = world.compared(database, ledger)
    assert (found.differing_series, found.altered_series, found.missing, found.duplicates) == (1, 1, 0, 0)
    assert execute(database, f"DELETE FROM readings USING {one} WHERE {here}") == 1
    found = world.compared(database, ledger)
    assert (found.equal, found.differing_series, found.missing, found.duplicates) == (False, 1, 1, 0)
    assert found.differences[0].where.startswith("load-")
    assert execute(database, f"INSERT INTO readings SELECT readings.* FROM readings, {one} WHERE {here}") == 1
    found = world.compared(database, ledger)
    assert (found.missing, found.duplicates) == (1, 1)
    execute(database, "DELETE FROM events WHERE event_id = (SELECT min(event_id) FROM events)")
    execute(database, "UPDATE progress SET received = received - '{[3,4)}'::int8multirange WHERE lane = 'data'")
    buried = "SELECT count(DISTINCT (community_id, gateway_id, split_part(topic, '/', 6))) FROM dead_letters"
    with psycopg.connect(database.admin_url) as conn:
        ((lanes,),) = conn.execute(buried).fetchall()
    execute(database, "DELETE FROM dead_letters")
    found = world.compared(database, ledger)
    assert found.differing_events == 1
    assert found.differing_lanes >= 10
    assert found.differing_dead == lanes > 0


@pytest.mark.slow
def test_a_full_spool_drops_the_oldest_and_tells_exactly_what(registered, ledger, tmp_path):
    options = FleetOptions(
        points=2000, gateways=20, communities=4, rate=30_000, for_s=12, spool_mib=1, readings_per_message=50
    )
    with world.broker(tmp_path / "b", options) as first:
        port = first.address.port
        run = Running(options, first.address, ledger)
        until(lambda: run.made > 5_000)
    until(lambda: run.made > 120_000)
    with world.broker(tmp_path / "b", options, port=port) as again, world.ingest(registered, again.url, options):
        totals = run.join()
    assert totals["readings_dropped"] > 1_000
    assert totals["messages_unacked"] == 0
    found = world.compared(registered, ledger)
    assert found.equal, found.differences
    assert found.readings_sent == found.readings_found < totals["readings_made"]
    with psycopg.connect(registered.admin_url) as conn:
        assert conn.execute("SELECT count(*) > 0 FROM gaps WHERE state = 'lost'").fetchone() == (True,)


@pytest.mark.slow
def test_the_command_line_registers_runs_and_compares(database, ledger, tmp_path, monkeypatch):
    options = FleetOptions(points=300, gateways=3, communities=2)
    monkeypatch.setenv("WATCHKEEP_SIM_MQTT_PASSWORD", world.PASSWORD)
    size = ["--points", "300", "--gateways", "3", "--communities", "2", "--rate", "600"]
    with world.broker(tmp_path / "b", options) as broker, world.ingest(database, broker.url, options), quiet_logs():
        run = ["fleet", *size, "--for", "2s", "--faults", "2", "--own-connections", "--ledger", str(ledger)]
        where = ["--register", "--database-url", database.admin_url, "--mqtt-url", broker.url]
        ran = CliRunner().invoke(app, [*run, *where], catch_exceptions=False)
        assert ran.exit_code == 0, ran.output
        with psycopg.connect(database.admin_url) as conn:
            until(lambda: conn.execute("SELECT count(*) FROM gateway_status WHERE NOT online").fetchone() == (3,))
    compare = ["compare", "--ledger", str(ledger), "--database-url", database.url("watchkeep_ingest")]
    assert CliRunner().invoke(app, [*compare, "--json"], catch_exceptions=False).exit_code == 0
    execute(database, "DELETE FROM readings WHERE series_id = (SELECT min(series_id) FROM readings)")
    told = CliRunner().invoke(app, compare, catch_exceptions=False)
    assert told.exit_code == 1
    assert "DIFFERENT" in told.output
    assert "series load-0" in told.output


@pytest.mark.slow
def test_the_load_user_speaks_for_the_named_communities_only(ledger, tmp_path):
    options = FleetOptions(points=20, gateways=1, communities=1, rate=100, for_s=1, drain_s=0)
    rules = [*default_acl(), *load_acl(["other-01"])]
    with start_broker(tmp_path / "b", {LOAD_USER: world.PASSWORD}, rules) as broker:
        if broker.kind != "mosquitto":
            pytest.skip("only MQTT 5 tells that a publish was refused")
        with pytest.raises(FleetRefused, match="sim-load may not publish"):
            run_fleet(options, world.login(broker.address), Stop(), ledger=ledger)


@pytest.mark.parametrize("rate", [400, 0])
def test_what_nobody_has_acknowledged_is_no_difference(database, ledger, tmp_path, rate):
    """No ingest at all: everything is undelivered, and the run ends in time."""
    options = FleetOptions(points=40, gateways=2, communities=1, rate=rate, for_s=0.5, drain_s=0.1)
    register(database.admin_url, options)
    with world.broker(tmp_path / "b", options) as broker:
        start = time.monotonic()
        totals = run_fleet(options, world.login(broker.address), Stop(), ledger=ledger)
        assert time.monotonic() - start < 45  # not the minute that acks are waited for unless told otherwise
    assert totals["messages_unacked"] > 0 == totals["readings_acked"]
    found = world.compared(database, ledger)
    assert found.equal, found.differences
    assert found.undelivered == totals["messages_unacked"]
    assert found.readings_sent == found.readings_found == 0
    compare = ["compare", "--ledger", str(ledger), "--database-url", database.admin_url]
    assert CliRunner().invoke(app, compare, catch_exceptions=False).exit_code == 1
    assert CliRunner().invoke(app, [*compare, "--allow-undelivered"], catch_exceptions=False).exit_code == 0
