"""From an event's commit to its row in `warnings`, while the telemetry lane has more to do than it can."""

import multiprocessing
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
import psycopg
from psycopg import Connection

from watchkeep_analytics import service
from watchkeep_analytics.settings import AnalyticsSettings
from watchkeep_core import estate as e
from watchkeep_core.database import OWNER, connect
from watchkeep_core.errors import TransientError
from watchkeep_core.logs import configure
from watchkeep_core.service import Stop
from watchkeep_core.topics import partition_of

COMMUNITY = "bench"
LIFTS = 600
EVENTS_PER_S = 20
ROWS_PER_BATCH = 20_000
_READY_S = 60.0
_LOOK_S = 0.003
_BATCH = "INSERT INTO batches (lane, partition, batch, row_count, min_ts, max_ts) VALUES (%s, %s, %s, %s, %s, %s)"


class Target(NamedTuple):
    """Servers of the bench's own."""

    admin_url: str
    settings: AnalyticsSettings


class Latency(NamedTuple):
    """Milliseconds from the commit of the event to the commit of the warning, and how busy the other lane was."""

    p50_ms: float
    p99_ms: float
    rows_per_s: float
    backlog_rows: int
    """Committed and not yet judged at the end: above 0 = saturated."""


def measure(target: Target) -> Latency:
    """One alarm on each lift, while readings are committed without a pause. Raises TransientError when it hangs."""
    with connect(target.admin_url, "bench", role=OWNER) as conn:
        e.save(conn, _estate())
        conn.execute("SELECT make_reading_partitions(ARRAY[current_date - 1, current_date, current_date + 1])")
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(target.settings,))
    process.start()
    stop, rows = threading.Event(), [0]
    flood = threading.Thread(target=_flood, args=(target.admin_url, stop, rows))
    try:
        with psycopg.connect(target.admin_url, autocommit=True) as conn:
            _alarm(conn, 0)
            _await(conn, 1, _READY_S)
            flood.start()
            begun = time.monotonic()
            waits = _run(conn)
            spent = time.monotonic() - begun
            backlog = _backlog(conn)
    finally:
        stop.set()
        if flood.ident is not None:
            flood.join()
        process.terminate()
        process.join(30)
    p50, p99 = np.percentile(waits, [50, 99])
    return Latency(float(p50), float(p99), rows[0] / spent, backlog)


def _run(conn: Connection) -> list[float]:
    """Milliseconds of each alarm after the first."""
    sent: dict[str, float] = {}
    waits: list[float] = []
    begun, number = time.monotonic(), 1
    while len(waits) < LIFTS - 1:
        if number < LIFTS and time.monotonic() >= begun + number / EVENTS_PER_S:
            _alarm(conn, number)
            sent[f"lift-{number}"] = time.monotonic()
            number += 1
        if sent:
            found = conn.execute("SELECT equipment_id FROM warnings WHERE equipment_id = ANY (%s)", [list(sent)])
            now = time.monotonic()
            waits += [(now - sent.pop(item)) * 1000 for (item,) in found.fetchall()]
        if time.monotonic() > begun + LIFTS / EVENTS_PER_S + _READY_S:
            raise TransientError(f"{len(sent)} alarms did not become warnings")
        time.sleep(_LOOK_S)
    return waits


def _alarm(conn: Connection, number: int) -> None:
    """One event and its batch in one transaction, as ingest commits them."""
    now, partition = datetime.now(UTC), partition_of(COMMUNITY)
    with conn.transaction():
        conn.execute(
            "INSERT INTO events (community_id, gateway_id, epoch, seq, equipment_id, condition, active, ts,"
            " received_at, trusted) VALUES (%s, 'g', 'e', %s, %s, 'entrapment', true, %s, %s, true)",
            [COMMUNITY, number, f"lift-{number}", now, now],
        )
        conn.execute(_BATCH, ["event", partition, number, 1, now, now])


def _await(conn: Connection, warnings: int, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while conn.execute("SELECT count(*) FROM warnings").fetchone() != (warnings,):
        if time.monotonic() > deadline:
            raise TransientError(f"no warning within {timeout_s:.0f} s")
        time.sleep(0.05)


def _flood(url: str, stop: threading.Event, rows: list[int]) -> None:
    """Batches of readings, one after the other, until the stop; `rows[0]` counts them."""
    partition = partition_of(COMMUNITY)
    with psycopg.connect(url) as conn:
        series = [row[0] for row in conn.execute("SELECT series_id FROM points ORDER BY series_id")]
        start = datetime.now(UTC) - timedelta(hours=20)
        number = 0
        while not stop.is_set():
            times = [
                start + timedelta(milliseconds=number * 1000 + k) for k in range(ROWS_PER_BATCH // len(series) + 1)
            ]
            with conn.cursor().copy("COPY readings (series_id, ts, value, quality) FROM STDIN") as copy:
                for each in series:
                    for at in times:
                        copy.write_row((each, at, 50.0 + (number % 7), 0))
            count = len(series) * len(times)
            conn.execute(_BATCH, ["data", partition, number, count, times[0], times[-1]])
            conn.commit()
            rows[0] += count
            number += 1


def _backlog(conn: Connection) -> int:
    row = conn.execute(
        "SELECT coalesce(sum(row_count), 0) FROM batches WHERE lane = 'data' AND batch > coalesce("
        " (SELECT max(batch) FROM detector_states WHERE lane = 'data'), -1)"
    ).fetchone()
    return int(row[0]) if row else 0


def _serve(settings: AnalyticsSettings) -> None:
    configure("bench", settings.log_level)
    service.run(settings, Stop().install())


def _estate() -> e.Estate:
    lifts = [
        e.Equipment(
            equipment_id=f"lift-{number}", kind="elevator", name=f"{number}号梯", metrics=["machine_temperature"]
        )
        for number in range(LIFTS)
    ]
    community = e.Community(
        community_id=COMMUNITY,
        name=COMMUNITY,
        area_id="city",
        gateways=[e.Gateway(gateway_id="g")],
        equipment=lifts,
    )
    return e.Estate(areas=[e.Area(area_id="city", kind="city", name="荣成市")], communities=[community])
