"""`watchkeep bench dispatch`: warnings to orders and notifications, against the clock and against bare inserts.

Needs a migrated database of its own with the job queue; runs the service as a process of its own, as in production.
"""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg

from watchkeep_core import bench, estate, logs
from watchkeep_core.database import connect, queries
from watchkeep_core.errors import TransientError
from watchkeep_core.estate import Area, Community, Contract, Equipment, Estate, Organisation
from watchkeep_core.service import Stop
from watchkeep_core.settings import load
from watchkeep_dispatch import duties
from watchkeep_dispatch.notify.bench_sink import webhook_sink
from watchkeep_dispatch.rowset import rowset
from watchkeep_dispatch.service import run
from watchkeep_dispatch.settings import DispatchSettings

COMMUNITIES = 300
LIFTS = 40
"""Pieces of equipment per community: as many as a storm needs, so that a burst everywhere is none anywhere."""
STORM_LIFTS = 50
STOOD = timedelta(minutes=11)
ORDINARY = ("door_close_fail", "vibration_high", "levelling_poor", "brake_timing_abnormal")
URGENT = "entrapment"
_GIVE_UP_S = 600.0
_AT_ONCE = 10_000


class BenchStalled(TransientError):
    """Nothing moved for too long: the measurement is void."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to measure: libpq URLs."""

    admin: str
    dispatch: str
    analytics: str


def run_bench(target: Target, *, burst: int, seconds: int, crossings: int) -> bench.Result:
    """Burst of `burst` warnings, 100/s for `seconds`, `crossings` of a threshold on 50 lifts. Goals: issue 6."""
    with connect(target.admin, "bench") as conn:
        estate.save(conn, _estate())
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
        measures += _burst(target, burst)
        _forget(target)
        measures += _steady(target, seconds)
        _forget(target)
        measures += _storm(target, crossings)
    return bench.Result(
        bench="dispatch",
        machine=bench.machine(),
        versions=bench.versions("psycopg", "procrastinate") | {"postgresql": _server(target)},
        measures=measures,
    )


def _burst(target: Target, count: int) -> list[bench.Measure]:
    """All at once; a life-safety warning every half second meanwhile."""
    places = [(f"c{i % COMMUNITIES}", f"lift-{i // COMMUNITIES % (LIFTS - 1)}") for i in range(count)]
    conditions = [ORDINARY[i // COMMUNITIES // (LIFTS - 1) % len(ORDINARY)] for i in range(count)]
    bare = _bare(target, count)
    began = time.monotonic()
    _warn(target, places, conditions)
    urgent = 0
    while _waiting(target):
        if time.monotonic() - began > _GIVE_UP_S:
            raise BenchStalled("the burst is not drained")
        _warn(target, [(f"c{urgent % COMMUNITIES}", "lift-39")], [URGENT])
        urgent += 1
        time.sleep(0.5)
    judged = time.monotonic() - began
    _drained(target, _UNSENT)
    drained = time.monotonic() - began
    return [
        bench.at_most(f"burst of {count:,}: all judged", "s", None, [judged]),
        bench.at_most(f"burst of {count:,}: drained, all handed over to a webhook", "s", 60.0, [drained]),
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
            _warn(target, places, [ORDINARY[number * 10 // (COMMUNITIES * LIFTS) % len(ORDINARY)]] * 10)
            time.sleep(max(0.0, began + (number + 1) * 0.1 - time.monotonic()))
    _drained(target, _UNSENT)
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
    _warn(target, places[STORM_LIFTS:], [ORDINARY[0]] * (crossings - STORM_LIFTS), status="cleared")
    _warn(target, places[:STORM_LIFTS], [ORDINARY[0]] * STORM_LIFTS, ago=STOOD)
    _warn(target, [("storm", "panel")], ["fire_alarm"])
    alarm = _until(
        target, "SELECT count(*) FROM orders JOIN cases c USING (case_id) WHERE c.condition = 'fire_alarm'", 1
    )
    told = _until(
        target,
        "SELECT count(*) FROM notifications n JOIN cases c USING (case_id) WHERE c.condition = 'fire_alarm'"
        " AND n.status = 'sent' AND n.channel <> 'in_app'",
        1,
    )
    while _waiting(target):
        if time.monotonic() - began > _GIVE_UP_S:
            raise BenchStalled("the storm is not drained")
        time.sleep(0.2)
    drained = time.monotonic() - began
    orders = _number(
        target,
        "SELECT count(*) FROM orders JOIN cases c USING (case_id) WHERE c.condition = %(condition)s",
        {"condition": ORDINARY[0]},
    )
    return [
        bench.at_most(f"{crossings:,} crossings on 50 lifts: orders", "orders", 50.0, [orders]),
        bench.at_least("… orders: none is missing", "orders", 50.0, [orders]),
        bench.at_most("… drained", "s", None, [drained]),
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


def _warn(
    target: Target,
    places: Sequence[tuple[str, str]],
    conditions: Sequence[str],
    status: str = "open",
    ago: timedelta = timedelta(0),
) -> None:
    """Write warnings as analytics does, in one transaction; detected `ago`."""
    rows: list[dict[str, Any]] = []
    for (community, equipment), condition in zip(places, conditions, strict=True):
        place = {"community_id": community, "equipment_id": equipment, "condition": condition}
        urgent = condition in (URGENT, "fire_alarm")
        rows.append(place | {"class": "A" if urgent else "C", "life_safety": urgent})
    with psycopg.connect(target.analytics) as conn:
        for start in range(0, len(rows), _AT_ONCE):
            values = {"now": datetime.now(UTC), "ago": ago, "status": status}
            chunk = rowset(rows[start : start + _AT_ONCE])
            conn.execute(queries("watchkeep_dispatch", "sql/bench.sql")["warn"], values | {"rows": chunk})


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
    return _number(target, query, {"condition": condition, "share": share})


def _waiting(target: Target) -> float:
    return _number(target, "SELECT count(*) FROM unjudged WHERE not_before <= now()")


def _number(target: Target, query: str, values: Any = None) -> float:
    with connect(target.admin, "bench") as conn:
        found = conn.execute(query.encode(), values).fetchone()
    return float(found[0]) if found else 0.0


def _until(target: Target, query: str, at_least: float) -> float:
    """Seconds until a count is reached."""
    began = time.monotonic()
    while _number(target, query) < at_least:
        if time.monotonic() - began > _GIVE_UP_S:
            raise BenchStalled(query)
        time.sleep(0.02)
    return time.monotonic() - began


def _drained(target: Target, query: str) -> None:
    began = time.monotonic()
    while _number(target, query):
        if time.monotonic() - began > _GIVE_UP_S:
            raise BenchStalled(query)
        time.sleep(0.1)


def _forget(target: Target) -> None:
    """Cases and warnings of the last measure; the register stays."""
    _drained(target, _UNSENT)
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


def _server(target: Target) -> str:
    with connect(target.admin, "bench") as conn:
        found = conn.execute("SHOW server_version").fetchone()
    return str(found[0]) if found else "unknown"


def _estate() -> Estate:
    valid: dict[str, Any] = {"since": date(2020, 1, 1), "until": date(2100, 1, 1)}
    names = [f"c{n}" for n in range(COMMUNITIES)]

    def community(name: str, lifts: int) -> Community:
        return Community(
            community_id=name,
            name=name,
            area_id="town",
            property_org_id="property",
            contracts=[
                Contract(contract_id=f"lift-{name}", kind="lift_maintainer", provider_org_id="lift", **valid),
            ],
            equipment=[
                *(Equipment(equipment_id=f"lift-{n}", kind="elevator", name=f"{n}号梯") for n in range(lifts)),
                Equipment(equipment_id="panel", kind="fire_alarm_panel", name="主机"),
            ],
        )

    return Estate(
        areas=[
            Area(area_id="city", kind="city", name="市"),
            Area(area_id="town", kind="subdistrict", name="镇", parent_id="city"),
        ],
        organisations=[
            Organisation(org_id="property", kind="property_company", name="物业"),
            Organisation(org_id="lift", kind="lift_maintainer", name="维保"),
            Organisation(org_id="office", kind="subdistrict", name="镇政府", area_id="town"),
            Organisation(org_id="market", kind="market_supervision", name="市场监管", area_id="city"),
        ],
        communities=[*(community(name, LIFTS) for name in names), community("storm", STORM_LIFTS)],
    )
