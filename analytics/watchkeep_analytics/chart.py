"""A small chart of one series as SVG: its course, what was expected or allowed, the moment. No script, no font."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 360, 140
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 12, 20
_COLUMNS = 150
"""More points than this are drawn as the least and the greatest of each column, so that no spike is lost."""

_LOCAL = timezone(timedelta(hours=8))  # China has one time zone and no summer time


class Marks(NamedTuple):
    """What is drawn beside the course; None = not there."""

    at_s: float
    """The moment of the warning, seconds since 1970 UTC."""
    low: float | None
    high: float | None
    limit: float | None


def draw(points: Sequence[tuple[float, float]], marks: Marks, title: str, unit: str) -> str | None:
    """`points` are (seconds since 1970 UTC, value), ascending; None when there are fewer than two."""
    if len(points) < 2:
        return None
    course = _thin(points)
    begin, end = points[0][0], max(points[-1][0], marks.at_s)
    drawn = [value for value in (marks.low, marks.high, marks.limit) if value is not None]
    bottom, top = _range([value for _, value in course] + drawn)
    across, up = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM

    def x(t: float) -> float:
        return round(_LEFT + across * (t - begin) / max(end - begin, 1.0), 1)

    def y(value: float) -> float:
        return round(_TOP + up * (top - value) / (top - bottom), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" font-family="sans-serif" font-size="10"><title>{escape(title)}</title>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    if marks.low is not None and marks.high is not None:
        y0, y1 = y(marks.high), y(marks.low)
        parts.append(f'<rect x="{_LEFT}" y="{y0}" width="{across}" height="{max(y1 - y0, 1):.1f}" fill="#dbe9f6"/>')
    if marks.limit is not None:
        parts.append(_line(_LEFT, y(marks.limit), WIDTH - _RIGHT, y(marks.limit), "#b00020", dashed=True))
    path = " ".join(f"{x(t)},{y(value)}" for t, value in course)
    parts.append(f'<polyline points="{path}" fill="none" stroke="#1f4e79" stroke-width="1.5"/>')
    parts.append(_line(x(marks.at_s), _TOP, x(marks.at_s), HEIGHT - _BOTTOM, "#b00020", dashed=False))
    for value in (top, bottom):
        parts.append(_text(_LEFT - 4, y(value) + 4, "end", f"{value:.4g}"))
    parts.append(_text(_LEFT, HEIGHT - 6, "start", _time(begin)))
    parts.append(_text(WIDTH - _RIGHT, HEIGHT - 6, "end", _time(end)))
    parts.append(_text(_LEFT + 4, _TOP + 8, "start", escape(unit)))
    return "".join([*parts, "</svg>"])


def _thin(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    if len(points) <= 2 * _COLUMNS:
        return list(points)
    begin, width = points[0][0], (points[-1][0] - points[0][0]) / _COLUMNS or 1.0
    columns: dict[int, list[tuple[float, float]]] = {}
    for point in points:
        columns.setdefault(int((point[0] - begin) / width), []).append(point)
    kept: list[tuple[float, float]] = []
    for column in columns.values():
        ends = {min(column, key=lambda p: p[1]), max(column, key=lambda p: p[1])}
        kept += sorted(ends)
    return kept


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    edge = (high - low) * 0.08 or max(abs(high) * 0.05, 0.5)
    return low - edge, high + edge


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, dashed: bool) -> str:
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}"{dash}/>'


def _text(x: float, y: float, anchor: str, text: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="#333">{text}</text>'


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone(_LOCAL).strftime("%m-%d %H:%M")
