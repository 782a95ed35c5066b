"""The learned baseline on made and on recorded series."""

from pathlib import Path

import numpy as np
import pytest

from watchkeep_analytics import score
from watchkeep_analytics.batch import SECOND
from watchkeep_analytics.detectors import baseline

STEP_US = 300 * SECOND
FAILURE = "realKnownCause/machine_temperature_system_failure.csv"


def daily(days: int, seed: int = 3):
    """A temperature with a daily course and noise, every 5 min."""
    t = np.arange(days * 288) * STEP_US + 1_700_000_000 * SECOND
    rng = np.random.default_rng(seed)
    return t, 50 + 8 * np.sin(2 * np.pi * np.arange(len(t)) / 288) + rng.normal(size=len(t))


def begins(signals) -> list[int]:
    return [s.event_us for s in signals if s.active and s.tier != "notice"]


def test_usual_weeks_are_quiet():
    t, x = daily(20)
    assert begins(score.detect(t, x)) == []


def test_a_shift_is_found_within_hours_and_explained():
    t, x = daily(20)
    onset = 288 * 15
    x[onset : onset + 144] += 15
    found = score.detect(t, x)
    (begin,) = begins(found)
    assert 0 <= (begin - t[onset]) / (3600 * SECOND) <= 3
    evidence = next(s.evidence for s in found if s.active and s.tier != "notice")
    assert evidence["actual"] > evidence["expected"]["high"]
    assert evidence["rarity"] > 100
    assert evidence["driver"] in {part["component"] for part in evidence["contributions"]}
    assert max(s.evidence.get("beyond_range", 0) for s in found) > 0.1  # such values were never seen: that is told, too


def test_a_fault_does_not_become_normal_while_it_lasts():
    t, x = daily(20)
    onset = 288 * 15
    x[onset : onset + 288] += 15
    found = score.detect(t, x)
    ends = [s.event_us for s in found if not s.active]
    assert len(ends) == 1
    assert ends[0] > t[onset + 288]


def test_it_says_nothing_before_it_is_ready():
    t, x = daily(7)
    x[1500:1600] += 100  # by samples it could judge, by days it may not
    assert baseline.READY_SAMPLES < 1500
    assert score.detect(t, x) == []


def test_a_course_of_its_own_on_weekends_is_usual():
    t, x = daily(22)
    weekend = ((t // (86_400 * SECOND)) + 3) % 7 >= 5  # whole days in UTC, which begin at 8 in China
    x[weekend] -= 6
    late = x.copy()
    assert begins(score.detect(t, x)) == []
    late[288 * 16 : 288 * 17] -= 12  # and on a working day it is not
    assert len(begins(score.detect(t, late))) == 1


def test_a_figure_made_once_a_day_is_not_judged_after_a_week():
    t, x = daily(25)
    held = np.repeat(x[::288], 288)
    held[288 * 20 :] += 40
    assert begins(score.detect(t, held)) == []
    assert begins(score.detect(t, x + np.where(np.arange(len(t)) >= 288 * 20, 40.0, 0.0)))


def test_what_is_off_is_named_as_the_duty_list_names_it():
    t, x = daily(20)
    x[288 * 15 : 288 * 15 + 144] += 15
    by_metric = {metric: {s.condition for s in score.detect(t, x, metric)} for metric in ("inlet_flow", "ph")}
    assert by_metric == {"inlet_flow": {"flow_abnormal"}, "ph": {"abnormal_reading"}}


@pytest.mark.slow
def test_a_labelled_failure_of_a_real_machine_is_a_warning(recorded_data: Path):
    file = recorded_data / "nab/data" / FAILURE
    result = score.summary(
        score.detect(*score.read_series(file)),
        score.read_windows(recorded_data / "nab/labels/combined_windows.json", file),
    )
    planned, failure, *_ = result["windows"]
    assert failure["hit"], "the failure that the labels name"
    assert any(planned["from"] <= at <= planned["to"] for at in result["notices"]), "the planned shutdown is noted"
    assert result["false_warnings"] <= 1  # in 79 days; a warning pages people, the notices show the rest
    assert 5 <= len(result["notices"]) <= 15  # a ranked list that somebody can read
