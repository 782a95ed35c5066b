"""ECharts: one line per point, the limit as a line inside the range, colours of both themes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from nicegui import ui

from watchkeep_console.pages.tables import set_unwatched
from watchkeep_core.clock import to_ms
from watchkeep_core.storage.series import Bucket

_LINES = {
    "light": (
        "#0b6b7a", "#b4581a", "#5b5bd6", "#2f7d32", "#a3195b", "#7a5c00", "#1d5fb8", "#8a3ffc", "#00695c", "#6d4c41",
    ),
    "dark": (
        "#4cc3d3", "#f5a35f", "#a5a2ff", "#7bd88f", "#ff8fc0", "#e5c66b", "#82b7ff", "#caa6ff", "#5fd3bc", "#d0b4a6",
    ),
}  # fmt: skip
MOST_LINES = 10
GAP = 3.0
"""Readings that are farther apart than so many of their periods or buckets are not joined by a line."""
_POOR = {"light": "#a84c00", "dark": "#f5b25f"}
_INK = {"light": ("#4a5869", "#dde3ea", "#c4210f", "#ffffff"), "dark": ("#a9b8c6", "#263542", "#ff8f80", "#141e27")}
_FINE = {"light": "#147a4b", "dark": "#5fd39a"}


@dataclass(frozen=True, slots=True)
class Line:
    """A named series of (moment, value), oldest first; `steps` for states, which do not change gradually."""

    name: str
    points: Sequence[tuple[datetime, float]]
    unit: str = ""
    steps: bool = False
    band: Sequence[tuple[datetime, float, float]] = ()
    """Least and greatest value where `points` are means of many."""
    gap_s: float = 0.0
    """A longer silence, in seconds, is a gap in the line; 0 = never."""
    poor: Sequence[tuple[datetime, float]] = ()
    """Where readings of bad quality were counted, and not used; at the value that stands beside them."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A horizontal line at a limit."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Expected:
    """The band in which a detector expected the readings."""

    name: str
    low: float
    high: float


def line_of(
    name: str, buckets: Sequence[Bucket], unit: str = "", *, steps: bool = False, period_s: float | None = None
) -> Line:
    """Means with a band from least to greatest; of states the last one. Buckets of bad readings only are left out."""
    points = [(b.at, b.last if steps else b.mean) for b in buckets]
    band = [(b.at, b.min, b.max) for b in buckets if b.bucket_s and b.min is not None and b.max is not None]
    width = max((b.bucket_s for b in buckets), default=0.0)
    gap_s = GAP * max(width, period_s or 0.0)
    good = [(at, v) for at, v in points if v is not None]
    return Line(name, good, unit, steps, [] if steps else band, 0.0 if steps else gap_s, poor_of(buckets))


def poor_of(buckets: Sequence[Bucket]) -> list[tuple[datetime, float]]:
    """Moments with bad readings, each at its own good value or else the one before."""
    found, before = [], next((b.mean for b in buckets if b.mean is not None), None)
    for bucket in buckets:
        before = before if bucket.mean is None else bucket.mean
        if bucket.bad and before is not None:
            found.append((bucket.at, before))
    return found


def with_gaps(line: Line, zone: ZoneInfo) -> list[list[float | int | None]]:
    """Points as the chart wants them; an empty one where the line must break."""
    data: list[list[float | int | None]] = []
    before: datetime | None = None
    for at, value in line.points:
        if before is not None and line.gap_s and (at - before).total_seconds() > line.gap_s:
            data.append([local_ms(before, zone) + 1, None])
        data.append([local_ms(at, zone), value])
        before = at
    return data


def extremes(buckets: Sequence[Bucket]) -> list[tuple[datetime, float]]:
    """One line through least and greatest value of each bucket: what crossed a limit is seen to cross it."""
    found: list[tuple[datetime, float]] = []
    for bucket in buckets:
        if bucket.min is not None and bucket.max is not None:
            found.append((bucket.at, bucket.min))
            if bucket.max != bucket.min:
                found.append((bucket.at + timedelta(seconds=bucket.bucket_s / 2), bucket.max))
    return found


@lru_cache(maxsize=8192)  # lines and bands of one chart ask for the same moments thirty times
def local_ms(moment: datetime, zone: ZoneInfo) -> int:
    """Wall clock of the zone as milliseconds: charts show the community's time, whatever the browser's zone."""
    return to_ms(moment.astimezone(zone).replace(tzinfo=UTC))


def line_chart(
    theme: str,
    zone: ZoneInfo,
    lines: Sequence[Line],
    marks: Sequence[Mark] = (),
    window: tuple[datetime, datetime] | None = None,
    event: tuple[datetime, str] | None = None,
    expected: Expected | None = None,
    *,
    zoom: bool = False,
) -> ui.echart:
    """`window` fixes the time axis; `event` is a vertical line with its name; `zoom` by wheel and fingers."""
    chart = ui.echart({}).classes("wk-chart")
    set_unwatched(chart, "options", _options(theme, zone, lines, marks, window, event, expected, zoom))
    return chart


def _options(
    theme: str,
    zone: ZoneInfo,
    lines: Sequence[Line],
    marks: Sequence[Mark],
    window: tuple[datetime, datetime] | None,
    event: tuple[datetime, str] | None,
    expected: Expected | None,
    zoom: bool,
) -> dict[str, Any]:
    ink, grid, _, back = _INK[theme]
    left = [line for line in lines if line.unit == lines[0].unit]
    values = [value for line in left for _, value in line.points]
    values += [value for line in left for _, least, greatest in line.band for value in (least, greatest)]
    ends = [expected.low, expected.high] if expected else []
    low, high = bounds(values, [mark.value for mark in marks] + ends)
    axes = axes_of(lines)
    series = _all_series(theme, zone, lines, axes, marks, event, expected)
    axis = {
        "axisLine": {"lineStyle": {"color": grid}},
        "axisLabel": {"color": ink, "hideOverlap": True},
        "splitLine": {"lineStyle": {"color": grid, "opacity": 0.6}},
    }
    time_axis: dict[str, Any] = {"type": "time", **axis, "splitLine": {"show": False}}
    if window:
        time_axis |= {"min": local_ms(window[0], zone), "max": local_ms(window[1], zone)}
    return {
        "animation": False,
        "useUTC": True,
        "backgroundColor": "transparent",
        "textStyle": {"fontFamily": "inherit"},
        "grid": {"left": 12, "right": 24, "top": 30 if len(lines) == 1 else 40, "bottom": 8, "containLabel": True},
        "legend": {
            "show": len(lines) > 1,
            "type": "scroll",
            "textStyle": {"color": ink},
            "top": 0,
            "data": [line.name for line in lines],
        },
        "dataZoom": [{"type": "inside", "filterMode": "none"}] if zoom else [],
        "tooltip": {
            "trigger": "axis",
            "backgroundColor": back,
            "borderColor": grid,
            "textStyle": {"color": ink},
            "confine": True,
        },
        "xAxis": time_axis,
        "yAxis": _value_axes(lines, axes, axis, ink, (low, high)),
        "series": series,
    }


def _all_series(
    theme: str,
    zone: ZoneInfo,
    lines: Sequence[Line],
    axes: Sequence[int],
    marks: Sequence[Mark],
    event: tuple[datetime, str] | None,
    expected: Expected | None,
) -> list[dict[str, Any]]:
    """The lines, then their bands and bad readings; limits, event and expected band belong to the first line."""
    ink, _, alarm, back = _INK[theme]
    colours = _LINES[theme]
    series = [
        _series(line, zone, colours[index], back, axes[index], len(lines) == 1) for index, line in enumerate(lines)
    ]
    if series:
        dashed = {"color": alarm, "type": "dashed", "width": 1.5}
        drawn: list[dict[str, Any]] = [
            {
                "yAxis": mark.value,
                "lineStyle": dashed,
                "label": {"color": alarm, "position": "insideEndTop", "formatter": mark.name},
            }
            for mark in marks
        ]
        if event:
            style = {"color": ink, "type": "dotted", "width": 1.5}
            label = {"formatter": event[1], "color": ink, "position": "insideEndTop", "rotate": 0}
            drawn.append({"xAxis": local_ms(event[0], zone), "lineStyle": style, "label": label})
        # Bands come after all lines: live charts grow by the number of the line.
        series += [
            each
            for index, line in enumerate(lines)
            for each in (*_band(line, zone, colours[index], index, axes[index]), *_poor(line, zone, theme, axes[index]))
        ]
        series[0]["markLine"] = {"silent": True, "symbol": "none", "animation": False, "data": drawn}
        if expected:
            series[0]["markArea"] = _expected(expected, theme)
    return series


def axes_of(lines: Sequence[Line]) -> list[int]:
    """Per line the value axis: the first line's unit on the left, every other one on the right."""
    return [int(line.unit != lines[0].unit) for line in lines]


def _value_axes(
    lines: Sequence[Line],
    axes: Sequence[int],
    look: dict[str, Any],
    ink: str,
    ends: tuple[float | None, float | None],
) -> list[dict[str, Any]]:
    """The left axis, which holds the limits, and a right one when there is a second unit."""
    shared = {"type": "value", "scale": True, **look}
    left = {**shared, "name": lines[0].unit if lines else "", "nameTextStyle": {"color": ink, "align": "right"}}
    units = dict.fromkeys(line.unit for line, axis in zip(lines, axes, strict=True) if axis)
    right = {**shared, "name": " / ".join(units), "nameTextStyle": {"color": ink}, "splitLine": {"show": False}}
    return [{**left, "min": ends[0], "max": ends[1]}, *([right] if units else [])]


def _series(line: Line, zone: ZoneInfo, colour: str, back: str, axis: int, alone: bool) -> dict[str, Any]:
    return {
        "yAxisIndex": axis,
        "name": line.name,
        "type": "line",
        "showSymbol": len(line.points) < 2,
        "symbolSize": 6,
        "sampling": "lttb",
        "step": "end" if line.steps else False,
        "lineStyle": {"width": 1.8, "color": colour},
        "itemStyle": {"color": colour, "borderColor": back},
        "areaStyle": {"color": colour, "opacity": 0.06} if not line.steps and alone else None,
        "data": with_gaps(line, zone),
    }


def _poor(line: Line, zone: ZoneInfo, theme: str, axis: int) -> list[dict[str, Any]]:
    """A mark at each moment of which readings were bad."""
    if not line.poor:
        return []
    return [
        {
            "type": "scatter",
            "yAxisIndex": axis,
            "symbol": "triangle",
            "symbolSize": 7,
            "silent": True,
            "itemStyle": {"color": _POOR[theme]},
            "tooltip": {"show": False},
            "data": [[local_ms(at, zone), value] for at, value in line.poor],
        }
    ]


def _expected(expected: Expected, theme: str) -> dict[str, Any]:
    """A filled strip from the lower end to the upper, with its name."""
    colour = _FINE[theme]
    return {
        "silent": True,
        "animation": False,
        "itemStyle": {"color": colour, "opacity": 0.14},
        "label": {"color": colour, "position": "insideBottomLeft"},
        "data": [[{"name": expected.name, "yAxis": expected.low}, {"yAxis": expected.high}]],
    }


def _band(line: Line, zone: ZoneInfo, colour: str, index: int, axis: int) -> list[dict[str, Any]]:
    """Two stacked series without a line: the lower end, and the height above it, which is filled."""
    if not line.band:
        return []
    bare = {
        "type": "line",
        "yAxisIndex": axis,
        "stack": f"band {index}",
        "symbol": "none",
        "silent": True,
        "lineStyle": {"opacity": 0},
        "tooltip": {"show": False},
        "stackStrategy": "all",
    }
    return [
        {**bare, "data": [[local_ms(at, zone), least] for at, least, _ in line.band]},
        {
            **bare,
            "areaStyle": {"color": colour, "opacity": 0.18},
            "data": [[local_ms(at, zone), greatest - least] for at, least, greatest in line.band],
        },
    ]


def bounds(values: Sequence[float], limits: Sequence[float]) -> tuple[float | None, float | None]:
    """Ends of the value axis such that every limit line is inside, with a tenth to spare; None = as ECharts likes."""
    if not limits:
        return None, None
    every = [*values, *limits]
    low, high = min(every), max(every)
    spare = (high - low) * 0.1 or abs(high) * 0.1 or 1.0
    digits = 3 if high - low < 10 else 1 if high - low < 1000 else 0
    return round(low - spare, digits), round(high + spare, digits)
