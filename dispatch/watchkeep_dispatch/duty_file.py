"""A responsibility list as TOML: checked against the vocabulary and expanded to rows.

One entry is written once for several conditions; each of its variants overrides some columns for a qualifier.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from importlib.resources import files
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from watchkeep_core.vocabulary import Vocabulary, load
from watchkeep_dispatch.errors import DutyListError
from watchkeep_dispatch.routing import Deadline, Duty

EVIDENCE = ("photo_before", "photo_after", "scan", "note", "reading", "signature")
"""Kinds of evidence that a duty may ask for."""

_UNITS = {
    "min": (timedelta(minutes=1), "urgent_hours"),
    "h": (timedelta(hours=1), "urgent_hours"),
    "wh": (timedelta(hours=1), "working_hours"),
    "wd": (timedelta(days=1), "working_days"),
    "nd": (timedelta(days=1), "natural_days"),
}
_DEADLINE = re.compile(r"([1-9]\d{0,3}) (min|h|wh|wd|nd)")

_SPANS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_SPAN = re.compile(r"([1-9]\d{0,3}) (min|h|d)")

Text = Annotated[str, Meta(min_length=1)]


class _Row(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What an entry has and a variant may override."""

    domain: str | None = None
    kind: str | None = None
    ownership: str | None = None
    handed_over: bool | None = None
    in_warranty: bool | None = None
    contracted: bool | None = None
    area_id: str | None = None
    urban: bool | None = None
    working_time: bool | None = None
    first_responder: str | None = None
    responsible: str | None = None
    supervising: str | None = None
    copied: tuple[str, ...] | None = None
    respond: str | None = None
    arrive: str | None = None
    finish: str | None = None
    clear_for: str | None = None


class _Entry(_Row, frozen=True):
    title: Text
    title_en: Text
    case_class: Literal["A", "B", "C"] = field(name="class")
    basis: Text
    mark: Text
    conditions: tuple[str, ...] = ()
    filing: str = ""
    closing: str = ""
    evidence: tuple[str, ...] = ()
    variants: tuple[_Row, ...] = ()


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    name: Text
    duty: tuple[_Entry, ...]


def default_list() -> tuple[str, tuple[Duty, ...]]:
    """Name and rows of the packaged default list."""
    return parse((files("watchkeep_dispatch") / "default_duties.toml").read_bytes(), load())


def parse(content: bytes, vocabulary: Vocabulary) -> tuple[str, tuple[Duty, ...]]:
    """Name and rows, numbered from 1. Raises DutyListError that names entry and column."""
    try:
        found = msgspec.toml.decode(content, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DutyListError(f"responsibility list: {error}") from None
    rows = tuple(
        replace(row, row_no=number)
        for number, row in enumerate((row for entry in found.duty for row in _expand(entry)), 1)
    )
    for row in rows:
        for column, problem in problems(row, vocabulary):
            raise DutyListError(f"duty {row.title!r}: {column}: {problem}")
    return found.name, rows


def deadline(text: str) -> Deadline:
    """`30 min`, `24 h`, `4 wh` (working hours), `3 wd` (working days), `15 nd` (natural days). Raises DutyListError."""
    found = _DEADLINE.fullmatch(text)
    if not found:
        raise DutyListError(f"deadline {text!r}: expected a number and one of {', '.join(_UNITS)}")
    unit, kind = _UNITS[found[2]]
    return Deadline(int(found[1]) * unit, kind)


def deadline_text(due: Deadline) -> str:
    """A deadline as `deadline` reads it, in the largest unit that holds it."""
    units = reversed([(name, size) for name, (size, kind) in _UNITS.items() if kind == due.kind])
    name, size = next((name, size) for name, size in units if due.amount % size == timedelta())
    return f"{due.amount // size} {name}"


def span(text: str) -> timedelta:
    """`30 min`, `24 h`, `3 d` by the clock. Raises DutyListError."""
    found = _SPAN.fullmatch(text)
    if not found:
        raise DutyListError(f"time {text!r}: expected a number and one of {', '.join(_SPANS)}")
    return int(found[1]) * _SPANS[found[2]]


def span_text(time: timedelta) -> str:
    """A time as `span` reads it, in the largest unit that holds it."""
    name, size = next(found for found in reversed(_SPANS.items()) if time % found[1] == timedelta())
    return f"{time // size} {name}"


def problems(row: Duty, words: Vocabulary) -> Iterator[tuple[str, str]]:
    """Column and problem of everything that the vocabulary does not know, and of parties that are missing."""
    checks: list[tuple[str, object, object]] = [
        ("domain", row.domain, words.domains),
        ("kind", row.kind, words.kinds),
        ("condition", row.condition, words.conditions),
        ("ownership", row.ownership, words.ownerships),
    ]
    for column in ("first_responder", "responsible", "supervising"):
        party = getattr(row, column)
        if party is None:
            yield column, "must be set"
        checks.append((column, party, words.parties))
    checks += [("copied", party, words.parties) for party in row.copied]
    checks += [("evidence", kind, EVIDENCE) for kind in row.evidence]
    for column, value, known in checks:
        if value is not None and value not in known:  # type: ignore[operator]  # dicts and a tuple
            yield column, f"{value!r} is not in the vocabulary"


def _expand(entry: _Entry) -> Iterator[Duty]:
    for condition in entry.conditions or (None,):
        for variant in (_Row(), *entry.variants):
            yield _row(entry, variant, condition)


def _row(entry: _Entry, variant: _Row, condition: str | None) -> Duty:
    own = {name: getattr(entry, name) for name in _Row.__struct_fields__}
    changed = {name: value for name in own if (value := getattr(variant, name)) is not None}
    columns: dict[str, Any] = own | changed
    columns["copied"] = tuple(party for party in columns["copied"] or () if party != columns["responsible"])
    try:
        clocks: dict[str, Any] = {
            name: deadline(columns[name]) if columns[name] else None for name in ("respond", "arrive", "finish")
        }
        clocks["clear_for"] = span(columns["clear_for"]) if columns["clear_for"] else None
    except DutyListError as error:
        raise DutyListError(f"duty {entry.title!r}: {error}") from None
    return Duty(
        **(columns | clocks),
        row_no=0,
        title=entry.title,
        title_en=entry.title_en,
        condition=condition,
        case_class=entry.case_class,
        filing_condition=entry.filing,
        closing_condition=entry.closing,
        evidence=entry.evidence,
        basis=entry.basis,
        mark=entry.mark,
    )
