"""A year of ten points on one chart, drawn by a real browser (where there is one), for `watchkeep bench console`."""

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection

from watchkeep_console.api.access import COOKIE
from watchkeep_console.pages.charts import MOST_LINES
from watchkeep_console.plain import LANGUAGE_COOKIE
from watchkeep_console.texts import words
from watchkeep_core.clock import SystemClock
from watchkeep_core.database import connect
from watchkeep_core.service import Stop
from watchkeep_core.storage.backends import backend_of
from watchkeep_core.storage.rollups import Budget
from watchkeep_core.vocabulary import load

EQUIPMENT = "bench-chart"
YEAR = timedelta(days=365)
PERIOD_S = 1800
"""The chart of a year shows hours: finer readings would only take longer to make."""
ROLL_S = 300.0
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_CHOSEN = "(wanted) => document.querySelectorAll('.q-menu [role=option][aria-selected=true]').length === wanted"
_DRAWN = """(wanted) => new Promise((resolve, reject) => {
  let began = 0;
  setTimeout(() => reject(new Error("the chart was not drawn in time")), 60000);
  document.addEventListener("click", () => { began = performance.now(); }, { capture: true });
  const look = () => {
    const chart = [...document.querySelectorAll(".wk-chart")].map((one) => getElement(+one.id.slice(1))?.chart)[0];
    const lines = (chart?.getOption().series || []).filter((one) => one.name && one.data.length > 100);
    const axis = chart?.getOption().xAxis[0];
    if (began && lines.length === wanted && axis.max - axis.min > 300 * 86400e3) {
      requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - began)));
    } else requestAnimationFrame(look);
  };
  look();
})"""
"""Milliseconds from the last click until the frame after that in which the chart holds a year of so many lines."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Where it is shown."""

    community: str
    metrics: tuple[str, ...]


def browser_path() -> str | None:
    """Of a browser that can be driven; None where there is none."""
    if importlib.util.find_spec("playwright") is None:
        return None
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def prepare(admin_url: str, community: str) -> Chart:
    """Ten points with a year of readings, rolled up."""
    metrics = tuple(name for name, one in load().metrics.items() if one.value == "number")[:MOST_LINES]
    now = datetime.now(UTC)
    with connect(admin_url, "bench", autocommit=True) as conn:
        series = _points(conn, community, metrics)
        _readings(conn, series, now - YEAR, now)
        backend = backend_of(conn)
        if backend.name == "timescaledb-community":
            conn.execute("CALL refresh_continuous_aggregate('readings_hour', %s, %s)", [now - YEAR, now])
            return Chart(community, metrics)
        conn.execute(
            "INSERT INTO rollup_dirty (series_id, hour, hours) SELECT s, since, 24 FROM storage_parts('raw'),"
            " unnest(%s::integer[]) AS s WHERE since < %s ON CONFLICT DO NOTHING",
            [series, now],
        )
        conn.execute("SET ROLE watchkeep_ingest")
        budget = Budget(Stop(), ROLL_S)
        backend.seal(conn, SystemClock().now())
        while not backend.roll(conn, budget).complete and not budget.is_spent():
            pass
    return Chart(community, metrics)


def _points(conn: Connection, community: str, metrics: tuple[str, ...]) -> list[int]:
    conn.execute(
        "INSERT INTO equipment (community_id, equipment_id, kind, name) VALUES (%s, %s, 'supply_pump_set', %s)",
        [community, EQUIPMENT, EQUIPMENT],
    )
    units = [load().metrics[name].unit for name in metrics]
    rows = conn.execute(
        "INSERT INTO points (community_id, equipment_id, metric, unit, period_s)"
        " SELECT %s, %s, metric, unit, %s FROM unnest(%s::text[], %s::text[]) AS p (metric, unit) RETURNING series_id",
        [community, EQUIPMENT, PERIOD_S, list(metrics), units],
    )
    return [int(row[0]) for row in rows]


def _readings(conn: Connection, series: list[int], since: datetime, until: datetime) -> None:
    days = [(since + timedelta(days=n)).date() for n in range((until - since).days + 1)]
    backend_of(conn).make_ahead(conn, days)
    conn.execute(
        "INSERT INTO readings (series_id, ts, value, quality)"
        " SELECT s, at, 100 + s %% 7 + 10 * sin(extract(epoch FROM at) / 40000.0 + s) + random(), 0"
        " FROM unnest(%s::integer[]) AS s, generate_series(%s::timestamptz, %s, make_interval(secs => %s)) AS at"
        " ORDER BY s, at",
        [series, since, until - timedelta(minutes=1), PERIOD_S],
    )


def measure(url: str, token: str, chart: Chart, browser: str, runs: int = 5) -> list[float]:
    """Milliseconds from the click on "one year" to the drawn chart, ten points being chosen."""
    t = words("zh")
    took: list[float] = []
    with _page(url, token, browser) as page:
        page.goto(f"{url}/equipment/{chart.community}/{EQUIPMENT}")
        page.wait_for_function("window.socket && window.socket.connected")
        page.get_by_label(t("equipment.pick")).click()
        chosen = page.locator(".q-menu [role=option]")
        chosen.first.wait_for()
        for number, option in enumerate(chosen.all(), 1):
            if option.get_attribute("aria-selected") != "true":
                option.click()
            page.wait_for_function(_CHOSEN, arg=number)
        page.keyboard.press("Escape")
        for _ in range(runs):
            for window in ("h1", "y1"):
                page.get_by_label(t("equipment.window")).click()
                wanted = page.get_by_role("option", name=t(f"equipment.{window}"), exact=True)
                wanted.wait_for()
                if window == "h1":
                    wanted.click()
                    continue
                page.evaluate(f"void (window.wkDrawn = ({_DRAWN})({len(chart.metrics)}))")
                wanted.click()
                took.append(float(page.evaluate("window.wkDrawn")))
    return took


@contextmanager
def _page(url: str, token: str, browser: str) -> Iterator[Any]:
    """A desk's screen, logged in."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        context = found.new_context(viewport={"width": 1400, "height": 900})
        cookies = {COOKIE: token, LANGUAGE_COOKIE: "zh"}
        context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items()])
        yield context.new_page()
        found.close()
