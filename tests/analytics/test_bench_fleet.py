"""The account of the fleet bench, on a fleet of two made by hand."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from watchkeep_analytics import bench, bench_fleet
from watchkeep_cli import bench_detect
from watchkeep_core import vocabulary
from watchkeep_core.clock import EPOCH
from watchkeep_core.errors import SettingsError

START = 1_780_243_200.0
STEP = 3600.0
DAYS = 18


def at(hours: float) -> str:
    return (EPOCH + timedelta(seconds=START + hours * 3600)).isoformat()


def fault(
    equipment: str,
    begins: float,
    ends: float,
    scenario: str,
    expects: list[str],
    also: tuple[str, ...] = (),
    qualified: float | None = None,
):
    return {
        "community": "c1",
        "equipment": equipment,
        "begins": at(begins),
        "recovered_at": at(ends),
        "full_at": at(ends),
        "failed_at": at(begins + 10),
        "qualified_at": None if qualified is None else at(qualified),
        "scenario": scenario,
        "expects_any": expects,
        "also": list(also),
        "severity": 0.5,
    }


def fleet(truth):
    """Two stations' pH by the hour; both leave the limit on day 15, the second again on day 17."""
    t = START + STEP * np.arange(DAYS * 24)
    values = np.full((len(t), 1, 2), 7.4, np.float32)
    values += np.random.default_rng(1).normal(size=values.shape).astype(np.float32) * 0.05
    values[360:372] = 9.4
    values[408:412, :, 1] = 9.4
    stretch = SimpleNamespace(
        kind="water_quality_station", metrics=("ph",), equipment=("c1/q1", "c1/q2"), t=t, values=values, truth=truth
    )
    return {"water_quality_station": lambda: iter([stretch])}


def test_what_is_found_and_what_is_false():
    truth = [
        fault("q1", 350, 372, "ph_high:gradual", ["ph_out_of_range"], ("*",), qualified=361),
        fault("q2", 358, 372, "sensor_drift", ["sensor_drift"]),
        fault("q2", 100, 120, "ph_high", ["ph_out_of_range"]),  # within the warm-up: does not count
    ]
    outcome = bench_fleet.run_fleet(fleet(truth), {"sensor_drift"})
    assert outcome.rows == DAYS * 24 * 2
    assert outcome.by_scenario() == {"ph_high:gradual": (1, 1), "sensor_drift": (0, 1)}
    assert (outcome.recall(learnt=False), outcome.recall(learnt=True)) == (1.0, 0.0)
    assert outcome.rule_delay_s() == 0.0
    assert outcome.noticed() == 1.0
    assert 1.0 <= outcome.share() <= 1.2  # found when the limit broke, 10 h after the onset
    assert outcome.beside == 2  # near and beyond the limit, during the drift of q2
    false = {name.split("/")[0]: count for name, count in outcome.false.items()}
    assert false == {"ph_out_of_range": 1, "water_quality_near_limit": 1}  # q2's second time, when nothing was wrong
    assert abs(outcome.false_rate - 2 / (2 * (DAYS - 14) / 30)) < 0.1
    assert outcome.explained == outcome.warnings > 3


def test_what_a_rule_missed_is_named_and_what_it_could_not_see_is_not_counted():
    truth = [
        fault("q1", 380, 390, "ph_low", ["ph_out_of_range"], qualified=382),  # its readings never showed it
        fault("q2", 380, 390, "ph_low", ["ph_out_of_range"]),
        fault("q1", 355, 372, "ph_high", ["ph_out_of_range"], ("*",), qualified=361),
    ]
    outcome = bench_fleet.run_fleet(fleet(truth), set())
    assert outcome.recall(learnt=False) == 0.5
    (missed,) = outcome.missed()
    assert missed.line() == "ph_low of water_quality_station c1/q1, severity 0.5; warned of: nothing"
    assert [each.equipment for each in outcome.not_shown()] == ["c1/q2"]


def test_nothing_is_false_where_everything_is_known():
    truth = [fault(item, 355, 415, "ph_high", ["ph_out_of_range"], ("*",), 361) for item in ("q1", "q2")]
    outcome = bench_fleet.run_fleet(fleet(truth), set())
    assert outcome.false == {}
    assert outcome.beside == 0
    assert outcome.by_scenario() == {"ph_high": (2, 2)}


def test_partitions_are_added_up(monkeypatch):
    monkeypatch.setattr(
        "watchkeep_analytics.bench_fleet.joblib.cpu_count", lambda: 1
    )  # no other process, only the sums
    truth = [fault(item, 355, 415, "ph_high", ["ph_out_of_range"], ("*",), 361) for item in ("q1", "q2")]
    alone = bench_fleet.run_fleet(fleet([]), set())
    said: list[str] = []
    whole = bench_fleet.run_fleets([fleet([]), fleet(truth), fleet([])], set(), said.append)
    assert whole.false == {name: 2 * count for name, count in alone.false.items()}
    assert whole.series_months == pytest.approx(3 * alone.series_months)
    assert whole.by_scenario() == {"ph_high": (2, 2)}
    assert (whole.rows, whole.warnings) == (3 * alone.rows, 3 * alone.warnings)
    assert said == [f"fleet {part} of 3: day 18" for part in (1, 2, 3)]


def test_a_large_fleet_comes_in_partitions_that_differ(monkeypatch):
    monkeypatch.setattr(bench_detect, "KINDS", ("dma_meter",))
    monkeypatch.setattr(bench_detect, "PARTITION", 4)
    days = [next(part["dma_meter"]()) for part in bench_detect.fleets(10, 21, seed=4)]
    assert [len(day.equipment) for day in days] == [4, 3, 3]
    assert not np.array_equal(days[1].values, days[2].values, equal_nan=True)
    alone = next(bench_detect.fleet(4, 21, seed=4)["dma_meter"]())
    assert np.array_equal(days[0].values, alone.values, equal_nan=True)


def test_recorded_groups_want_their_folder():
    with pytest.raises(SettingsError, match="data: nab"):
        bench.run_bench(None, [], set(), seed=1, groups=["nab"])


@pytest.mark.slow
def test_the_simulated_fleet_has_at_most_one_fault_apiece_after_the_warm_up(monkeypatch):
    monkeypatch.setattr(bench_detect, "KINDS", ("dma_meter",))
    stretches = list(bench_detect.fleet(10, 21, seed=4)["dma_meter"]())
    truth = [record for stretch in stretches for record in stretch.truth]
    first = datetime.fromtimestamp(stretches[0].t[0] + bench_fleet.WARM_UP_S, UTC)
    assert 1 <= len(truth) <= 10
    assert len({record["equipment"] for record in truth}) == len(truth)
    assert all(datetime.fromisoformat(record["begins"]) >= first for record in truth)
    outcome = bench_fleet.run_fleet({"dma_meter": lambda: iter(stretches)}, bench_detect.learnt())
    periods = [vocabulary.load().metrics[name].period_s for name in stretches[0].metrics]
    always = sum(0 < period < 86_400 for period in periods)
    whole = 21 * 288 * 10
    assert 0.9 * whole * always < outcome.rows < whole * len(periods)  # some is new but once a day, or now and then
    assert len(outcome.faults) == sum(bool(record["expects_any"]) for record in truth)
    assert outcome.explained == outcome.warnings
