"""Storage as ingest runs it: marks of late readings by the writer, passes of the upkeep, one runner at a time."""

import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.ingest.world import LIVE, POINTS, TAPE, World, birth, data, now_ms
from watchkeep_core.database import connect
from watchkeep_core.service import Stop
from watchkeep_core.storage.enrolment import enrol
from watchkeep_core.storage.levels import Level, read_levels
from watchkeep_ingest.upkeep import Upkeep

KEEP: dict[Level, timedelta] = {"raw": timedelta(days=30), "minute": timedelta(days=60), "hour": timedelta(days=90)}
HOUR_MS = 3_600_000


@pytest.fixture
def world(database):
    made = World(database.url("watchkeep_ingest"), database.admin_url)
    made.feed(made.message(LIVE, birth()), made.message(TAPE, birth()))
    yield made
    made.close()


def upkeep(world: World, stop: Stop | None = None) -> Upkeep:
    return Upkeep(lambda: connect(world.ingest_url, "upkeep", autocommit=True), KEEP, stop or Stop())


def work(world: World) -> bool:
    with connect(world.ingest_url, "upkeep", autocommit=True) as conn:
        return upkeep(world).work(conn, datetime.now(UTC))


def fast_point(world: World) -> int:
    """The series of alias 0, which sends more than once in 15 s."""
    world.rows("UPDATE points SET period_s = 1 RETURNING 1")
    return int(
        world.rows("SELECT series_id FROM points WHERE community_id = 'alpha' AND metric = 'discharge_pressure'")[0][0]
    )


def test_only_what_is_behind_the_seal_is_marked(world):
    series = fast_point(world)
    work(world)
    world.feed(world.message(LIVE, data([1.0, 2.0], t0=now_ms()), 0))
    assert world.rows("SELECT * FROM rollup_dirty WHERE series_id IS NOT NULL") == []
    hour = now_ms() // HOUR_MS * HOUR_MS - 3 * HOUR_MS
    late = [data([3.0] * 50, t0=hour + HOUR_MS - 200), data([4.0], t0=hour + 30_000)]
    world.feed(*(world.message(LIVE, content, seq) for seq, content in enumerate(late, 1)))
    marks = world.rows(
        "SELECT series_id, extract(epoch FROM hour)::bigint * 1000, hours FROM rollup_dirty ORDER BY hour"
    )
    assert marks == [(series, hour, 1), (series, hour + HOUR_MS, 1)]


def test_late_and_recorded_readings_are_in_the_rollups_after_one_pass(world):
    series = fast_point(world)
    work(world)
    hour = now_ms() // HOUR_MS * HOUR_MS - 3 * HOUR_MS
    world.feed(world.message(LIVE, data([3.0, 5.0], t0=hour), 0))
    world.feed(world.message(TAPE, data([7.0] * 5, t0=1_400_000_000_000), 0))
    assert work(world)
    assert world.rows("SELECT count, sum FROM readings_minute WHERE series_id = %s", series) == [(2, 8.0)]
    assert world.rows("SELECT count, sum FROM readings_hour WHERE series_id <> %s", series) == [(5, 35.0)]
    assert world.rows("SELECT count(*) FROM rollup_dirty") == [(0,)]


def test_a_pass_makes_partitions_ahead_and_drops_what_is_older_than_its_time(world):
    old = datetime.now(UTC) - timedelta(days=40)
    world.rows("SELECT make_reading_partitions(ARRAY[%s::date])", old)
    work(world)
    parts = {name for (name,) in world.rows("SELECT part FROM storage_parts('raw')")}
    assert f"readings_{old:%Y%m%d}" not in parts
    assert {f"readings_{datetime.now(UTC) + timedelta(days=n):%Y%m%d}" for n in range(-1, 4)} <= parts
    with connect(world.admin_url, "test") as conn:
        assert {level: state.keep for level, state in read_levels(conn).items()} == KEEP


def test_readings_of_a_day_that_retention_dropped_are_stored_all_the_same(world):
    """The writer believes in the partition it made; the refused batch is tried again with that belief gone."""
    week_ago = now_ms() - 7 * 24 * HOUR_MS
    world.feed(world.message(LIVE, data([1.0], t0=week_ago), 0))
    with psycopg.connect(world.admin_url) as conn:
        conn.execute("SELECT drop_expired('raw', now() - interval '2 days', 99)")
    world.feed(world.message(LIVE, data([2.0], t0=week_ago), 1))
    assert world.values() == [2.0]
    assert world.dead() == []


def test_what_comes_late_for_a_dropped_day_leaves_its_rollups_as_they_were(world):
    series = fast_point(world)
    work(world)
    week_ago = (now_ms() - 7 * 24 * HOUR_MS) // HOUR_MS * HOUR_MS
    world.feed(world.message(LIVE, data([1.0] * 50, t0=week_ago), 0))
    work(world)
    with psycopg.connect(world.admin_url) as conn:
        conn.execute("SELECT drop_expired('raw', now() - interval '2 days', 99)")
    world.feed(world.message(LIVE, data([9.0], t0=week_ago), 1))
    work(world)
    for level in ("minute", "hour"):
        assert world.rows(f"SELECT count, max FROM readings_{level} WHERE series_id = %s", series) == [(50, 1.0)]


def test_a_point_that_is_born_during_a_pass_misses_no_minute(world, monkeypatch):
    """Between enrolment and the windows, with a reading that the windows already pass over."""

    def enrol_then_born(conn, counters, *, wide_marks):
        found = enrol(conn, counters, wide_marks=wide_marks)
        point = ("pump-1", "new", "x")
        world.feed(world.message(LIVE, birth([*POINTS, point])))
        world.rows("UPDATE points SET period_s = 1 WHERE metric = 'new' RETURNING 1")
        world.feed(world.message(LIVE, data([1.0, 2.0], alias=2, t0=now_ms() - 91_000), 0))
        return found

    with monkeypatch.context() as patch:
        patch.setattr("watchkeep_ingest.upkeep.enrol", enrol_then_born)
        assert work(world)
    assert work(world)
    assert world.rows(
        "SELECT sum(count), sum(sum) FROM readings_minute JOIN points USING (series_id) WHERE metric = 'new'"
    ) == [(2, 3.0)]


def test_values_that_no_sum_can_hold_stop_no_rollup(world):
    series = fast_point(world)
    work(world)
    hour = now_ms() // HOUR_MS * HOUR_MS - 3 * HOUR_MS
    world.feed(world.message(LIVE, data([1.0, 1.5e308, 1.5e308, -1.5e308, 2.0], t0=hour), 0))
    assert world.rows("SELECT reason, count(*) FROM quarantine GROUP BY reason") == [("impossible_value", 3)]
    assert world.counts()["quarantined"] == 3
    assert work(world)
    assert world.rows("SELECT count, sum FROM readings_minute WHERE series_id = %s", series) == [(2, 3.0)]


def test_while_one_worker_does_the_upkeep_others_wait(world):
    asked = (
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%pg_try_advisory_lock%%upkeep%%' AND state = 'idle'"
    )
    stop, later = Stop(), Stop()
    waiting, next_one = upkeep(world, stop), upkeep(world, later)
    with psycopg.connect(world.admin_url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(hashtext('watchkeep.upkeep'))")
        waiting.start()
        _until(lambda: world.rows(asked) == [(1,)])
        stop.set()
        assert waiting.join(60)
        assert world.rows("SELECT count(*) FROM rollup_series") == [(0,)]
    next_one.start()
    _until(lambda: world.rows("SELECT count(*) FROM rollup_series") != [(0,)])
    later.set()
    assert next_one.join(60)


def _until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
