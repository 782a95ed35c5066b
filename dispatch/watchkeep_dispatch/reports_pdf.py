"""A report as PDF, with a subset of a Chinese font embedded, so that it prints the same everywhere."""

from functools import lru_cache
from pathlib import Path

from fontTools.ttLib import TTCollection, TTLibError
from fpdf import FPDF
from fpdf.fonts import FontFace

from watchkeep_dispatch.errors import DispatchError
from watchkeep_dispatch.reports import Report, Table

FONT_PLACES = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",  # Debian, Ubuntu: fonts-noto-cjk
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",  # RHEL before 9
    "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",  # Fedora, RHEL 9
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",  # Arch, Alpine
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",  # fonts-wqy-microhei
    "/System/Library/Fonts/STHeiti Medium.ttc",
    "C:/Windows/Fonts/msyh.ttc",
)
FAMILY = "cjk"
_HEADING = FontFace(fill_color=(238, 242, 248))


class NoFont(DispatchError):
    """No font with Chinese characters can be found."""


def to_pdf(report: Report, font: Path | None = None) -> bytes:
    """A4, page numbers at the foot; landscape when a table has more than eight columns. Raises NoFont."""
    wide = any(section.table and len(section.table.heading) > 8 for section in report.sections)
    page = _Page(report.footer, "landscape" if wide else "portrait", font)
    page.set_title(report.title)
    page.add_page()
    page.set_font(FAMILY, size=18)
    page.multi_cell(0, 10, report.title, align="C", new_x="LMARGIN", new_y="NEXT")
    page.set_font(FAMILY, size=10)
    page.multi_cell(0, 6, report.subtitle, align="C", new_x="LMARGIN", new_y="NEXT")
    if report.figures:
        names, values = zip(*report.figures, strict=True)
        _table(page, Table(names, (values,)), size=12)
    for section in report.sections:
        # A heading stays with its first lines.
        if page.will_page_break(12 + 6 * len(section.paragraphs) + 16 * bool(section.table)):
            page.add_page()
        else:
            page.ln(4)
        page.set_font(FAMILY, size=13)
        page.multi_cell(0, 8, section.title, new_x="LMARGIN", new_y="NEXT")
        page.set_font(FAMILY, size=10)
        for text in section.paragraphs:
            page.multi_cell(0, 6, text, new_x="LMARGIN", new_y="NEXT")
        if section.table:
            _table(page, section.table)
    _signatures(page, report.signatures)
    return bytes(page.output())


def use_font(page: FPDF, given: Path | None) -> None:
    """Make family `cjk` known to a document. Raises NoFont."""
    path = given or next((Path(place) for place in FONT_PLACES if Path(place).is_file()), None)
    if path is None or not path.is_file():
        where = str(given) if given else "the usual places"
        raise NoFont(
            f"no Chinese font in {where}: install fonts-noto-cjk, or name a .ttf, .otf or .ttc file with --font"
        )
    try:
        page.add_font(FAMILY, fname=path, collection_font_number=_simplified(path))
    except (TTLibError, RuntimeError, ValueError) as error:
        raise NoFont(f"{path}: {error}") from None


@lru_cache(maxsize=4)
def _simplified(path: Path) -> int:
    """Which font of a collection has the simplified Chinese shapes; 0 for a single font or an unknown collection."""
    if path.suffix.lower() != ".ttc":
        return 0
    with TTCollection(str(path), lazy=True) as collection:
        names = [str(font["name"].getDebugName(4)) for font in collection.fonts]
    return next((number for number, name in enumerate(names) if " SC" in name and "Mono" not in name), 0)


class _Page(FPDF):
    def __init__(self, footer: str, orientation: str, font: Path | None) -> None:
        super().__init__(orientation=orientation, format="A4")
        self._text = footer
        use_font(self, font)

    def footer(self) -> None:
        self.set_y(-12)
        self.set_font(FAMILY, size=8)
        self.cell(0, 6, self._text)
        self.set_y(-12)
        self.cell(0, 6, f"{self.page_no()} / {{nb}}", align="R")


def _table(page: FPDF, content: Table, size: int = 9) -> None:
    page.set_font(FAMILY, size=size)
    with page.table(
        col_widths=content.widths or None, headings_style=_HEADING, line_height=1.5 * size * 0.3528, text_align="LEFT"
    ) as made:
        for cells in (content.heading, *content.rows):
            row = made.row()
            for cell in cells:
                row.cell(cell)


def _signatures(page: FPDF, lines: tuple[str, ...]) -> None:
    if not lines:
        return
    if page.will_page_break(40):
        page.add_page()
    page.ln(20)
    page.set_font(FAMILY, size=10)
    width = page.epw / len(lines)
    top = page.get_y()
    for number, line in enumerate(lines):
        left = page.l_margin + number * width
        page.line(left, top, left + width - 8, top)
        page.set_xy(left, top + 1)
        page.cell(width - 8, 6, line)
