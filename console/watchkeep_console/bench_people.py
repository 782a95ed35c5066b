"""The people of `watchkeep bench console`: who looks at a board, files what comes in, opens cases, or asks the API."""

import asyncio
import itertools
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import psycopg

from watchkeep_console.api.access import COOKIE
from watchkeep_console.bench_boards import Board

NEWS_EVERY_S = 1.0
LOOK_S = (5.0, 25.0)
"""Between two acts of one person at a board."""
FORGET_S = 30.0
"""After so long a press has failed."""
THINK_S = (0.2, 1.0)
"""Between two requests of one client of the API."""
WARN = (
    "INSERT INTO warnings (community_id, equipment_id, condition, tier, proposed_class, life_safety, event_at,"
    " detected_at, last_seen_at, detector, version, evidence, sentence_zh, sentence_en)"
    " VALUES (%s, %s, %s, 'alarm', %s, false, now(), now(), now(), 'bench', '1', '{}', %s, 'Door does not close')"
    " ON CONFLICT DO NOTHING RETURNING warning_id"
)


@dataclass(slots=True)
class Seen:
    """What the clients met; times in seconds."""

    requests: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    pages: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    pushed: list[float] = field(default_factory=list)
    """From the commit of a warning until a board has it."""
    refused: int = 0
    boards: int = 0
    received: int = 0
    """Characters that the boards were sent."""
    cpu_s: float = 0.0
    """Of the console's process, while it was measured."""
    own_cpu_s: float = 0.0
    """Of the people's side meanwhile, which shares the machine."""
    costs: dict[str, float] = field(default_factory=dict)
    """CPU seconds of the console for one of each kind."""


@dataclass(frozen=True, slots=True)
class Ids:
    people: list[str]
    warnings: list[int]
    cases: list[int]
    equipment: list[tuple[str, str]]
    series: list[int]


@dataclass(slots=True)
class _New:
    """A warning that has opened lately."""

    warning_id: int
    at: float
    taken: asyncio.Event | None = None
    """Somebody has pressed; set when the board of that person shows the case."""
    by: str = ""
    had: set[str] = field(default_factory=set)
    """Boards that show it."""


class Desk:
    """What has just come in, and who has it on the board."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self._news: dict[str, _New] = {}

    def opened(self, sentence: str, warning_id: int) -> None:
        now = time.monotonic()
        self._news = {name: one for name, one in self._news.items() if now - one.at < FORGET_S}
        self._news[sentence] = _New(warning_id, now)

    def heard(self, board: Board, text: str) -> None:
        for sentence, one in self._news.items():
            end = text.find(sentence)
            if end < 0:
                continue
            if board.client_id not in one.had:
                one.had.add(board.client_id)
                self.seen.pushed.append(time.monotonic() - one.at)
            if one.taken and one.by == board.client_id and "案件 #" in _row(text, one.warning_id, end):
                one.taken.set()

    async def confirm(self, board: Board) -> bool:
        """File the newest that this board shows and nobody has taken, and wait for its case. False = there is none."""
        free = [one for one in self._news.values() if one.taken is None and board.client_id in one.had]
        if not free:
            return False
        one, began = free[-1], time.monotonic()
        one.taken, one.by = asyncio.Event(), board.client_id
        await board.press_confirm(one.warning_id)
        try:
            await asyncio.wait_for(one.taken.wait(), FORGET_S)
            self.seen.pages["confirm"].append(time.monotonic() - began)
        except TimeoutError:
            self.seen.refused += 1
        return True


def _row(text: str, warning_id: int, end: int) -> str:
    """The part of a row before its sentence; quotes may be escaped."""
    begins = [text.rfind(f"id{quote}:{warning_id},", 0, end) for quote in ('"', '\\"')]
    return text[max(begins) : end] if max(begins) >= 0 else ""


async def news(analytics_url: str, ids: Ids, desk: Desk) -> None:
    """A warning opens every second."""
    async with await psycopg.AsyncConnection.connect(analytics_url, autocommit=True) as conn:
        for number, where in enumerate(itertools.cycle(ids.equipment)):
            await asyncio.sleep(NEWS_EVERY_S)
            sentence = f"反复开关门 n{number}n"
            row = await (await conn.execute(WARN, [*where, "door_cycling", "ABC"[number % 3], sentence])).fetchone()
            if row is not None:
                desk.opened(sentence, int(row[0]))


async def person(
    http: httpx.AsyncClient, token: str, board: Board, ids: Ids, desk: Desk, ends: float, number: int
) -> None:
    """Now and then files a warning from the board, or opens a case."""
    choose = random.Random(1000 + number)  # noqa: S311  # what is done next, no secret
    while True:
        await asyncio.sleep(choose.uniform(*LOOK_S))
        if time.monotonic() > ends:
            return
        if choose.random() < 0.5 and await desk.confirm(board):
            continue
        await look(http, token, desk.seen, desk.seen.pages["open_case"], f"/cases/{choose.choice(ids.cases)}")


async def look(http: httpx.AsyncClient, token: str, seen: Seen, times: list[float], path: str) -> None:
    began = time.monotonic()
    try:
        answer = await http.get(path, headers={"Cookie": f"{COOKIE}={token}"})
        seen.refused += answer.status_code != 200
        times.append(time.monotonic() - began)
    except httpx.HTTPError:
        seen.refused += 1


async def client(http: httpx.AsyncClient, token: str, ids: Ids, seen: Seen, ends: float, number: int) -> None:
    choose = random.Random(number)  # noqa: S311  # what is looked at next, no secret
    await asyncio.sleep(choose.random())
    for name, path in requests(ids, choose):
        if time.monotonic() > ends:
            return
        await look(http, token, seen, seen.requests[name], path)
        await asyncio.sleep(choose.uniform(*THINK_S))


def requests(ids: Ids, choose: random.Random) -> Iterator[tuple[str, str]]:
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
