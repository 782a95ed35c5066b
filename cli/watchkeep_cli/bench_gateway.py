"""The server side of `watchkeep bench gateway`: a real ingest process with a PostgreSQL of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock

from psycopg import Connection

from watchkeep_cli.bench_servers import login, server
from watchkeep_cli.demo.figures import healthy
from watchkeep_cli.ports import free_port
from watchkeep_core import estate
from watchkeep_core.broker import BrokerAddress
from watchkeep_core.database import OWNER, connect
from watchkeep_core.errors import TransientError
from watchkeep_core.topics import GatewayRef, partition_of

START_S = 60.0


class IngestDidNotStart(TransientError):
    """The measurement is void."""


class Arrived:
    """Counts what is committed; may be asked by several threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = Lock()

    def readings(self) -> int:
        """By ingest's accounts, which are written in the transaction of the rows."""
        return self._count("SELECT coalesce(sum(stored), 0)::bigint FROM ingest_accounts WHERE lane = 'data'")

    def events(self) -> int:
        return self._count("SELECT count(*) FROM events")

    def _count(self, statement: str) -> int:
        with self._lock:
            row = self._connection.execute(statement).fetchone()
        return int(row[0]) if row else 0


def server_side(broker: BrokerAddress, password: str, ref: GatewayRef) -> Callable[[], AbstractContextManager[Arrived]]:
    """What starts ingest for one gateway. The flood guard is off: it would park a backlog, which is another measure."""

    @contextmanager
    def start() -> Iterator[Arrived]:
        with server() as postgres:
            _enter(postgres.admin_url, ref)
            health = free_port("127.0.0.1")
            given = {
                "DATABASE_URL": login(postgres, "ingest"),
                "MQTT_URL": str(broker),
                "MQTT_PASSWORD": password,
                "PARTITIONS": str(partition_of(ref.community)),
                "HEALTH_PORT": str(health),
                "FLOOD_READINGS_PER_S": "0",
                "UNCLAIMED_CAP": "100000",
                "LOG_LEVEL": "warning",
            }
            environment = os.environ | {f"WATCHKEEP_INGEST_{name}": value for name, value in given.items()}
            with (
                subprocess.Popen([sys.executable, "-m", "watchkeep_ingest", "run"], env=environment) as process,
                connect(postgres.admin_url, "bench", autocommit=True) as connection,
            ):
                try:
                    _await_ready(process, health)
                    yield Arrived(connection)
                finally:
                    process.terminate()

    return start


def _await_ready(process: "subprocess.Popen[bytes]", port: int) -> None:
    """Until its sessions stand: what is published before reaches nobody, and is sent again a minute later only."""
    deadline = time.monotonic() + START_S
    while not healthy(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise IngestDidNotStart("ingest did not come up")
        time.sleep(0.1)


def _enter(admin_url: str, ref: GatewayRef) -> None:
    community = estate.Community(
        community_id=ref.community,
        name=ref.community,
        area_id="bench",
        gateways=[estate.Gateway(gateway_id=ref.gateway)],
    )
    area = estate.Area(area_id="bench", kind="city", name="bench")
    with connect(admin_url, "bench", role=OWNER) as connection:
        estate.save(connection, estate.Estate(areas=[area], communities=[community]))
