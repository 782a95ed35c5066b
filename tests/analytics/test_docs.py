"""The README names every setting and metric, and no other."""

import re
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from watchkeep_analytics import metrics
from watchkeep_analytics.settings import AnalyticsSettings
from watchkeep_core.settings import BrokerSettings, DatabaseSettings

README = (Path(__file__).parents[2] / "analytics" / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return README.split(f"## {title}\n")[1].split("\n## ")[0]


def test_settings():
    own = (
        AnalyticsSettings.model_fields.keys()
        - DatabaseSettings.model_fields.keys()
        - BrokerSettings.model_fields.keys()
    )
    assert set(re.findall(r"^\| `(\w+)`", section("Settings"), re.MULTILINE)) == own


def test_metrics():
    found = {value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)}
    names = {sample.name for metric in found for family in metric.collect() for sample in [family]}
    shown = set(re.findall(r"`(\w+)`", section("Metrics").split("`/health`")[0])) - {"watchkeep_analytics_"}
    assert {name.removesuffix("_total") for name in shown} == {n.removeprefix("watchkeep_analytics_") for n in names}
