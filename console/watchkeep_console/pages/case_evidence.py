"""The evidence of a warning: its sentence, the chart with limit and expected band, what led to it, what to do."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from nicegui import ui
from psycopg import Connection

from watchkeep_console import models as m
from watchkeep_console import reads
from watchkeep_console.pages import why
from watchkeep_console.pages.charts import Expected, Line, Mark, extremes, line_chart
from watchkeep_console.pages.frame import empty, panel, text
from watchkeep_console.pages.tabs import Tab
from watchkeep_console.texts import ZONE, Words
from watchkeep_core.vocabulary import load

BEFORE, AFTER = timedelta(minutes=30), timedelta(minutes=10)


class Curve(NamedTuple):
    """A warning, the point it came from, that point's readings around it, why it came and what people say of it."""

    warning: m.WarningDetail
    point: m.Point | None
    points: list[tuple[datetime, float]]
    span: tuple[datetime, datetime]
    why: why.Why


def read(conn: Connection, warning_id: int) -> Curve:
    """Raises NotFound."""
    warning, told = reads.warning(conn, warning_id), why.read(conn, warning_id)
    now = reads.present(conn, warning.community_id)
    until = min(now, (warning.cleared_at or now) + AFTER)
    span = (max(warning.event_at - BEFORE, until - timedelta(days=2)), until)
    if warning.series_id is None:
        return Curve(warning, None, [], span, told)
    buckets = reads.curve(conn, warning.series_id, *span)
    points = reads.points(conn, warning.community_id, warning.equipment_id)
    point = next((item for item in points if item.series_id == warning.series_id), None)
    return Curve(warning, point, extremes(buckets), span, told)


def draw(tab: Tab, curves: list[Curve], again: why.Again) -> None:
    """`again` reads and draws the page anew, when somebody has said something."""
    t = tab.t
    with panel(t("case.evidence")), ui.element("div").classes("wk-body"):
        if not curves:
            empty(t("case.no_warning"))
        for warning, point, points, span, told in curves:
            with ui.element("div").classes(f"class-{warning.proposed_class}"):
                text("p", why.summary(t, warning, told.explanation)).classes("wk-sentence")
            _facts(t, warning)
            if point is not None and points:
                _curve(tab, warning, point, points, span)
            elif point is not None:
                empty(t("equipment.no_readings"))
            _contributions(t, warning.evidence, point)
            why.facts(t, told.explanation)
            why.opinion(tab, warning, told.opinion, again)
        if curves:
            known = load().conditions.get(curves[0].warning.condition)
            if known:
                advice = known.advice_en if t.language == "en" else known.advice_zh
                text("p", f"{t('case.advice')} · {advice}").classes("wk-advice")


def _facts(t: Words, warning: m.WarningDetail) -> None:
    with ui.element("div").classes("wk-one wk-sub"):
        text("span", f"{t('case.event_at')} {t.full(warning.event_at)}")
        text("span", f"{t('case.detected')} {t.full(warning.detected_at)}")
        over = t("case.cleared", at=t.local(warning.cleared_at)) if warning.cleared_at else t("case.still")
        text("span", over).classes("wk-chip" + (" ok" if warning.cleared_at else " off"))
        text("span", f"{t('case.detector')} {warning.detector} {warning.version}")


def _curve(
    tab: Tab,
    warning: m.WarningDetail,
    point: m.Point,
    points: list[tuple[datetime, float]],
    span: tuple[datetime, datetime],
) -> None:
    t = tab.t
    limits = [limit for limit in point.limits if limit.condition == warning.condition] or point.limits
    values = dict.fromkeys(limit.value for limit in limits)
    marks = [Mark(f"{t('case.limit')} {value:g} {t.unit(point.unit)}".strip(), value) for value in values]
    metric = load().metrics.get(point.metric)
    line = Line(t.metric(point.metric), points, t.unit(point.unit), steps=bool(metric and metric.value == "state"))
    event = (warning.event_at, t.local(warning.event_at)[6:])
    line_chart(tab.theme, ZONE, [line], marks[:4], span, event, expected_of(t, warning.evidence))


def expected_of(t: Words, evidence: Mapping[str, Any]) -> Expected | None:
    """The band in which the detector expected the reading; None when it names no two ends."""
    band = evidence.get("expected")
    low, high = (band.get("low"), band.get("high")) if isinstance(band, dict) else (None, None)
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return None
    return Expected(t("dossier.band"), float(low), float(high))


def _contributions(t: Words, evidence: Mapping[str, Any], point: m.Point | None) -> None:
    """Each point that led to the warning: what it said, what was expected, its share."""
    rows = [item for item in evidence.get("contributions") or () if isinstance(item, dict)]
    if not rows and point is not None and "actual" in evidence:
        rows = [{"metric": point.metric, "value": evidence["actual"]}]
    if not rows:
        return
    columns = ["point", "actual", "expected", *(["share"] if any("share" in row for row in rows) else [])]
    with ui.element("div").classes("wk-scroll"), ui.element("table").classes("wk-tableline"):
        text("caption", t("dossier.contributions")).classes("wk-caption")
        with ui.element("thead"), ui.element("tr"):
            for name in columns:
                text("th", t.maybe("dossier", name)).props('scope="col"')
        with ui.element("tbody"):
            for row in rows[:12]:
                _contribution(t, row, evidence, "share" in columns)


def _contribution(t: Words, row: Mapping[str, Any], evidence: Mapping[str, Any], shares: bool) -> None:
    metric = str(row.get("metric") or row.get("part") or "")
    with ui.element("tr"):
        text("td", t.metric(metric))
        text("td", _said(t, metric, row.get("value", row.get("actual"))))
        text("td", _expectation(t, metric, row.get("expected", evidence.get("expected")), evidence.get("limit")))
        if not shares:
            return
        share = row.get("share")
        with ui.element("td"):
            if isinstance(share, int | float):
                percent = round(min(max(abs(share), 0.0), 1.0) * 100)
                with ui.element("span").classes("wk-share"):
                    ui.element("i").style(f"width: {percent}%")
                text("span", f"{percent} %")


def _said(t: Words, metric: str, value: object) -> str:
    return t.value(metric, float(value)) if isinstance(value, int | float) else str(value if value is not None else "–")


def _expectation(t: Words, metric: str, expected: object, limit: object) -> str:
    if isinstance(expected, dict):
        low, high = expected.get("low"), expected.get("high")
        if low is not None and high is not None:
            return f"{_said(t, metric, low)} – {_said(t, metric, high)}"
        only = [
            (side, value) for side, value in (("≥", low), ("≤", high), ("", expected.get("value"))) if value is not None
        ]
        return " ".join(f"{side} {_said(t, metric, value)}".strip() for side, value in only[:1]) or "–"
    if isinstance(limit, dict) and "value" in limit:
        return f"{t('case.limit')} {t.maybe('side', str(limit.get('side', '')))} {_said(t, metric, limit['value'])}"
    return "–"
