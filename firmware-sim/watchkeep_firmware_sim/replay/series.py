"""CSV files → samples in the order of their stamps; what cannot be read is skipped and counted."""

import csv
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

from watchkeep_core.clock import to_ms
from watchkeep_firmware_sim.errors import MappingError
from watchkeep_firmware_sim.replay.mapping import Column, Mapping, Series


class Sample(NamedTuple):
    """One recorded value, on its way to a topic."""

    t_ms: int
    topic: str
    metric: str
    value: float


@dataclass(slots=True)
class FileReport:
    """What became of one file."""

    file: str
    rows: int = 0
    values: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """Reason → rows (`bad_time`, `out_of_span`) or single values (`missing_value`, `bad_value`)."""
    columns_unused: list[str] = field(default_factory=list)
    """Labels and channels that the mapping does not name."""


def read_all(mapping: Mapping, data: Path) -> tuple[list[Sample], list[FileReport]]:
    """All samples by time; equal stamps stay in file order. Raises MappingError for a file that is not as mapped."""
    samples: list[Sample] = []
    reports: list[FileReport] = []
    for index, series in enumerate(mapping.series):
        paths = sorted(data.glob(series.file))
        if not paths:
            raise MappingError("mapping", f"series[{index}].file", f"no file {series.file!r} in {data}")
        for path in paths:
            report = FileReport(path.relative_to(data).as_posix())
            samples.extend(_read(mapping, series, path, report))
            reports.append(report)
    samples.sort(key=lambda sample: sample.t_ms)
    return samples, reports


def topic_of(mapping: Mapping, series: Series, column: Column) -> str:
    """Where the field side of the gateway listens."""
    community, gateway = series.community or mapping.community, series.gateway or mapping.gateway
    return f"field/{community}/{gateway}/{column.equipment or series.equipment}"


def _read(mapping: Mapping, series: Series, path: Path, report: FileReport) -> Iterator[Sample]:
    zone = timezone(timedelta(hours=series.utc_offset_h))
    first, last = _bound(mapping.start), _bound(mapping.until)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter=series.delimiter)
            header = [name.strip() for name in next(rows, [])]
            places = _places(series, header, report)
            clock = header.index(series.time_column)
            for row in rows:
                report.rows += 1
                moment = _moment(row, clock, series.time_format, zone)
                if moment is None:
                    report.skipped["bad_time"] += 1
                elif (first and moment < first) or (last and moment >= last):
                    report.skipped["out_of_span"] += 1
                else:
                    yield from _samples(mapping, series, places, row, to_ms(moment), report)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MappingError(report.file, "", f"cannot be read: {error}") from None


def _places(series: Series, header: list[str], report: FileReport) -> list[tuple[int, Column]]:
    for name in (series.time_column, *(column.column for column in series.column)):
        if name not in header:
            raise MappingError(report.file, name, f"no such column; there are: {', '.join(header)}")
    used = {series.time_column, *(column.column for column in series.column)}
    report.columns_unused = [name for name in header if name not in used]
    return [(header.index(column.column), column) for column in series.column]


def _bound(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _moment(row: list[str], place: int, time_format: str, zone: timezone) -> datetime | None:
    try:
        parsed = datetime.strptime(row[place].strip(), time_format)  # noqa: DTZ007 - the mapping says the zone
    except (ValueError, IndexError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)


def _samples(
    mapping: Mapping, series: Series, places: list[tuple[int, Column]], row: list[str], t_ms: int, report: FileReport
) -> Iterator[Sample]:
    for place, column in places:
        text = row[place].strip() if place < len(row) else ""
        if not text:
            report.skipped["missing_value"] += 1
            continue
        try:
            value = float(text) * column.scale + column.offset
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            report.skipped["bad_value"] += 1
            continue
        report.values += 1
        yield Sample(t_ms, topic_of(mapping, series, column), column.metric, round(value, 6))
