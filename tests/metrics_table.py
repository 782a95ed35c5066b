"""Every metric of every service, from the code: for docs/runbook.md and for the test of Prometheus' rules."""

from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import NamedTuple

from prometheus_client import Metric
from prometheus_client.metrics import MetricWrapperBase

import watchkeep_analytics.metrics
import watchkeep_console.api.health
import watchkeep_dispatch.metrics
import watchkeep_ingest.metrics
from watchkeep_gateway.metrics import PREFIX, Metrics
from watchkeep_gateway.spool_state import LaneState

SERVICES: tuple[ModuleType, ...] = (
    watchkeep_ingest.metrics,
    watchkeep_analytics.metrics,
    watchkeep_dispatch.metrics,
    watchkeep_console.api.health,
)


class Exported(NamedTuple):
    """A metric as Prometheus sees it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def exported() -> list[Exported]:
    """Of the gateway, then of the services, each in the order of its module."""
    return [*_gateway(), *(one for module in SERVICES for one in _of(vars(module).values()))]


def table() -> str:
    """Markdown."""
    lines = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for metric in exported():
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.meaning.removesuffix('.')} |")
    return "\n".join(lines)


def _of(values: Iterable[object]) -> Iterator[Exported]:
    for metric in values:
        if isinstance(metric, MetricWrapperBase):
            for family in metric.describe():
                yield _named(family, tuple(metric._labelnames))


def _gateway() -> Iterator[Exported]:
    gateway = Metrics()
    gateway.watch_spool(lambda: {"data": LaneState("e", 1, 0, 0, 0, 0, None)}, lambda _: 0)
    yield from _of(vars(gateway).values())
    for family in gateway.registry.collect():
        if family.name.startswith((f"{PREFIX}_spool", f"{PREFIX}_next", f"{PREFIX}_acked")):
            yield _named(family, ("lane",))


def _named(family: Metric, labels: tuple[str, ...]) -> Exported:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return Exported(name, family.type, labels, family.documentation)
