"""Where the bench measures: servers, the worker as a process, what the database has committed so far."""

import multiprocessing
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path

from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from watchkeep_core import estate, logs, topics
from watchkeep_core.broker import BrokerAddress
from watchkeep_core.database import OWNER, connect
from watchkeep_core.errors import TransientError
from watchkeep_core.messages import Birth, ClockState, PointDeclaration, declare, encode
from watchkeep_core.schema.migrate import migrate
from watchkeep_core.service import Stop
from watchkeep_core.settings import load
from watchkeep_core.topics import GatewayRef
from watchkeep_ingest.bench.load import Load, loading, packets, publish_packet
from watchkeep_ingest.service import run as run_service
from watchkeep_ingest.settings import IngestSettings

USER = "bench"
COMMUNITY = "bench"
PARTITION = topics.partition_of(COMMUNITY)
GATEWAYS = tuple(GatewayRef(COMMUNITY, f"g{number}") for number in range(20))
POINTS = 50
"""Of each gateway: 1,000 series together."""

START_S = 60.0
STALL_S = 120.0
"""Longest time without progress before a measurement is given up."""


class BenchStalled(TransientError):
    """Nothing moved for too long: the measurement is void."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to measure."""

    admin_url: str
    ingest_url: str
    mqtt: BrokerAddress
    password: str


@contextmanager
def scratch_database(admin_url: str) -> Iterator[str]:
    """A migrated database of its own on that server, dropped at the end; its administrator's URL."""
    name = f"watchkeep_bench_{secrets.token_hex(4)}"
    with connect(admin_url, "bench", autocommit=True) as conn:
        conn.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        try:
            url = make_conninfo(admin_url, dbname=name)
            migrate(url)
            yield url
        finally:
            conn.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@contextmanager
def beside(target: Target) -> Iterator[Target]:
    """The same servers with another database, prepared."""
    with scratch_database(target.admin_url) as url:
        name = conninfo_to_dict(url)["dbname"]
        other = replace(target, admin_url=url, ingest_url=make_conninfo(target.ingest_url, dbname=name))
        prepare(other)
        yield other


def prepare(target: Target) -> None:
    """One community; the worker registers the points of its gateways from their births."""
    community = estate.Community(
        community_id=COMMUNITY,
        name=COMMUNITY,
        area_id="bench",
        gateways=[estate.Gateway(gateway_id=source.gateway) for source in GATEWAYS],
    )
    area = estate.Area(area_id="bench", kind="city", name="bench")
    with connect(target.admin_url, "bench", role=OWNER) as conn:
        estate.save(conn, estate.Estate(areas=[area], communities=[community]))


def be_born(target: Target, epoch: str) -> None:
    """Publish births until the worker knows the epoch's aliases."""
    births = [birth_packet(source, epoch, number + 1) for number, source in enumerate(GATEWAYS)]
    with loading(target.mqtt, USER, target.password) as load:
        load.send(births)
    with connect(target.ingest_url, "bench", autocommit=True) as conn:
        wait_for(lambda: _known(conn, epoch), START_S)


def birth_packet(source: GatewayRef, epoch: str, mid: int, points: int = POINTS) -> bytes:
    return publish_packet(topics.birth(source), _birth(source, epoch, points), mid, retain=True)


def _birth(source: GatewayRef, epoch: str, count: int) -> bytes:
    points = [PointDeclaration(n, f"bench-{source.gateway}", f"m{n}", "x") for n in range(count)]
    clock = ClockState(synchronised=True)
    return encode(Birth(software="bench", data_epoch=epoch, event_epoch=epoch, clock=clock, equipment=declare(points)))


def _known(conn: Connection, epoch: str) -> int:
    row = conn.execute("SELECT count(*) FROM aliases WHERE epoch = %s", [epoch]).fetchone()
    return int(row is not None and row[0] >= POINTS * len(GATEWAYS))


def new_epoch(name: str) -> str:
    return f"{name}-{time.time_ns()}"


def wait_for(what: Callable[[], int], timeout_s: float) -> int:
    deadline = time.monotonic() + timeout_s
    while not (found := what()):
        if time.monotonic() > deadline:
            raise BenchStalled(f"no progress within {timeout_s:g} s")
        time.sleep(0.005)
    return found


def accounted(conn: Connection, field: str) -> int:
    """A sum of the accounts of the data lane."""
    row = conn.execute(f"SELECT coalesce(sum({field}), 0)::bigint FROM ingest_accounts WHERE lane = 'data'").fetchone()  # noqa: S608 - names from this package
    return int(row[0]) if row else 0


def rate_until(target: Target, field: str, before: int, wanted: int) -> float:
    """Per second, from the first commit that is seen to the last; what the first commit held does not count."""
    with connect(target.ingest_url, "bench", autocommit=True) as conn:
        first = wait_for(lambda: accounted(conn, field) - before, START_S)
        begin = time.perf_counter()
        wait_for(lambda: accounted(conn, field) - before >= wanted, STALL_S)
        return (wanted - first) / (time.perf_counter() - begin)


@contextmanager
def worker(target: Target) -> Iterator[int]:
    """A worker of the bench's partition; its process id. It must be given a birth before it counts as ready."""
    with process(_serve, target.ingest_url, str(target.mqtt), target.password) as running:
        yield running.pid or 0


def _serve(ingest_url: str, mqtt_url: str, password: str) -> None:
    given = {"database_url": ingest_url, "mqtt_url": mqtt_url, "mqtt_password": password, "log_level": "warning"}
    settings = load(
        IngestSettings, {}, partitions=str(PARTITION), unclaimed_cap=POINTS, flood_readings_per_s=0, **given
    )
    logs.configure("ingest", settings.log_level)  # to stderr: stdout is the JSON
    run_service(settings, Stop().install())


@contextmanager
def process(function: Callable[..., None], *arguments: object) -> Iterator[BaseProcess]:
    started = multiprocessing.get_context("spawn").Process(target=function, args=arguments, daemon=True)
    started.start()
    try:
        yield started
    finally:
        started.terminate()
        started.join(15)


@contextmanager
def publishing(target: Target, some: list[bytes]) -> Iterator[BaseProcess]:
    """Sends packets in a process of its own."""
    with process(_publish, target, some) as running:
        yield running


def _publish(target: Target, some: list[bytes]) -> None:
    with loading(target.mqtt, USER, target.password) as load:
        load.send(some)


def load_of(target: Target) -> Load:
    return Load(target.mqtt, USER, target.password)


def encode_load(epoch: str, rows: int, size: int) -> list[bytes]:
    return packets(GATEWAYS, epoch, rows, size, POINTS)


def cpu_s(pid: int) -> float:
    """CPU seconds a process has used, all threads; 0 where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int, field: str = "VmHWM") -> float:
    """Highest resident size so far, in MB; 0 where there is no /proc."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1000 for line in lines if line.startswith(field)), 0.0)
