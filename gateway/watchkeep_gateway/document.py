"""A parsed file to a typed value, with every mistake of it and not only the first.

A field with a mistake takes its default, a table that cannot do without it is left out, and the rest is still checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct, ValidationError
from msgspec.structs import fields

from watchkeep_gateway.tables import Path, Problem, nearest

_T = TypeVar("_T", bound=Struct)


class _Unusable(Exception):
    """A value that cannot be built; why is among the problems."""


@dataclass(slots=True)
class Reader:
    """Converts one document."""

    problems: list[Problem] = field(default_factory=list)
    _kept: dict[Path, list[int]] = field(default_factory=dict)

    def read(self, document: Mapping[str, Any], kind: type[_T]) -> _T | None:
        """The value, without what is wrong in it; None when even that cannot be had."""
        try:
            return self._table(document, kind, (), ())
        except _Unusable:
            return None

    def original(self, path: Path) -> Path:
        """Where a field of the value stands in the document: elements with mistakes were left out."""
        found: Path = ()
        for length, step in enumerate(path):
            if isinstance(step, int) and path[:length] in self._kept:
                kept = self._kept[path[:length]]
                step = kept[step] if step < len(kept) else step
            found = (*found, step)
        return found

    def _table(self, raw: Any, kind: type[_T], at: Path, to: Path) -> _T:
        """`at`: where it stands in the document; `to`: where it will stand in the value."""
        if not isinstance(raw, Mapping):
            raise self._wrong(at, f"must be a table, [{'.'.join(str(step) for step in at)}]")
        known = {one.encode_name: one for one in fields(kind)}
        for key in raw.keys() - known.keys():
            self.problems.append(Problem((*at, key), f"is no field here{nearest(key, known)}"))
        values: dict[str, Any] = {}
        usable = True
        for name, one in known.items():
            try:
                if name in raw:
                    values[one.name] = self._value(raw[name], one.type, (*at, name), (*to, name))
                elif one.required:
                    self.problems.append(Problem((*at, name), "is missing"))
                    usable = False
            except _Unusable:
                usable = usable and not one.required
        if not usable:
            raise _Unusable
        return kind(**values)

    def _value(self, raw: Any, kind: Any, at: Path, to: Path) -> Any:
        table = _table_type(kind)
        if table:
            return self._table(raw, table, at, to)
        element = _element_type(kind)
        if element is None:
            try:
                return msgspec.convert(raw, kind)
            except ValidationError as error:
                raise self._wrong(at, _reason(raw, kind, error)) from None
        if not isinstance(raw, list):
            raise self._wrong(at, "must be a list")
        found: list[Any] = []
        kept: list[int] = []
        for index, one in enumerate(raw):
            try:
                found.append(self._value(one, element, (*at, index), (*to, len(found))))
                kept.append(index)
            except _Unusable:
                pass
        self._kept[to] = kept
        if not raw and _least(kind):
            raise self._wrong(at, "must not be empty")
        if raw and not found and _least(kind):
            raise _Unusable
        return tuple(found)

    def _wrong(self, at: Path, text: str) -> _Unusable:
        self.problems.append(Problem(at, text))
        return _Unusable()


def _bare(kind: Any) -> Any:
    """Without Annotated, and without `| None`."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, UnionType):
        others = [one for one in get_args(kind) if one is not type(None)]
        return _bare(others[0]) if len(others) == 1 else kind
    return kind


def _table_type(kind: Any) -> type[Struct] | None:
    bare = _bare(kind)
    return bare if isinstance(bare, type) and issubclass(bare, Struct) else None


def _element_type(kind: Any) -> Any:
    """Of a tuple of any length; else None."""
    bare = _bare(kind)
    return get_args(bare)[0] if get_origin(bare) is tuple and get_args(bare)[-1] is Ellipsis else None


def _least(kind: Any) -> int:
    """Fewest elements of a tuple."""
    if get_origin(kind) is not Annotated:
        return 0
    return max((one.min_length or 0 for one in get_args(kind)[1:] if isinstance(one, Meta)), default=0)


def _reason(raw: Any, kind: Any, error: ValidationError) -> str:
    bare = _bare(kind)
    if get_origin(bare) is Literal:
        choices = get_args(bare)
        hint = nearest(raw, choices) if isinstance(raw, str) else ""
        return f"{raw!r} is none of {', '.join(map(str, choices))}{hint}"
    return f"{raw!r}: {error}" if isinstance(raw, str | int | float) else str(error)
