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


def test_a_notice_puts_the_bar_at_its_score_and_it_halves():
    state = table()
    row = np.array([0])
    first = gate.above(state, row, np.array([0.0]), np.array([50.0]))
    second = gate.above(state, row, np.array([1.0]), np.array([50.0]))
    third = gate.above(state, row, np.array([200.0]), np.array([50.0]))
    assert first[0] == 50
    assert second[0] == pytest.approx(0, abs=0.5)
    assert third[0] == pytest.approx(37.5)


def test_what_is_no_notice_leaves_the_bar():
    state = table()
    row = np.array([0])
    for n in range(3):
        assert gate.above(state, row, np.array([float(n)]), np.array([gate.NOTICE])) == gate.NOTICE


def fed(values: np.ndarray, minutes: int = 5) -> tuple[Table, list[bank.Scores]]:
    """One series with these values in turn, and what was said of each."""
    state, row, free = table(), np.array([0]), np.zeros(1, np.bool_)
    said = [
        bank.step(state, row, np.array([k * minutes * 60_000_000]), np.array([x]), free)
        for k, x in enumerate(values.tolist())
    ]
    return state, said


def test_beyond_everything_ever_seen_counts_by_how_far_and_how_long_it_was_not():
    usual = np.sin(np.arange(1500) / 9) + np.random.default_rng(2).normal(size=1500) / 50
    width = float(np.ptp(usual))
    scores = {}
    for share in (-0.05, 0.1, 0.5):
        _, said = fed(np.append(usual, usual.max() + share * width))
        assert said[-1].beyond[0] == pytest.approx(max(share, 0), abs=0.03)  # the range has drawn in a little
        scores[share] = float(said[-1].score[0])
    far = fed(np.append(usual, usual.max() + 0.5 * width))[1][-1]
    assert far.rarity[-1, 0] == pytest.approx(np.log(1501))
    assert scores[-0.05] < scores[0.1] < scores[0.5]
    assert scores[0.5] - scores[0.1] > np.log(1501)  # each factor of e more is worth the rarity once


def test_what_was_once_seen_is_forgotten_in_weeks_not_in_hours():
    values = np.tile([0.0, 1.0], 1000)
    values[500] = 11.0
    state, _ = fed(values)
    high = float(state["row"][0, bank.HIGH])
    gone = (11.0 - high) / (11.0 - 0.5)
    assert gone == pytest.approx(1 - np.exp(-1499 / bank_memory.LONG), rel=0.05)


def test_a_constant_that_changes_is_beyond_by_one_width():
    values = np.full(700, 5.0)
    values[-1] = 5.5
    _, said = fed(values)
    assert said[-1].beyond[0] == 1.0
    assert np.isfinite(said[-1].score[0])


def test_hourly_values_are_a_mean_of_days_not_yesterday():
    rng = np.random.default_rng(4)
    days = 26
    state, _ = fed(10 + rng.normal(size=24 * days), minutes=60)
    profile = state["profile"][0]
    working = profile[: 2 * 24 : 2]  # hours of working days
    assert np.std(working) < 0.5  # one value a day, taken at 74 %, would leave 0.77


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
