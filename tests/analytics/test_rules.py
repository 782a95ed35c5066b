"""The generated table of conditions, and the command line."""

import json

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
    assert {row["covered_by"] for row in shown} == {""}
    assert "night_flow_leak" in {row["condition"] for row in shown}


@pytest.mark.parametrize(
    ("content", "message"),
    [("timestamp,value\n2020-01-01,x\n", "line 2"), ("a,b\n1,2\n", "needs timestamp and value")],
)
def test_score_names_the_bad_line(tmp_path, content, message):
    file = tmp_path / "series.csv"
    file.write_text(content)
    result = CliRunner().invoke(app, ["score", str(file)])
    assert message in str(result.exception)
