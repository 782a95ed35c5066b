"""One contract for the three storage back-ends, each on a real server: rollups, late data, retention, the read side."""

import itertools
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests import servers
from watchkeep_core.database import connect
from watchkeep_core.schema.migrate import migrate
from watchkeep_core.service import Stop
from watchkeep_core.storage import rollups
from watchkeep_core.storage.backends import backend_of
from watchkeep_core.storage.enrolment import enrol
from watchkeep_core.storage.late import HOUR_US, mark_late
from watchkeep_core.storage.levels import save_keep
from watchkeep_core.storage.retention import drop_expired
from watchkeep_core.storage.series import read_series
from watchkeep_core.storage.status import storage_status

EXPECTED = {
    "embedded": "plain",
    "postgresql-15": "plain",
    "timescaledb-apache": "timescaledb-apache",
    "timescaledb-given": "timescaledb-community",
}
Row = tuple[int, datetime, float, int]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class World:
    """A migrated database on one of the servers."""

    server: str
    url: str

    @contextmanager
    def connect(self, role: str | None = None) -> Iterator[psycopg.Connection]:
        with connect(self.url, "test", autocommit=True, role=role) as conn:
            yield conn

    def points(
        self, *periods: float | None, mode: str = "live", metric: str = "speed", enrolled: bool = True
    ) -> list[int]:
        """Points of a community of their own; returns their series."""
        name = f"c{time.monotonic_ns()}"
        with self.connect() as conn:
            conn.execute(
                "INSERT INTO areas (area_id, kind, name, path) VALUES ('a', 'city', 'A', '{a}') ON CONFLICT DO NOTHING"
            )
            conn.execute(
                "INSERT INTO communities (community_id, name, area_id, mode) VALUES (%s, %s, 'a', %s)",
                [name, name, mode],
            )
            conn.execute(
                "INSERT INTO equipment (community_id, equipment_id, kind, name) VALUES (%s, 'e', 'elevator', 'E')",
                [name],
            )
            found = []
            for n, period in enumerate(periods):
                row = conn.execute(
                    "INSERT INTO points (community_id, equipment_id, metric, unit, period_s)"
                    " VALUES (%s, 'e', %s, 'm', %s) RETURNING series_id",
                    [name, metric if n == 0 else f"{metric}_{n}", period],
                ).fetchone()
                assert row is not None
                found.append(row[0])
        if enrolled:
            self.enrol()
        return found

    def enrol(self) -> None:
        with self.connect("watchkeep_ingest") as conn, conn.transaction():
            wide = backend_of(conn).name == "timescaledb-community"
            enrol(conn, ["ride_count", "ride_count_1"], wide_marks=wide)

    def store(self, rows: list[Row], *, hold: threading.Event | None = None) -> None:
        """As ingest does: one transaction with partitions, rows, marks; `hold` keeps it open until it is set."""
        with self.connect("watchkeep_ingest") as conn, conn.transaction():
            backend_of(conn).make_ahead(conn, sorted({at.date() for _, at, _, _ in rows}))
            with conn.cursor() as cursor:
                cursor.executemany("INSERT INTO readings VALUES (%s, %s, %s, %s)", rows)

            def late_hours(sealed_us: int) -> tuple[list[int], list[int]]:
                us = [(series, int(at.timestamp() * 1_000_000)) for series, at, _, _ in rows]
                keys = sorted({(series, at // HOUR_US) for series, at in us if at < sealed_us})
                return [series for series, _ in keys], [hour for _, hour in keys]

            mark_late(conn, late_hours)
            if hold is not None:
                assert hold.wait(60)

    def roll(self, now: datetime, seconds: float = 30) -> rollups.Done:
        """A pass of the upkeep; on the community edition what its job does."""
        with self.connect("watchkeep_ingest") as conn:
            backend = backend_of(conn)
            backend.seal(conn, now)
            done = backend.roll(conn, rollups.Budget(Stop(), seconds))
        if backend.name == "timescaledb-community":
            self._refresh()
        return done

    def _refresh(self) -> None:
        """Again while the server's own job, which comes once a minute, is at it."""
        deadline = time.monotonic() + 60
        with self.connect("watchkeep_owner") as conn:
            while True:
                try:
                    conn.execute("CALL refresh_rollups(0, '{}')")
                    return
                except psycopg.errors.LockNotAvailable:
                    assert time.monotonic() < deadline

    def rolled(self, level: str, series: int) -> dict[datetime, tuple[Any, ...]]:
        with self.connect() as conn:
            rows = conn.execute(
                f"SELECT ts, count, bad, sum, min, max, first, last, increase FROM rollups_{level}"
                " WHERE series_id = %s",
                [series],
            ).fetchall()
        assert len({row[0] for row in rows}) == len(rows), "a bucket twice"
        return {row[0]: row[1:] for row in rows}

    def stored_rows(self, table: str, series: int) -> int:
        with self.connect() as conn:
            row = conn.execute(f"SELECT count(*) FROM {table} WHERE series_id = %s", [series]).fetchone()
            assert row is not None
            return int(row[0])


def floor(moment: datetime, width: timedelta) -> datetime:
    seconds = width.total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


def brute_force(rows, series, width, *, counter=False):
    """What the rollups must say, from the raw rows."""
    groups = defaultdict(list)
    for number, at, value, quality in rows:
        if number == series:
            groups[floor(at, width)].append((at, value, quality))
    found: dict[datetime, tuple[Any, ...]] = {}
    for bucket, members in groups.items():
        good = [value for _, value, quality in sorted(members) if quality < 2]
        bad = len(members) - len(good)
        if not good:
            found[bucket] = (0, bad, None, None, None, None, None, None)
            continue
        steps = [b - a if b >= a else b for a, b in itertools.pairwise(good)]
        increase = pytest.approx(sum(steps)) if counter else None
        found[bucket] = (len(good), bad, pytest.approx(sum(good)), min(good), max(good), good[0], good[-1], increase)
    return found


def series_of(series: int, since: datetime, step_s: float, count: int, *, counter: bool = False) -> list[Row]:
    """Values that tell each other apart; every 50th is bad."""
    return [
        (
            series,
            since + timedelta(seconds=n * step_s),
            float(n * 7 % 501 if counter else (n * 37) % 211),
            2 if n % 50 == 9 else n % 2,
        )
        for n in range(count)
    ]


@pytest.fixture(scope="module", params=[pytest.param(server, marks=pytest.mark.slow) for server in EXPECTED])
def world(request) -> Iterator[World]:
    if request.param == "embedded":
        url = request.getfixturevalue("postgres_url")
        yield from _database(request.param, url)
        return
    with servers.start(request.param) as url:
        yield from _database(request.param, url)


def _database(server: str, url: str) -> Iterator[World]:
    name = f"watchkeep_storage_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        conn.execute(f"CREATE DATABASE {name}")
    target = make_conninfo(url, dbname=name)
    migrate(target)
    yield World(server, target)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_the_server_decides_which_back_end(world):
    with world.connect() as conn:
        backend = backend_of(conn)
    assert backend.name == EXPECTED[world.server]
    assert "PostgreSQL" in backend.why


def test_rollups_agree_with_the_raw_readings(world):
    """Fast points by minute and hour, slower ones by hour, slow ones not at all; resets of counters; bad ones apart."""
    fast, hourly, slow = world.points(10, 60, 3600)
    (counter,) = world.points(15, metric="ride_count")
    now = floor(datetime.now(UTC), HOUR) + 25 * MINUTE
    start = now - 150 * MINUTE
    rows = series_of(fast, start, 10, 900) + series_of(hourly, start, 60, 150) + series_of(slow, start, 1800, 5)
    rows += series_of(counter, start, 15, 600, counter=True)
    world.store(rows)
    world.roll(now)
    for level, width in (("minute", MINUTE), ("hour", HOUR)):
        assert world.rolled(level, fast) == brute_force(rows, fast, width)
        assert world.rolled(level, counter) == brute_force(rows, counter, width, counter=True)
    assert world.rolled("hour", hourly) == brute_force(rows, hourly, HOUR)
    assert world.rolled("minute", hourly) == world.rolled("hour", slow) == world.rolled("minute", slow) == {}
    assert world.stored_rows("readings_minute", fast) >= 145, "not only computed on the fly"
    assert world.stored_rows("readings_hour", hourly) >= 2


def test_a_backlog_of_all_series_is_rolled_up_slice_by_slice(world):
    """Each transaction moves the mark on, so that a stop in between loses nothing and repeats nothing."""
    if EXPECTED[world.server] == "timescaledb-community":
        pytest.skip("its job refreshes by time")
    series = world.points(10, 60, 10)
    now = floor(datetime.now(UTC), HOUR) + 25 * MINUTE
    world.roll(now)
    start = floor(now, HOUR) - 5 * HOUR
    rows = [row for number in series for row in series_of(number, start, 30, 240)]
    with world.connect("watchkeep_ingest") as conn, conn.transaction():  # behind the rollups' back, as before them
        backend_of(conn).make_ahead(conn, sorted({at.date() for _, at, _, _ in rows}))
        conn.cursor().executemany("INSERT INTO readings VALUES (%s, %s, %s, %s)", rows)
        conn.execute("INSERT INTO rollup_dirty (hour, hours) VALUES (%s, 2)", [start])
    seen: list[tuple[datetime, int]] = []
    with world.connect("watchkeep_ingest") as conn:
        while mark := conn.execute("SELECT hour, hours, done_to FROM rollup_dirty WHERE series_id IS NULL").fetchone():
            seen.append((mark[0], mark[2]))
            with conn.transaction():
                conn.execute("DELETE FROM rollup_dirty WHERE series_id IS NULL")
                rollups._wide_slice(conn, mark[0], mark[1], mark[2], 2)
    assert seen == sorted(set(seen)), "the mark moves on with each slice"
    assert {hour for hour, _ in seen} == {start, start + HOUR}
    for number in series:
        assert world.rolled("hour", number) == brute_force(rows, number, HOUR)
    assert world.rolled("minute", series[0]) == brute_force(rows, series[0], MINUTE)


def test_a_second_pass_changes_nothing(world):
    (fast,) = world.points(1)
    now = datetime.now(UTC)
    world.store(series_of(fast, now - 3 * HOUR, 10, 1000))
    world.roll(now)
    before = world.rolled("minute", fast), world.rolled("hour", fast)
    done = world.roll(now)
    assert done == rollups.Done()
    assert (world.rolled("minute", fast), world.rolled("hour", fast)) == before


def test_late_readings_correct_the_rollups(world):
    (fast,) = world.points(10)
    now = datetime.now(UTC)
    rows = series_of(fast, now - 5 * HOUR, 10, 1700)
    world.store(rows)
    world.roll(now)
    late = [(fast, floor(now, HOUR) - 3 * HOUR + timedelta(seconds=n * 61 + 0.5), 1e6 + n, 0) for n in range(90)]
    world.store(late)
    done = world.roll(now)
    assert world.rolled("minute", fast) == brute_force(rows + late, fast, MINUTE)
    assert world.rolled("hour", fast) == brute_force(rows + late, fast, HOUR)
    if "community" not in EXPECTED[world.server]:
        assert done.late_hours == 2


def test_recorded_data_of_years_ago_is_rolled_up_too(world):
    (old,) = world.points(10, mode="replay")
    rows = series_of(old, datetime(2013, 5, 31, 23, 30, tzinfo=UTC), 10, 720)  # over the end of a month
    world.store(rows)
    world.roll(datetime.now(UTC))
    assert world.rolled("minute", old) == brute_force(rows, old, MINUTE)
    assert world.rolled("hour", old) == brute_force(rows, old, HOUR)
    assert world.stored_rows("readings_hour", old) == 3


def test_a_backlog_that_comes_before_its_point_is_enrolled_is_rolled_up(world):
    """A gateway that was offline for days is born, and sends what it kept, between two passes."""
    now = datetime.now(UTC)
    (other,) = world.points(1)
    world.store(series_of(other, floor(now - 3 * HOUR, HOUR), 1, 200))
    (series,) = world.points(1, enrolled=False)
    rows = series_of(series, floor(now - 3 * DAY, HOUR), 1, 200)
    world.store(rows)
    world.roll(now)
    world.enrol()
    world.roll(now)
    for level, width in (("minute", MINUTE), ("hour", HOUR)):
        assert world.rolled(level, series) == brute_force(rows, series, width)
        assert world.stored_rows(f"readings_{level}", series) == len(brute_force(rows, series, width))


def test_a_pass_that_runs_out_of_time_is_taken_up_by_the_next(world):
    (fast,) = world.points(10)
    now = datetime.now(UTC)
    rows = series_of(fast, now - 3 * HOUR, 10, 1000)
    world.store(rows)
    done = world.roll(now, seconds=0)
    if "community" not in EXPECTED[world.server]:
        assert not done.complete
    world.roll(now)
    assert world.rolled("minute", fast) == brute_force(rows, fast, MINUTE)
    assert world.rolled("hour", fast) == brute_force(rows, fast, HOUR)


def test_a_writer_that_commits_while_the_job_seals_is_not_missed(world):
    """Its readings are older than the new seal, and it could not know: the job waits for it."""
    (fast,) = world.points(10)
    now = datetime.now(UTC) + 5 * MINUTE  # so that there is something to seal
    rows = series_of(fast, now - 4 * MINUTE, 10, 12)
    hold = threading.Event()
    writer = threading.Thread(target=world.store, args=(rows,), kwargs={"hold": hold})
    writer.start()
    with world.connect() as conn:
        deadline = time.monotonic() + 60
        held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted"
        while conn.execute(held).fetchone() == (0,):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    threading.Timer(0.5, hold.set).start()
    world.roll(now)
    writer.join()
    world.roll(now)
    assert world.rolled("minute", fast) == brute_force(rows, fast, MINUTE)


def test_a_point_without_a_period_is_measured(world):
    quick, seldom = world.points(None, None)
    now = datetime.now(UTC)
    rows = series_of(quick, now - 2 * HOUR, 10, 720) + series_of(seldom, now - 10 * HOUR, 3600, 10)
    world.store(rows)
    with world.connect() as conn:
        conn.execute("UPDATE rollup_series SET measured_at = NULL WHERE series_id = ANY (%s)", [[quick, seldom]])
    world.enrol()
    world.roll(now)
    assert world.rolled("minute", quick) == brute_force(rows, quick, MINUTE)
    assert world.rolled("hour", seldom) == {}


def test_retention_drops_whole_days_and_spares_recorded_data(world):
    (live,) = world.points(10)
    (recorded,) = world.points(10, mode="replay")
    today = floor(datetime.now(UTC), DAY)
    days = {"gone": today - 200 * DAY, "kept": today - 300 * DAY, "young": today - 3 * DAY}
    rows = series_of(live, days["gone"], 10, 10) + series_of(live, days["young"], 10, 10)
    world.store(rows + series_of(recorded, days["kept"], 10, 10))
    with world.connect("watchkeep_ingest") as conn:
        save_keep(conn, {"raw": 90 * DAY})
        assert drop_expired(conn, "raw", datetime.now(UTC))[0] >= 1
        assert drop_expired(conn, "raw", datetime.now(UTC))[0] == 0
    with world.connect() as conn:
        left = {row[0] for row in conn.execute("SELECT DISTINCT date_trunc('day', ts, 'UTC') FROM readings").fetchall()}
    assert days["gone"] not in left
    assert {days["kept"], days["young"]} <= left


def test_rollups_outlive_the_raw_readings(world):
    (live,) = world.points(10)
    day = floor(datetime.now(UTC), DAY) - 120 * DAY
    rows = series_of(live, day, 10, 720)
    world.store(rows)
    world.roll(datetime.now(UTC))
    with world.connect("watchkeep_ingest") as conn:
        while drop_expired(conn, "raw", datetime.now(UTC))[0]:
            pass
    world.roll(datetime.now(UTC))
    assert world.stored_rows("readings", live) == 0
    assert world.rolled("minute", live) == brute_force(rows, live, MINUTE)
    assert world.rolled("hour", live) == brute_force(rows, live, HOUR)


@contextmanager
def as_supervisor(world: World) -> Iterator[psycopg.Connection]:
    """The console's role with the identity of somebody who sees all communities."""
    with world.connect() as conn:
        person = conn.execute(
            "INSERT INTO people (login, name) VALUES ('p' || floor(random() * 1e9)::text, 'P') RETURNING person_id"
        ).fetchone()
        assert person is not None
        conn.execute(
            "INSERT INTO memberships (person_id, role, scope_kind, scope_id) VALUES (%s, 'x', 'area', 'a')", person
        )
    with world.connect("watchkeep_console") as conn, conn.transaction():
        conn.execute("SELECT set_config('watchkeep.person_id', %s, true)", [str(person[0])])
        yield conn


def test_charts_get_few_points_and_never_lose_an_extreme(world):
    (fast,) = world.points(10)
    now = floor(datetime.now(UTC), MINUTE)
    rows = series_of(fast, now - 30 * HOUR, 10, 10_800)
    rows[5_000] = (fast, rows[5_000][1], -9999.0, 0)
    rows[7_777] = (fast, rows[7_777][1], 9999.0, 0)
    world.store(rows)
    world.roll(now)
    good = [value for _, _, value, quality in rows if quality < 2]
    with as_supervisor(world) as conn:
        for points, level in ((2000, "raw"), (400, "minute"), (30, "hour")):
            found = read_series(conn, [fast], now - 30 * HOUR, now, points)[fast]
            assert {bucket.level for bucket in found} == {level}
            assert 1 < len(found) <= points
            assert sum(bucket.count for bucket in found) >= len(good)
            assert sum(bucket.bad for bucket in found) >= len(rows) - len(good)
            assert min(bucket.min for bucket in found if bucket.min is not None) == -9999
            assert max(bucket.max for bucket in found if bucket.max is not None) == 9999
            assert [bucket.at for bucket in found] == sorted(bucket.at for bucket in found)
        few = read_series(conn, [fast], now - 5 * MINUTE, now, 400)[fast]
    assert [(bucket.at, bucket.last, bucket.bucket_s) for bucket in few] == [
        (at, value if quality < 2 else None, 0) for _, at, value, quality in rows[-30:]
    ]


def test_the_latest_value_is_that_of_event_time_whenever_it_came(world):
    first, second = world.points(10, 10)
    now = floor(datetime.now(UTC), MINUTE)
    world.store([(first, now, 1.0, 0), (second, now - 2 * HOUR, 1.0, 0)])
    world.store([(first, now - MINUTE, 2.0, 0)])
    with as_supervisor(world) as conn:
        query = "SELECT series_id, ts, value FROM visible_latest(%s, %s)"
        assert conn.execute(query, [[first, second], HOUR]).fetchall() == [(first, now, 1.0)]


@pytest.mark.parametrize("points", [2000, 100, 10, 2])
def test_a_counter_rises_by_the_same_whatever_the_level(world, points):
    (counter,) = world.points(10, metric="ride_count")
    now = floor(datetime.now(UTC), HOUR)
    rows = [(counter, now - 20 * HOUR + timedelta(seconds=10 * n), float(3 * n % 1000), 0) for n in range(7_200)]
    world.store(rows)
    world.roll(now + MINUTE)
    values = [value for _, _, value, _ in rows]
    steps = sum(b - a if b >= a else b for a, b in itertools.pairwise(values))
    with as_supervisor(world) as conn:
        found = read_series(conn, [counter], now - 20 * HOUR, now, points)[counter]
    assert sum(bucket.increase or 0 for bucket in found) == pytest.approx(steps)


def test_a_year_ago_is_read_from_what_is_still_kept(world):
    (fast,) = world.points(10)
    now = datetime.now(UTC)
    with as_supervisor(world) as conn:
        query = "SELECT DISTINCT level FROM series_window(%s, %s, %s, 2000)"
        for ago, level in ((200 * DAY, "minute"), (800 * DAY, "hour")):
            world.store(series_of(fast, floor(now, HOUR) - ago, 10, 30))
            world.roll(now)
            since = floor(now, HOUR) - ago
            assert conn.execute(query, [[fast], since, since + HOUR]).fetchall() == [(level,)]


def test_a_long_chart_opens_only_the_raw_days_that_are_not_rolled_up(world):
    """Through the views of the rollups each series opened every one of them: 200 ms of 220 at 365 days."""
    if EXPECTED[world.server] != "plain":
        pytest.skip("only plain PostgreSQL has daily partitions")
    fast, slow = world.points(10, 600)
    now = datetime.now(UTC)
    for series in (fast, slow):
        world.store([(series, now - n * DAY, float(n), 0) for n in range(40)])
    world.roll(now)
    with as_supervisor(world) as conn:
        found = read_series(conn, [fast, slow], now - 40 * DAY, now, 400)
        opened = conn.execute(
            "SELECT count(DISTINCT relation) FROM pg_locks WHERE pid = pg_backend_pid() AND relation IN"
            " (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'readings'::regclass)"
        ).fetchone()
    assert [len(found[series]) for series in (fast, slow)] == [40, 40]
    assert opened is not None
    assert opened[0] <= 2


def test_others_see_nothing_and_a_bad_window_is_refused(world):
    (fast,) = world.points(10)
    now = datetime.now(UTC)
    world.store(series_of(fast, now - HOUR, 10, 30))
    with world.connect("watchkeep_console") as conn, conn.transaction():
        assert read_series(conn, [fast], now - DAY, now) == {}
    with as_supervisor(world) as conn, pytest.raises(psycopg.errors.InvalidParameterValue):
        read_series(conn, [fast], now, now - DAY)


def test_status_tells_sizes_spans_and_lag(world):
    (fast,) = world.points(10)
    now = datetime.now(UTC)
    world.store(series_of(fast, now - 3 * HOUR, 10, 1000))
    world.roll(now)
    with world.connect("watchkeep_owner") as conn:
        found = storage_status(conn, now)
    assert found.backend == EXPECTED[world.server]
    raw, minute, hour = found.levels
    assert raw.bytes > 100_000
    assert raw.newest is not None
    assert raw.newest >= now - 3 * HOUR
    assert raw.oldest is not None
    assert raw.oldest <= now - 3 * HOUR
    assert minute.parts >= 1
    assert hour.parts >= 1
    assert raw.keep_days == 90
    assert found.rollup_marks == 0
    assert found.rollup_lag_s < 120
    assert found.series_with_minutes >= 1


def test_a_batch_with_many_rows_per_series_is_compressed_while_it_is_copied(world):
    (fast,) = world.points(1)
    when = floor(datetime.now(UTC), DAY) - 5 * DAY
    with world.connect("watchkeep_ingest") as conn, conn.transaction():
        backend = backend_of(conn)
        backend.make_ahead(conn, [when.date()])
        backend.before_copy(conn, 1000, 1)
        with conn.cursor() as cursor, cursor.copy("COPY readings FROM STDIN") as copy:
            for n in range(1000):
                copy.write_row((fast, when + timedelta(seconds=n), float(n), 0))
    assert world.stored_rows("readings", fast) == 1000
    if backend.name != "timescaledb-community":
        return
    with world.connect() as conn:
        row = conn.execute(
            "SELECT is_compressed FROM timescaledb_information.chunks"
            " WHERE hypertable_name = 'readings' AND range_start = %s",
            [when],
        ).fetchone()
    assert row == (True,)
