"""Rows per second from broker to commit, against bare COPY and, for small messages, a bare paho loop."""

import threading
import time
from typing import Any

import numpy as np
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from psycopg import Connection

from watchkeep_core import topics
from watchkeep_core.database import connect
from watchkeep_ingest.bench import lab
from watchkeep_ingest.bench.lab import Target
from watchkeep_ingest.columns import Rows

COPY_BATCH = 100_000
WINDOW = 2_000
_MESSAGE = 100
"""Readings per message of the rows that the bare COPY stands for."""

_DISTINCT = 40
"""Batches kept in memory, 136 MB; a longer COPY sends them again."""


def bare_copy(target: Target, count: int, gateways: int = len(lab.GATEWAYS), points: int = lab.POINTS) -> float:
    """Rows/s of pre-encoded, sorted batches into `readings`, each a transaction with synchronous_commit.

    A batch has the series and the order that a worker's has: those of 1,000 messages of these gateways in turn. (Series
    in ascending order over all batches would be appended at the index's right edge, where PostgreSQL has a short cut.)
    """
    sizes = [min(COPY_BATCH, count - start) for start in range(0, count, COPY_BATCH)]
    batches = [_copy_batch(n * COPY_BATCH, size, gateways, points) for n, size in enumerate(sizes[:_DISTINCT])]
    with connect(target.ingest_url, "bench", autocommit=True) as conn:
        make_partitions(conn)
        begin = time.perf_counter()
        for number in range(len(sizes)):
            batch = batches[-1] if number == len(sizes) - 1 else batches[number % len(batches)]
            with conn.transaction():
                conn.execute("SET LOCAL synchronous_commit = on")
                copy_in(conn, batch)
        return count / (time.perf_counter() - begin)


def make_partitions(conn: Connection) -> None:
    conn.execute("SELECT make_reading_partitions(ARRAY[current_date - 1, current_date, current_date + 1])")


def copy_in(conn: Connection, batch: bytes) -> None:
    with (
        conn.cursor() as cursor,
        cursor.copy("COPY readings (series_id, ts, value, quality) FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.write(batch)


def fill(target: Target, count: int) -> None:
    """As many rows, all different, of the hour before; then a checkpoint, so that what follows does not pay for it."""
    since_us = time.time_ns() // 1000 - 3_600_000_000
    with connect(target.ingest_url, "bench", autocommit=True) as conn:
        make_partitions(conn)
        for start in range(0, count, COPY_BATCH):
            size = min(COPY_BATCH, count - start)
            copy_in(conn, _copy_batch(start, size, len(lab.GATEWAYS), lab.POINTS, since_us))
    with connect(target.admin_url, "bench", autocommit=True) as conn:
        conn.execute("CHECKPOINT")


def _copy_batch(start: int, count: int, gateways: int, points: int, since_us: int = 0) -> bytes:
    """Stamps from `since_us` on, or of the last minute."""
    number = np.arange(start, start + count, dtype=np.int64)
    since_us = since_us or time.time_ns() // 1000 - 60_000_000
    message, place = np.divmod(number, _MESSAGE)
    turn, gateway = np.divmod(message, gateways)
    reading = turn * _MESSAGE + place  # of its gateway
    rows = Rows(
        series=(gateway * points + reading % points + 1).astype(np.int32),
        time_us=since_us + reading // points * 1000,
        value=np.sin(number / 100),
        quality=np.zeros(count, np.uint8),
        partition=np.zeros(count, np.uint8),
    )
    return bytes(rows.sorted().to_copy())


def live(target: Target, rows: int, size: int) -> dict[str, float]:
    """The publisher runs beside the worker."""
    epoch = lab.new_epoch("live")
    load = lab.encode_load(epoch, rows, size)
    with lab.worker(target) as pid:
        lab.be_born(target, epoch)
        start, cpu = before(target), lab.cpu_s(pid)
        with lab.publishing(target, load):
            rate = lab.rate_until(target, "stored", start, rows)
        return {"rate": rate, "cpu_us": (lab.cpu_s(pid) - cpu) / rows * 1e6, "rss_mb": lab.memory_mb(pid)}


def drain(target: Target, rows: int, size: int) -> float:
    """The worker empties a filled queue."""
    epoch = lab.new_epoch("drain")
    load = lab.encode_load(epoch, rows, size)
    with lab.worker(target):
        lab.be_born(target, epoch)
    return drained(target, load, rows)


def drained(target: Target, load: list[bytes], rows: int) -> float:
    """Rows/s of a queue that is filled with `load` first; its aliases are known."""
    with lab.publishing(target, load) as publisher:
        publisher.join()
    start = before(target)
    with lab.worker(target):
        return lab.rate_until(target, "stored", start, rows)


def before(target: Target) -> int:
    with connect(target.ingest_url, "bench", autocommit=True) as conn:
        return lab.accounted(conn, "stored")


def paho_loop(target: Target, messages: int, size: int) -> dict[str, float]:
    """Messages/s, and CPU µs per message, of a loop that only acknowledges: the limit of any consumer with paho."""
    load = lab.encode_load(lab.new_epoch("paho"), messages * size, size)
    counter = _Counter(target, messages)
    try:
        cpu = time.process_time()
        with lab.publishing(target, load):
            rate = counter.rate()
        return {"rate": rate, "cpu_us": (time.process_time() - cpu) / messages * 1e6}
    finally:
        counter.close()


class _Counter:
    """paho as it comes: QoS 1, manual ack, the window of a worker's session."""

    def __init__(self, target: Target, wanted: int) -> None:
        self._wanted = wanted
        self._seen = 0
        self._begin = self._end = 0.0
        self._subscribed, self._done = threading.Event(), threading.Event()
        client = Client(
            CallbackAPIVersion.VERSION2, client_id="paho", protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True
        )
        client.username_pw_set("paho", target.password)
        client.on_message = self._take
        client.on_subscribe = lambda *_: self._subscribed.set()
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho left it untyped
        properties.ReceiveMaximum = WINDOW
        client.connect(target.mqtt.host, target.mqtt.port, properties=properties)
        client.loop_start()
        client.subscribe(topics.ingest_filters("data", lab.PARTITION)[0], 1)
        self._subscribed.wait(10)
        self._client = client

    def _take(self, client: Client, _userdata: Any, message: Any) -> None:
        self._seen += 1
        if self._seen == 1:
            self._begin = time.perf_counter()
        client.ack(message.mid, 1)
        if self._seen == self._wanted:
            self._end = time.perf_counter()
            self._done.set()

    def rate(self) -> float:
        if not self._done.wait(lab.STALL_S):
            raise lab.BenchStalled("the bare paho loop did not get all messages")
        return (self._seen - 1) / (self._end - self._begin)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
