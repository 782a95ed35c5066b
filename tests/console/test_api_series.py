"""A series over any time, in few buckets: what charts and programs read."""

from datetime import UTC, datetime, timedelta

import psycopg

from tests.console import world as w
from tests.console.conftest import Login
from tests.console.world import World
from watchkeep_console.pages.charts import extremes, line_of
from watchkeep_core.storage.series import Bucket


def test_a_window_keeps_the_extremes_and_leaves_bad_readings_out(as_: Login, world: World) -> None:
    series = world.series["sunshine", "pump-1", "inlet_pressure"]
    until = datetime.now(UTC).replace(microsecond=0)
    values = [float(n % 10) for n in range(600)]
    values[123] = 900.0
    w.readings(world, series, values, until, step_s=1.0)
    with psycopg.connect(world.database.url("watchkeep_ingest")) as conn:
        conn.execute("INSERT INTO readings VALUES (%s, %s, 1e9, 2)", [series, until - timedelta(seconds=300)])
    path = f"/api/v1/series/{series}/window"
    span = {"from": (until - timedelta(hours=1)).isoformat(), "to": (until + timedelta(seconds=1)).isoformat()}
    buckets = as_("duty").get(path, params=span | {"points": "50"}).json()["buckets"]
    assert 1 < len(buckets) <= 50
    assert max(bucket["max"] for bucket in buckets) == 900
    assert min(bucket["min"] for bucket in buckets) == 0
    assert (sum(bucket["count"] for bucket in buckets), sum(bucket["bad"] for bucket in buckets)) == (600, 1)
    assert len(as_("duty").get(path, params=span).json()["buckets"]) == 601


def test_a_window_is_refused_to_those_who_may_not_see_it_and_when_it_makes_no_sense(as_: Login, world: World) -> None:
    series = world.series["sunshine", "pump-1", "inlet_pressure"]
    span = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}
    assert as_("tech").get(f"/api/v1/series/{series}/window", params=span).status_code == 404
    backwards = as_("duty").get(f"/api/v1/series/{series}/window", params={"from": span["to"], "to": span["from"]})
    assert backwards.status_code == 422
    assert "to" in backwards.text


def test_a_chart_shows_the_band_and_a_warning_its_extremes() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)

    def bucket(minute: int, low: float | None, high: float | None, width_s: float = 60.0) -> Bucket:
        mean = None if low is None or high is None else (low + high) / 2
        return Bucket(at + timedelta(minutes=minute), 6, 0, low, high, mean, high, None, "minute", width_s)

    found = [bucket(0, 1.0, 9.0), bucket(1, None, None), bucket(2, 4.0, 4.0)]
    line = line_of("x", found)
    assert line.points == [(at, 5.0), (at + timedelta(minutes=2), 4.0)]
    assert line.band == [(at, 1.0, 9.0), (at + timedelta(minutes=2), 4.0, 4.0)]
    assert line_of("x", [bucket(0, 3.0, 3.0, 0.0)]).band == []
    assert [value for _, value in extremes(found)] == [1.0, 9.0, 4.0]
    assert line_of("x", found, steps=True).points[0] == (at, 9.0)
