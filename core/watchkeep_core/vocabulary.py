"""The words all parts share (kinds, metrics, conditions, limits, code profiles), from vocabulary.toml."""

import math
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any, get_args, get_origin

import msgspec
from msgspec import Struct

from watchkeep_core import vocabulary_fire
from watchkeep_core.errors import PermanentError
from watchkeep_core.vocabulary_fire import Fire, FireAnalog
from watchkeep_core.vocabulary_rows import (
    ANY,
    CaseClass,
    Condition,
    Kind,
    Later,
    Limit,
    Metric,
    Parameter,
    Profile,
    Quality,
    Term,
    Unit,
)


class VocabularyError(PermanentError):
    """vocabulary.toml contradicts itself; names section, id and field."""

    def __init__(self, section: str, id: str, problem: str) -> None:
        super().__init__(f"vocabulary {section} {id!r}: {problem}")
        self.section = section
        self.id = id
        self.problem = problem


class Vocabulary(Struct, frozen=True):
    """Every section as a dict by id, in file order."""

    qualities: dict[str, Quality]
    units: dict[str, Unit]
    domains: dict[str, Term]
    kinds: dict[str, Kind]
    variants: dict[str, Term]
    metrics: dict[str, Metric]
    conditions: dict[str, Condition]
    limits: dict[str, Limit]
    parameters: dict[str, Parameter]
    later: dict[str, Later]
    profiles: dict[str, Profile]
    """`codes`, `fields` and `fault` already hold those of the profile it extends."""
    ownerships: dict[str, Term]
    parties: dict[str, Term]
    deadline_kinds: dict[str, Term]
    classes: dict[str, CaseClass]
    case_sources: dict[str, Term]
    roles: dict[str, Term]
    fire: Fire

    def limits_for(self, kind: str, metric: str, variant: str | None = None) -> tuple[Limit, ...]:
        """Default limits of a point; rows of `variant` replace the default of the same condition, side and tier."""
        rows = [
            limit
            for limit in self.limits.values()
            if limit.metric == metric and limit.kind in (kind, ANY) and limit.applies in (None, variant)
        ]
        replaced = {(row.condition, row.side, row.tier) for row in rows if row.applies}
        return tuple(row for row in rows if row.applies or (row.condition, row.side, row.tier) not in replaced)

    def condition_of(self, profile: str, raw_code: str) -> str | None:
        """Condition id; "" = no fault or cleared; None = the profile does not know the code.

        Raises KeyError for an unknown profile.
        """
        return self.profiles[profile].codes.get(raw_code)


@cache
def load() -> Vocabulary:
    """The packaged vocabulary; read and checked on the first call."""
    text = resources.files("watchkeep_core").joinpath("vocabulary.toml").read_text(encoding="utf-8")
    return parse(tomllib.loads(text))


SECTIONS = {
    "quality": "qualities",
    "unit": "units",
    "domain": "domains",
    "kind": "kinds",
    "variant": "variants",
    "metric": "metrics",
    "condition": "conditions",
    "limit": "limits",
    "parameter": "parameters",
    "later": "later",
    "profile": "profiles",
    "ownership": "ownerships",
    "party": "parties",
    "deadline_kind": "deadline_kinds",
    "class": "classes",
    "case_source": "case_sources",
    "role": "roles",
}
"""Section of the file to the field of Vocabulary."""


def parse(document: Mapping[str, Any]) -> Vocabulary:
    """Raises VocabularyError on the first row that is malformed, twice there, or refers to nothing."""
    if odd := document.keys() ^ (SECTIONS.keys() | {"fire"}):
        raise VocabularyError(min(odd), ANY, "section is missing or unknown")
    fields: dict[str, Any] = {"fire": _fire(document["fire"])}
    types = {field.name: field.type for field in msgspec.structs.fields(Vocabulary)}
    for section, name in SECTIONS.items():
        rows: dict[str, Any] = {}
        for raw in document[section]:
            row = _convert(section, _raw_id(raw), raw, get_args(types[name])[1])
            if row.id in rows:
                raise VocabularyError(section, row.id, "id: is there twice")
            rows[row.id] = row
        fields[name] = rows
    fields["profiles"] = _extended(fields["profiles"])
    vocabulary = Vocabulary(**fields)
    _check(vocabulary)
    return vocabulary


def _raw_id(raw: Mapping[str, Any]) -> str:
    keys = ("id",) if "id" in raw else ("kind", "metric", "condition", "side", "tier", "applies")
    return ".".join(str(raw[key]) for key in keys if key in raw)


def _convert(section: str, id: str, raw: Any, row_type: type) -> Any:
    try:
        return msgspec.convert(raw, row_type, str_keys=True)
    except msgspec.ValidationError as error:
        raise VocabularyError(section, id, str(error)) from error


def _fire(raw: Mapping[str, Any]) -> Fire:
    # Row by row first: the path in msgspec's message leaves out the key of a dict.
    for field in msgspec.structs.fields(Fire):
        if get_origin(field.type) is dict:
            for code, row in raw.get(field.name, {}).items():
                _convert(f"fire.{field.name}", code, row, get_args(field.type)[1])
    fire: Fire = _convert("fire", "fire", raw, Fire)
    return fire


def _extended(profiles: Mapping[str, Profile]) -> dict[str, Profile]:
    done: dict[str, Profile] = {}
    for id, profile in profiles.items():
        if profile.extends is None:
            done[id] = profile
        elif profile.extends in done:  # only upwards in the file, so that there is no circle
            base = done[profile.extends]
            done[id] = msgspec.structs.replace(
                profile,
                codes=base.codes | profile.codes,
                fields=base.fields | profile.fields,
                fault=profile.fault or base.fault,
            )
        else:
            raise VocabularyError("profile", id, f"extends: no {profile.extends!r} above it")
    return done


def _check(vocabulary: Vocabulary) -> None:
    for section, id, row in _rows(vocabulary):
        for field, value, target in _references(row):
            if value not in getattr(vocabulary, target):
                raise VocabularyError(section, id, f"{field}: {value!r} is not among the {target}")
    for metric in vocabulary.metrics.values():
        if not (metric.min < metric.max and math.isfinite(metric.max - metric.min)):
            raise VocabularyError("metric", metric.id, f"min: {metric.min} is not below max {metric.max}")
        if bool(metric.states) != (metric.value == "state"):
            raise VocabularyError("metric", metric.id, f"states: do not fit value {metric.value!r}")
        if odd := [code for code in metric.states if not metric.min <= code <= metric.max]:
            raise VocabularyError("metric", metric.id, f"states: {odd} are outside min and max")
    for limit in vocabulary.limits.values():
        for field, problem in _limit_problems(limit, vocabulary):
            raise VocabularyError("limit", limit.id, f"{field}: {problem}")
    for parameter in vocabulary.parameters.values():
        if not math.isfinite(parameter.value):
            raise VocabularyError("parameter", parameter.id, f"value: {parameter.value} is not finite")
    for code, analog in vocabulary.fire.analog_types.items():
        for id in (analog.metric, *analog.metric_by_kind.values()):
            if vocabulary.metrics[id].unit != analog.unit:
                raise VocabularyError("fire.analog_types", str(code), f"unit: is not that of metric {id!r}")
    for section, id, problem in vocabulary_fire.problems(vocabulary.fire):
        raise VocabularyError(section, id, problem)


def _rows(v: Vocabulary) -> Iterator[tuple[str, str, Struct]]:
    for section, name in SECTIONS.items():
        yield from ((section, id, row) for id, row in getattr(v, name).items())
    for name, value in msgspec.structs.asdict(v.fire).items():
        if isinstance(value, dict):
            yield from ((f"fire.{name}", str(code), row) for code, row in value.items())
    yield "fire", "bit0", v.fire.bit0


REFERENCES = {
    "domain": "domains",
    "unit": "units",
    "kind": "kinds",
    "kinds": "kinds",
    "metric": "metrics",
    "metric_by_kind": "metrics",
    "condition": "conditions",
    "conditions": "conditions",
    "codes": "conditions",
    "fields": "metrics",
    "test_condition": "conditions",
    "applies": "variants",
}
"""Fields that name a row elsewhere: the same field name means the same in every section."""


def _references(row: Struct) -> Iterator[tuple[str, str, str]]:
    """Field, the id it names, and the field of Vocabulary where that id must be."""
    for field, value in msgspec.structs.asdict(row).items():
        if isinstance(value, Struct):
            yield from ((f"{field}.{name}", id, target) for name, id, target in _references(value))
        elif isinstance(value, dict) and field in REFERENCES:
            yield from ((f"{field}.{key}", id, REFERENCES[field]) for key, id in value.items() if id)
        elif isinstance(value, str | tuple) and field in REFERENCES:
            ids = (value,) if isinstance(value, str) else value
            yield from ((field, id, REFERENCES[field]) for id in ids if id != ANY)
    if isinstance(row, FireAnalog):
        yield from (("metric_by_kind", kind, "kinds") for kind in row.metric_by_kind)


def _limit_problems(limit: Limit, v: Vocabulary) -> Iterator[tuple[str, str]]:
    metric, condition = v.metrics[limit.metric], v.conditions[limit.condition]
    for field, owner in (("metric", metric), ("condition", condition)):
        if limit.kind not in owner.kinds and ANY not in owner.kinds:
            yield field, f"{owner.id!r} does not belong to kind {limit.kind!r}"
    for field, value in (("value", limit.value), ("clear", limit.clear)):
        if value is not None and not metric.min <= value <= metric.max:
            yield field, f"{value} is outside min and max of {metric.id!r}"
    if limit.side == "equals":
        if limit.clear is not None:
            yield "clear", "has no meaning for side 'equals'"
        if limit.value not in metric.states:
            yield "value", f"{limit.value} is no state of {metric.id!r}"
    elif limit.clear is None:
        yield "clear", f"is needed for side {limit.side!r}"
    elif (limit.clear > limit.value) if limit.side == "above" else (limit.clear < limit.value):
        yield "clear", f"{limit.clear} is on the wrong side of value {limit.value}"
    if limit.when:
        other = v.metrics[limit.when.metric]
        if limit.kind not in other.kinds and ANY not in other.kinds:
            yield "when.metric", f"{other.id!r} does not belong to kind {limit.kind!r}"
        if other.states and limit.when.equals not in other.states:
            yield "when.equals", f"{limit.when.equals} is no state of {other.id!r}"
