"""Prometheus' rules: valid, tried with promtool where it is, and about metrics that the services really export."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

import watchkeep_analytics.metrics
import watchkeep_console.api.health
import watchkeep_dispatch.metrics
import watchkeep_ingest.metrics
from watchkeep_gateway.metrics import Metrics
from watchkeep_gateway.spool_state import LaneState
from watchkeep_ingest.accounts import FIELDS

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = [
    rule for group in yaml.safe_load((FOLDER / "rules.yml").read_text("utf-8"))["groups"] for rule in group["rules"]
]
SERVICES = (
    watchkeep_ingest.metrics,
    watchkeep_analytics.metrics,
    watchkeep_dispatch.metrics,
    watchkeep_console.api.health,
)


def exported() -> dict[str, set[str]]:
    """Metric as Prometheus sees it → its labels."""
    found = {}
    for module in SERVICES:
        for metric in vars(module).values():
            if isinstance(metric, MetricWrapperBase):
                for family in metric.describe():
                    name = f"{family.name}_total" if family.type == "counter" else family.name
                    found[name] = set(metric._labelnames)
    gateway = Metrics()
    gateway.watch_spool(lambda: {"data": LaneState("e", 1, 0, 0, 0, 0, None)}, lambda _: 0)
    for registry in (gateway.registry,):
        found |= of_registry(registry)
    return found


def of_registry(registry: CollectorRegistry) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for family in registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = {label for sample in family.samples for label in sample.labels}
    return found | {"watchkeep_gateway_link_up": {"link"}}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_metrics_and_labels_exist(rule):
    known = exported()
    used = re.findall(r"(watchkeep_\w+)(?:\{([^}]*)\})?", rule["expr"])
    assert used or rule["alert"] == "WatchkeepServiceDown"
    for name, matchers in used:
        assert name in known
        assert set(re.findall(r"(\w+)=", matchers)) <= known[name], name
    by = {label for found in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in found.split(", ")} - {"instance"}
    assert by <= set().union(*(known[name] for name, _ in used), set())
    shown = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) - {"instance", "job"}
    assert shown <= set().union(*(known[name] for name, _ in used), set())
    assert rule["labels"]["severity"] in ("critical", "warning")


def test_the_outcome_that_counts_exists():
    assert "stored" in FIELDS


@pytest.mark.parametrize("arguments", [("check", "rules", "rules.yml"), ("test", "rules", "rules_test.yml")])
def test_promtool_agrees(arguments):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: apt-get install --no-install-recommends prometheus)")
    result = subprocess.run([promtool, *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
