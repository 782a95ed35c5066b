"""The chart of one piece of equipment: up to ten points, growing live, zoomed to raw readings by wheel or fingers."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from nicegui import events, ui
from psycopg import Connection
from psycopg_pool import PoolTimeout

from watchkeep_console import models as m
from watchkeep_console import reads
from watchkeep_console.pages.charts import MOST_LINES, Line, Mark, line_chart, line_of, local_ms
from watchkeep_console.pages.feeds import Fresh
from watchkeep_console.pages.frame import empty, panel, text
from watchkeep_console.pages.tabs import Tab
from watchkeep_core.storage.series import Bucket
from watchkeep_core.vocabulary import load

WINDOWS = {
    "m15": timedelta(minutes=15),
    "h1": timedelta(hours=1),
    "h6": timedelta(hours=6),
    "d1": timedelta(days=1),
    "d7": timedelta(days=7),
    "d30": timedelta(days=30),
    "y1": timedelta(days=365),
}
AHEAD = timedelta(minutes=5)
"""Ingest takes stamps up to 5 minutes ahead of its own clock."""
FEW_LINES = 3
"""More lines get half as many buckets each: a screen shows no more of them, and the browser has half the work."""
LEAST = timedelta(seconds=10)
"""Nobody looks closer."""


class LiveChart:
    """Draws anew for another choice, window or zoom; in between it only grows."""

    def __init__(self, tab: Tab, detail: m.EquipmentDetail, zone: ZoneInfo) -> None:
        self._tab, self._detail, self._zone = tab, detail, zone
        self._window = "h1"
        self._span: tuple[datetime, datetime] | None = None
        self._zoomed: tuple[datetime, datetime] | None = None
        self._chart: ui.echart | None = None
        self._lines: list[Line] = []
        t, points = tab.t, detail.points
        self._chosen = [point.series_id for point in self._first(points)]
        with panel(t("equipment.chart")) as head:
            with head:
                ui.element("div").classes("wk-grow")
                if points:
                    self._controls()
            self._box = ui.element("div").classes("wk-body wk-chartbox")
            with self._box:
                if points:
                    ui.skeleton(height="340px").props(f'aria-label="{t("chart.loading")}"')
                else:
                    empty(t("equipment.no_points"))
        if points:
            ui.timer(0.05, self._draw, once=True)

    @staticmethod
    def _first(points: list[m.Point]) -> list[m.Point]:
        """What people want to see first: a point with a value and a limit, else with a value, else any."""
        ranked = sorted(points, key=lambda point: (point.value is None, not point.limits))
        return ranked[:1]

    def _controls(self) -> None:
        t = self._tab.t
        self._live = ui.button(t("chart.live"), on_click=self._back, color=None)
        self._live.classes("wk-plain").props("unelevated no-caps dense").set_visibility(False)
        options = {point.series_id: t.metric(point.metric) for point in self._detail.points}
        pick = ui.select(options, value=self._chosen, multiple=True, on_change=self._pick)
        look = f'dense outlined options-dense aria-label="{t("equipment.pick")}" max-values={MOST_LINES}'
        pick.props(look).classes("wk-pickpoints")
        windows = {name: t(f"equipment.{name}") for name in WINDOWS}
        window = ui.select(windows, value=self._window, on_change=self._choose)
        window.props(f'dense outlined options-dense aria-label="{t("equipment.window")}"')

    async def _pick(self, event: events.ValueChangeEventArguments[Any]) -> None:
        if event.value:
            self._chosen = list(event.value)
            await self._draw()

    async def _choose(self, event: events.ValueChangeEventArguments[Any]) -> None:
        self._window, self._zoomed = str(event.value), None
        await self._draw()

    async def _back(self) -> None:
        self._zoomed = None
        await self._draw()

    async def _zoom(self, event: events.GenericEventArguments) -> None:
        """The part that is now seen, as shares of what was drawn: read it again, as finely as it fits."""
        part = _part(event.args)
        if part is None or self._span is None:
            return
        since, until = self._span
        length = until - since
        wanted = (since + length * part[0], since + length * part[1])
        if part == (0.0, 1.0) or wanted[1] - wanted[0] < LEAST:
            return
        self._zoomed = wanted
        await self._draw()

    async def _draw(self) -> None:
        span, zoomed = WINDOWS[self._window], self._zoomed
        chosen = [point for point in self._detail.points if point.series_id in self._chosen]

        def read(conn: Connection) -> tuple[datetime, dict[int, list[Bucket]]]:
            now = reads.present(conn, self._detail.community_id)
            since, until = zoomed or (now - span, now + AHEAD)
            points = reads.CHART_POINTS if len(chosen) <= FEW_LINES else reads.CHART_POINTS // 2
            return now, reads.curves(conn, [point.series_id for point in chosen], since, until, points)

        t = self._tab.t
        try:
            now, found = await self._tab.read(read)
        except (psycopg.OperationalError, PoolTimeout):
            self._say(t("chart.failed"), t("app.unavailable"))
            return
        self._lines = [self._line(point, found.get(point.series_id, [])) for point in chosen]
        self._span = zoomed or (now - span, now)
        self._live.set_visibility(zoomed is not None)
        self._box.clear()
        with self._box:
            if not any(line.points for line in self._lines):
                empty(t("equipment.no_readings"))
                self._chart = None
                return
            marks = {limit.value: Mark(f"{t('case.limit')} {limit.value:g}", limit.value) for limit in chosen[0].limits}
            self._chart = line_chart(
                self._tab.theme, self._zone, self._lines, list(marks.values())[:4], self._span, zoom=True
            ).classes("tall")
            self._chart.on("chart:datazoom", self._zoom, throttle=0.6, leading_events=False)
            self._notes(found)

    def _line(self, point: m.Point, buckets: list[Bucket]) -> Line:
        t, metric = self._tab.t, load().metrics.get(point.metric)
        steps = bool(metric and metric.value == "state")
        return line_of(t.metric(point.metric), buckets, t.unit(point.unit), steps=steps, period_s=point.period_s)

    def _notes(self, found: dict[int, list[Bucket]]) -> None:
        """How fine it is, and what was left out: nobody shall take a mean for a reading."""
        t = self._tab.t
        buckets = [bucket for each in found.values() for bucket in each]
        width = max((bucket.bucket_s for bucket in buckets), default=0.0)
        bad = sum(bucket.bad for bucket in buckets)
        with ui.element("div").classes("wk-one wk-sub"):
            text("span", t("chart.raw") if width == 0 else t("chart.means", width=_duration(width)))
            if bad:
                text("span", t("chart.bad", n=bad)).classes("wk-chip off")
            text("span", t("chart.hint"))

    def _say(self, headline: str, hint: str) -> None:
        self._box.clear()
        with self._box:
            empty(headline, hint)

    def grow(self, fresh: Fresh, now: datetime) -> None:
        """New readings of the feed; a zoomed chart stands still."""
        if self._zoomed is not None:
            return
        new = [(index, fresh[series]) for index, series in enumerate(self._order()) if fresh.get(series)]
        if self._chart is None:
            if new:
                ui.timer(0.0, self._draw, once=True)
            return
        data = [[index, [[local_ms(at, self._zone), value] for at, value in points]] for index, points in new]
        span_ms = int(WINDOWS[self._window].total_seconds() * 1000)
        ui.run_javascript(f"wkCharts.append({self._chart.id}, {data}, {span_ms}, {local_ms(now, self._zone)})")

    def _order(self) -> list[int]:
        return [point.series_id for point in self._detail.points if point.series_id in self._chosen]


def _part(args: Any) -> tuple[float, float] | None:
    """Start and end of a zoom event as shares of the axis; None for anything else."""
    given = args.get("batch", [args])[0] if isinstance(args, dict) else {}
    start, end = given.get("start"), given.get("end")
    if not isinstance(start, int | float) or not isinstance(end, int | float) or not 0 <= start < end <= 100:
        return None
    return start / 100, end / 100


def _duration(seconds: float) -> str:
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"
