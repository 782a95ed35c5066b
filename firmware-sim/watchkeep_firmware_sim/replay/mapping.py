"""The mapping file: which column of which CSV file is which metric of which equipment."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from watchkeep_core.messages import Id
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_core.vocabulary_rows import ANY
from watchkeep_firmware_sim import documents
from watchkeep_firmware_sim.errors import MappingError


class _Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what stands in a mapping file."""


class Column(_Record, frozen=True):
    """One column; reading = value in the file * scale + offset, in the metric's unit."""

    column: str
    metric: str
    scale: float = 1.0
    offset: float = 0.0
    equipment: Id | None = None
    """Absent = that of the series."""
    kind: str | None = None


class Series(_Record, frozen=True):
    """One CSV file with a header line, or several alike (`*` in the name)."""

    file: Annotated[str, Meta(min_length=1)]
    """Relative to the data folder."""
    equipment: Id
    kind: str
    """Kind of the equipment; its register entry must say the same."""
    time_column: str
    column: Annotated[list[Column], Meta(min_length=1)]
    time_format: str = "%Y-%m-%d %H:%M:%S"
    """As strptime reads it."""
    utc_offset_h: Annotated[float, Meta(ge=-12, le=14)] = 0.0
    """Of the stamps in the file."""
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] = ","
    community: Id | None = None
    gateway: Id | None = None


class Mapping(_Record, frozen=True):
    """A whole mapping file."""

    series: Annotated[list[Series], Meta(min_length=1)]
    community: Id = "replay"
    gateway: Id = "replay-gw"
    start: datetime | None = None
    """First moment that is played, inclusive; without a time zone it is UTC."""
    until: datetime | None = None
    """Last moment, exclusive."""


def load(path: Path, vocabulary: Vocabulary) -> Mapping:
    """Read and check a mapping file; raises MappingError that names the field."""
    mapping = documents.read(path, Mapping, MappingError)
    for field, problem in _problems(mapping, vocabulary):
        raise MappingError(path.name, field, problem)
    return mapping


def _problems(mapping: Mapping, vocabulary: Vocabulary) -> Iterator[tuple[str, str]]:
    for index, series in enumerate(mapping.series):
        if Path(series.file).is_absolute() or ".." in Path(series.file).parts:
            yield f"series[{index}].file", "must stay within the data folder"
        try:
            datetime(2000, 1, 2, 3, 4, 5).strftime(series.time_format)  # noqa: DTZ001 - only the format is tried
        except ValueError:
            yield f"series[{index}].time_format", f"{series.time_format!r} is no format"
        for position, column in enumerate(series.column):
            where = f"series[{index}].column[{position}]"
            kind = column.kind or series.kind
            if kind not in vocabulary.kinds:
                yield f"{where}.kind", f"no kind {kind!r} in the vocabulary"
            elif column.metric not in vocabulary.metrics:
                yield f"{where}.metric", f"no metric {column.metric!r} in the vocabulary"
            elif not {kind, ANY} & set(vocabulary.metrics[column.metric].kinds):
                yield f"{where}.metric", f"{column.metric!r} does not belong to kind {kind!r}"
            if column.scale == 0:
                yield f"{where}.scale", "must not be 0"
