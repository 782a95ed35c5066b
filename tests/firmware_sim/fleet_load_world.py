"""A broker, a database with the estate, and an ingest that can be stopped and started, for load runs of the fleet."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tests.conftest import Database
from watchkeep_cli.acl import LOAD_USER, default_acl, load_acl
from watchkeep_cli.broker import RunningBroker, start_broker
from watchkeep_core import topics
from watchkeep_core.broker import BrokerAddress
from watchkeep_core.database import connect
from watchkeep_core.service import Stop
from watchkeep_core.settings import load
from watchkeep_firmware_sim.fleet_load import FleetOptions, Login
from watchkeep_firmware_sim.fleet_load.compare import compare
from watchkeep_firmware_sim.fleet_load.comparison import Comparison
from watchkeep_firmware_sim.fleet_load.plan import plan
from watchkeep_firmware_sim.fleet_load.records import read
from watchkeep_ingest.service import Service
from watchkeep_ingest.settings import IngestSettings

PASSWORD = "only-in-tests"


def users(options: FleetOptions) -> dict[str, str]:
    made = plan(options)
    partitions = {topics.partition_of(community) for community in made.communities}
    ingest = [f"ingest-{lane}-{pp}" for lane in topics.LANES for pp in partitions]
    return dict.fromkeys([LOAD_USER, *(ref.user for ref in made.gateways), *ingest], PASSWORD)


def broker(
    folder: Path, options: FleetOptions, port: int = 0, prefer: Literal["auto", "amqtt"] = "auto"
) -> RunningBroker:
    rules = [*default_acl(), *load_acl(plan(options).communities)]
    return start_broker(folder, users(options), rules, port=port, prefer=prefer)


def login(address: BrokerAddress) -> Login:
    return Login(address, PASSWORD)


@contextmanager
def ingest(database: Database, url: str, options: FleetOptions) -> Iterator[None]:
    """In a thread until the block ends; what it raised is raised here."""
    partitions = sorted({topics.partition_of(community) for community in plan(options).communities})
    given = {"database_url": database.url("watchkeep_ingest"), "mqtt_url": url, "mqtt_password": PASSWORD}
    wanted = load(IngestSettings, {}, **given, partitions=",".join(map(str, partitions)))
    service, stop, errors = Service(wanted), Stop(), list[BaseException]()

    def serve() -> None:
        try:
            service.run(stop)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()
        if errors:
            raise errors[0]


def compared(database: Database, ledger: Path) -> Comparison:
    with connect(database.url("watchkeep_ingest"), "test") as conn:
        return compare(conn, read(ledger))
