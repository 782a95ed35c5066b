"""Which points are sent by exception, as the technician writes it."""

from collections.abc import Iterator
from typing import Annotated, Protocol

from msgspec import Meta

from watchkeep_core import vocabulary
from watchkeep_core.vocabulary_rows import Metric
from watchkeep_gateway.report import DEFAULT_HEARTBEAT_S, Rule
from watchkeep_gateway.tables import Path, Problem, Table

Deadband = Annotated[float, Meta(ge=0)]
Heartbeat = Annotated[float, Meta(gt=0, le=86_400)]


class ReportFields(Protocol):
    """What a [[device]]'s `report` and a Modbus register have in common."""

    @property
    def metric(self) -> str: ...
    @property
    def deadband(self) -> float: ...
    @property
    def deadband_percent(self) -> float: ...
    @property
    def heartbeat_s(self) -> float | None: ...


class ReportTable(Table, frozen=True):
    """A point that is sent when it has changed, whatever driver it comes from."""

    metric: str
    deadband: Deadband = 0.0
    """Changes up to this are not sent, in the metric's unit."""
    deadband_percent: Deadband = 0.0
    """… or up to this share of the value sent last."""
    heartbeat_s: Heartbeat | None = None
    """Sent at least this often all the same, if it was read; absent = the vocabulary's period."""


def rule_of(table: ReportFields, period_s: float = 0.0) -> Rule:
    """`period_s`: how often it is read, 0 = as it comes."""
    usual_s = vocabulary.load().metrics[table.metric].period_s or DEFAULT_HEARTBEAT_S
    return Rule(table.heartbeat_s or max(usual_s, period_s), table.deadband, table.deadband_percent)


def report_problems(path: Path, table: ReportFields, metric: Metric, period_s: float = 0.0) -> Iterator[Problem]:
    """Of `deadband`, `deadband_percent` and `heartbeat_s`, wherever they stand."""
    if table.deadband and table.deadband_percent:
        yield Problem((*path, "deadband_percent"), "either this or deadband")
    if metric.value == "state" and (table.deadband or table.deadband_percent):
        field = "deadband" if table.deadband else "deadband_percent"
        yield Problem((*path, field), f"{metric.id} is a state: every change is sent")
    if table.heartbeat_s is not None and table.heartbeat_s < period_s:
        yield Problem((*path, "heartbeat_s"), f"{table.heartbeat_s:g} is shorter than period_s, {period_s:g}")
