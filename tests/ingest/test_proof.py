"""Exactly once, proven with a ledger: whatever dies, restarts or comes three times, every reading is stored once."""

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.brokers import until
from tests.conftest import Database
from tests.ingest.fleet import FLEET, PASSWORD, Fleet, broker_at, children, register, running, shares
from watchkeep_cli.broker import RunningBroker
from watchkeep_cli.ports import free_port
from watchkeep_cli.postgres import start_postgres
from watchkeep_core.database import connect
from watchkeep_core.schema.migrate import migrate, set_password
from watchkeep_ingest.accounts import audit

pytestmark = pytest.mark.slow


@pytest.fixture
def registered(estate: Database) -> Database:
    register(estate)
    return estate


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    with broker_at(tmp_path) as found:
        yield found


def accounts(database: Database) -> dict[str, int]:
    with connect(database.url("watchkeep_ingest"), "test") as conn:
        found = audit(conn)
    assert found["ok"], found
    return found["lanes"]["data"]  # type: ignore[index,no-any-return]


def test_a_killed_worker_loses_nothing_and_the_other_takes_its_partitions(registered: Database, broker: RunningBroker):
    with running(registered, broker.url, "--workers", "2") as parent:
        shares(registered, [8, 8])
        first, _ = children(parent.pid)
        fleet = Fleet(broker, 40)
        try:
            fleet.ready()
            sending = threading.Thread(target=fleet.send, kwargs={"pause_s": 0.04})
            sending.start()
            until(lambda: any(fleet.acked(source) > 5 for source in FLEET))
            os.kill(first, signal.SIGKILL)
            sending.join(60)
            fleet.insist()
            shares(registered, [8, 8])  # it was started again
            assert first not in children(parent.pid)
        finally:
            fleet.close()
    fleet.check(registered)
    accounts(registered)


def test_independent_workers_share_and_hand_over(registered: Database, broker: RunningBroker):
    with running(registered, broker.url):
        shares(registered, [16])
        with running(registered, broker.url):
            shares(registered, [8, 8])
        shares(registered, [16])


def test_all_sent_three_times_and_shuffled_is_stored_once(registered: Database, broker: RunningBroker):
    fleet = Fleet(broker, 40)
    try:
        with running(registered, broker.url):
            shares(registered, [16])
            fleet.ready()
            fleet.send(times=3, shuffled=True)
            fleet.insist()
            until(lambda: accounts(registered)["received"] >= 3 * 40 * 12)
    finally:
        fleet.close()
    fleet.check(registered)
    assert accounts(registered)["duplicate"] >= 2 * 40 * 12


def test_connections_terminated_all_the_time_under_load(registered: Database, broker: RunningBroker):
    fleet, over = Fleet(broker, 40), threading.Event()

    def terminate() -> None:
        with psycopg.connect(registered.admin_url, autocommit=True) as conn:
            while not over.wait(0.2):
                conn.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name LIKE 'watchkeep-ingest-%'"
                )

    try:
        with running(registered, broker.url, partitions="all"):
            shares(registered, [16])
            fleet.ready()
            killer = threading.Thread(target=terminate)
            killer.start()
            fleet.send(pause_s=0.04)
            over.set()
            killer.join()
            fleet.insist()
    finally:
        over.set()
        fleet.close()
    fleet.check(registered)
    accounts(registered)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_database_server_restarted_under_load(broker: RunningBroker, how: signal.Signals):
    """A server of our own: fast stop, or an immediate one, after which it repairs itself from its WAL."""
    port = free_port("127.0.0.1")
    with tempfile.TemporaryDirectory(prefix="watchkeep-postgres-") as folder:
        server = start_postgres(Path(folder), port=port)
        try:
            migrate(server.admin_url)
            set_password(server.admin_url, "watchkeep_ingest", PASSWORD)
            database = Database(server.admin_url)
            register(database)
            fleet = Fleet(broker, 40)
            try:
                with running(database, broker.url) as process:
                    shares(database, [16])
                    fleet.ready()
                    sending = threading.Thread(target=fleet.send, kwargs={"pause_s": 0.04})
                    sending.start()
                    until(lambda: any(fleet.acked(source) > 5 for source in FLEET))
                    os.kill(server.pid, how)
                    server.stop()
                    server = start_postgres(Path(folder), port=port)
                    sending.join(60)
                    fleet.insist()
                    assert process.poll() is None
            finally:
                fleet.close()
            fleet.check(database)
            accounts(database)
        finally:
            server.stop()


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_broker_restarted_under_load(registered: Database, tmp_path: Path, how: str):
    """Killed, it has lost sessions, queues and retained messages: the gateways send again what is not acknowledged."""
    port = free_port("127.0.0.1")
    broker = broker_at(tmp_path, port)
    fleet = Fleet(broker, 40)
    try:
        with running(registered, broker.url):
            shares(registered, [16])
            fleet.ready()
            sending = threading.Thread(target=fleet.send, kwargs={"pause_s": 0.04})
            sending.start()
            until(lambda: any(fleet.acked(source) > 5 for source in FLEET))
            if how == "kill":
                os.kill(broker.pid, signal.SIGKILL)
            broker.stop()
            broker = broker_at(tmp_path, port)
            sending.join(60)
            fleet.insist()
    finally:
        fleet.close()
        broker.stop()
    fleet.check(registered)
    accounts(registered)
