"""The arithmetic of the learned levels: contexts, rarities, the gate, days off."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from watchkeep_analytics.detectors import bank
from watchkeep_analytics.detectors.bank_calendar import OFF, SPECIAL, WORKING, day_kinds
from watchkeep_analytics.detectors.bank_memory import SAID, SERIES, SPECS, Ready, Record, Said, Series, World
from watchkeep_analytics.table import Table
from watchkeep_core.clock import to_us


def table(rows: int = 1) -> Table:
    made = Table(**SPECS)
    made.grow(rows)
    return made


def known(state: Table) -> Record:
    """A series that is old enough to count, with a mean of 0 and a standard deviation of 1."""
    one = state["series"][0]
    one.n, one.variance, one.level = 1000, 1.0, np.full(5, 1.0)
    return one


def test_contexts_are_new_once():
    state = table()
    news = []
    for z in (0.7, 0.7, 0.7, 0.7, -3.0, 0.7):
        before = known(state).novel.copy()
        bank.said_of(state["series"], *rows_of(np.array([z])))
        news.append(int(np.flatnonzero(state["series"][0].novel - before)[0]))
    # What was before the first counts as the lowest level. A jump makes all three new; on the way back only the triple
    # is, because the level after the lowest one was seen at the start.
    assert news == [3, 2, 1, 0, 3, 1]


def test_rarity_is_the_share_of_the_own_history():
    rng = np.random.default_rng(5)
    state, said = fed(np.append(rng.normal(size=2000), [0.01, 40.0]))
    counted = int(state["series"][0].counts[:, 0].sum())
    usual, far = said[-2:]
    assert usual.rarity[0] == pytest.approx(0, abs=0.7)
    assert far.rarity[0] == pytest.approx(math.log(counted), abs=0.1)  # once in all that was seen, and no rarer
    assert far.ratio[0] > 5
    shares = said[1000:2000]["ratio"][:, 0]
    assert (shares >= 1).mean() == pytest.approx(0.002, abs=0.004)


def test_a_notice_puts_the_bar_at_its_score_and_it_halves():
    one = table()["series"][0]
    assert bank.above(one, 0, 50.0, bank.NOTICE) == 50
    assert bank.above(one, 1, 50.0, bank.NOTICE) == pytest.approx(0, abs=0.5)
    assert bank.above(one, 200, 50.0, bank.NOTICE) == pytest.approx(37.5)


def test_what_is_no_notice_leaves_the_bar():
    one = table()["series"][0]
    for n in range(3):
        assert bank.above(one, n, bank.NOTICE, bank.NOTICE) == bank.NOTICE


def rows_of(values: np.ndarray, minutes: int = 5) -> tuple[np.ndarray, ...]:
    """One series with these values in turn."""
    t_us = np.arange(len(values)) * minutes * 60_000_000
    return np.zeros(len(values), np.int64), t_us, values.astype(float), day_kinds(t_us)


def fed(values: np.ndarray, minutes: int = 5) -> tuple[Table, Said]:
    """The same, and what was said of each."""
    state = table()
    return state, bank.said_of(state["series"], *rows_of(values, minutes))


def test_beyond_everything_ever_seen_counts_by_how_far_and_how_long_it_was_not():
    usual = np.sin(np.arange(1500) / 9) + np.random.default_rng(2).normal(size=1500) / 50
    width = float(np.ptp(usual))
    scores = {}
    for share in (-0.05, 0.1, 0.5):
        _, said = fed(np.append(usual, usual.max() + share * width))
        assert said[-1].beyond == pytest.approx(max(share, 0), abs=0.03)  # the range has drawn in a little
        scores[share] = float(said[-1].score)
    far = fed(np.append(usual, usual.max() + 0.5 * width))[1][-1]
    assert far.rarity[-1] == pytest.approx(np.log(1501))
    assert scores[-0.05] < scores[0.1] < scores[0.5]
    assert scores[0.5] - scores[0.1] > np.log(1501)  # each factor of e more is worth the rarity once


def test_what_was_once_seen_is_forgotten_in_weeks_not_in_hours():
    values = np.tile([0.0, 1.0], 1000)
    values[500] = 11.0
    state, _ = fed(values)
    high = float(state["series"][0].high)
    gone = (11.0 - high) / (11.0 - 0.5)
    assert gone == pytest.approx(1 - np.exp(-1499 / bank.LONG), rel=0.05)


def test_a_constant_that_changes_is_beyond_by_one_width():
    values = np.full(700, 5.0)
    values[-1] = 5.5
    _, said = fed(values)
    assert said[-1].beyond == 1.0
    assert np.isfinite(said[-1].score)


def test_hourly_values_are_a_mean_of_days_not_yesterday():
    rng = np.random.default_rng(4)
    days = 26
    state, _ = fed(10 + rng.normal(size=24 * days), minutes=60)
    profile = state["series"][0].profile
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
    x = np.append(np.repeat(50 + rng.normal(size=600), 2), np.full(200, 90.0))
    rows, t_us = np.tile([0, 1], 700), np.repeat(np.arange(700), 2) * 300_000_000
    watched(state["series"], rows[:1200], t_us[:1200], x[:1200], NOTHING)
    one, other = state["series"]
    np.testing.assert_equal(one.item(), other.item())
    held = World(np.zeros(0), np.array([t_us[1200], 0]), np.array([t_us[-1] + 1, 0]), NONE)
    watched(state["series"], rows[1200:], t_us[1200:], x[1200:], held)
    assert one.n == 600
    assert one.average == pytest.approx(50, abs=0.5)
    assert other.average > 51
    assert one.x == 90
    assert np.nanmax(one.profile) < 55


NONE = np.zeros(0, np.int64)
NOTHING = World(np.zeros(0), NONE, NONE, NONE)
"""No bars, no warnings, nothing called normal."""


def watched(series: Series, rows: np.ndarray, t_us: np.ndarray, x: np.ndarray, world: World) -> Said:
    """What is told of series that are never ready."""
    said = np.zeros(len(rows), SAID)
    columns = (rows, t_us, x, day_kinds(t_us))
    for column in columns[:3]:
        column.setflags(write=False)
    return said[: bank.watch(series, *columns, world, Ready(10**9, 0, 0), said)]


def test_state_is_small():
    assert table(1000).nbytes / 1000 <= 1000
    sizes = [SERIES[name].itemsize for name in SERIES.names or ()]
    assert sum(sizes) == SERIES.itemsize  # no holes
