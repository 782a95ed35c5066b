"""A report as a value: headings, paragraphs, tables, signatures; an HTML page here, a PDF in reports_pdf.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Table:
    """Cells are texts as they are shown; `widths` are relative."""

    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    paragraphs: tuple[str, ...] = ()
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """`figures` are the headline: name and value. `signatures` are the lines that people sign."""

    language: Language
    title: str
    subtitle: str
    sections: tuple[Section, ...]
    figures: tuple[tuple[str, str], ...] = ()
    signatures: tuple[str, ...] = ()
    footer: str = ""


def to_html(report: Report) -> str:
    """One self-contained page, fit for printing."""
    return _templates().get_template("report.html").render(report=report)


def percent(part: float | None, whole: float | None = 1.0) -> str:
    """A share as people read it; a dash when there is nothing to divide. 100 % is all, never nearly all."""
    if part is None or not whole:
        return "–"
    share = 100 * part / whole
    return f"{min(share, 99.9) if share < 100 else share:.1f} %"


def number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def local(moment: datetime | None, zone: ZoneInfo, shape: str = "%Y-%m-%d %H:%M") -> str:
    return "–" if moment is None else moment.astimezone(zone).strftime(shape)


def month_span(month: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """First moment of `2026-11` and of the month after it, UTC, by the zone's calendar. Raises ValueError."""
    return _span(datetime.strptime(month, "%Y-%m"), 1, zone)  # noqa: DTZ007  a local month


def period_span(period: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """`2026-11`, `2026-H1` or `2026`: its first moment and that of the next period, UTC. Raises ValueError."""
    if len(period) == 4:
        return _span(datetime.strptime(period, "%Y"), 12, zone)  # noqa: DTZ007
    if period[5:6] == "H" and period[6:] in ("1", "2"):
        year = datetime.strptime(period[:4], "%Y")  # noqa: DTZ007
        return _span(year.replace(month=1 if period[6:] == "1" else 7), 6, zone)
    return month_span(period, zone)


def subtitle(area_name: str | None, since: datetime, until: datetime, zone: ZoneInfo) -> str:
    """What a report is about: its area, and the first and last day of its period."""
    days = f"{local(since, zone, '%Y-%m-%d')} – {local(until - timedelta(seconds=1), zone, '%Y-%m-%d')}"
    return f"{area_name} · {days}" if area_name else days


def _span(first: datetime, months: int, zone: ZoneInfo) -> tuple[datetime, datetime]:
    years, month = divmod(first.month - 1 + months, 12)
    after = first.replace(year=first.year + years, month=month + 1)
    return first.replace(tzinfo=zone).astimezone(UTC), after.replace(tzinfo=zone).astimezone(UTC)


def table(heading: Sequence[str], rows: Sequence[Sequence[object]], widths: Sequence[int] = ()) -> Table:
    """Cells of any kind become texts."""
    return Table(tuple(heading), tuple(tuple(str(cell) for cell in row) for row in rows), tuple(widths))


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("watchkeep_dispatch", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
