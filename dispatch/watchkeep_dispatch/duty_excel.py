"""A responsibility list as an Excel workbook: a template with drop-down lists and notes, and reading it back.

Every wrong cell is reported with its address; a list with one wrong cell gives no rows at all.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from zipfile import BadZipFile

from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import Cell
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from watchkeep_core.vocabulary import Vocabulary
from watchkeep_dispatch.duty_columns import COLUMNS, Column, names_of
from watchkeep_dispatch.duty_file import deadline, deadline_text, problems, span, span_text
from watchkeep_dispatch.errors import DutyListError
from watchkeep_dispatch.routing import QUALIFIERS, Duty

SHEET = "清单 Duties"
WORDS = "词汇 Vocabulary"
NOTES = "说明 Notes"
MAX_BYTES = 10 * 1024 * 1024
MAX_ROWS = 20_000
_SPARE_ROWS = 500
"""Empty rows below the list that have the drop-down lists too."""
_YES, _NO = ("是", "yes", "true", "1"), ("否", "no", "false", "0")
_MANY = re.compile(r"[,，;；、\s]+")


@dataclass(frozen=True, slots=True)
class CellError:
    """What is wrong with a cell: `L7`, the column's field, and why."""

    cell: str
    column: str
    problem: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """What was read: rows, or errors."""

    rows: tuple[Duty, ...]
    errors: tuple[CellError, ...]


def write(rows: Sequence[Duty], words: Vocabulary) -> bytes:
    """A workbook with these rows; with none it is the template."""
    book = Workbook()
    notes = book.active
    sheet = book.create_sheet(SHEET, 0)
    lists = book.create_sheet(WORDS)
    assert isinstance(notes, Worksheet)  # noqa: S101  a new workbook has one
    notes.title = NOTES
    _heading(sheet)
    for number, row in enumerate(rows, 2):
        for at, column in enumerate(COLUMNS, 1):
            _put(sheet, number, at, _shown(row, column, words))
    _drop_downs(sheet, lists, words, len(rows) + 1 + _SPARE_ROWS)
    _notes(notes)
    with BytesIO() as stream:
        book.save(stream)
        return stream.getvalue()


def read(content: bytes, words: Vocabulary, areas: Iterable[str] | None = None) -> Sheet:
    """Rows, numbered from 1 in the order of the sheet, or every cell that is wrong; `areas` None = not checked.

    Raises DutyListError for what is no such workbook.
    """
    if len(content) > MAX_BYTES:
        raise DutyListError(f"workbook: more than {MAX_BYTES // 1024 // 1024} MB")
    try:
        book = load_workbook(BytesIO(content), read_only=True)
        sheet = book[SHEET] if SHEET in book.sheetnames else book.worksheets[0]
        table = sheet.iter_rows(max_row=MAX_ROWS + 2, max_col=100)
        heading = [str(cell.value or "") for cell in next(table)]
    except (BadZipFile, InvalidFileException, KeyError, ValueError, IndexError, StopIteration, OSError) as error:
        raise DutyListError(f"workbook: not a readable .xlsx file ({type(error).__name__})") from None
    places = _places(heading)
    found: list[Duty] = []
    errors: list[CellError] = []
    where: dict[tuple[object, ...], int] = {}
    for number, cells in enumerate(table, 2):
        values = {column.field: _value(cells, places.get(column.field)) for column in COLUMNS}
        if all(value in (None, "") for value in values.values()):
            continue
        if len(found) >= MAX_ROWS:
            raise DutyListError(f"workbook: more than {MAX_ROWS} rows")
        row, wrong = _row(values, words, None if areas is None else frozenset(areas), len(found) + 1)
        errors += [
            CellError(f"{get_column_letter(places[name] + 1)}{number}", name, problem) for name, problem in wrong
        ]
        found.append(row)
        key = (row.domain, row.kind, row.condition, *(getattr(row, name) for name in QUALIFIERS))
        if not wrong and where.setdefault(key, number) != number:
            errors.append(
                CellError(f"A{number}", "title", f"matches the same as row {where[key]}; one of them must go")
            )
    if not found:
        errors.append(CellError("A2", "title", "the list has no rows"))
    return Sheet((), tuple(errors)) if errors else Sheet(tuple(found), ())


def _places(heading: list[str]) -> dict[str, int]:
    """Where each column stands; the last word of its heading counts. Raises DutyListError."""
    ids = [text.split()[-1] if text.split() else "" for text in heading]
    missing = [column.field for column in COLUMNS if column.field not in ids]
    unknown = [text for text in ids if text and text not in {column.field for column in COLUMNS}]
    if missing or unknown:
        wrong = [f"{kind} {', '.join(names)}" for kind, names in (("missing", missing), ("unknown", unknown)) if names]
        raise DutyListError(f"workbook, row 1: columns {'; '.join(wrong)}")
    return {column.field: ids.index(column.field) for column in COLUMNS}


def _value(cells: Sequence[Any], place: int | None) -> object:
    if place is None or place >= len(cells):
        return None
    value = cells[place].value
    return value.strip() if isinstance(value, str) else value


def _row(
    values: Mapping[str, object], words: Vocabulary, areas: frozenset[str] | None, number: int
) -> tuple[Duty, list[tuple[str, str]]]:
    """The row and what is wrong with which of its columns."""
    wrong: list[tuple[str, str]] = []
    parsed: dict[str, Any] = {}
    for column in COLUMNS:
        try:
            parsed[column.field] = _parsed(column, values[column.field], words)
        except DutyListError as error:
            wrong.append((column.field, str(error)))
            parsed[column.field] = {"many": (), "text": "", "choice": ""}.get(column.kind)
    row = Duty(row_no=number, **parsed)
    flawed = {name for name, _ in wrong}
    wrong += [(name, problem) for name, problem in problems(row, words) if name not in flawed]
    if areas is not None and row.area_id is not None and row.area_id not in areas:
        wrong.append(("area_id", f"{row.area_id!r} is no area of the register"))
    return row, wrong


def _parsed(column: Column, value: object, words: Vocabulary) -> Any:
    """The value of a cell. Raises DutyListError."""
    text = "" if value is None else str(value).strip()
    if text.startswith("="):
        raise DutyListError("is a formula; write the value itself")
    if not text:
        if column.required:
            raise DutyListError("must be set")
        return () if column.kind == "many" else "" if column.field.endswith("_condition") else None
    match column.kind:
        case "choice":
            return _choice(text, names_of(column.field, words))
        case "yes_no":
            if text.lower() in (*_YES, *_NO):
                return text.lower() in _YES
            raise DutyListError(f"{text!r}: expected 是 or 否")
        case "many":
            return tuple(_choice(part, names_of(column.field, words)) for part in _MANY.split(text) if part)
        case "deadline":
            return deadline(text)
        case "span":
            return span(text)
    return text


def _choice(text: str, names: Mapping[str, str]) -> str:
    """An id; `id name` and the Chinese name alone are understood as well. Raises DutyListError."""
    first = text.split()[0]
    if first in names:
        return first
    found = next((id for id, zh in names.items() if zh == text), None)
    if found is None:
        raise DutyListError(f"{text!r} is not in the vocabulary")
    return found


def _shown(row: Duty, column: Column, words: Vocabulary) -> str:
    value = getattr(row, column.field)
    if value is None:
        return ""
    match column.kind:
        case "choice":
            return f"{value} {names_of(column.field, words).get(value, '')}".strip()
        case "yes_no":
            return _YES[0] if value else _NO[0]
        case "many":
            return ", ".join(value)
        case "deadline":
            return deadline_text(value)
        case "span":
            return span_text(value)
    return str(value)


def _heading(sheet: Worksheet) -> None:
    for at, column in enumerate(COLUMNS, 1):
        cell = sheet.cell(1, at, f"{column.zh}{'*' if column.required else ''} {column.field}")
        cell.font = Font(bold=True)
        cell.fill = PatternFill("solid", fgColor="DDE8F4")
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        cell.comment = Comment(column.note, "watchkeep", height=120, width=320)
        sheet.column_dimensions[get_column_letter(at)].width = 40 if column.kind == "text" else 22
    sheet.freeze_panes = "C2"


def _put(sheet: Worksheet, row: int, at: int, text: str) -> None:
    cell = sheet.cell(row, at)
    assert isinstance(cell, Cell)  # noqa: S101  nothing is merged here
    cell.value = text or None
    if text.startswith("="):
        cell.data_type = "s"  # a text, never a formula


def _drop_downs(sheet: Worksheet, lists: Worksheet, words: Vocabulary, last: int) -> None:
    for at, column in enumerate(COLUMNS, 1):
        if column.kind == "yes_no":
            formula = f'"{_YES[0]},{_NO[0]}"'
        elif column.kind == "choice":
            names = names_of(column.field, words)
            letter = get_column_letter(at)
            lists.cell(1, at, column.field)
            for number, (id, zh) in enumerate(names.items(), 2):
                lists.cell(number, at, f"{id} {zh}".strip())
            formula = f"'{WORDS}'!${letter}$2:${letter}${len(names) + 1}"
        else:
            continue
        rule = DataValidation(type="list", formula1=formula, allow_blank=not column.required, showErrorMessage=True)
        rule.error, rule.errorTitle = "请从下拉列表选择 (choose from the list)", column.zh
        sheet.add_data_validation(rule)
        rule.add(f"{get_column_letter(at)}2:{get_column_letter(at)}{last}")


def _notes(sheet: Worksheet) -> None:
    sheet.append(["列 column", "名称", "必填 required", "说明 note"])
    for column in COLUMNS:
        sheet.append([column.field, column.zh, "是" if column.required else "", column.note])
    sheet.append(
        ["导入 import", "", "", "watchkeep dispatch duties import FILE --name NAME --person LOGIN [--dry-run]"]
    )
    for letter, width in zip("ABCD", (20, 20, 14, 100), strict=True):
        sheet.column_dimensions[letter].width = width
