"""One answer for everybody of a scope: for a second, until something changes, never across scopes."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import pytest
from psycopg import Connection

from tests.console.world import World
from watchkeep_console.services import Services
from watchkeep_console.shared import AT_MOST, KEPT_S, SCOPE_S, Shared

DEADLINE_S = 60.0


class Counted:
    """A shared answer whose clock and changes a test turns."""

    def __init__(self, house: Services, world: World) -> None:
        self.now, self.changes, self.made = 0.0, 0, 0
        self.go = threading.Event()
        """Answers are made while it is set."""
        self.go.set()
        self.shared = Shared(house.acting, lambda: self.changes, lambda: self.now)
        self._world = world

    async def ask(self, who: str, what: str = "summary", *, after: int = 0) -> int:
        return await self.shared.get(self._world.people[who], what, self._make, after=after)

    async def asks(self, *who: str) -> list[int]:
        return [await self.ask(one) for one in who]

    def _make(self, conn: Connection) -> int:
        assert self.go.wait(DEADLINE_S)
        self.made += 1
        return self.made


@pytest.fixture
def counted(house: Services, world: World) -> Counted:
    return Counted(house, world)


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, DEADLINE_S))


def test_it_is_made_once_a_second(counted: Counted) -> None:
    async def story() -> None:
        assert await counted.asks("duty", "duty") == [1, 1]
        counted.now = KEPT_S
        assert await counted.ask("duty") == 2
        assert await counted.ask("duty", after=counted.shared.begun) == 3
        assert await counted.ask("duty", "board") == 4

    run(story())


def test_a_change_ends_it_at_once(counted: Counted) -> None:
    async def story() -> None:
        assert await counted.ask("duty") == 1
        counted.changes += 1
        assert await counted.ask("duty") == 2

    run(story())


def test_who_comes_while_it_is_made_gets_that_one(counted: Counted) -> None:
    """Unless something has changed since it was begun: then all who came since get the next one."""

    async def story() -> None:
        await counted.ask("duty", "other")  # its scope is known
        counted.go.clear()
        first = [asyncio.create_task(counted.ask("duty")) for _ in range(3)]
        while counted.shared.begun < 2:
            await asyncio.sleep(0)
        counted.changes += 1
        later = [asyncio.create_task(counted.ask("duty")) for _ in range(3)]
        await asyncio.sleep(0)
        counted.go.set()
        assert await asyncio.gather(*first, *later) == [2, 2, 2, 3, 3, 3]

    run(story())


def test_what_fails_is_tried_again(counted: Counted, world: World) -> None:
    def fail(conn: Connection) -> int:
        raise ValueError("no answer")

    async def story() -> None:
        with pytest.raises(ValueError, match="no answer"):
            await counted.shared.get(world.people["duty"], "summary", fail)
        assert await counted.ask("duty") == 1

    run(story())


def test_it_never_crosses_scopes(counted: Counted, world: World) -> None:
    async def story() -> None:
        assert await counted.asks("duty", "tech", "other", "verifier") == [1, 2, 3, 4]
        with world.admin() as conn:
            conn.execute("UPDATE people SET active = false WHERE login = 'duty'")
        counted.changes += 1
        assert await counted.ask("duty") == 5, "made under what the person may see now"
        assert await counted.ask("verifier") == 6

    run(story())


def test_who_has_lost_a_role_leaves_the_scope(counted: Counted, world: World) -> None:
    async def story() -> None:
        assert await counted.ask("duty") == 1
        with world.admin() as conn:
            conn.execute("UPDATE people SET active = false WHERE login = 'duty'")
        counted.now = SCOPE_S
        assert await counted.ask("tech") == 2
        assert await counted.ask("duty") == 3

    run(story())


def test_it_stays_small(counted: Counted) -> None:
    async def story() -> None:
        for number in range(AT_MOST + 1):
            await counted.ask("duty", str(number))
        made = counted.made
        await counted.ask("duty", "0")
        assert counted.made == made + 1

    run(story())
