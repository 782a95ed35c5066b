"""`watchkeep bench orders`: lists and indicators over a database full of orders, as people under row-level security."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import quantiles
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import Connection, sql

from watchkeep_core import bench
from watchkeep_core.database import connect, queries
from watchkeep_dispatch import indicators, order_sums
from watchkeep_dispatch.indicators import By, Scope

GOAL_MS = 100.0
BARE = "bare count of a month's orders"
ZONE = ZoneInfo("Asia/Shanghai")
_FILLED = (
    *("estate", "contracts", "buildings", "equipment", "points", "people", "cases", "orders", "pauses", "moved"),
    *("warnings", "verdicts", "case_warnings", "complaints", "callbacks"),
)
_LIST = dict.fromkeys(("id", "case", "state", "class", "community", "equipment", "before", "status"))


@dataclass(frozen=True, slots=True)
class Target:
    """Where to measure, and the console's list statements `orders`, `cases` and `warnings`."""

    admin: str
    console: str
    lists: Mapping[str, sql.SQL]


def run_bench(target: Target, *, orders: int, runs: int) -> bench.Result:
    """Fill a migrated, empty database with `orders` and measure `runs` of each query. Goal: issue 6."""
    began = time.monotonic()
    people = _fill(target.admin, orders)
    filled = time.monotonic() - began
    began = time.monotonic()
    _count(target.admin)
    measures = [
        bench.at_most(f"{orders:,} orders made", "s", None, [filled]),
        bench.at_most("their months counted once, by the service's job", "s", None, [time.monotonic() - began]),
    ]
    for person, name, ask in _questions(target):
        measures.append(_measure(target.console, people[person], f"{name} ({person})", ask, runs))
    with connect(target.admin, "bench") as conn:
        server = str(conn.info.server_version)
    return bench.Result(
        bench="orders",
        machine=bench.machine(),
        versions=bench.versions("psycopg") | {"postgresql": server},
        measures=measures,
    )


Ask = Callable[[Connection, int], object]


def _questions(target: Target) -> list[tuple[str, str, Ask]]:
    """Person, name, question; the run's number varies what is asked."""
    now = datetime.now(UTC)
    found: list[tuple[str, str, Ask]] = []
    for person in ("city", "property", "technician", "newcomer"):
        found += [
            (person, "list: open orders", _list(target.lists["orders"], open=True, mine=False)),
            (person, "list: newest orders", _list(target.lists["orders"], open=None, mine=False)),
            (person, "list: my open orders", _list(target.lists["orders"], open=True, mine=True)),
            (person, "list: newest cases", _list(target.lists["cases"], open=None)),
            (person, "list: open cases", _list(target.lists["cases"], open=True)),
            (person, "list: cases of a community", _list(target.lists["cases"], open=None, of_one=True)),
            (person, "list: newest warnings", _list(target.lists["warnings"])),
            (person, "list: open warnings", _list(target.lists["warnings"], status="open")),
        ]
    dimensions: tuple[By, ...] = ("company", "maintainer", "community", "subdistrict")
    found += [("city", f"indicators: a month by {by}", _figures(now, by)) for by in dimensions]
    found += [
        ("property", "indicators: a month, own company", _figures(now, "company")),
        ("city", "indicators: half a year of one community", _figures(now, "community", months=6, of_one=True)),
        ("city", "indicators: half a year of one company", _figures(now, "company", months=6, of_org=True)),
        ("city", "indicators: half a year by company", _figures(now, "company", months=6)),
        ("city", "indicators: a year by subdistrict", _figures(now, "subdistrict", months=12)),
        ("city", "a figure opened to its orders", _behind(now)),
        ("city", BARE, _bare(now)),
    ]
    return found


def _list(statement: sql.SQL, *, of_one: bool = False, **how: Any) -> Ask:
    def ask(conn: Connection, run: int) -> object:
        wanted = _LIST | {"mine": False, "limit": 50} | how
        if of_one:
            wanted["community"] = f"c{40 * run % 280}"
        return conn.execute(statement, wanted).fetchall()

    return ask


def _figures(now: datetime, by: By, *, months: int = 1, of_one: bool = False, of_org: bool = False) -> Ask:
    def ask(conn: Connection, run: int) -> object:
        community, org = f"c{run % 300}" if of_one else None, f"property-{2 * run % 40}" if of_org else None
        since, until = _period(now, run % 12, months)
        asked = Scope(since=since, until=until, as_of=now, by=by, community=community, org=org)
        return indicators.figures(conn, asked)

    return ask


def _period(now: datetime, back: int, months: int = 1) -> tuple[datetime, datetime]:
    """Calendar months, as people ask for them; `back` 0 ends with the present one."""
    number = now.astimezone(ZONE).year * 12 + now.astimezone(ZONE).month - 1 - back
    edges = [datetime(at // 12, at % 12 + 1, 1, tzinfo=ZONE) for at in (number - months + 1, number + 1)]
    return edges[0].astimezone(UTC), edges[1].astimezone(UTC)


def _bare(now: datetime) -> Ask:
    """What any figure of a month would at least do without sums, under row-level security."""
    query = "SELECT org_id, community_id, count(*) FROM orders WHERE settles_at >= %s AND settles_at < %s GROUP BY 1, 2"

    def ask(conn: Connection, run: int) -> object:
        return conn.execute(query, _period(now, run % 12)).fetchall()

    return ask


def _behind(now: datetime) -> Ask:
    def ask(conn: Connection, run: int) -> object:
        since, until = _period(now, run % 12)
        asked = Scope(since=since, until=until, as_of=now, org=f"property-{2 * run % 40}")
        return indicators.behind(conn, asked, None, "on_time_n", 1000)

    return ask


def _measure(url: str, person: str, name: str, ask: Ask, runs: int) -> bench.Measure:
    took = []
    with connect(url, "bench") as conn:
        for run in range(runs + 1):
            with conn.transaction():
                conn.execute("SELECT set_config('watchkeep.person_id', %s, true)", [person])
                began = time.perf_counter()
                ask(conn, run)
                took.append(1000 * (time.perf_counter() - began))
    goal = None if name.startswith(BARE) else GOAL_MS  # a yardstick: nobody asks for it
    return bench.at_most(f"{name}: p95", "ms", goal, [quantiles(took[1:], n=20)[-1]])  # the first opens the connection


def _count(admin: str) -> None:
    done = False
    with connect(admin, "bench", autocommit=True) as conn:
        while not done:
            with conn.transaction():
                done = order_sums.keep(conn, datetime.now(UTC), ZONE) == 0
        conn.execute("VACUUM ANALYZE order_sums")


def _fill(admin: str, orders: int) -> dict[str, str]:
    """Everything in one go, without triggers; returns the people's ids by login."""
    statements = queries("watchkeep_dispatch", "sql/bench_orders.sql")
    with connect(admin, "bench") as conn:
        conn.execute("SET LOCAL session_replication_role = replica")
        for name in _FILLED:
            conn.execute(statements[name], {"orders": orders})
        conn.execute(
            "INSERT INTO community_history (community_id, property_org_id, area_id, households)"
            " SELECT community_id, property_org_id, area_id, households FROM communities"
        )
    with connect(admin, "bench", autocommit=True) as conn:
        conn.execute("VACUUM ANALYZE")
        return {row[0]: row[1] for row in conn.execute("SELECT login, person_id::text FROM people")}
