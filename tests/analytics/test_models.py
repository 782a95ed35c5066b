"""Trained models: the check before they are in force, versions, the way back, the running service, the verdicts."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from tests.analytics.world import T0, batch, point, registry
from watchkeep_analytics.batch import NEVER, SECOND
from watchkeep_analytics.detectors import equipment_rows
from watchkeep_analytics.detectors.equipment_level import EquipmentLevel
from watchkeep_analytics.models.fitted import Active, Frame, ModelError, pack, rarity, unpack
from watchkeep_analytics.models.fitting import attempt, fill, fit
from watchkeep_analytics.models.frames import clear_of, worked
from watchkeep_analytics.models.nightly import due_at

METRICS = ("pump_flow", "pump_current_percent", "bearing_temperature")
STEP_S = 300
DAYS = 12


def pump(rows: int, seed: int = 1) -> np.ndarray:
    """Flow drives the current; the bearing stands alone."""
    rng = np.random.default_rng(seed)
    flow = 10 + 3 * np.sin(2 * np.pi * np.arange(rows) / 288) + rng.normal(size=rows)
    return np.column_stack([flow, 5 + 4 * flow + rng.normal(size=rows) * 0.3, 40 + rng.normal(size=rows)])


def frame(values: np.ndarray, usable: np.ndarray | None = None) -> Frame:
    return Frame("c1", "P1", METRICS, values, np.ones(len(values), bool) if usable is None else usable)


@pytest.fixture(scope="module")
def fitted():
    return fit(frame(pump(DAYS * 288)))[0]


def test_a_model_says_what_it_was_fitted_to(fitted):
    figures = fit(frame(pump(DAYS * 288)))[1]
    assert figures["rows"] == DAYS * 288 - 1
    assert {name for name, told in figures["channels"].items() if told["judged"]} == {METRICS[0], METRICS[1]}
    again = unpack(pack(fitted))
    assert again.channels == fitted.channels
    assert np.array_equal(again.bound, fitted.bound)
    assert np.array_equal(again.model.weights, fitted.model.weights)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (pump(1500), "1500 usable rows are too few"),
        (np.where(np.arange(3) == 0, pump(4000), 1.0), "1 channels that move"),
        (np.random.default_rng(1).normal(size=(4000, 3)), "each stands alone"),
        (np.full((4000, 3), np.nan), "0 usable rows are too few"),
    ],
)
def test_what_does_not_pass_its_check_is_refused(values, why):
    assert why in attempt(frame(values)).why


def test_a_model_that_cries_wolf_over_its_own_rows_is_refused():
    values = pump(5000)
    values[4100:4160, 1] += 8  # a fault of five hours that nobody was warned of
    assert "of its own rows" in attempt(frame(values)).why


def test_where_some_days_are_far_beyond_the_usual_one_the_next_may_be_as_far_beyond_these():
    values = pump(28 * 288)
    usual = fit(frame(values))[0].bound[1]
    for day in range(0, 28, 7):
        values[day * 288 : day * 288 + 36, 1] += 2  # it rains for three hours
    figures = fit(frame(values))[0]
    assert figures.bound[1] > 3 * usual
    values = pump(28 * 288)
    values[2000:2036, 1] += 2  # once may be a fault that nobody noticed
    assert fit(frame(values))[0].bound[1] < 1.2 * usual


def test_what_is_explained_in_its_jumps_only_is_not_judged():
    rng = np.random.default_rng(4)
    running = (np.arange(DAYS * 288) % 40 == 0) * 1.0
    rising = 0.2 - 7 * running + 0.05 * rng.normal(size=len(running))  # falls fast while the pump runs
    made = attempt(frame(np.column_stack([rising, 70 * running + rng.normal(size=len(running)), running])))
    assert "each stands alone" in made.why


def test_unusable_rows_teach_nothing():
    values = pump(DAYS * 288)
    usable = np.ones(len(values), bool)
    values[1000:1300, 1] += 50
    usable[990:1310] = False
    assert np.allclose(fit(frame(values, usable))[0].bound[:2], fit(frame(pump(DAYS * 288)))[0].bound[:2], rtol=0.2)


def test_a_hole_takes_the_last_value_for_an_hour():
    column = np.r_[5.0, np.full(14, np.nan)][:, None]
    assert np.isfinite(fill(column)).sum() == 1 + equipment_rows.HOLD_ROWS


def test_how_rare():
    tail = np.array([0.5, 0.1, 4000.0])
    assert rarity(tail, 0.4) == 20
    assert rarity(tail, 0.6) == pytest.approx(20 * math.e)
    assert rarity(tail, 9.0) == 400_000


def test_foreign_parameters_are_refused():
    with pytest.raises(ModelError):
        unpack(b"nothing of the kind")


def world(fitted, version: int = 3):
    made = registry([point(i + 1, name, equipment="P1", kind="supply_pump") for i, name in enumerate(METRICS)])
    made.learn({("c1", "P1"): Active(version, fitted)})
    return made, EquipmentLevel(made)


def readings(values: np.ndarray, first: int = 0) -> list[tuple[int, float, float]]:
    return [(c, (first + k) * STEP_S + 10.0 * c, float(v)) for k, row in enumerate(values) for c, v in enumerate(row)]


def broken(rows: int = 700) -> np.ndarray:
    """From row 400 to 500 the current is 15 % too high for the flow, well within its own range."""
    values = pump(rows, seed=2)
    values[400:500, 1] *= 1.15
    return values


def test_a_broken_relation_opens_and_ends_one_warning_that_names_the_point(fitted):
    _, level = world(fitted)
    found = level.observe(batch(readings(broken())))
    assert [s.active for s in found] == [True, False]
    opening = found[0]
    assert opening.condition == "pump_abnormal"
    assert 400 <= (opening.event_us - T0) / SECOND / STEP_S < 415
    evidence = opening.evidence
    assert evidence["driver"] == "pump_current_percent"
    assert evidence["expected"]["low"] < evidence["expected"]["value"] < evidence["actual"]
    assert evidence["contributions"][0]["metric"] == "pump_current_percent"
    assert sum(c["share"] for c in evidence["contributions"]) == pytest.approx(1, abs=0.01)
    assert evidence["rarity"] > 1000
    assert evidence["model"] == 3
    assert (found[1].series, found[1].source) == (opening.series, opening.source)


def test_without_a_model_nothing_is_said_nor_ready(fitted):
    made = registry([point(i + 1, name, equipment="P1", kind="supply_pump") for i, name in enumerate(METRICS)])
    level = EquipmentLevel(made)
    assert level.observe(batch(readings(broken()))) == []
    assert not level.ready(0)


def test_another_version_ends_what_the_last_one_said_and_starts_anew(fitted):
    made, level = world(fitted)
    assert len(level.observe(batch(readings(broken()[:450])))) == 1
    assert made.learn({("c1", "P1"): Active(4, fitted)})
    (ended,) = level.configure()
    assert not ended.active
    assert not level.ready(0)
    assert not made.learn({("c1", "P1"): Active(4, fitted)})


def test_a_model_that_never_agreed_with_its_equipment_says_nothing(fitted):
    _, level = world(fitted)
    other = pump(600, seed=2)
    other[:, 1] *= 1.15  # as the fault below, from the first row on
    assert level.observe(batch(readings(other))) == []
    assert not level.ready(0)


def test_once_it_has_agreed_it_judges_and_so_does_the_next_version_at_once(fitted):
    made, level = world(fitted)
    usual = pump(900, seed=2)
    assert level.observe(batch(readings(usual[:400]))) == []
    assert level.ready(0)
    made.learn({("c1", "P1"): Active(4, fitted)})
    assert level.configure() == []
    assert not level.ready(0)  # for two hours, in which the fault begins
    later = usual[400:600].copy()
    later[:, 1] *= 1.15
    (opening,) = level.observe(batch(readings(later, first=400)))
    assert opening.active
    assert equipment_rows.SETTLE_ROWS <= (opening.event_us - T0) / SECOND / STEP_S - 400 < 40


def test_the_bar_that_people_raise_counts(fitted):
    made, level = world(fitted)
    made._bars = {"equipment": np.full(3, 30.0)}
    assert level.observe(batch(readings(broken()))) == []


def test_what_people_call_normal_is_followed_at_once(fitted):
    made, level = world(fitted)
    values = pump(700, seed=2)
    values[400:, 1] += 6
    made["normal_us"][1] = T0 + 450 * STEP_S * SECOND
    made.normals = True
    found = level.observe(batch(readings(values)))
    assert [s.active for s in found] == [True, False]
    assert (found[1].event_us - T0) / SECOND / STEP_S < 500


def test_while_another_warning_stands_residuals_are_not_followed(fitted):
    made, level = world(fitted)
    made.hold(np.array([1]), NEVER, -NEVER)
    level.observe(batch(readings(broken()[:300])))
    assert np.all(level._state["centre"] == 0)
    assert level._state["seen"][0] > 200


def test_the_hour_of_the_night_is_that_of_china():
    now = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)  # 02:30
    assert due_at(now, 3) == datetime(2026, 11, 22, 19, tzinfo=UTC)
    assert due_at(now, 2) == datetime(2026, 11, 23, 18, tzinfo=UTC)


def test_a_mode_for_service_is_found_in_the_means():
    nan = np.nan
    steps = np.arange(40, dtype=np.float64)
    mode = np.array([1, 1, 1.4, 2, nan, 2, 1, 1, nan, 4], np.float64)
    values = np.stack([mode, steps[:10]], axis=1)
    found = list(worked(("service_mode", "machine_temperature"), steps[:10] * 300, values))
    assert found == [(600.0, 1800.0), (2700.0, 2700.0)]
    clear = clear_of(steps * 300, [(6000.0, 6300.0)])
    assert np.flatnonzero(~clear).tolist() == list(range(8, 34))  # and an hour around
