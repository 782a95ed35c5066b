"""ECharts: one line per point, the limit as a line inside the range, colours of both themes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from nicegui import ui

from watchkeep_core.clock import to_ms
from watchkeep_core.storage.series import Bucket

_LINES = {"light": ["#0b6b7a", "#b4581a", "#5b5bd6"], "dark": ["#4cc3d3", "#f5a35f", "#a5a2ff"]}
_INK = {"light": ("#4a5869", "#dde3ea", "#c4210f", "#ffffff"), "dark": ("#a9b8c6", "#263542", "#ff8f80", "#141e27")}


@dataclass(frozen=True, slots=True)
class Line:
    """A named series of (moment, value), oldest first; `steps` for states, which do not change gradually."""

    name: str
    points: Sequence[tuple[datetime, float]]
    unit: str = ""
    steps: bool = False
    band: Sequence[tuple[datetime, float, float]] = ()
    """Least and greatest value where `points` are means of many."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A horizontal line at a limit."""

    name: str
    value: float


def line_of(name: str, buckets: Sequence[Bucket], unit: str = "", *, steps: bool = False) -> Line:
    """Means with a band from least to greatest; of states the last one. Buckets of bad readings only are left out."""
    points = [(b.at, b.last if steps else b.mean) for b in buckets]
    band = [(b.at, b.min, b.max) for b in buckets if b.bucket_s and b.min is not None and b.max is not None]
    return Line(name, [(at, v) for at, v in points if v is not None], unit, steps, [] if steps else band)


def extremes(buckets: Sequence[Bucket]) -> list[tuple[datetime, float]]:
    """One line through least and greatest value of each bucket: what crossed a limit is seen to cross it."""
    found: list[tuple[datetime, float]] = []
    for bucket in buckets:
        if bucket.min is not None and bucket.max is not None:
            found.append((bucket.at, bucket.min))
            if bucket.max != bucket.min:
                found.append((bucket.at + timedelta(seconds=bucket.bucket_s / 2), bucket.max))
    return found


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
) -> ui.echart:
    """`window` fixes the time axis; `event` is a vertical line with its name."""
    return ui.echart(_options(theme, zone, lines, marks, window, event)).classes("wk-chart")


def _options(
    theme: str,
    zone: ZoneInfo,
    lines: Sequence[Line],
    marks: Sequence[Mark],
    window: tuple[datetime, datetime] | None,
    event: tuple[datetime, str] | None,
) -> dict[str, Any]:
    ink, grid, alarm, back = _INK[theme]
    values = [value for line in lines for _, value in line.points]
    values += [value for line in lines for _, least, greatest in line.band for value in (least, greatest)]
    low, high = bounds(values, [mark.value for mark in marks])
    series = [_series(line, zone, _LINES[theme][index % 3], back) for index, line in enumerate(lines)]
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
            each for index, line in enumerate(lines) for each in _band(line, zone, _LINES[theme][index % 3], index)
        ]
        series[0]["markLine"] = {"silent": True, "symbol": "none", "animation": False, "data": drawn}
    axis = {
        "axisLine": {"lineStyle": {"color": grid}},
        "axisLabel": {"color": ink},
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
        "legend": {"show": len(lines) > 1, "textStyle": {"color": ink}, "top": 0},
        "tooltip": {
            "trigger": "axis",
            "backgroundColor": back,
            "borderColor": grid,
            "textStyle": {"color": ink},
            "confine": True,
        },
        "xAxis": time_axis,
        "yAxis": {
            "type": "value",
            "name": lines[0].unit if lines else "",
            "nameTextStyle": {"color": ink, "align": "right"},
            "scale": True,
            "min": low,
            "max": high,
            **axis,
        },
        "series": series,
    }


def _series(line: Line, zone: ZoneInfo, colour: str, back: str) -> dict[str, Any]:
    return {
        "name": line.name,
        "type": "line",
        "showSymbol": len(line.points) < 2,
        "symbolSize": 6,
        "sampling": "lttb",
        "step": "end" if line.steps else False,
        "lineStyle": {"width": 1.8, "color": colour},
        "itemStyle": {"color": colour, "borderColor": back},
        "areaStyle": {"color": colour, "opacity": 0.06} if not line.steps else None,
        "data": [[local_ms(at, zone), value] for at, value in line.points],
    }


def _band(line: Line, zone: ZoneInfo, colour: str, index: int) -> list[dict[str, Any]]:
    """Two stacked series without a line: the lower end, and the height above it, which is filled."""
    if not line.band:
        return []
    bare = {
        "type": "line",
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
