"""`watchkeep bench dispatch`: warnings to orders and notifications, against the clock and against bare inserts.

Needs a migrated database of its own with the job queue; runs the service as a process of its own, as in production.
"""

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg

from watchkeep_core import bench, estate, logs
from watchkeep_core.database import connect
from watchkeep_core.service import Stop
from watchkeep_core.settings import load
from watchkeep_dispatch import duties
from watchkeep_dispatch.bench_scene import (
    COMMUNITIES,
    GIVE_UP_S,
    LIFTS,
    STORM_LIFTS,
    URGENT,
    BenchStalled,
    Target,
    drained,
    made_estate,
    number,
    server,
    until,
    waiting,
    warn,
)
from watchkeep_dispatch.notify.bench_sink import webhook_sink
from watchkeep_dispatch.service import run
from watchkeep_dispatch.settings import DispatchSettings

STOOD = timedelta(minutes=11)
ORDINARY = ("door_close_fail", "vibration_high", "levelling_poor", "brake_timing_abnormal")


def run_bench(target: Target, *, burst: int, seconds: int, crossings: int) -> bench.Result:
    """Burst of `burst` warnings, 100/s for `seconds`, `crossings` of a threshold on 50 lifts. Goals: issue 6."""
    with connect(target.admin, "bench") as conn:
        estate.save(conn, made_estate())
    with connect(target.dispatch, "bench") as conn:
        duties.load_default(conn, datetime(2026, 1, 1, tzinfo=UTC))
    measures = []
    with webhook_sink() as url, _service(target):
        with connect(target.admin, "bench") as conn:
            conn.execute(
                "INSERT INTO notification_channels (org_id, name, url, per_minute)"
                " VALUES ('lift', 'webhook', %(url)s, NULL), ('property', 'group', %(url)s, 20)",
                {"url": url},
            )
        _at_work(target)
        measures += _burst(target, burst)
        _forget(target)
        measures += _steady(target, seconds)
        _forget(target)
        measures += _storm(target, crossings)
    return bench.Result(
        bench="dispatch",
        machine=bench.machine(),
        versions=bench.versions("psycopg", "procrastinate") | {"postgresql": server(target)},
        measures=measures,
    )


def _at_work(target: Target) -> None:
    """Wait until all processes of the service have handed something over: it is not its start that is measured."""
    warn(target, [("c0", "lift-39"), ("c0", "lift-0")], [URGENT, ORDINARY[0]])
    until(
        target,
        "SELECT count(*) FROM notifications WHERE status = 'sent' AND org_id = 'lift' AND channel <> 'in_app'",
        2,
    )
    _forget(target)


def _burst(target: Target, count: int) -> list[bench.Measure]:
    """All at once; a life-safety warning every half second meanwhile."""
    places = [(f"c{i % COMMUNITIES}", f"lift-{i // COMMUNITIES % (LIFTS - 1)}") for i in range(count)]
    conditions = [ORDINARY[i // COMMUNITIES // (LIFTS - 1) % len(ORDINARY)] for i in range(count)]
    bare = _bare(target, count)
    began = time.monotonic()
    warn(target, places, conditions)
    urgent = 0
    while waiting(target):
        if time.monotonic() - began > GIVE_UP_S:
            raise BenchStalled("the burst is not drained")
        warn(target, [(f"c{urgent % COMMUNITIES}", "lift-39")], [URGENT])
        urgent += 1
        time.sleep(0.5)
    judged = time.monotonic() - began
    drained(target, _UNSENT)
    handed_over = time.monotonic() - began
    return [
        bench.at_most(f"burst of {count:,}: all judged", "s", None, [judged]),
        bench.at_most(f"burst of {count:,}: drained, all handed over to a webhook", "s", 60.0, [handed_over]),
        bench.at_least("burst: warnings judged per second", "1/s", None, [count / judged]),
        bench.at_least(
            "burst: ÷ bare inserts of the same rows, one transaction each", "ratio", None, [count / judged / bare]
        ),
        bench.at_most("burst: life safety, warning → order, p99", "s", 1.0, [_quantile(target, _TO_ORDER, URGENT)]),
        bench.at_most("burst: life safety, → handed over, worst", "s", 1.0, [_quantile(target, _TO_SENT, URGENT, 1.0)]),
    ]


def _steady(target: Target, seconds: int) -> list[bench.Measure]:
    """100 warnings a second for a while."""
    began = time.monotonic()
    for second in range(seconds):
        for tenth in range(10):
            number = second * 10 + tenth
            places = [
                (f"c{(number * 10 + i) % COMMUNITIES}", f"lift-{number * 10 // COMMUNITIES % LIFTS}") for i in range(10)
            ]
            warn(target, places, [ORDINARY[number * 10 // (COMMUNITIES * LIFTS) % len(ORDINARY)]] * 10)
            time.sleep(max(0.0, began + (number + 1) * 0.1 - time.monotonic()))
    drained(target, _UNSENT)
    return [
        bench.at_most("100 warnings/s: → order, p99", "s", None, [_quantile(target, _TO_ORDER)]),
        bench.at_most("100 warnings/s: order → handed over, p99", "s", None, [_quantile(target, _AFTER_ORDER)]),
        bench.at_most(
            "100 warnings/s: → notification handed over to a webhook, p99", "s", 1.0, [_quantile(target, _TO_SENT)]
        ),
    ]


def _storm(target: Target, crossings: int) -> list[bench.Measure]:
    """A threshold crossed again and again on 50 lifts of one community, and left above it; then a fire alarm.

    The last crossings have stood longer than flapping and storm can hold them back: each is an order of its own.
    """
    places = [("storm", f"lift-{i % STORM_LIFTS}") for i in range(crossings)]
    began = time.monotonic()
    warn(target, places[STORM_LIFTS:], [ORDINARY[0]] * (crossings - STORM_LIFTS), status="cleared")
    warn(target, places[:STORM_LIFTS], [ORDINARY[0]] * STORM_LIFTS, ago=STOOD)
    warn(target, [("storm", "panel")], ["fire_alarm"])
    alarm = until(
        target, "SELECT count(*) FROM orders JOIN cases c USING (case_id) WHERE c.condition = 'fire_alarm'", 1
    )
    told = until(
        target,
        "SELECT count(*) FROM notifications n JOIN cases c USING (case_id) WHERE c.condition = 'fire_alarm'"
        " AND n.status = 'sent' AND n.channel <> 'in_app'",
        1,
    )
    while waiting(target):
        if time.monotonic() - began > GIVE_UP_S:
            raise BenchStalled("the storm is not drained")
        time.sleep(0.2)
    took = time.monotonic() - began
    orders = number(
        target,
        "SELECT count(*) FROM orders JOIN cases c USING (case_id) WHERE c.condition = %(condition)s",
        {"condition": ORDINARY[0]},
    )
    return [
        bench.at_most(f"{crossings:,} crossings on 50 lifts: orders", "orders", 50.0, [orders]),
        bench.at_least("… orders: none is missing", "orders", 50.0, [orders]),
        bench.at_most("… drained", "s", None, [took]),
        bench.at_most("… fire alarm in the middle of it: order", "s", None, [alarm]),
        bench.at_most("… fire alarm in the middle of it: notification handed over", "s", 5.0, [told]),
    ]


@contextmanager
def _service(target: Target) -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(target=_run, args=[target.dispatch])
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join(30)


def _run(url: str) -> None:
    logs.configure("dispatch", "error")
    how = {"log_level": "error", "notify_allow": "127.0.0.1/32"}
    run(load(DispatchSettings, {}, database_url=url, **how), Stop().install())


def _bare(target: Target, count: int) -> float:
    """Rows per second: one insert into `transitions`-like table per transaction, what any filing must at least do."""
    with connect(target.admin, "bench", autocommit=True) as conn:
        conn.execute("CREATE UNLOGGED TABLE bench_bare (n bigint PRIMARY KEY, note text)")
        conn.execute("ALTER TABLE bench_bare SET LOGGED")
        began = time.monotonic()
        for number in range(min(count, 5000)):
            conn.execute("INSERT INTO bench_bare VALUES (%s, 'x')", [number])
        took = time.monotonic() - began
        conn.execute("DROP TABLE bench_bare")
    return min(count, 5000) / took


_TO_ORDER = """
    SELECT coalesce(percentile_cont(%(share)s) WITHIN GROUP (
               ORDER BY extract(epoch FROM o.dispatched_at - w.detected_at)), 0)
    FROM warnings w JOIN case_warnings x USING (warning_id) JOIN orders o USING (case_id)
    WHERE x.role = 'cause' AND (%(condition)s::text IS NULL OR w.condition = %(condition)s)
"""
_TO_SENT = """
    SELECT coalesce(percentile_cont(%(share)s) WITHIN GROUP (ORDER BY extract(epoch FROM n.sent_at - w.detected_at)), 0)
    FROM warnings w JOIN case_warnings x USING (warning_id) JOIN notifications n USING (case_id)
    WHERE x.role = 'cause' AND n.sent_at IS NOT NULL AND n.channel <> 'in_app' AND n.kind = 'order_dispatched'
      AND (%(condition)s::text IS NULL OR w.condition = %(condition)s)
"""


_AFTER_ORDER = """
    SELECT coalesce(percentile_cont(%(share)s) WITHIN GROUP (
               ORDER BY extract(epoch FROM n.sent_at - o.dispatched_at)), 0)
    FROM notifications n JOIN orders o USING (order_id)
    WHERE n.sent_at IS NOT NULL AND n.channel <> 'in_app' AND n.kind = 'order_dispatched'
      AND %(condition)s::text IS NULL
"""
_UNSENT = "SELECT count(*) FROM notifications WHERE status = 'queued' AND org_id = 'lift'"
"""What the property company's group hears of waits, and comes together, twenty messages a minute."""


def _quantile(target: Target, query: str, condition: str | None = None, share: float = 0.99) -> float:
    return number(target, query, {"condition": condition, "share": share})


def _forget(target: Target) -> None:
    """Cases and warnings of the last measure; the register stays."""
    drained(target, _UNSENT)
    while True:
        with connect(target.admin, "bench") as conn:
            try:
                conn.execute("SET LOCAL session_replication_role = replica")  # past the triggers of append-only tables
                conn.execute("SET LOCAL lock_timeout = '500ms'")
                conn.execute("TRUNCATE warnings, cases, storms CASCADE")
            except psycopg.errors.LockNotAvailable:  # the service looks at the same tables; it goes first
                conn.rollback()
                continue
        return
