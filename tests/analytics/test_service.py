"""From a rows message on a real broker to a row in `warnings`, and what happens when messages are missing."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from watchkeep_analytics.gathering import Place
from watchkeep_analytics.lanes import LOCK_SPACE
from watchkeep_analytics.service import run, run_data, run_events
from watchkeep_analytics.settings import AnalyticsSettings
from watchkeep_cli.acl import default_acl
from watchkeep_cli.broker import RunningBroker, start_broker
from watchkeep_core import rows, topics
from watchkeep_core.broker import BrokerUnreachable
from watchkeep_core.clock import to_us
from watchkeep_core.database import DatabaseUnavailable
from watchkeep_core.errors import SettingsError
from watchkeep_core.mqtt import connect
from watchkeep_core.service import Stop

ALPHA, TAPE = topics.partition_of("alpha"), topics.partition_of("tape")
HOT = ("lift-1", "machine_temperature_high", "alarm", "open")
SECRET = "only-in-tests"


@pytest.fixture(scope="module")
def broker(tmp_path_factory) -> Iterator[RunningBroker]:
    users = {f"analytics-{number}": SECRET for number in (ALPHA, TAPE)} | {f"ingest-data-{ALPHA}": SECRET}
    with start_broker(tmp_path_factory.mktemp("broker"), users, default_acl()) as running:
        yield running


class Ingest:
    """Commits rows and sends their message, as ingest does."""

    def __init__(self, home, broker: RunningBroker) -> None:
        self._home = home
        self.number = -1
        user = f"ingest-data-{ALPHA}"
        self._mqtt = connect(broker.address, client_id=user, user=user, password=SECRET, on_message=lambda _: None)

    def close(self) -> None:
        self._mqtt.close()

    def readings(self, *values: float, ago_s: float = 0, send: bool = True) -> None:
        """Temperatures one second apart, the last `ago_s` ago."""
        series = self._home.series["alpha", "lift-1", "machine_temperature"]
        last = datetime.now(UTC) - timedelta(seconds=ago_s)
        times = [last - timedelta(seconds=len(values) - 1 - k) for k in range(len(values))]
        with self._home.admin.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO readings VALUES (%s, %s, %s, 0)",
                [(series, t, x) for t, x in zip(times, values, strict=True)],
            )
        self._batch("data", len(values), times[0], times[-1])
        n = len(values)
        payload = rows.encode_readings(
            self.number,
            ALPHA,
            np.full(n, series, np.int32).tobytes(),
            np.array([to_us(t) for t in times], np.int64).tobytes(),
            np.array(values, np.float64).tobytes(),
            np.zeros(n, np.uint8).tobytes(),
        )
        if send:
            self._send(payload)

    def event(
        self, number: int, condition: str, active: bool = True, send: bool = True, community: str = "alpha"
    ) -> None:
        now = datetime.now(UTC)
        event_id = self._home.admin.execute(
            "INSERT INTO events (community_id, gateway_id, epoch, seq, equipment_id, condition, active, ts,"
            " received_at, trusted) VALUES (%s, 'g1', 'e', %s, 'lift-1', %s, %s, %s, %s, true) RETURNING event_id",
            [community, number, condition, active, now, now],
        ).fetchone()[0]
        self.number = number
        self._batch("event", 1, now, now, counted=False)
        event = rows.CommittedEvent(
            event_id=event_id,
            community=community,
            equipment="lift-1",
            condition=condition,
            active=active,
            t_us=to_us(now),
            received_us=to_us(now),
        )
        if send:
            self._send(rows.encode_events(number, ALPHA, [event]))

    def garbage(self) -> None:
        self._send(b"not rows")

    def _batch(self, lane: str, count: int, first: datetime, last: datetime, counted: bool = True) -> None:
        self.number += counted
        self._home.admin.execute(
            "INSERT INTO batches (lane, partition, batch, row_count, min_ts, max_ts) VALUES (%s, %s, %s, %s, %s, %s)",
            [lane, ALPHA, self.number, count, first, last],
        )

    def _send(self, payload: bytes) -> None:
        self._mqtt.publish(topics.rows(ALPHA), payload).result(60)


@pytest.fixture
def ingest(home, broker) -> Iterator[Ingest]:
    made = Ingest(home, broker)
    yield made
    made.close()


@contextmanager
def service(home, broker: RunningBroker, **more) -> Iterator[None]:
    """Both lanes in threads; their failure is the test's."""
    settings = AnalyticsSettings(
        **({"database_url": home.url, "mqtt_url": broker.url, "mqtt_password": SECRET, "partitions": (ALPHA,)} | more)
    )
    stop, failed = Stop(), []

    def target(work) -> None:
        try:
            work(settings, Place("test"), stop)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=target, args=(work,)) for work in (run_data, run_events)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert failed == []


def eventually(check: Callable[[], object], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < deadline, "did not happen in time"
        threading.Event().wait(0.02)


def opened(home) -> list[tuple[Any, ...]]:
    return [row[:4] for row in home.warnings()]


@pytest.mark.slow
def test_a_rows_message_becomes_a_warning_and_is_cleared(home, broker, ingest):
    with service(home, broker):
        ingest.garbage()
        ingest.readings(50.0, 120.0, ago_s=200)
        ingest.readings(120.0, ago_s=100)
        eventually(lambda: HOT in opened(home))
        row = home.admin.execute("SELECT evidence, sentence_zh FROM warnings WHERE tier = 'alarm'").fetchone()
        assert row[0]["actual"] == 120.0
        assert len(row[0]["readings"]) == 3
        assert row[1].startswith("1号梯：曳引机温度过高")


@pytest.mark.slow
def test_missing_batches_are_read_again_and_a_restart_goes_on(home, broker, ingest):
    with service(home, broker, poll_s=0.2):
        ingest.readings(50.0, ago_s=400)
        ingest.readings(120.0, ago_s=300, send=False)
        ingest.readings(120.0, ago_s=200)
        eventually(lambda: HOT in opened(home))
    assert home.admin.execute("SELECT max(batch) FROM detector_states WHERE lane = 'data'").fetchone() == (2,)
    ingest.readings(121.0, ago_s=100, send=False)  # hot for 200 s by now: past the 120 s of the lower limit
    with service(home, broker):
        eventually(lambda: home.count("signals") == 2)
    tiers = home.admin.execute("SELECT tier FROM signals ORDER BY signal_id").fetchall()
    assert tiers == [("alarm",), ("warning",)]
    assert home.warnings() == [(*HOT, 2)]


@pytest.mark.slow
def test_states_are_saved_while_it_runs_one_partition_after_the_other(home, broker, ingest):
    saved = "SELECT partition, max(batch) FROM detector_states WHERE lane = 'data' AND batch >= 0 GROUP BY partition"
    home.admin.execute(
        "INSERT INTO batches (lane, partition, batch, row_count, min_ts, max_ts)"
        " VALUES ('data', %s, 0, 0, now(), now())",
        [TAPE],
    )
    with service(home, broker, poll_s=0.2, save_s=0.1, partitions=(ALPHA, TAPE)):
        ingest.readings(50.0)
        eventually(lambda: dict(home.admin.execute(saved).fetchall()) == {ALPHA: 0, TAPE: 0})
        ingest.readings(51.0)
        eventually(lambda: dict(home.admin.execute(saved).fetchall())[ALPHA] == 1)


@pytest.mark.slow
def test_a_worker_that_leaves_hands_over_what_it_learnt(home, broker, ingest):
    with ExitStack() as later:
        with service(home, broker, poll_s=0.2):
            ingest.readings(50.0, 120.0, ago_s=900)
            ingest.readings(120.0, ago_s=800)
            eventually(lambda: HOT in opened(home))
            later.enter_context(service(home, broker, poll_s=0.2))  # there is one partition: it waits
            eventually(lambda: members(home) == 2)
        ingest.readings(50.0, ago_s=700)
        ingest.readings(50.0)
        eventually(lambda: ("lift-1", "machine_temperature_high", "alarm", "cleared") in opened(home))
    assert home.count("signals") == 2  # one beginning, one end: nothing was judged twice


def members(home) -> int:
    """Data workers that the database counts."""
    row = home.admin.execute(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        [LOCK_SPACE["data"] + 1],
    ).fetchone()
    return int(row[0])


@pytest.mark.slow
def test_events_warn_at_once_and_their_end_clears(home, broker, ingest):
    with service(home, broker, poll_s=0.2):
        ingest.event(0, "entrapment")
        eventually(lambda: ("lift-1", "entrapment", "alarm", "open") in opened(home))
        ingest.event(1, "entrapment", active=False)
        eventually(lambda: ("lift-1", "entrapment", "alarm", "cleared") in opened(home))
        ingest.event(2, "odd_code_9", send=False)
        ingest.event(3, "mode_change")
        eventually(lambda: ("lift-1", "unknown_code", "warning", "open") in opened(home))
        eventually(lambda: home.count("signals") == 4)
    assert len(home.warnings()) == 2


@pytest.mark.slow
def test_the_first_event_of_a_community_that_was_registered_a_moment_ago_is_not_overlooked(home, broker, ingest):
    """It comes before the register is read again, and its batch is asked for once."""
    name = next(name for name in (f"new-{n}" for n in range(1000)) if topics.partition_of(name) == ALPHA)
    with service(home, broker, refresh_s=3600):
        ingest.event(0, "entrapment")
        eventually(lambda: ("lift-1", "entrapment", "alarm", "open") in opened(home))
        home.admin.execute(
            "INSERT INTO communities (community_id, name, area_id) SELECT %s, %s, area_id FROM communities LIMIT 1",
            [name, name],
        )
        ingest.event(1, "fire_alarm", community=name)
        eventually(lambda: ("lift-1", "fire_alarm", "alarm", "open") in opened(home))


@pytest.mark.slow
def test_a_wrong_clock_and_an_edited_rule_reach_the_running_service(home, broker, ingest):
    with service(home, broker, refresh_s=0.2, tick_s=0.1):
        ingest.readings(75.0, ago_s=60)
        home.admin.execute("INSERT INTO device_clocks VALUES ('alpha', 'lift-1', -900000, now())")
        eventually(lambda: ("lift-1", "sensor_clock_skew", "warning", "open") in opened(home))
        home.admin.execute("UPDATE device_clocks SET skew_ms = 0")
        eventually(lambda: ("lift-1", "sensor_clock_skew", "warning", "cleared") in opened(home))
        home.admin.execute(
            "INSERT INTO detection_rules (rule_id, section, definition) VALUES"
            " ('elevator.machine_temperature.machine_temperature_high.above.alarm', 'limit',"
            """ '{"value": 70, "clear": 65, "for_s": 0, "basis": "b", "mark": "CP"}')"""
        )
        ingest.readings(75.0)
        eventually(lambda: ingest.readings(75.0) or HOT in opened(home))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"mqtt_url": "mqtt://127.0.0.1:9"}, BrokerUnreachable),
        ({"database_url": "postgresql://nobody@127.0.0.1:9/x"}, DatabaseUnavailable),
        ({"partitions": (16,)}, SettingsError),
    ],
)
def test_what_is_missing_at_the_start_is_one_clear_error(home, broker, changes, error):
    values = {"database_url": home.url, "mqtt_url": broker.url, "mqtt_password": SECRET, "partitions": (ALPHA,)}
    with pytest.raises(error):
        run(AnalyticsSettings(**(values | changes)), Stop())
