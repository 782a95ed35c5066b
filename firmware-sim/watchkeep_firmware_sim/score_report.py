"""The score for people, and the demands of a script on it."""

from rich.console import Console
from rich.table import Table

from watchkeep_core.errors import SettingsError
from watchkeep_firmware_sim.errors import ScoreTooLow
from watchkeep_firmware_sim.score import Report
from watchkeep_firmware_sim.score_rows import Row

AT_LEAST = ("recall", "precision")
AT_MOST = (
    "false_per_1000_point_days",
    "delay_median_s",
    "delay_p95_s",
    "false_warnings",
    "duplicates",
    "missing_orders",
    "extra_orders",
    "wrong_party",
    "wrong_class",
)
_SHOWN_FINDINGS = 40

WIDTH = 150
"""Columns of text that the table needs: narrower, its heads would be cut to nothing."""


def print_report(report: Report, console: Console) -> None:
    """One line per condition, the totals, and what went wrong."""
    table = Table("condition", "faults", "found", "recall", "delay median", "p95", "false", "dup.")
    for name in ("no order", "waits", "extra", "wrong party", "wrong class"):
        table.add_column(name)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in report.conditions:
        table.add_row(row.condition, *_cells(row))
    table.add_section()
    table.add_row("all", *_cells(report.total), style="bold")
    console.print(table)
    console.print(
        f"{report.warnings} warnings: {report.hits} hits, {report.symptoms} symptoms "
        f"({report.symptoms_folded} without an order of their own), {report.total.false_warnings} false; "
        f"precision {_share(report.precision)}; {_number(report.false_per_1000_point_days)} false per 1,000 point-days "
        f"({report.point_days:g} point-days)"
    )
    for finding in report.findings[:_SHOWN_FINDINGS]:
        console.print(f"  {finding.what:13} {finding.equipment} {finding.condition}: {finding.detail}", highlight=False)
    if len(report.findings) > _SHOWN_FINDINGS:
        console.print(f"  … and {len(report.findings) - _SHOWN_FINDINGS} more (--json lists all)")


def parse_demands(text: str) -> dict[str, float]:
    """`recall=0.9,false_warnings=0` → names and figures; raises SettingsError."""
    demands: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, _, figure = part.strip().partition("=")
        if name not in (*AT_LEAST, *AT_MOST):
            raise SettingsError(f"require: no figure {name!r}; there are: {', '.join((*AT_LEAST, *AT_MOST))}")
        try:
            demands[name] = float(figure)
        except ValueError:
            raise SettingsError(f"require: {name}: {figure!r} is not a number") from None
    return demands


def demand(report: Report, demands: dict[str, float]) -> None:
    """Raise ScoreTooLow, naming every demand that is not met; a figure that there is none of is not met."""
    missed = []
    for name, wanted in demands.items():
        value = getattr(report, name) if hasattr(report, name) else getattr(report.total, name)
        good = value is not None and (value >= wanted if name in AT_LEAST else value <= wanted)
        if not good:
            sign = ">=" if name in AT_LEAST else "<="
            missed.append(f"{name} is {'unknown' if value is None else f'{value:g}'}, required {sign} {wanted:g}")
    if missed:
        raise ScoreTooLow("; ".join(missed))


def _cells(row: Row) -> list[str]:
    counts = (row.false_warnings, row.duplicates, row.missing_orders, row.waiting_orders, row.extra_orders)
    pending = f" (+{row.pending})" if row.pending else ""
    return [
        f"{row.faults}{pending}",
        str(row.detected),
        _share(row.recall),
        _seconds(row.delay_median_s),
        _seconds(row.delay_p95_s),
        *(str(count) if count else "" for count in (*counts, row.wrong_party, row.wrong_class)),
    ]


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.2f}"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"
