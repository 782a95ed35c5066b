"""Known faults against the warnings of a backtest."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from watchkeep_analytics import truth
from watchkeep_analytics.truth import Opened, TruthError
from watchkeep_core.clock import to_us

START = datetime(2026, 11, 1, tzinfo=UTC)


def line(hours: float, equipment: str = "lift-1", what: str = "fault_start", **more) -> str:
    record = {
        "what": what,
        "t": (START + timedelta(hours=hours)).isoformat(),
        "community": "c1",
        "equipment": equipment,
        "scenario": "hot",
        "recovered_at": (START + timedelta(hours=hours + 2)).isoformat(),
        "expects_any": ["machine_temperature_high"],
        "also": ["abnormal_reading"],
    }
    return json.dumps(record | more)


def warned(hours: float, condition: str = "machine_temperature_high", equipment: str = "lift-1") -> Opened:
    return Opened("c1", equipment, condition, to_us(START + timedelta(hours=hours)))


def faults(tmp_path, *lines: str) -> list[truth.Fault]:
    file = tmp_path / "faults.jsonl"
    file.write_text("\n".join(lines) + "\n")
    return truth.read(file)


def test_recall_precision_and_delay(tmp_path):
    known = faults(
        tmp_path,
        '{"what": "run", "seed": 1}',
        line(1),
        line(1, what="fault_stop"),
        line(30),
        line(50, "lift-2", scenario="quiet", expects_any=[]),
        line(500),
    )
    opened = [warned(1.5), warned(1.6, "abnormal_reading"), warned(20), warned(1.5, equipment="lift-2")]
    told = truth.score(known, opened, START, START + timedelta(days=10))
    assert (told["faults"], told["found"], told["recall"]) == (2, 1, 0.5)
    assert told["median_delay_s"] == 1800
    assert told["precision"] == 0.5
    assert told["scenarios"] == {"hot": {"faults": 2, "found": 1, "recall": 0.5, "median_delay_s": 1800.0}}


def test_a_warning_long_after_the_recovery_is_none_of_it(tmp_path):
    known = faults(tmp_path, line(1))
    day = (START, START + timedelta(days=1))
    assert truth.score(known, [warned(8.9)], *day)["found"] == 1
    assert truth.score(known, [warned(9.1)], *day)["found"] == 0


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("nonsense", "line 2"),
        ('{"what": "fault_start", "community": "c1"}', "line 2.*`t`"),
        (line(1).replace("+00:00", ""), "has no time zone"),
    ],
)
def test_a_bad_line_is_named(tmp_path, bad, why):
    with pytest.raises(TruthError, match=why):
        faults(tmp_path, line(1), bad)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TruthError, match=r"none\.jsonl"):
        truth.read(tmp_path / "none.jsonl")
