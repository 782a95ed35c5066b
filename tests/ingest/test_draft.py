"""What is drafted while another batch is stored counts for that batch only, and only if it would come out the same."""

from collections.abc import Sequence

import pytest

from tests.ingest.world import LIVE, POINTS, TAPE, World, birth, data
from watchkeep_ingest.draft import Draft
from watchkeep_ingest.incoming import Decoded, decode


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Draft]:
    """Every draft that is made."""
    drafts: list[Draft] = []
    of = Draft.of

    def noted(*arguments: object) -> Draft:
        drafts.append(of(*arguments))  # type: ignore[arg-type]  # handed on as they come
        return drafts[-1]

    monkeypatch.setattr(Draft, "of", noted)
    return drafts


def prepared(world: World, values: Sequence[float], first: int = 0, alias: int = 0) -> list[Decoded]:
    """Messages that another thread would have drafted by now."""
    messages = [
        decode(world.message(LIVE, data([value], alias=alias), first + place)) for place, value in enumerate(values)
    ]
    world.works["data"].prepare(messages)
    return messages


def test_a_prepared_batch_is_stored_as_it_was_drafted(world: World, made: list[Draft]):
    world.feed(world.message(LIVE, birth()), world.message(TAPE, birth()), world.message(LIVE, data([0.0]), 0))
    made.clear()
    world.writers["data"].commit(prepared(world, [1.0, 2.0], first=1))
    assert world.values() == [0.0, 1.0, 2.0]
    assert world.last_ack() == 2
    assert len(made) == 1
    world.feed(world.message(LIVE, data([3.0]), 3))
    assert world.values() == [0.0, 1.0, 2.0, 3.0]
    assert world.counts() == {"received": 6, "processed": 6, "decoded": 4, "stored": 4}


def test_duplicates_are_dropped_though_they_were_drafted(world: World, made: list[Draft]):
    world.feed(world.message(LIVE, birth()), world.message(LIVE, data([1.0]), 1))
    made.clear()
    messages = prepared(world, [1.0, 1.0, 1.0])
    world.writers["data"].commit(messages)
    assert world.values() == [1.0, 1.0, 1.0]
    assert len(made) == 2
    world.writers["data"].commit(messages)
    assert world.counts() == {"received": 8, "processed": 4, "duplicate": 4, "decoded": 3, "stored": 3}


def test_a_birth_after_the_draft_decides_what_its_aliases_mean(world: World, made: list[Draft]):
    world.feed(world.message(LIVE, birth(POINTS[:1])), world.message(LIVE, data([0.0]), 0))
    messages = prepared(world, [1.0], first=1, alias=1)
    world.feed(world.message(LIVE, birth()))
    made.clear()
    world.writers["data"].commit(messages)
    assert world.values() == [0.0, 1.0]
    assert world.rows("SELECT count(*) FROM parked") == [(0,)]
    assert len(made) == 1


def test_what_nobody_knows_is_not_drafted(world: World, made: list[Draft]):
    messages = prepared(world, [1.0])
    assert made == []
    world.writers["data"].commit(messages)
    assert world.counts() == {"received": 1, "processed": 1, "decoded": 1, "parked": 1}
