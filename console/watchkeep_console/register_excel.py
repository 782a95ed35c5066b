"""The equipment register as an Excel workbook: the template, what is written into it, and reading it back.

Nothing is decided about a community here: `imports` compares the rows with the register.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from typing import Any
from zipfile import BadZipFile, ZipFile

from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.datavalidation import DataValidation

from watchkeep_console.errors import Invalid
from watchkeep_core.vocabulary import Vocabulary

SHEET = "设备 Equipment"
WORDS = "词汇 Vocabulary"
MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MAX_BYTES = 10 * 1024 * 1024
MAX_UNPACKED = 200 * 1024 * 1024
"""A workbook is a zip file: what it unpacks to is bounded as well."""
MAX_ROWS = 10_000
_MANY = re.compile(r"[,，;；、\s]+")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the form."""

    field: str
    zh: str
    en: str
    note: str
    required: bool = False


COLUMNS = (
    Column("community_id", "小区编号", "Community", "平台中的小区编号 id in the register", required=True),
    Column("equipment_id", "设备编号", "Equipment", "字母、数字、- 和 _，小区内唯一 unique in it", required=True),
    Column("kind", "设备类型", "Kind", "名称或代码，见“词汇” name or code, see Vocabulary", required=True),
    Column("name", "设备名称", "Name", "如 3 号楼 1 号客梯", required=True),
    Column("name_en", "英文名称", "English name", "可空 may be empty"),
    Column("building_id", "楼栋编号", "Building", "平台中的楼栋编号 id of a building of the community"),
    Column("level", "楼层", "Level", "1 = 首层 ground floor, -1 = B1"),
    Column("ownership", "权属", "Ownership", "名称或代码 name or code; 空 empty = 业主共有"),
    Column("maker", "品牌", "Maker", ""),
    Column("model", "型号", "Model", ""),
    Column("registration_code", "特种设备注册代码", "Registration", ""),
    Column("installed_on", "安装日期", "Installed on", "2021-06-30"),
    Column("gateway_id", "网关编号", "Gateway", "测点由哪台网关采集 which gateway reads its points"),
    Column("metrics", "测点", "Points", "多个以逗号分隔，名称或代码 several, separated by commas"),
)
"""The order of the form; a file may have them in any order, by the Chinese or the English heading or the field."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, as a code; the words stand in the catalogue's section `wrong`."""

    code: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class CellError:
    """A wrong cell, by its address in the sheet: `C7`."""

    cell: str
    column: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the sheet as it was written: texts by field, and where each stands."""

    number: int
    values: Mapping[str, Any]
    cells: Mapping[str, str]


def write(rows: Iterable[Mapping[str, Any]], words: Vocabulary) -> bytes:
    """A workbook with these rows; with none it is the template. Texts are never formulas."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(SHEET)
    sheet.freeze_panes = "A2"
    for at, column in enumerate(COLUMNS, 1):
        sheet.column_dimensions[get_column_letter(at)].width = 26 if column.field in ("name", "metrics") else 16
    for field, names in (("kind", words.kinds), ("ownership", words.ownerships)):
        letter = get_column_letter(_place(field))
        place = {"kind": "A", "ownership": "B"}[field]
        check = DataValidation("list", formula1=f"='{WORDS}'!${place}$2:${place}${len(names) + 1}", allow_blank=True)
        check.showErrorMessage = False  # codes are accepted as well
        check.add(f"{letter}2:{letter}{MAX_ROWS + 1}")
        sheet.data_validations.append(check)
    sheet.append([_heading(sheet, column) for column in COLUMNS])
    for row in rows:
        sheet.append([_cell(sheet, row.get(column.field)) for column in COLUMNS])
    lists = book.create_sheet(WORDS)
    lists.append(["设备类型 Kind", "权属 Ownership", "测点 Point", "代码 Code", "单位 Unit"])
    kinds, owners, metrics = list(words.kinds.values()), list(words.ownerships.values()), list(words.metrics.values())
    for at in range(max(len(kinds), len(owners), len(metrics))):
        metric = metrics[at] if at < len(metrics) else None
        lists.append(
            [
                kinds[at].zh if at < len(kinds) else None,
                owners[at].zh if at < len(owners) else None,
                metric and metric.zh,
                metric and metric.id,
                metric and metric.unit,
            ]
        )
    with BytesIO() as stream:
        book.save(stream)
        return stream.getvalue()


def read(content: bytes) -> Iterator[Row]:
    """The rows that are not empty. Raises Invalid(`file`) for what is no such workbook, or has too many rows."""
    if len(content) > MAX_BYTES:
        raise Invalid("file", f"the workbook has more than {MAX_BYTES // 1024 // 1024} MB")
    try:
        with ZipFile(BytesIO(content)) as packed:
            if sum(item.file_size for item in packed.infolist()) > MAX_UNPACKED:
                raise Invalid("file", "the workbook unpacks to more than is allowed")
        book = load_workbook(BytesIO(content), read_only=True, data_only=True)
        sheet = book[SHEET] if SHEET in book.sheetnames else book.worksheets[0]
        table = sheet.iter_rows(max_row=MAX_ROWS + 2, max_col=60, values_only=True)
        places = _places([str(value or "") for value in next(table)])
    except (BadZipFile, InvalidFileException, KeyError, ValueError, IndexError, StopIteration, OSError) as error:
        raise Invalid("file", f"not a readable .xlsx workbook ({type(error).__name__})") from None
    for number, cells in enumerate(table, 2):
        values = {field: cells[at] for field, at in places.items() if at < len(cells) and cells[at] not in (None, "")}
        if not values:
            continue
        if number > MAX_ROWS + 1:
            raise Invalid("file", f"more than {MAX_ROWS} rows; split the workbook")
        yield Row(number, values, {field: f"{get_column_letter(at + 1)}{number}" for field, at in places.items()})


def plain(value: Any) -> str:
    """A cell as text: numbers that are whole without their `.0`."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def day(value: Any) -> date:
    """Raises ValueError."""
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(plain(value))


def several(value: Any) -> list[str]:
    return [part for part in _MANY.split(plain(value)) if part]


def _places(heading: Sequence[str]) -> dict[str, int]:
    """Field → place in the sheet. Raises Invalid for a required column that is missing."""
    names = {name: column.field for column in COLUMNS for name in (column.field, column.zh, column.en.lower())}
    found: dict[str, int] = {}
    for at, label in enumerate(heading):
        known = [part.strip(" *").lower() for part in (label, *label.split("\n"), label.partition(" ")[0])]
        field = next((names[name] for name in known if name in names), None)
        if field is not None and field not in found:
            found[field] = at
    missing = [column.zh for column in COLUMNS if column.required and column.field not in found]
    if missing:
        raise Invalid("file", f"row 1: no column {', '.join(missing)}; take the template")
    return found


def _place(field: str) -> int:
    return next(at for at, column in enumerate(COLUMNS, 1) if column.field == field)


def _heading(sheet: Any, column: Column) -> WriteOnlyCell:
    cell = WriteOnlyCell(sheet, value=f"{column.zh}{' *' if column.required else ''}\n{column.en}")
    cell.font = Font(bold=True)
    cell.fill = PatternFill("solid", fgColor="FDE9D9" if column.required else "E2F1F3")
    if column.note:
        cell.comment = Comment(column.note, "Watchkeep")
    return cell


def _cell(sheet: Any, value: Any) -> WriteOnlyCell:
    cell = WriteOnlyCell(sheet, value=", ".join(value) if isinstance(value, list) else value)
    if isinstance(cell.value, str):
        cell.data_type = "s"  # a name that begins with = stays a name
    return cell
