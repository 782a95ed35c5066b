"""A gateway comes back with a backlog: how fast the database has it, and how long a live event takes meanwhile.

Everything is real: the spool is written by the spool's own code, the installed gateway drains it over a broker to an
ingest process with PostgreSQL. What counts is what is committed there. The event comes from a device over the
gateway's MQTT bridge, and counts when it stands in the table of events.
"""

import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from watchkeep_core import vocabulary
from watchkeep_core.bench import Measure, at_least, at_most
from watchkeep_core.mqtt import connect
from watchkeep_core.mqtt_connection import Connection
from watchkeep_gateway.bench.polling import METRICS
from watchkeep_gateway.bench.process import running_gateway
from watchkeep_gateway.bench.target import DEVICE, REF, BenchFailed, Database, Target
from watchkeep_gateway.config import SpoolTable
from watchkeep_gateway.spool_file import open_spool
from watchkeep_gateway.spool_state import load_state
from watchkeep_gateway.transaction import Rules, Transaction
from watchkeep_gateway.values import Delivery, Reading, Readings

LIFTS = 500
"""Ten points each: 5,000 readings a second before the line was lost."""

LIFTS_PER_MESSAGE = 100
"""1,000 readings."""

MESSAGES_PER_COMMIT = 100
STALL_S = 60.0
EVENT_EVERY_S = 0.5
LOOK_S = 0.005

ONE_LIFT = "lift-0"
CONFIG = f"""
[gateway]
community = "{REF.community}"
id = "{REF.gateway}"

[spool]
max_bytes = 1_000_000_000_000

[[mqtt_bridge]]

[[device]]
equipment = "{ONE_LIFT}"
kind = "elevator"
"""


def measures(target: Target, *, backlog: int) -> list[Measure]:
    """Once: a backlog of `backlog` readings takes a minute or two to be made and to be drained."""
    with tempfile.TemporaryDirectory(prefix="watchkeep-bench-") as made, target.ingest() as database:
        folder = Path(made)
        began_s = time.perf_counter()
        held = fill(folder / "spool", backlog)
        fill_s = time.perf_counter() - began_s
        found = _drained(target, folder, database, held)
    return [
        at_least("spool_fill_readings_per_s", "readings/s", None, [round(held / fill_s)]),
        at_least(f"drain_readings_per_s_of_{held}", "readings/s", 100_000, [round(found.rate)]),
        at_most("drain_live_event_median_s", "s", None, [round(median(found.events_s), 4)]),
        at_most("drain_live_event_worst_s", "s", 1.0, [round(max(found.events_s), 4)]),
        at_least("drain_live_events", "events", None, [len(found.events_s)]),
        at_least("drain_cpu_us_per_reading", "µs", None, [round(found.cpu_us, 2)]),
        at_most("drain_rss_mb", "MB", 80, [round(found.rss_mb, 1)]),
    ]


def fill(folder: Path, backlog: int) -> int:
    """Write a spool of about `backlog` readings, as a gateway would that read 5,000 points a second; how many."""
    units = {metric.id: metric.unit for metric in vocabulary.load().metrics.values()}
    rules = Rules(REF.gateway, units, SpoolTable(min_free_bytes=0))
    now_ms = time.time_ns() // 1_000_000
    per_message = LIFTS_PER_MESSAGE * len(METRICS)
    messages = max(1, backlog // per_message)
    first_ms = now_ms - 1000 * (messages * LIFTS_PER_MESSAGE // LIFTS + 1)
    with closing(open_spool(folder, REF)) as opened:
        state = load_state(opened.connection, time.monotonic())
        for start in range(0, messages, MESSAGES_PER_COMMIT):
            opened.connection.execute("BEGIN IMMEDIATE")
            transaction = Transaction(opened.connection, state, rules, now_ms)
            for number in range(start, min(start + MESSAGES_PER_COMMIT, messages)):
                transaction.deliver([Delivery(Readings.of(_readings(number, first_ms)))])
            transaction.save()
            opened.connection.execute("COMMIT")
            state = transaction.result()
    return messages * per_message


def _readings(number: int, first_ms: int) -> Iterator[Reading]:
    turn, part = divmod(number, LIFTS // LIFTS_PER_MESSAGE)
    for lift in range(part * LIFTS_PER_MESSAGE, (part + 1) * LIFTS_PER_MESSAGE):
        for index, metric in enumerate(METRICS):
            value = round(20 + (turn * 7 + lift + index) % 977 / 31, 2)
            yield Reading(f"lift-{lift}", metric, first_ms + 1000 * turn, value)


@dataclass
class _Found:
    rate: float = 0.0
    cpu_us: float = 0.0
    rss_mb: float = 0.0
    events_s: list[float] = field(default_factory=list)


def _drained(target: Target, folder: Path, database: Database, held: int) -> _Found:
    """From the first message that the broker took to the commit of the last reading; 5,000 points are new to ingest."""
    found = _Found()
    with running_gateway(target, folder, CONFIG) as gateway, _device(target) as device:
        gateway.wait_for('watchkeep_gateway_published_total{lane="data"}')
        began_s, before = time.perf_counter(), gateway.scrape()
        with _telling(device, database, found.events_s):
            _wait(database, held)
            took_s, after = time.perf_counter() - began_s, gateway.scrape()
        if database.readings() != held:
            raise BenchFailed(f"{database.readings()} readings are in the database, {held} were on the spool")
        found.rate = held / took_s
        cpu_s = after["process_cpu_seconds_total"] - before["process_cpu_seconds_total"]
        found.cpu_us = cpu_s / held * 1e6
        found.rss_mb = _most_mb(gateway.process.pid)
    return found


def _wait(database: Database, wanted: int) -> None:
    """Until so many readings are committed. Raises BenchFailed when nothing moves any more."""
    last, moved_s = 0, time.monotonic()
    while (there := database.readings()) < wanted:
        if there > last:
            last, moved_s = there, time.monotonic()
        elif time.monotonic() - moved_s > STALL_S:
            raise BenchFailed(f"{there} of {wanted} readings are in the database, and nothing moves")
        time.sleep(10 * LOOK_S)


@contextmanager
def _device(target: Target) -> Iterator[Connection]:
    connection = connect(
        target.broker, client_id=DEVICE, user=DEVICE, password=target.password, on_message=lambda _: None
    )
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def _telling(device: Connection, database: Database, took_s: list[float]) -> Iterator[None]:
    """One event after the other in a thread, while the block runs."""
    over, failures = threading.Event(), list[BenchFailed]()

    def tell() -> None:
        try:
            while not over.is_set():
                took_s.append(_tell(device, database))
                over.wait(EVENT_EVERY_S)
        except BenchFailed as error:
            failures.append(error)

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if failures:
        raise failures[0]


def _tell(device: Connection, database: Database) -> float:
    """Seconds from the device's publish to the row in the database."""
    there, began_s = database.events(), time.perf_counter()
    event = {"t": time.time_ns() // 1_000_000, "event": {"condition": "alarm_button", "active": True}}
    device.publish(f"field/{REF.user}/{ONE_LIFT}", json.dumps(event).encode())
    while database.events() == there:
        if time.perf_counter() - began_s > STALL_S:
            raise BenchFailed("an event did not arrive")
        time.sleep(LOOK_S)
    return time.perf_counter() - began_s


def _most_mb(pid: int) -> float:
    """Highest resident size so far; 0 where there is no /proc."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM")), 0.0)
