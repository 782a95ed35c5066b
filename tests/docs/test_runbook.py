"""The runbook knows every alert, every metric and every log line that asks for somebody."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from tests import make_schema
from watchkeep_dashboards.alerts import RULES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
LEVELS = {"warning", "error", "exception", "critical"}
PARTS = ("core", "gateway", "ingest", "analytics", "dispatch", "console", "dashboards", "firmware-sim", "cli")


def events_of(path: Path) -> set[str]:
    """Names of what a module logs at warning and above."""
    return {
        str(call.args[0].value)
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in LEVELS
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in ("log", "_log")
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and re.fullmatch(r"\w+", str(call.args[0].value))
    }


def test_every_log_line_from_warning_on_is_explained_and_none_that_is_not_written_any_more():
    written = {event for part in PARTS for path in (ROOT / part).rglob("*.py") for event in events_of(path)}
    table = PAGE.partition("## Log lines")[2]
    told = {event for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for event in re.findall(r"`(\w+)`", row)}
    assert len(written) > 60
    assert (written - told, told - written) == (set(), set())


def test_every_metric_is_in_it():
    assert make_schema.runbook(PAGE) == PAGE, "run `make schema`"


@pytest.mark.parametrize("source", ["prometheus", "grafana"])
def test_every_alert_has_its_section(source):
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yml").read_text(encoding="utf-8"))
    names = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    sections = re.findall(r"^### (Watchkeep\w+)$", PAGE, re.MULTILINE)
    if source == "prometheus":
        assert sorted(sections) == sorted(names)
    else:
        assert {rule.uid for rule in RULES} == set(re.findall(r"\(Grafana: `([\w-]+)`", PAGE))
