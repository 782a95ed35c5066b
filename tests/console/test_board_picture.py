"""One picture and one drawing for all boards that show the same; what has not changed is the same object."""

import asyncio
import dataclasses
from typing import Any, cast

import pytest
from nicegui import Client

from tests.console import world as w
from tests.console.staff import session_of
from tests.console.world import World
from watchkeep_console.pages.board_picture import Wanted, read
from watchkeep_console.pages.tabs import Tab
from watchkeep_console.services import Services
from watchkeep_console.shared import Shared
from watchkeep_console.texts import words

DEADLINE_S = 60.0


class Boards:
    """Open boards of a house of their own; `heard` is what its listener has heard."""

    def __init__(self, house: Services) -> None:
        self.heard = 0
        self._house = dataclasses.replace(house, shared=Shared(house.acting, lambda: self.heard))

    def open(self, login: str, language: str = "zh") -> Tab:
        session = session_of(self._house, login)
        return Tab(self._house, session, "", words(language), "light", "/", cast(Client, None))


@pytest.fixture
def boards(house: Services, world: World) -> Boards:
    w.warning(world, "lift-1", "door_held_open", of_class="C")
    return Boards(house)


def run(story: Any) -> None:
    asyncio.run(asyncio.wait_for(story, DEADLINE_S))


def test_boards_that_show_the_same_share_one_drawing(boards: Boards) -> None:
    async def story() -> None:
        one, two = boards.open("duty"), boards.open("duty")
        first, second = await asyncio.gather(read(one, Wanted()), read(two, Wanted()))
        assert first is second
        assert [row["equipment"] for row in first.warning_rows] == ["1 号楼客梯"]
        english = await read(boards.open("duty", "en"), Wanted())
        assert [row["equipment"] for row in english.warning_rows] == ["Lift 1"]
        assert (await read(boards.open("other"), Wanted())).warning_rows == []

    run(story())


def test_rows_that_have_not_changed_are_the_same_objects(boards: Boards, world: World) -> None:
    async def story() -> None:
        tab = boards.open("duty")
        before = await read(tab, Wanted())
        w.warning(world, "lift-2", "door_held_open", of_class="C")
        boards.heard += 1
        after = await read(tab, Wanted(), before)
        assert len(after.warning_rows) == 2
        assert any(row is before.warning_rows[0] for row in after.warning_rows)

    run(story())


def test_after_an_own_act_nothing_older_is_shown(boards: Boards, world: World) -> None:
    """Even before the listener has heard of the act."""

    async def story() -> None:
        tab = boards.open("duty")
        await read(tab, Wanted())
        w.warning(world, "lift-2", "door_held_open", of_class="C")
        begun = tab.house.shared.begun
        assert len((await read(tab, Wanted(), after=begun)).warning_rows) == 2

    run(story())
