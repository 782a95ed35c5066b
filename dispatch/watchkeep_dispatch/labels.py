"""QR labels as a PDF to print on A4: residents scan them to report, technicians to prove they were there."""

import io
from dataclasses import dataclass
from pathlib import Path

import segno
from fpdf import FPDF
from psycopg import Connection
from psycopg.rows import class_row

from watchkeep_core.database import queries
from watchkeep_dispatch.errors import DispatchError
from watchkeep_dispatch.reports_pdf import FAMILY, use_font

COLUMNS, ROWS = 3, 7
"""Labels of 63.5 × 38.1 mm, 21 on a sheet: the commonest A4 label (L7160)."""
_WIDTH_MM, _HEIGHT_MM = 63.5, 38.1
_LEFT_MM, _TOP_MM, _GAP_MM = 7.2, 15.1, 2.5
_CODE_MM = 30.0


@dataclass(frozen=True, slots=True)
class Label:
    """What stands on one label; `token` is the secret in the code."""

    token: str
    community: str
    name: str
    place: str
    number: str
    phone: str


def labels(conn: Connection, community: str, equipment: list[str] | None = None) -> list[Label]:
    """Of a community (its own code first) or of some of its equipment. Raises DispatchError for unknown ones."""
    values = {"community": community, "equipment": equipment}
    with conn.cursor(row_factory=class_row(Label)) as cursor:
        found = cursor.execute(queries("watchkeep_dispatch", "sql/labels.sql")["labels"], values).fetchall()
    if not found:
        raise DispatchError(f"community {community!r}: no such community or equipment")
    if equipment and (missing := set(equipment) - {label.number for label in found}):
        raise DispatchError(f"equipment {', '.join(sorted(missing))}: not in community {community!r}")
    return found


def sheet(found: list[Label], public_url: str, font: Path | None = None) -> bytes:
    """The labels as PDF; the code leads to `public_url`/r/TOKEN. Raises NoFont."""
    page = FPDF(format="A4")
    page.set_auto_page_break(False)
    use_font(page, font)
    page.set_title("Watchkeep QR")
    for number, label in enumerate(found):
        place = number % (COLUMNS * ROWS)
        if place == 0:
            page.add_page()
        row, column = divmod(place, COLUMNS)
        left = _LEFT_MM + column * (_WIDTH_MM + _GAP_MM)
        _draw(page, label, f"{public_url.rstrip('/')}/r/{label.token}", left, _TOP_MM + row * _HEIGHT_MM)
    return bytes(page.output())


def _draw(page: FPDF, label: Label, url: str, left: float, top: float) -> None:
    picture = io.BytesIO()
    segno.make(url, error="m", micro=False).save(picture, kind="png", scale=6, border=2)
    page.image(picture, left + 1, top + 4, _CODE_MM, _CODE_MM)
    lines = (
        (label.name, 10),
        (label.place, 8),
        (label.community, 8),
        (label.number, 7),
        ("扫码报修 Scan to report", 7),
    )
    page.set_xy(left + _CODE_MM + 2, top + 4)
    for text, size in (*lines, (label.phone, 8)):
        if text:
            page.set_font(FAMILY, size=size)
            page.set_x(left + _CODE_MM + 2)
            page.multi_cell(
                _WIDTH_MM - _CODE_MM - 3, size * 0.45, text, max_line_height=size * 0.45, new_x="LEFT", new_y="NEXT"
            )
