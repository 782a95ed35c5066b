"""The upkeep gives way to the writers, and keeps the record of batches bounded."""

from datetime import UTC, datetime, timedelta

import psycopg

from tests.brokers import until
from tests.ingest.world import LIVE, World, birth, data, event
from watchkeep_core.database import connect
from watchkeep_core.service import Stop
from watchkeep_core.storage.levels import Level
from watchkeep_ingest.upkeep import Upkeep

KEEP: dict[Level, timedelta] = {"raw": timedelta(days=30), "minute": timedelta(days=60), "hour": timedelta(days=90)}


def test_a_pass_waits_while_the_writers_are_loaded_until_the_rollups_are_behind(world: World):
    asked: list[bool] = []

    def loaded() -> bool:
        asked.append(True)
        return True

    stop = Stop()
    made = Upkeep(lambda: connect(world.ingest_url, "upkeep", autocommit=True), KEEP, stop, loaded=loaded)
    _rolled_until(world, timedelta(0))
    made.start()
    try:
        until(lambda: len(asked) >= 2)
        assert world.rows("SELECT count(*) FROM rollup_series") == [(0,)]
        _rolled_until(world, timedelta(minutes=5))
        until(lambda: world.rows("SELECT count(*) FROM rollup_series") != [(0,)])
    finally:
        stop.set()
        assert made.join(60)


def _rolled_until(world: World, ago: timedelta) -> None:
    with psycopg.connect(world.admin_url) as conn:
        conn.execute("TRUNCATE rollup_series")
        conn.execute("UPDATE storage_levels SET rolled_until = now() - %s", [ago])


def test_old_batches_are_deleted_and_the_numbers_go_on(world: World):
    world.feed(world.message(LIVE, birth()))
    for seq in range(3):
        world.feed(world.message(LIVE, data([1.0]), seq))
        world.feed(world.message(LIVE, event(), seq))
    with psycopg.connect(world.admin_url) as conn:
        conn.execute("UPDATE batches SET committed_at = now() - interval '8 days' WHERE batch < 3 OR lane = 'event'")
        conn.execute("UPDATE batches SET committed_at = now() - interval '6 days' WHERE lane = 'data' AND batch = 2")
    _work(world, timedelta(days=7))
    kept = [("data", 2), ("data", 3), ("event", 3)]
    assert world.rows("SELECT lane, batch FROM batches ORDER BY 1, 2") == kept
    world.feed(world.message(LIVE, event(), 3))
    assert world.rows("SELECT lane, batch FROM batches ORDER BY 1, 2") == [*kept, ("event", 4)]


def test_batches_are_summed_per_minute_once_and_forgotten_in_time(world: World):
    world.feed(world.message(LIVE, birth()))
    for seq in range(6):
        world.feed(world.message(LIVE, data([1.0, 2.0]), seq))
    with psycopg.connect(world.admin_url) as conn:
        past = {"at": _ago(9)}
        conn.execute("UPDATE batches SET max_ts = %(at)s - batch * interval '1 s', committed_at = %(at)s", past)
        conn.execute("UPDATE batches SET committed_at = %s WHERE batch = 6", [_ago(0)])  # that minute still runs
    for _ in range(2):
        _work(world, timedelta(days=7))
        rows = world.rows("SELECT lane, row_count, most_lag_s > least_lag_s FROM ingest_minutes")
        assert rows == [("data", 10, True)]
    whole = "SELECT sum(row_count) FROM wall.ingest_minute WHERE lane = 'data'"
    assert world.rows(whole) == world.rows("SELECT sum(row_count) FROM batches WHERE lane = 'data'")
    _work(world, timedelta(minutes=5))
    assert world.rows("SELECT count(*) FROM ingest_minutes") == [(0,)]


def _ago(minutes: int) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


def _work(world: World, keep_batches: timedelta) -> None:
    with connect(world.ingest_url, "upkeep", autocommit=True) as conn:
        made = Upkeep(lambda: conn, KEEP, Stop(), keep_batches=keep_batches)
        made.work(conn, datetime.now(UTC))
