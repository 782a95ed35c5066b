"""One answer for everybody of a scope: for a second, until something changes, never across scopes."""

import pytest

from tests.console.world import World
from watchkeep_console.services import Services
from watchkeep_console.shared import AT_MOST, KEPT_S, Shared


class Counted:
    """A shared answer whose clock and changes a test turns."""

    def __init__(self, house: Services, world: World) -> None:
        self.now, self.changes, self.made = 0.0, 0, 0
        self.shared = Shared(lambda: self.changes, lambda: self.now)
        self._house, self._world = house, world

    def ask(self, who: str, what: str = "summary", *, fresh: bool = False) -> int:
        with self._house.acting(self._world.people[who]) as conn:
            return self.shared.get(conn, what, self._make, fresh=fresh)

    def _make(self) -> int:
        self.made += 1
        return self.made


@pytest.fixture
def counted(house: Services, world: World) -> Counted:
    return Counted(house, world)


def test_it_is_made_once_a_second(counted: Counted) -> None:
    assert [counted.ask("duty"), counted.ask("duty")] == [1, 1]
    counted.now = KEPT_S
    assert counted.ask("duty") == 2
    assert counted.ask("duty", fresh=True) == 3
    assert counted.ask("duty", "board") == 4


def test_a_change_ends_it_at_once(counted: Counted) -> None:
    assert counted.ask("duty") == 1
    counted.changes += 1
    assert counted.ask("duty") == 2


def test_it_never_crosses_scopes(counted: Counted, world: World) -> None:
    assert [counted.ask(who) for who in ("duty", "tech", "other", "verifier")] == [1, 2, 3, 4]
    with world.admin() as conn:  # who has lost the role gets nothing that was made for those who have it
        conn.execute("UPDATE people SET active = false WHERE login = 'duty'")
    assert counted.ask("duty") == 5


def test_it_stays_small(counted: Counted) -> None:
    for number in range(AT_MOST + 1):
        counted.ask("duty", str(number))
    made = counted.made
    counted.ask("duty", "0")
    assert counted.made == made + 1
