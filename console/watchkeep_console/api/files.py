"""Lists of the API as CSV or Excel files, and tags of what was answered."""

import csv
import io
import json
from hashlib import sha256
from typing import Any, Literal
from urllib.parse import quote

from fastapi.responses import Response
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from watchkeep_console.errors import Invalid

Kind = Literal["csv", "xlsx"]
TYPES: dict[Kind, str] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is run as a formula by spreadsheets, whoever wrote it into a name or a note."""


def wanted(by_query: str | None, accept: str) -> Kind | None:
    """`?format=` decides, else the header Accept; None = JSON. Raises Invalid(`format`)."""
    if by_query is not None:
        if by_query not in ("csv", "xlsx", "json"):
            raise Invalid("format", "must be json, csv or xlsx")
        return None if by_query == "json" else "csv" if by_query == "csv" else "xlsx"
    first = accept.split(",")[0].split(";")[0].strip().lower()
    return next((kind for kind, media in TYPES.items() if media.split(";")[0] == first), None)


def shaped(body: bytes, kind: Kind, name: str) -> Response:
    """The rows of a list as a file; the cursor of the next page stands in `X-Next-Cursor`. Raises Invalid(`format`)."""
    answer = json.loads(body)
    rows = answer.get("items") if isinstance(answer, dict) else answer
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Invalid("format", "only lists can be had as csv or xlsx")
    content = _csv(rows) if kind == "csv" else _xlsx(rows)
    headers = {"Content-Disposition": f"attachment; filename={quote(name)}.{kind}"}
    if isinstance(answer, dict) and answer.get("next"):
        headers["X-Next-Cursor"] = str(answer["next"])
    return Response(content, media_type=TYPES[kind], headers=headers)


def etag(body: bytes) -> str:
    """Names a version of an answer. That of a case or order begins with its version, which `If-Match` goes by."""
    version = ""
    if body.startswith(b"{") and not body.startswith(b'{"items":') and b'"version"' in body:  # a list has none
        found = json.loads(body).get("version")
        version = f"v{found}-" if isinstance(found, int) else ""
    return f'"{version}{sha256(body).hexdigest()[:32]}"'


def _csv(rows: list[dict[str, Any]]) -> bytes:
    columns = _columns(rows)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode()  # the mark by which Excel reads UTF-8


def _xlsx(rows: list[dict[str, Any]]) -> bytes:
    columns = _columns(rows)
    book = Workbook(write_only=True)
    sheet = book.create_sheet("data")
    sheet.append(columns)
    for row in rows:
        sheet.append([_cell(row.get(column)) for column in columns])
    found = io.BytesIO()
    book.save(found)
    return found.getvalue()


def _columns(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = ILLEGAL_CHARACTERS_RE.sub("", text)
    return f"'{text}" if text.startswith(_FORMULA) else text
