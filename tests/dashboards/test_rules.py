"""Prometheus' rules: valid, tried with promtool where it is, and about metrics that the services really export."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests import metrics_table
from watchkeep_ingest.accounts import FIELDS

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = [
    rule for group in yaml.safe_load((FOLDER / "rules.yml").read_text("utf-8"))["groups"] for rule in group["rules"]
]
KNOWN = {metric.name: set(metric.labels) for metric in metrics_table.exported()}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_metrics_and_labels_exist(rule):
    used = re.findall(r"(watchkeep_\w+)(?:\{([^}]*)\})?", rule["expr"])
    assert used or rule["alert"] == "WatchkeepServiceDown"
    for name, matchers in used:
        assert name in KNOWN
        assert set(re.findall(r"(\w+)=", matchers)) <= KNOWN[name], name
    by = {label for found in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in found.split(", ")} - {"instance"}
    assert by <= set().union(*(KNOWN[name] for name, _ in used), set())
    shown = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) - {"instance", "job"}
    assert shown <= set().union(*(KNOWN[name] for name, _ in used), set())
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["runbook_url"].endswith(f"/docs/runbook.md#{rule['alert'].lower()}")


def test_the_outcome_that_counts_exists():
    assert "stored" in FIELDS


@pytest.mark.parametrize("arguments", [("check", "rules", "rules.yml"), ("test", "rules", "rules_test.yml")])
def test_promtool_agrees(arguments):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: apt-get install --no-install-recommends prometheus)")
    result = subprocess.run([promtool, *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
