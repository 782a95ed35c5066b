"""`watchkeep bench ingest`: end-to-end durable rows/s against bare COPY of the same rows, in one run on one server.

Needs a migrated database of its own, a broker that knows `users(password)` with Watchkeep's ACL, and starts the worker
and the publisher as processes: live = the publisher runs beside the worker; drain = the worker empties a filled queue.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess

import numpy as np
import psycopg
from psycopg import Connection

from watchkeep_core import bench, estate, topics
from watchkeep_core.broker import BrokerAddress, TooManyOutstanding
from watchkeep_core.database import OWNER, connect
from watchkeep_core.errors import TransientError
from watchkeep_core.messages import Birth, ClockState, Data, PointDeclaration, declare, encode
from watchkeep_core.mqtt import connect as connect_broker
from watchkeep_core.service import Stop
from watchkeep_core.settings import load
from watchkeep_core.topics import LANES, GatewayRef
from watchkeep_ingest.columns import Rows
from watchkeep_ingest.service import run as run_service
from watchkeep_ingest.settings import IngestSettings

GATEWAY = GatewayRef("bench", "bench")
PARTITION = topics.partition_of(GATEWAY.community)
SERIES = 1_000
COPY_BATCH = 100_000

_START_S = 60.0
_STALL_S = 120.0
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


def users(password: str) -> dict[str, str]:
    """MQTT users the bench needs, all with one password."""
    names = [GATEWAY.user, *(f"ingest-{lane}-{PARTITION}" for lane in LANES)]
    return dict.fromkeys(names, password)


def run_bench(
    admin_url: str,
    ingest_url: str,
    mqtt: BrokerAddress,
    password: str,
    *,
    rows: int = 1_000_000,
    sizes: Sequence[int] = (100, 500),
    runs: int = 1,
) -> bench.Result:
    """Measure; the values are medians of `runs`. `sizes` = readings per message. Goals: issue 4, at 100 per message."""
    target = Target(admin_url, ingest_url, mqtt, password)
    _prepare(target)
    found: dict[str, list[float]] = {}
    for number in range(runs):
        for size in sizes:
            messages = _encode(rows, size)
            for name, measure in (("live", _live), ("drain", _drain)):
                # Right before each measure: on a shared machine a baseline of minutes ago says little.
                with connect(ingest_url, "bench", autocommit=True) as conn:
                    bare = _bare_copy(conn, rows)
                found.setdefault("copy_rows_per_s", []).append(bare)
                rate = measure(target, messages, epoch=f"{name}-{size}-{number}-{time.time_ns()}")
                found.setdefault(f"{name}_{size}_rows_per_s", []).append(rate)
                found.setdefault(f"{name}_{size}_of_copy", []).append(rate / bare)
    return bench.Result(
        bench="ingest",
        machine=bench.machine(),
        versions=_versions(ingest_url),
        measures=[_measure(name, values) for name, values in found.items()],
    )


_GOALS = {"live_100_of_copy": 0.75, "drain_100_of_copy": 0.85}


def _measure(name: str, values: list[float]) -> bench.Measure:
    ratio = name.endswith("_of_copy")
    rounded = [round(value, 3) if ratio else float(round(value)) for value in values]
    return bench.at_least(name, "ratio" if ratio else "rows/s", _GOALS.get(name), rounded)


def _versions(url: str) -> dict[str, str]:
    with psycopg.connect(url) as conn:
        server = conn.info.parameter_status("server_version") or ""
    return {"postgresql": server, **bench.versions("paho-mqtt", "psycopg", "numpy", "msgspec")}


def _prepare(target: Target) -> None:
    """One community, one gateway; its points are registered by the worker from the birth."""
    community = estate.Community(
        community_id=GATEWAY.community,
        name="bench",
        area_id="bench",
        gateways=[estate.Gateway(gateway_id=GATEWAY.gateway)],
    )
    area = estate.Area(area_id="bench", kind="city", name="bench")
    with connect(target.admin_url, "bench", role=OWNER) as conn:
        estate.save(conn, estate.Estate(areas=[area], communities=[community]))


def _bare_copy(conn: Connection, count: int) -> float:
    """Rows/s of pre-encoded, sorted batches, each in a transaction of its own with synchronous_commit."""
    conn.execute("SELECT make_reading_partitions(ARRAY[current_date - 1, current_date])")
    batches = [_copy_batch(start, min(COPY_BATCH, count - start)) for start in range(0, count, COPY_BATCH)]
    begin = time.perf_counter()
    for batch in batches:
        with conn.transaction():
            conn.execute("SET LOCAL synchronous_commit = on")
            with (
                conn.cursor() as cursor,
                cursor.copy("COPY readings (series_id, ts, value, quality) FROM STDIN (FORMAT binary)") as copy,
            ):
                copy.write(batch)
    return count / (time.perf_counter() - begin)


def _copy_batch(start: int, count: int) -> bytes:
    number = np.arange(start, start + count, dtype=np.int64)
    now_us = time.time_ns() // 1000
    rows = Rows(
        series=(number % SERIES + 1).astype(np.int32),
        time_us=now_us - 1_000_000 + number // SERIES * 1000,
        value=np.sin(number / 100),
        quality=np.zeros(count, np.uint8),
        partition=np.zeros(count, np.uint8),
    )
    return rows.sorted().to_copy()


def _encode(count: int, size: int) -> list[bytes]:
    """Data messages of `size` readings: each of all points in turn, values with three decimals."""
    now_ms = time.time_ns() // 1_000_000
    messages = []
    for start in range(0, count, size):
        numbers = range(start, min(start + size, count))
        messages.append(
            encode(
                Data(
                    floor=0,
                    t0=now_ms - 1000 + start // SERIES,
                    alias=[number % SERIES for number in numbers],
                    dt_ms=[(number - start) % 1000 for number in numbers],
                    value=[round(20 + number % 977 / 31, 3) for number in numbers],
                )
            )
        )
    return messages


def _live(target: Target, messages: list[bytes], *, epoch: str) -> float:
    with _worker(target):
        _be_born(target, epoch)
        before = _stored(target)
        with _process(_publish, target, messages, epoch):
            return _rate(target, before, len(messages), _readings(messages))


def _drain(target: Target, messages: list[bytes], *, epoch: str) -> float:
    with _worker(target):
        _be_born(target, epoch)
    with _process(_publish, target, messages, epoch) as publisher:
        publisher.join()
    before = _stored(target)
    with _worker(target):
        return _rate(target, before, len(messages), _readings(messages))


def _readings(messages: list[bytes]) -> int:
    return sum(message.count(b",", message.index(b'"value"')) + 1 for message in messages)


def _rate(target: Target, before: int, messages: int, wanted: int) -> float:
    """Rows/s from the first commit that is seen to the last row; what the first commit held does not count."""
    with connect(target.ingest_url, "bench", autocommit=True) as conn:
        first = _await(lambda: _moved(conn, before, 1), _START_S)
        begin = time.perf_counter()
        _await(lambda: _moved(conn, before, wanted), _STALL_S)
        return (wanted - first) / (time.perf_counter() - begin)


def _moved(conn: Connection, before: int, enough: int) -> int:
    row = conn.execute("SELECT coalesce(sum(stored), 0)::bigint FROM ingest_accounts WHERE lane = 'data'").fetchone()
    moved = (int(row[0]) if row else 0) - before
    return moved if moved >= enough else 0


def _stored(target: Target) -> int:
    with connect(target.ingest_url, "bench", autocommit=True) as conn:
        return _moved(conn, 0, 0)


def _await(what: Callable[[], int], timeout_s: float) -> int:
    deadline = time.monotonic() + timeout_s
    while not (found := what()):
        if time.monotonic() > deadline:
            raise BenchStalled(f"no progress within {timeout_s:g} s")
        time.sleep(0.005)
    return found


@contextmanager
def _worker(target: Target) -> Iterator[None]:
    """A worker of the bench's partition; ready once its gateway status shows that it reads the session."""
    with _process(_serve, target.ingest_url, str(target.mqtt), target.password):
        yield


@contextmanager
def _process(function: Callable[..., None], *arguments: object) -> Iterator[BaseProcess]:
    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments, daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.terminate()
        process.join(15)


def _serve(ingest_url: str, mqtt_url: str, password: str) -> None:
    given = {"database_url": ingest_url, "mqtt_url": mqtt_url, "mqtt_password": password}
    settings = load(IngestSettings, {}, partitions=str(PARTITION), unclaimed_cap=SERIES, **given)
    run_service(settings, Stop().install())


def _be_born(target: Target, epoch: str) -> None:
    """Publish a birth until the worker knows the epoch's aliases."""
    points = [PointDeclaration(alias=n, equipment="bench", metric=f"m{n}", unit="x") for n in range(SERIES)]
    birth = Birth(
        software="bench",
        data_epoch=epoch,
        event_epoch=epoch,
        clock=ClockState(synchronised=True),
        equipment=declare(points),
    )
    payload = encode(birth)
    with (
        connect_broker(
            target.mqtt, client_id=GATEWAY.user, user=GATEWAY.user, password=target.password, on_message=_ignore
        ) as connection,
        connect(target.ingest_url, "bench", autocommit=True) as conn,
    ):
        connection.publish(topics.birth(GATEWAY), payload, retain=True).result(30)
        _await(lambda: _known(conn, epoch), _START_S)


def _known(conn: Connection, epoch: str) -> int:
    row = conn.execute("SELECT count(*) FROM aliases WHERE epoch = %s", [epoch]).fetchone()
    return int(row is not None and row[0] == SERIES)


def _publish(target: Target, messages: list[bytes], epoch: str) -> None:
    """As fast as the broker takes them, 1,000 ahead of its PUBACKs."""
    with connect_broker(
        target.mqtt,
        client_id=GATEWAY.user,
        user=GATEWAY.user,
        password=target.password,
        on_message=_ignore,
        max_outstanding=1000,
    ) as connection:
        for seq, payload in enumerate(messages):
            topic = topics.message(GATEWAY, "data", epoch, seq)
            while True:
                try:
                    last = connection.publish(topic, payload)
                    break
                except TooManyOutstanding:
                    time.sleep(0.001)
        last.result(120)
        while connection.outstanding:
            time.sleep(0.01)


def _ignore(_message: object) -> None:
    pass
