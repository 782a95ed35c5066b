"""Limits: hysteresis, delays in event time, interlocks; batches change nothing."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analytics.world import batch, brief, limit, moment, point, registry
from watchkeep_analytics.batch import Batch
from watchkeep_analytics.detectors.limits import Limits

HOT = "machine_temperature_high"


def hot(**more) -> Limits:
    return Limits(registry([point(11, "machine_temperature")], [limit(1, 11, "above", 90.0, 85.0, **more)]))


def feed(detector: Limits, *rows: tuple[float, float]) -> list[tuple[str, bool, float]]:
    return brief(detector.observe(batch([(0, t, x) for t, x in rows])))


@pytest.mark.parametrize(
    ("side", "value", "clear", "good", "bad", "between"),
    [("above", 90, 85, 80, 95, 88), ("below", 10, 15, 20, 5, 12)],
)
def test_hysteresis(side, value, clear, good, bad, between):
    detector = Limits(registry([point(11, "machine_temperature")], [limit(1, 11, side, value, clear)]))
    found = feed(detector, (0, good), (1, between), (2, bad), (3, between), (4, good), (5, between), (6, bad))
    assert found == [(HOT, True, 2), (HOT, False, 4), (HOT, True, 6)]


def test_the_limit_itself_is_still_good():
    assert feed(hot(), (0, 90.0), (1, 90.001)) == [(HOT, True, 1)]


def test_a_number_must_be_seen_beyond_at_both_ends_of_the_delay():
    assert feed(hot(for_s=60.0), (0, 95), (59, 95), (60, 95)) == [(HOT, True, 60)]
    assert feed(hot(for_s=60.0), (0, 95), (300, 80)) == []
    assert feed(hot(for_s=60.0), (0, 95), (30, 80), (61, 95), (120, 95)) == []


def test_off_delay_runs_anew_after_a_relapse():
    detector = hot(clear_for_s=60.0)
    found = feed(detector, (0, 95), (10, 80), (60, 95), (70, 80), (129, 80), (130, 80))
    assert found == [(HOT, True, 0), (HOT, False, 130)]


def test_several_crossings_in_one_batch_and_across_batches():
    detector = hot()
    assert feed(detector, (0, 95), (1, 80), (2, 95)) == [(HOT, True, 0), (HOT, False, 1), (HOT, True, 2)]
    assert feed(detector, (3, 95)) == []
    assert feed(detector, (4, 80)) == [(HOT, False, 4)]


def test_two_tiers_of_one_condition_are_two_sources():
    rows = [limit(1, 11, "above", 90.0, 85.0), limit(2, 11, "above", 110.0, 100.0, tier="alarm")]
    found = Limits(registry([point(11, "machine_temperature")], rows)).observe(batch([(0, 0, 95), (0, 1, 115)]))
    assert [(s.tier, s.source) for s in found] == [("warning", "limit:1"), ("alarm", "limit:2")]


def lift(**more) -> Limits:
    """Stopped outside the door zone, when the car stands."""
    rows = [limit(1, 12, "equals", 2.0, condition="stop_off_zone", when_metric="car_status", when_value=0.0, **more)]
    return Limits(registry([point(11, "car_status"), point(12, "door_zone")], rows))


def test_a_state_holds_so_its_delay_ends_between_readings():
    detector = lift(for_s=45.0)
    assert detector.observe(batch([(0, 0, 0), (1, 0, 2)])) == []
    made = detector._registry
    assert detector.tick(moment(made, 100, watermark_s=46)) == []  # within the grace for rows out of order
    assert brief(detector.tick(moment(made, 100, watermark_s=47))) == [("stop_off_zone", True, 45)]
    assert detector.tick(moment(made, 200)) == []


def test_interlock_starts_and_stops_the_delay():
    detector = lift(for_s=45.0)
    rows = [(0, 0, 1), (1, 10, 2), (0, 100, 0), (0, 130, 1), (0, 200, 0), (1, 300, 1)]
    assert brief(detector.observe(batch(rows))) == [("stop_off_zone", True, 245), ("stop_off_zone", False, 300)]


def test_both_changing_in_one_instant_is_no_crossing():
    detector = lift()
    assert detector.observe(batch([(0, 0, 0), (1, 0, 1), (0, 5, 1), (1, 5, 2), (0, 9, 0), (1, 9, 1)])) == []


def test_an_interlock_that_is_not_measured_never_counts():
    made = registry([point(12, "door_zone")], [limit(1, 12, "equals", 2.0, when_metric="car_status", when_value=0.0)])
    assert Limits(made).observe(batch([(0, 0, 2)])) == []


def test_evidence_names_value_limit_basis_and_mark():
    detector = hot(for_s=10.0, basis="GB 1", mark="S9")
    evidence = detector.observe(batch([(0, 0, 91.0), (0, 10, 92.5)]))[0].evidence
    assert (evidence["actual"], evidence["basis"], evidence["mark"]) == (92.5, "GB 1", "S9")
    assert evidence["limit"] == {"value": 90.0, "clear": 85.0, "side": "above", "for_s": 10.0}


def test_a_limit_taken_away_closes_what_it_opened():
    detector = hot()
    feed(detector, (0, 95))
    detector._registry.advance(np.array([0]), batch([(0, 0, 95)]).t_us)
    detector._registry.update([], [])
    assert brief(detector.configure()) == [(HOT, False, 0)]


def test_changed_figures_keep_the_state():
    detector = hot()
    feed(detector, (0, 95))
    detector._registry.update([], [limit(1, 11, "above", 70.0, 60.0)])
    assert detector.configure() == []
    assert feed(detector, (1, 65)) == []
    assert feed(detector, (2, 60)) == [(HOT, False, 2)]


@given(
    values=st.lists(
        st.tuples(st.sampled_from([0, 1]), st.integers(1, 40), st.sampled_from([0.0, 1.0, 2.0])), max_size=60
    ),
    cuts=st.sets(st.integers(1, 59)),
    for_s=st.sampled_from([0.0, 20.0, 45.0]),
    clear_for_s=st.sampled_from([0.0, 30.0]),
)
def test_batches_and_ticks_change_nothing(values, cuts, for_s, clear_for_s):
    """States with an interlock: whatever the blocks, the same signals at the same event times."""
    rows, t = [], 0.0
    for row, gap, value in values:
        t += gap
        rows.append((row, t, value))
    whole, parts = (lift(for_s=for_s, clear_for_s=clear_for_s) for _ in range(2))
    one = whole.observe(batch(rows)) + whole.tick(moment(whole._registry, t + 1000))
    many = []
    edges = [0, *sorted(c for c in cuts if c < len(rows)), len(rows)]
    for a, b in itertools.pairwise(edges):
        many += parts.observe(batch(rows[a:b]))
        if b:
            many += parts.tick(moment(parts._registry, rows[b - 1][1]))
    many += parts.tick(moment(parts._registry, t + 1000))
    assert sorted(brief(one), key=lambda s: (s[2], s[1])) == sorted(brief(many), key=lambda s: (s[2], s[1]))


@given(
    values=st.lists(st.tuples(st.integers(0, 2), st.sampled_from([80.0, 88.0, 95.0, 120.0])), min_size=1, max_size=80),
    cuts=st.sets(st.integers(1, 79)),
    for_s=st.sampled_from([0.0, 2.0, 5.0]),
)
def test_numbers_of_many_series_in_any_blocks(values, cuts, for_s):
    def made() -> Limits:
        points = [point(11 + k, "machine_temperature", equipment=f"E{k}") for k in range(3)]
        limits = [limit(10 * k + 1, 11 + k, "above", 90.0, 85.0, for_s=for_s, clear_for_s=1.0) for k in range(3)]
        return Limits(registry(points, limits))

    rows = [(row, float(t), value) for t, (row, value) in enumerate(values)]
    edges = [0, *sorted(c for c in cuts if c < len(rows)), len(rows)]
    parts = made()
    many = [s for a, b in itertools.pairwise(edges) for s in parts.observe(batch(rows[a:b]))]

    def key(signals):
        return sorted((s.equipment, s.event_us, s.active) for s in signals)

    assert key(made().observe(batch(rows))) == key(many)


def test_empty_batch():
    assert hot().observe(Batch(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))) == []
