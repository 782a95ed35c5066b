"""The generated table of conditions, and the command line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from watchkeep_analytics import rules
from watchkeep_analytics.commands import app
from watchkeep_core import vocabulary


def test_every_condition_is_in_the_table():
    rows = rules.table()
    assert {row.condition for row in rows} == set(vocabulary.load().conditions)
    assert all(row.basis and row.mark for row in rows if row.covered_by)


def test_all_life_safety_is_covered():
    assert [row.condition for row in rules.table() if row.life_safety and not row.covered_by] == []


def test_rules_command_prints_what_is_missing():
    result = CliRunner().invoke(app, ["rules", "--missing"])
    shown = json.loads(result.stdout)
    assert {row["covered_by"] for row in shown} <= {""}
    assert {row["condition"] for row in shown} <= {
        "sensor_drift",
        "abnormal_pattern",
        "fleet_outlier",
        "drift_towards_limit",
    }


def test_the_page_of_rules_is_what_the_code_says():
    page = Path(__file__).parents[2] / "analytics" / "RULES.md"
    written = CliRunner().invoke(app, ["rules", "--markdown"]).stdout
    assert page.read_text(encoding="utf-8") == written, "watchkeep analytics rules --markdown > analytics/RULES.md"


def test_exceptions_have_a_reason_and_are_needed():
    none = {row.condition for row in rules.table() if row.covered_by == "none"}
    assert none >= rules.EXCEPTIONS.keys()
    assert all(row.basis for row in rules.table() if row.covered_by == "none")


@pytest.mark.parametrize(
    ("content", "message"),
    [("timestamp,value\n2020-01-01,x\n", "line 2"), ("a,b\n1,2\n", "needs timestamp and value")],
)
def test_score_names_the_bad_line(tmp_path, content, message):
    file = tmp_path / "series.csv"
    file.write_text(content)
    result = CliRunner().invoke(app, ["score", str(file)])
    assert message in str(result.exception)
