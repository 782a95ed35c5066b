"""`watchkeep bench console`: how fast people are served while 50 boards are open and a fleet sends.

Everything around it (database, broker, ingest, the fleet, `watchkeep console run`) are real processes that the caller
starts; this one plays the people, over HTTP.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
from pydantic import SecretStr

from watchkeep_console import bench_chart, services
from watchkeep_console.bench_boards import open_board
from watchkeep_console.bench_costs import costs, cpu_s
from watchkeep_console.bench_people import WARN, Desk, Ids, Seen, client, news, person
from watchkeep_console.people import NewMembership, create_person
from watchkeep_console.services import Services
from watchkeep_console.settings import ConsoleSettings
from watchkeep_core import bench, logs
from watchkeep_core.database import OWNER, connect
from watchkeep_core.errors import TransientError
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import duties
from watchkeep_dispatch.planning import Rules
from watchkeep_dispatch.rounds import file_waiting

GOAL_ACTION_MS = 300.0
GOAL_INGEST_MS = 1000.0
GOAL_CHART_MS = 1000.0
"""Issue 7."""
OPENWARNINGS = 300


class NothingWasAnswered(TransientError):
    """The measurement is void."""


@dataclass(frozen=True, slots=True)
class Target:
    """`fleet` ends the sending and returns the 99th percentile from publish to ack after commit, and readings/s."""

    url: str
    admin_url: str
    console_url: str
    analytics_url: str
    session_secret: str
    area: str
    fleet: Callable[[], tuple[float, float]]


def run_bench(target: Target, *, boards: int = 50, clients: int = 20, seconds: float = 60.0) -> bench.Result:
    """`boards` open boards, each a page with its WebSocket, whose people press and look; `clients` of the API."""
    logs.configure("bench", "warning")
    house = services.build(
        ConsoleSettings(
            database_url=SecretStr(target.console_url), session_secret=SecretStr(target.session_secret), pool_size=2
        )
    )
    try:
        ids = _prepare(target, boards + clients)
        tokens = [_session(house, person) for person in ids.people]
        seen = asyncio.run(_load(target, ids, tokens[:boards], tokens[boards:], seconds))
    finally:
        house.pool.close()
    ingest_ms, rate = target.fleet()
    drawn = _chart(target, ids, tokens[0])
    if not (seen.requests and seen.pages and seen.pushed):
        raise NothingWasAnswered("no request was answered, no page opened or no change was pushed")
    return bench.Result(
        bench="console",
        machine=bench.machine(),
        versions=bench.versions("fastapi", "nicegui", "uvicorn", "psycopg"),
        measures=[*_measures(seen, ingest_ms, rate, boards, seconds), *drawn],
    )


def _chart(target: Target, ids: Ids, token: str) -> list[bench.Measure]:
    """After the load: what one person waits for, in a browser."""
    browser = bench_chart.browser_path()
    if browser is None:
        return []
    chart = bench_chart.prepare(target.admin_url, ids.equipment[0][0])
    took = bench_chart.measure(target.url, token, chart, browser)
    return [bench.at_most("chart_of_10_points_over_1_year", "ms", GOAL_CHART_MS, [round(one, 1) for one in took])]


def _measures(seen: Seen, ingest_ms: float, rate: float, boards: int, seconds: float) -> list[bench.Measure]:
    requests = [one for times in seen.requests.values() for one in times]
    pages = [one for times in seen.pages.values() for one in times]
    return [
        bench.at_most("page_action_p95", "ms", GOAL_ACTION_MS, [_percentile(pages, 95)]),
        bench.at_most("page_action_p50", "ms", None, [_percentile(pages, 50)]),
        bench.at_most("api_request_p95", "ms", GOAL_ACTION_MS, [_percentile(requests, 95)]),
        bench.at_most("api_request_p50", "ms", None, [_percentile(requests, 50)]),
        bench.at_most("ingest_publish_to_ack_p99", "ms", GOAL_INGEST_MS, [ingest_ms]),
        bench.at_least("readings", "1/s", None, [rate]),
        bench.at_least("page_actions", "1/s", None, [len(pages) / seconds]),
        bench.at_least("api_requests", "1/s", None, [len(requests) / seconds]),
        bench.at_most("refused_or_failed", "requests", 0, [seen.refused]),
        bench.at_least("boards_open", "WebSockets", boards, [seen.boards]),
        bench.at_most("warning_to_board_p95", "ms", None, [_percentile(seen.pushed, 95)]),
        bench.at_most("sent_to_each_board", "kB/s", None, [round(seen.received / boards / seconds / 1000, 1)]),
        bench.at_most("console_cpu", "cores", None, [round(seen.cpu_s / seconds, 2)]),
        bench.at_most("people_cpu", "cores", None, [round(seen.own_cpu_s / seconds, 2)]),
        *(
            bench.at_most(f"cpu_of_one_{name}", "ms", None, [round(1000 * cpu_s, 1)])
            for name, cpu_s in seen.costs.items()
        ),
        *(
            bench.at_most(f"p95_{name}", "ms", None, [_percentile(times, 95)])
            for name, times in sorted([*seen.pages.items(), *seen.requests.items()])
        ),
    ]


def _prepare(target: Target, people: int) -> Ids:
    """Duty officers of the whole area, a board full of warnings, a case for each."""
    now = datetime.now(UTC)
    with connect(target.admin_url, "bench", role=OWNER) as conn:
        duties.load_default(conn, now - timedelta(days=1))
        member = NewMembership("duty_officer", "area", target.area)
        officers = [
            create_person(conn, f"bench.officer.{number}", "bench", secrets.token_urlsafe(24), None, [member])
            for number in range(people)
        ]
        equipment = conn.execute(
            "SELECT community_id, equipment_id FROM equipment WHERE kind = 'elevator' ORDER BY 1, 2 LIMIT %s",
            [OPENWARNINGS],
        ).fetchall()
        series = conn.execute("SELECT series_id FROM points ORDER BY series_id LIMIT 200").fetchall()
    with connect(target.analytics_url, "bench", autocommit=True) as conn:
        warnings = [
            int(row[0])
            for n, where in enumerate(equipment)
            for row in conn.execute(WARN, [*where, "door_close_fail", "ABC"[n % 3], "关门不到位"])
        ]
    with connect(target.admin_url, "bench", autocommit=True) as conn:
        rules = Rules(load(), duties.Lists(), {})
        while file_waiting(conn, lambda: datetime.now(UTC), rules, 100):
            pass
        cases = [int(row[0]) for row in conn.execute("SELECT case_id FROM cases")]
    return Ids(officers, warnings, cases, [(row[0], row[1]) for row in equipment], [int(row[0]) for row in series])


def _session(house: Services, person: str) -> str:
    opened = house.identity.log_in_as(person, user_agent="bench")
    if opened is None:
        raise NothingWasAnswered("no session could be opened")
    return opened.token


async def _load(target: Target, ids: Ids, boards: list[str], clients: list[str], seconds: float) -> Seen:
    seen = Seen()
    desk = Desk(seen)
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=target.url, timeout=30, limits=limits) as http:
        open_now = [await open_board(http, token, desk.heard) for token in boards]  # one by one, as people come to work
        listening = [asyncio.create_task(board.listen()) for board in open_now]
        began_s, own_s, ends = await cpu_s(http), time.process_time(), time.monotonic() + seconds
        before = sum(board.received for board in open_now)
        coming = asyncio.create_task(news(target.analytics_url, ids, desk))
        await asyncio.gather(
            *(client(http, token, ids, seen, ends, number) for number, token in enumerate(clients)),
            *(
                person(http, token, board, ids, desk, ends, number)
                for number, (token, board) in enumerate(zip(boards, open_now, strict=True))
            ),
        )
        seen.cpu_s, seen.own_cpu_s = await cpu_s(http) - began_s, time.process_time() - own_s
        seen.received = sum(board.received for board in open_now) - before
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        seen.boards = sum(not task.done() for task in listening)  # those that nobody has cut off
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
        for board in open_now:
            await board.line.close()
        seen.costs = await costs(http, clients, ids, seen)
    return seen


def _percentile(values: list[float], percent: int) -> float:
    """In milliseconds."""
    ordered = sorted(values)
    return round(1000 * ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 1)
