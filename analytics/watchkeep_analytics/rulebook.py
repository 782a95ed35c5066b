"""The rules as data: what is shipped (rulebook.toml) with what a manager has set over it. Pure; checked when read."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from importlib.resources import files
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from watchkeep_core import vocabulary
from watchkeep_core.errors import PermanentError
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_core.vocabulary_rows import ANY, Limit, Parameter

Id = Annotated[str, Meta(pattern=r"^[a-z0-9_.*]{1,200}\Z")]
Text = Annotated[str, Meta(min_length=1)]
Seconds = Annotated[float, Meta(ge=0, le=90 * 86_400)]
Tier = Literal["notice", "warning", "alarm"]


class RuleError(PermanentError):
    """A row that cannot be a rule; names section, id and field."""


class Row(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every row has; `community` and `equipment` narrow it down, "" = everywhere."""

    id: Id
    basis: Text
    mark: Text
    enabled: bool = True
    community: str = ""
    equipment: str = ""

    @property
    def scope(self) -> tuple[str, str, str]:
        return self.id, self.community, self.equipment


class Clause(Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that must be so; `minus` compares the difference of two points."""

    metric: str
    op: Literal["above", "below", "equals", "unchanged"]
    value: float = 0.0
    clear: float | None = None
    """Once the rule is open, back beyond this; absent = `value`."""
    minus: str | None = None


class Condition(Row, frozen=True, kw_only=True):
    """What finds a condition on a kind of equipment."""

    kind: str
    condition: str
    tier: Tier


class Combination(Condition, frozen=True, kw_only=True):
    """All clauses together for `for_s`; one of them no longer for `clear_for_s` ends it."""

    when: Annotated[tuple[Clause, ...], Meta(min_length=1, max_length=6)]
    for_s: Seconds = 0.0
    clear_for_s: Seconds = 60.0
    unless: str | None = None
    """Needed only where the equipment does not measure this."""


class Rate(Condition, frozen=True, kw_only=True):
    """A number moves by `value` within `window_s` (at least half of it), twice in a row."""

    metric: str
    side: Literal["rises", "falls"]
    value: Annotated[float, Meta(gt=0)]
    window_s: Annotated[float, Meta(ge=10, le=86_400)]


class Starts(Condition, frozen=True, kw_only=True):
    """A state is entered more than `above` times an hour; at `clear` or fewer it is over."""

    metric: str
    state: int
    above: Annotated[int, Meta(ge=1, le=60)]
    clear: Annotated[int, Meta(ge=0)]
    unless: str | None = None


class Ratio(Condition, frozen=True, kw_only=True):
    """A number per ride or cycle against its own long mean."""

    metric: str
    above: Annotated[float, Meta(gt=1)]
    clear: Annotated[float, Meta(gt=1)]


class LimitEdit(Row, frozen=True, kw_only=True):
    """Replaces figures of the limits with this id (`kind.metric.condition.side.tier`); absent = as they are."""

    value: float | None = None
    clear: float | None = None
    for_s: Seconds | None = None
    clear_for_s: Seconds | None = None


class ParameterEdit(Row, frozen=True, kw_only=True):
    """Replaces a figure of the vocabulary, everywhere."""

    value: float


SECTIONS: dict[str, type[Row]] = {
    "rule": Combination,
    "rate": Rate,
    "starts": Starts,
    "ratio": Ratio,
    "limit": LimitEdit,
    "parameter": ParameterEdit,
}
"""Section of the file → its rows."""

_NAMES = {row: section for section, row in SECTIONS.items()}


def section_of(row: Row) -> str:
    return _NAMES[type(row)]


class Rulebook:
    """Rows by section; what is shipped, overlaid by what a manager has set."""

    def __init__(self, edits: Sequence[Row] = ()) -> None:
        self.edits = tuple(edits)
        self._shipped = {row.id: row for row in shipped()}
        self._cache: dict[tuple[str, str, str], tuple[Condition, ...]] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rulebook) and self.edits == other.edits

    def __hash__(self) -> int:
        return hash(self.edits)

    def of(self, kind: str, community: str, equipment: str) -> tuple[Condition, ...]:
        """The rules in force for one piece of equipment; the narrowest row of an id counts."""
        named = (community, equipment) in self._named
        key = (kind, community, equipment if named else "")
        if key not in self._cache:
            rows = self._resolve(community, equipment).values()
            mine = [row for row in rows if isinstance(row, Condition) and row.enabled and row.kind in (kind, ANY)]
            self._cache[key] = tuple(mine)
        return self._cache[key]

    def limit(self, id: str, community: str, equipment: str) -> LimitEdit | None:
        """What a manager has set for this limit; None = nothing."""
        found = self._resolve(community, equipment).get(id) if id in self._limits else None
        return found if isinstance(found, LimitEdit) else None

    @cached_property
    def figures(self) -> dict[str, Parameter]:
        """Parameters that differ from those of the vocabulary."""
        words = vocabulary.load().parameters
        return {
            row.id: msgspec.structs.replace(words[row.id], value=row.value, basis=row.basis, mark=row.mark)
            for row in self.edits
            if isinstance(row, ParameterEdit) and row.enabled and row.id in words
        }

    def rows(self) -> list[Row]:
        """Everything, edits in place of what they replace everywhere; narrower ones behind."""
        wide = {row.id: row for row in self.edits if not row.community}
        narrow = [row for row in self.edits if row.community]
        return [*(self._shipped | wide).values(), *narrow]

    @cached_property
    def _named(self) -> set[tuple[str, str]]:
        return {(row.community, row.equipment) for row in self.edits if row.equipment}

    @cached_property
    def _limits(self) -> set[str]:
        return {row.id for row in self.edits if isinstance(row, LimitEdit)}

    def _resolve(self, community: str, equipment: str) -> dict[str, Row]:
        found: dict[str, Row] = dict(self._shipped)
        for scope in (("", ""), (community, ""), (community, equipment)):
            found |= {row.id: row for row in self.edits if (row.community, row.equipment) == scope}
        return found


@cache
def shipped() -> tuple[Row, ...]:
    text = (files("watchkeep_analytics") / "rulebook.toml").read_text(encoding="utf-8")
    return tuple(parse(text))


def parse(text: str) -> list[Row]:
    """Rows of a file of rules. Raises RuleError, which names section, id and field of the first bad row."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"not a TOML file: {error}") from None
    rows: list[Row] = []
    for section, found in document.items():
        if section not in SECTIONS or not isinstance(found, list):
            raise RuleError(f"[[{section}]]: no such section; there are {', '.join(SECTIONS)}")
        rows += [convert(section, raw) for raw in found]
    if twice := _twice(rows):
        raise RuleError(f"{section_of(twice)} {twice.id}: id: is there twice")
    return rows


def convert(section: str, raw: Any) -> Row:
    """One row of a file or of the table. Raises RuleError."""
    name = raw.get("id", "without id") if isinstance(raw, Mapping) else "?"
    try:
        row = msgspec.convert(raw, SECTIONS[section])
    except msgspec.ValidationError as error:
        raise RuleError(f"{section} {name}: {error}") from None
    for field, problem in _problems(row, vocabulary.load()):
        raise RuleError(f"{section} {name}: {field}: {problem}")
    return row


def _twice(rows: Iterable[Row]) -> Row | None:
    seen: set[tuple[str, str, str]] = set()
    for row in rows:
        if row.scope in seen:
            return row
        seen.add(row.scope)
    return None


def _problems(row: Row, words: Vocabulary) -> Iterator[tuple[str, str]]:
    """(field, what is wrong with it)"""
    if row.equipment and not row.community:
        yield "community", "is needed where equipment is named"
    if isinstance(row, ParameterEdit):
        if row.id not in words.parameters:
            yield "id", "is no parameter of the vocabulary"
        elif row.community:
            yield "community", "a parameter counts everywhere"
        elif row.value < 0:
            yield "value", "must not be negative"
    if isinstance(row, LimitEdit):
        if row.id not in words.limits or words.limits[row.id].applies:
            yield "id", "is no limit of the vocabulary (kind.metric.condition.side.tier, without a variant)"
        else:
            yield from _limit_problems(row, words.limits[row.id])
    if isinstance(row, Condition):
        yield from _condition_problems(row, words)


def _limit_problems(row: LimitEdit, limit: Limit) -> Iterator[tuple[str, str]]:
    value = limit.value if row.value is None else row.value
    clear = (limit.value if limit.clear is None else limit.clear) if row.clear is None else row.clear
    metric = vocabulary.load().metrics[limit.metric]
    for field, x in (("value", value), ("clear", clear)):
        if not metric.min <= x <= metric.max:
            yield field, f"{x:g} is outside {metric.min:g} to {metric.max:g} of {metric.id}"
    if (limit.side == "above" and clear > value) or (limit.side == "below" and clear < value):
        yield "clear", f"{clear:g} is on the wrong side of value {value:g}"


def _condition_problems(row: Condition, words: Vocabulary) -> Iterator[tuple[str, str]]:
    if row.kind != ANY and row.kind not in words.kinds:
        yield "kind", f"no equipment kind {row.kind!r}"
    elif row.condition not in words.conditions:
        yield "condition", f"no condition {row.condition!r}"
    elif not _belongs(row.kind, words.conditions[row.condition].kinds):
        yield "condition", f"{row.condition!r} does not belong to kind {row.kind!r}"
    if isinstance(row, Combination):
        for clause in row.when:
            yield from _metric_problems("when.metric", clause.metric, row.kind, words)
            if clause.minus:
                yield from _metric_problems("when.minus", clause.minus, row.kind, words)
            yield from _clause_problems(clause, words)
    elif isinstance(row, Rate | Starts | Ratio):
        yield from _metric_problems("metric", row.metric, row.kind, words)
    if isinstance(row, Ratio | Starts) and row.clear > row.above:
        yield "clear", f"{row.clear:g} is on the wrong side of above {row.above:g}"
    if isinstance(row, Starts) and row.metric in words.metrics and row.state not in words.metrics[row.metric].states:
        yield "state", f"{row.state} is no state of {row.metric!r}"


def _clause_problems(clause: Clause, words: Vocabulary) -> Iterator[tuple[str, str]]:
    metric = words.metrics.get(clause.metric)
    if metric is None:
        return
    if clause.op == "equals" and metric.states and clause.value not in metric.states:
        yield "when.value", f"{clause.value:g} is no state of {clause.metric!r}"
    if clause.op in ("above", "below") and not clause.minus and not metric.min <= clause.value <= metric.max:
        yield "when.value", f"{clause.value:g} is outside {metric.min:g} to {metric.max:g} of {clause.metric!r}"
    if clause.clear is not None and (
        clause.clear > clause.value if clause.op == "above" else clause.clear < clause.value
    ):
        yield "when.clear", f"{clause.clear:g} is on the wrong side of value {clause.value:g}"


def _metric_problems(field: str, metric: str, kind: str, words: Vocabulary) -> Iterator[tuple[str, str]]:
    if metric not in words.metrics:
        yield field, f"no metric {metric!r}"
    elif not _belongs(kind, words.metrics[metric].kinds):
        yield field, f"{metric!r} does not belong to kind {kind!r}"


def _belongs(kind: str, kinds: Sequence[str]) -> bool:
    return ANY in kinds or kind == ANY or kind in kinds
