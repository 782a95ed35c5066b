"""`watchkeep bench console`: how fast people are served while 50 boards are open and a fleet sends.

Everything around it (database, broker, ingest, the fleet, `watchkeep console run`) are real processes that the caller
starts; this one plays the people, over HTTP.
"""

import asyncio
import random
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
from psycopg.types.json import Jsonb
from pydantic import SecretStr

from watchkeep_console import services
from watchkeep_console.api.access import COOKIE
from watchkeep_console.people import NewMembership, create_person
from watchkeep_console.services import Services
from watchkeep_console.settings import ConsoleSettings
from watchkeep_core import bench, logs
from watchkeep_core.database import OWNER, connect
from watchkeep_core.errors import TransientError
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import duties
from watchkeep_dispatch.casework import Rules
from watchkeep_dispatch.rounds import file_waiting

GOAL_ACTION_MS = 300.0
GOAL_INGEST_MS = 1000.0
"""Issue 7."""
OPEN_WARNINGS = 300
CONDITION = "door_close_fail"
NEWS_EVERY_S = 2.0
THINK_S = (0.2, 1.0)
"""Between two requests of one client."""


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


@dataclass(slots=True)
class _Seen:
    """What the clients met."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: int = 0
    changes: int = 0
    boards: int = 0


def run_bench(target: Target, *, boards: int = 50, clients: int = 20, seconds: float = 60.0) -> bench.Result:
    """`boards` event streams, `clients` that read and act, for so long."""
    logs.configure("bench", "warning")
    house = services.build(
        ConsoleSettings(
            database_url=SecretStr(target.console_url), session_secret=SecretStr(target.session_secret), pool_size=2
        )
    )
    try:
        ids = _prepare(target)
        tokens = [_session(house, ids.person) for _ in range(boards + clients)]
        seen = asyncio.run(_load(target, ids, tokens[:boards], tokens[boards:], seconds))
    finally:
        house.pool.close()
    ingest_ms, rate = target.fleet()
    actions = [one for times in seen.seconds.values() for one in times]
    if not actions:
        raise NothingWasAnswered("no request was answered")
    return bench.Result(
        bench="console",
        machine=bench.machine(),
        versions=bench.versions("fastapi", "nicegui", "uvicorn", "psycopg"),
        measures=[
            bench.at_most("page_action_p95", "ms", GOAL_ACTION_MS, [_percentile(actions, 95)]),
            bench.at_most("page_action_p50", "ms", None, [_percentile(actions, 50)]),
            bench.at_most("ingest_publish_to_ack_p99", "ms", GOAL_INGEST_MS, [ingest_ms]),
            bench.at_least("readings", "1/s", None, [rate]),
            bench.at_least("actions", "1/s", None, [len(actions) / seconds]),
            bench.at_most("refused_or_failed", "requests", 0, [seen.refused]),
            bench.at_least("boards_open", "streams", boards, [seen.boards]),
            bench.at_least("changes_pushed", "messages", None, [seen.changes]),
            *(
                bench.at_most(f"p95_{name}", "ms", None, [_percentile(times, 95)])
                for name, times in sorted(seen.seconds.items())
            ),
        ],
    )


@dataclass(frozen=True, slots=True)
class _Ids:
    person: str
    warnings: list[int]
    equipment: list[tuple[str, str]]
    series: list[int]


def _prepare(target: Target) -> _Ids:
    """A duty officer of the whole area, a board full of warnings, a case for each."""
    now = datetime.now(UTC)
    with connect(target.admin_url, "bench", role=OWNER) as conn:
        duties.load_default(conn, now - timedelta(days=1))
        password = secrets.token_urlsafe(24)
        member = NewMembership("duty_officer", "area", target.area)
        person = create_person(conn, "bench.officer", "bench", password, None, [member])
        equipment = conn.execute(
            "SELECT community_id, equipment_id FROM equipment WHERE kind = 'elevator' ORDER BY 1, 2 LIMIT %s",
            [OPEN_WARNINGS],
        ).fetchall()
        series = conn.execute("SELECT series_id FROM points ORDER BY series_id LIMIT 200").fetchall()
    with connect(target.analytics_url, "bench", autocommit=True) as conn:
        warnings = [_warn(conn, *where) for where in equipment]
    with connect(target.admin_url, "bench", autocommit=True) as conn:
        rules = Rules(load(), duties.Lists(), {})
        while file_waiting(conn, lambda: datetime.now(UTC), rules, 100):
            pass
    return _Ids(person, warnings, [(row[0], row[1]) for row in equipment], [int(row[0]) for row in series])


def _warn(conn: psycopg.Connection, community: str, equipment: str, condition: str = CONDITION) -> int:
    now = datetime.now(UTC)
    row = conn.execute(
        "INSERT INTO warnings (community_id, equipment_id, condition, tier, proposed_class, life_safety, event_at,"
        " detected_at, last_seen_at, detector, version, evidence, sentence_zh, sentence_en)"
        " VALUES (%s, %s, %s, 'alarm', 'B', false, %s, %s, %s, 'bench', '1', %s, '关门不到位', 'Door does not close')"
        " RETURNING warning_id",
        [community, equipment, condition, now, now, now, Jsonb({})],
    ).fetchone()
    return int(row[0]) if row else 0


def _session(house: Services, person: str) -> str:
    opened = house.identity.log_in_as(person, user_agent="bench")
    if opened is None:
        raise NothingWasAnswered("no session could be opened")
    return opened.token


async def _load(target: Target, ids: _Ids, boards: list[str], clients: list[str], seconds: float) -> _Seen:
    seen = _Seen()
    ends = time.monotonic() + seconds
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=target.url, timeout=30, limits=limits) as http:
        streams = [asyncio.create_task(_board(http, token, seen)) for token in boards]
        news = asyncio.create_task(_news(target, ids))
        await asyncio.gather(*(_client(http, token, ids, seen, ends, number) for number, token in enumerate(clients)))
        for task in (*streams, news):
            task.cancel()
        await asyncio.gather(*streams, news, return_exceptions=True)
    return seen


async def _board(http: httpx.AsyncClient, token: str, seen: _Seen) -> None:
    """An open board: its stream of changes, and for each burst what the page reads anew."""
    async with http.stream("GET", "/api/v1/events", cookies={COOKIE: token}, timeout=None) as stream:
        seen.boards += stream.status_code == 200
        async for line in stream.aiter_lines():
            seen.changes += line.startswith("event: change")


async def _news(target: Target, ids: _Ids) -> None:
    """A warning opens, or clears, every two seconds."""
    where = random.Random(1)  # noqa: S311  # which lift, no secret
    async with await psycopg.AsyncConnection.connect(target.analytics_url, autocommit=True) as conn:
        while True:
            await asyncio.sleep(NEWS_EVERY_S)
            await conn.execute(
                "UPDATE warnings SET last_seen_at = now(), occurrences = occurrences + 1 WHERE warning_id = %s",
                [where.choice(ids.warnings)],
            )


async def _client(http: httpx.AsyncClient, token: str, ids: _Ids, seen: _Seen, ends: float, number: int) -> None:
    choose = random.Random(number)  # noqa: S311  # what is looked at next, no secret
    await asyncio.sleep(choose.random())
    for name, path in _actions(ids, choose):
        began = time.monotonic()
        if began > ends:
            return
        try:
            answer = await http.get(path, cookies={COOKIE: token})
            seen.refused += answer.status_code != 200
            seen.seconds[name].append(time.monotonic() - began)
        except httpx.HTTPError:
            seen.refused += 1
        await asyncio.sleep(choose.uniform(*THINK_S))


def _actions(ids: _Ids, choose: random.Random) -> Iterator[tuple[str, str]]:
    """What a duty officer's pages ask for, for ever."""
    while True:
        community, equipment = choose.choice(ids.equipment)
        now = datetime.now(UTC)
        span = f"from={now - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}&to={now:%Y-%m-%dT%H:%M:%SZ}"
        yield "summary", "/api/v1/summary"
        yield "warnings", "/api/v1/warnings?status=open&limit=50"
        yield "warning", f"/api/v1/warnings/{choose.choice(ids.warnings)}"
        yield "cases", "/api/v1/cases?open=true&limit=50"
        yield "equipment", f"/api/v1/communities/{community}/equipment/{equipment}"
        yield "chart", f"/api/v1/series/{choose.choice(ids.series)}/window?{span}&points=500"


def _percentile(values: list[float], percent: int) -> float:
    """In milliseconds."""
    ordered = sorted(values)
    return round(1000 * ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 1)
