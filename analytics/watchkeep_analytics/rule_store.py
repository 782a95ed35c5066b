"""Rules to a file and back: what differs from what is shipped is kept in the database, each change with who and why."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec
import tomli_w
from psycopg import Connection
from psycopg.types.json import Jsonb

from watchkeep_analytics.rulebook import (
    SECTIONS,
    LimitEdit,
    ParameterEdit,
    Row,
    Rulebook,
    RuleError,
    section_of,
    shipped,
)
from watchkeep_core import vocabulary
from watchkeep_core.database import queries

_SQL = queries("watchkeep_analytics", "rules.sql")


class Change(NamedTuple):
    """One row before and after; None = what is shipped."""

    section: str
    id: str
    community: str
    equipment: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@cache
def defaults() -> dict[str, Row]:
    """All that can be set, as it is shipped: the book, and the limits and parameters of the vocabulary."""
    words = vocabulary.load()
    rows: list[Row] = list(shipped())
    for limit in words.limits.values():
        if not limit.applies:
            figures = {name: getattr(limit, name) for name in ("value", "clear", "for_s", "clear_for_s")}
            rows.append(LimitEdit(id=limit.id, basis=limit.basis, mark=limit.mark, **figures))
    rows += [ParameterEdit(id=p.id, value=p.value, basis=p.basis, mark=p.mark) for p in words.parameters.values()]
    return {row.id: row for row in rows}


def export(book: Rulebook) -> str:
    """Everything in force as a TOML file that `parse` reads."""
    wide = {row.id: row for row in book.edits if not row.community}
    rows = [*(defaults() | wide).values(), *(row for row in book.edits if row.community)]
    document: dict[str, list[dict[str, Any]]] = {section: [] for section in SECTIONS}
    for row in rows:
        document[section_of(row)].append({"id": row.id, **definition(row, scope=True)})
    return tomli_w.dumps({section: found for section, found in document.items() if found})


def changes(book: Rulebook, rows: Iterable[Row]) -> list[Change]:
    """What these rows would change; a row that says what is shipped takes an edit back."""
    before = {row.scope: row for row in book.edits}
    found = []
    for row in rows:
        shipped_row = defaults().get(row.id)
        if shipped_row is not None and section_of(shipped_row) != section_of(row):
            raise RuleError(f"{section_of(row)} {row.id}: id: is one of section {section_of(shipped_row)}")
        old, new = before.get(row.scope), None if row == shipped_row else row
        if old != new:
            sides = [definition(side) if side is not None else None for side in (old, new)]
            found.append(Change(section_of(row), *row.scope, sides[0], sides[1]))
    return found


def save(conn: Connection, found: Sequence[Change], by: str, why: str) -> None:
    """In the caller's transaction: the rows and their history. The engine takes them over at its next refresh."""
    for change in found:
        row = change._asdict() | {"by": by, "why": why}
        row |= {name: None if row[name] is None else Jsonb(row[name]) for name in ("before", "after")}
        conn.execute(_SQL["put" if change.after is not None else "drop"], row)
        conn.execute(_SQL["note"], row)


def history(conn: Connection, at_most: int) -> list[dict[str, Any]]:
    """The newest changes first."""
    names = ("at", "id", "community", "equipment", "before", "after", "by", "why")
    return [dict(zip(names, row, strict=True)) for row in conn.execute(_SQL["history"], {"at_most": at_most})]


def definition(row: Row, scope: bool = False) -> dict[str, Any]:
    """The fields of a row without those of its key, as JSON and TOML have them."""
    left_out = {"id"} if scope else {"id", "community", "equipment"}
    fields = msgspec.to_builtins(row)
    empty = {name for name in ("community", "equipment") if scope and not fields[name]}
    return {
        name: _without_none(value)
        for name, value in fields.items()
        if name not in left_out | empty and value is not None
    }


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(item) for name, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list | tuple) else value
