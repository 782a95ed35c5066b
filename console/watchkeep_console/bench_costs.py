"""CPU that one case opened and one request cost the console, for `watchkeep bench console`.

Unlike the times that people wait, these hardly move with the load of the machine.
"""

import itertools
import random
import re
from collections.abc import Awaitable, Callable, Sequence

import httpx

from watchkeep_console.bench_people import Ids, Seen, look, requests

REQUESTS, PAGES = 240, 40


async def costs(http: httpx.AsyncClient, tokens: Sequence[str], ids: Ids, seen: Seen) -> dict[str, float]:
    """`api_request` and `case_opened` → CPU seconds of the console's process for each one, one after the other."""
    choose, whose = random.Random(7), itertools.cycle(tokens)  # noqa: S311  # what is asked, no secret

    async def ask() -> None:
        for _, path in itertools.islice(requests(ids, choose), REQUESTS):
            await look(http, next(whose), seen, [], path)

    async def open_cases() -> None:
        for _ in range(PAGES):
            await look(http, next(whose), seen, [], f"/cases/{choose.choice(ids.cases)}")

    return {"api_request": await _spent(http, ask) / REQUESTS, "case_opened": await _spent(http, open_cases) / PAGES}


async def cpu_s(http: httpx.AsyncClient) -> float:
    """CPU seconds of the console's process so far."""
    found = re.search(r"^process_cpu_seconds_total ([0-9.e+]+)", (await http.get("/metrics")).text, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def _spent(http: httpx.AsyncClient, work: Callable[[], Awaitable[None]]) -> float:
    before_s = await cpu_s(http)
    await work()
    return await cpu_s(http) - before_s
