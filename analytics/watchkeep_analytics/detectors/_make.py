"""Builds a signal about one series."""

from collections.abc import Mapping
from typing import Any

from watchkeep_analytics.detectors import Detector
from watchkeep_analytics.registry import Registry
from watchkeep_analytics.signals import Signal, Tier


def signal(
    detector: Detector,
    registry: Registry,
    row: int,
    event_us: int,
    *,
    condition: str,
    tier: Tier,
    active: bool,
    source: str,
    text: str,
    evidence: Mapping[str, Any],
    score: float | None = None,
) -> Signal:
    """`row` is that of the registry; the metric is put into the evidence."""
    equipment = registry.equipment_at(row)
    return Signal(
        community=equipment.community,
        equipment=equipment.id,
        condition=condition,
        tier=tier,
        active=active,
        detector=detector.name,
        version=detector.version,
        event_us=event_us,
        source=source,
        text=text,
        series=int(registry["series"][row]),
        score=score,
        evidence={"metric": registry.metrics[row], "unit": registry.units[row], **evidence},
    )
