"""What all tables of the technician's TOML file share; each driver's tables and their checks live beside the driver."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from watchkeep_core import vocabulary
from watchkeep_core.vocabulary_rows import ANY

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
Positive = Annotated[float, Meta(gt=0)]

Path = tuple[str | int, ...]
"""Of a field in the file: ("device", 0, "kind")."""


class Table(Struct, frozen=True, forbid_unknown_fields=True):
    """Base of every table: typed, unknown fields refused, never changed."""


class Problem(NamedTuple):
    """What a well-formed file can still have wrong."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Declared:
    """What a driver's check may ask of the rest of the file."""

    kinds: Mapping[str, str | None]
    """Equipment of all [[device]] tables → kind; None = its table has a mistake of its own."""
    profiles: Mapping[str, str] = field(default_factory=dict)
    """Equipment → vendor profile, "" = none."""

    def metric_problem(self, equipment: str | None, metric: str) -> str | None:
        """Why this equipment cannot have this metric."""
        return metric_problem(metric, self.kinds.get(equipment or ""))

    def equipment_problem(self, equipment: str | None) -> str | None:
        if equipment is None:
            return "is needed, here or in the table around it"
        return None if equipment in self.kinds else f"{equipment!r} is not declared by any [[device]]"


def metric_problem(name: str, kind: str | None) -> str | None:
    """Why a metric cannot be one of a `kind` (None = of any)."""
    metric = vocabulary.load().metrics.get(name)
    if metric is None:
        return f"{name!r} is no metric of the vocabulary{nearest(name, vocabulary.load().metrics)}"
    if kind is not None and kind not in metric.kinds and ANY not in metric.kinds:
        return f"{name!r} is no metric of a {kind}"
    return None


def nearest(word: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    """`; did you mean …?`, or nothing when no known word is near."""
    from difflib import get_close_matches  # only a mistake needs it

    found = get_close_matches(word, list(known), 1)
    return f"; did you mean {found[0]!r}?" if found else ""
