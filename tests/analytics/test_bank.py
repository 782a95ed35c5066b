"""The arithmetic of the learned levels: contexts, rarities, the gate, days off."""

from datetime import UTC, datetime

import numpy as np
import pytest

from watchkeep_analytics.detectors import bank, bank_memory, gate
from watchkeep_analytics.detectors.bank_calendar import OFF, SPECIAL, WORKING, day_kinds
from watchkeep_analytics.table import Table
from watchkeep_core.clock import to_us


def table(rows: int = 1) -> Table:
    made = Table(**bank.SPECS, **gate.SPECS)
    made.grow(rows)
    return made


def test_contexts_are_new_once():
    seen = np.zeros((1, 73), np.uint8)
    row, before, after = np.array([0]), np.zeros(1), np.zeros(1)
    news = []
    for z in (0.7, 0.7, 0.7, 0.7, -3.0, 0.7):
        news.append(int(bank_memory.novelty(seen, row, before, np.array([z]), after)[0]))
        before[:] = after
    # What was before the first counts as the lowest level. A jump makes all three new; on the way back only the triple
    # is, because the level after the lowest one was seen at the start.
    assert news == [3, 2, 1, 0, 3, 1]


def test_rarity_is_the_share_of_the_own_history():
    counts = np.zeros((1, len(bank_memory.PARTS) * bank_memory.BINS), np.uint16)
    levels = np.full((5, 1), np.inf)
    for n in range(999):
        bank_memory.count(counts, np.array([0]), np.array([float(n)]), np.full((5, 1), 0.5), levels)
    kept = int(counts[0, : bank_memory.BINS].sum())
    novel = np.array([[990.0], [9.0], [0.0], [0.0]])
    usual = bank_memory.rarities(counts, np.array([0]), np.full((5, 1), 0.5), novel, np.array([0]))
    far = bank_memory.rarities(counts, np.array([0]), np.full((5, 1), 30.0), novel, np.array([2]))
    assert usual[:, 0] == pytest.approx(0, abs=0.01)
    assert far[:5, 0] == pytest.approx(np.log(kept + 1))  # once in all that was seen, and no rarer than that
    assert far[5, 0] == pytest.approx(np.log(1000))
    assert levels[0, 0] < 1


def test_the_bar_rises_with_a_notice_and_halves():
    state = table()
    row = np.array([0])
    first = gate.above(state, row, np.array([0.0]), np.array([50.0]))
    second = gate.above(state, row, np.array([1.0]), np.array([50.0]))
    third = gate.above(state, row, np.array([201.0]), np.array([50.0]))
    assert first[0] == 50
    assert second[0] == pytest.approx(20, abs=0.2)
    assert third[0] == pytest.approx(35, abs=0.2)


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        ("2026-06-18", WORKING),
        ("2026-06-20T00:00", OFF),
        ("2026-06-19", SPECIAL),  # Dragon Boat Festival, a Friday
        ("2026-02-14", SPECIAL),  # a Saturday worked before Spring Festival
        ("2090-01-01", OFF),  # no plan is known: a Sunday
    ],
)
def test_days(day, kind):
    moment = to_us(datetime.fromisoformat(day).replace(tzinfo=UTC))
    assert day_kinds(np.array([moment])).tolist() == [kind]


def test_a_day_begins_at_midnight_in_china():
    friday = to_us(datetime(2026, 6, 12, 15, 59, tzinfo=UTC))
    assert day_kinds(np.array([friday, friday + 60_000_000])).tolist() == [WORKING, OFF]


def test_what_is_frozen_is_not_learnt():
    state, rng = table(2), np.random.default_rng(1)
    rows = np.array([0, 1])
    for k in range(600):
        x = np.full(2, 50 + rng.normal())
        bank.step(state, rows, np.full(2, k * 300_000_000), x, np.zeros(2, np.bool_))
    assert np.array_equal(state["row"][0], state["row"][1])
    for k in range(600, 700):
        bank.step(state, rows, np.full(2, k * 300_000_000), np.full(2, 90.0), np.array([True, False]))
    assert state["row"][0, bank.N] == 600
    assert state["row"][0, bank.MEAN] == pytest.approx(50, abs=0.5)
    assert state["row"][1, bank.MEAN] > 51
    assert state["row"][0, bank.X] == 90
    assert np.nanmax(state["profile"][0]) < 55


def test_state_is_small():
    assert table(1000).nbytes / 1000 <= 1000


def test_blocks_change_nothing():
    rng = np.random.default_rng(3)
    many = bank.BLOCK + 10
    whole, parts = table(many), table(many)
    rows = np.arange(many)
    for k in range(3):
        x, t_us = rng.normal(size=many), np.full(many, k * 60_000_000)
        frozen = np.zeros(many, np.bool_)
        together = bank.step(whole, rows, t_us, x, frozen)
        apart = [bank.step(parts, rows[cut], t_us[cut], x[cut], frozen[cut]) for cut in (slice(0, 7), slice(7, many))]
        assert np.array_equal(together.score, np.concatenate([said.score for said in apart]))
        assert np.array_equal(together.u, np.concatenate([said.u for said in apart], axis=1))
