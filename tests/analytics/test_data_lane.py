"""A lane that is behind: messages wait whenever it looks."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg
import pytest
from pydantic import SecretStr

from watchkeep_analytics import data_lane, register
from watchkeep_analytics.data_lane import DataLane
from watchkeep_analytics.sessions import Inbox, Message, Sessions
from watchkeep_analytics.settings import AnalyticsSettings
from watchkeep_core import rows, topics
from watchkeep_core.clock import to_us
from watchkeep_core.database import connect
from watchkeep_core.service import Stop

ALPHA = topics.partition_of("alpha")
STEP_S, AT_ONCE = 10, 64


class Connected(Sessions):
    """None is lost."""

    def __init__(self) -> None: ...

    def want(self, partition: int) -> None: ...
    def open(self) -> None: ...
    def alive(self) -> bool:
        return True


class Behind:
    """A lane, its messages, and a clock that is moved by hand."""

    def __init__(self, home, conn: psycopg.Connection, poll_s: float) -> None:
        self.seconds = 1000
        self.inbox = Inbox(2**20)
        access = {"database_url": home.url, "mqtt_url": "mqtt://127.0.0.1", "mqtt_password": SecretStr("-")}
        settings = AnalyticsSettings(**access, partitions=(ALPHA,), poll_s=poll_s)
        self.lane = DataLane(settings, self.inbox, Stop(), Connected())
        self._home, self._conn = home, conn

    def begin(self) -> None:
        """It holds its partition and has judged one reading."""
        self.lane._done[ALPHA] = -1
        self.lane.refresh(self._conn)
        self.lane.adopt(self._conn, ALPHA)
        self.lane.tick(self._conn)
        series = self._home.series["alpha", "lift-1", "machine_temperature"]
        at = to_us(datetime.now(UTC) - timedelta(seconds=1))
        columns = (np.array([series], np.int32), np.array([at], np.int64), np.array([50.0]), np.zeros(1, np.uint8))
        self.put(rows.encode_readings(0, ALPHA, *(column.tobytes() for column in columns)))

    def put(self, payload: bytes) -> None:
        self.inbox.put(Message(rows.decode(payload), 0, self.seconds * 1_000_000, len(payload)))

    def pour(self, count: int = AT_ONCE) -> None:
        """Messages that tell nothing."""
        for _ in range(count):
            self.put(rows.encode_events(0, ALPHA, []))

    def refresh(self) -> None:
        self.lane.refresh(self._conn)
        self.turn()

    def turn(self) -> None:
        self.lane.listen(self._conn)
        self.lane.tick(self._conn)
        self.lane.flush(self._conn)


@pytest.fixture
def behind(home, monkeypatch) -> Iterator[Behind]:
    with connect(home.url, "test", autocommit=True) as conn:
        made = Behind(home, conn, poll_s=0.000_001)
        monkeypatch.setattr(data_lane, "steady_us", lambda: made.seconds * 1_000_000)
        made.begin()
        yield made


def test_who_falls_silent_is_told_although_messages_always_wait(home, behind):
    behind.pour()
    while not home.warnings() and behind.seconds < 3000:
        behind.turn()
        assert behind.inbox.backlog
        behind.seconds += STEP_S
        behind.pour()
    assert [row[1] for row in home.warnings()] == ["gateway_offline"]


def test_what_waits_in_the_inbox_is_not_read_from_the_database(home, behind):
    behind.pour(2 * AT_ONCE)
    behind.seconds += 60
    committed = "VALUES ('data', %s, %s, 0, now(), now(), now() - %s * interval '1 s')"
    columns = "(lane, partition, batch, row_count, min_ts, max_ts, committed_at)"
    for batch, ago_s in ((0, 90), (1, 30)):
        home.admin.execute(f"INSERT INTO batches {columns} {committed}", [ALPHA, batch, ago_s])
    behind.turn()
    assert behind.inbox.backlog
    assert behind.lane._done == {ALPHA: 0}
    while behind.inbox.backlog:
        behind.turn()
    behind.turn()  # nothing waits, and the message of a batch of 30 s ago has not come
    assert behind.lane._done == {ALPHA: 1}


def test_the_register_is_read_again_only_where_it_was_written_to(behind, monkeypatch):
    read, points, changes = list[object](), register.points, iter([7, 7, 8, None])

    def reading(conn, names):
        read.append(names)
        return points(conn, names)

    monkeypatch.setattr(register, "points", reading)
    monkeypatch.setattr(register, "changes", lambda conn: next(changes))
    seen = []
    for _ in range(4):
        behind.refresh()
        seen.append(len(read))
    assert seen == [1, 1, 2, 3]  # another number, the same, another, and a server that does not count


def test_the_server_tells_that_the_register_was_written_to(home):
    with connect(home.url, "test", autocommit=True) as conn:
        before = register.changes(conn)
        home.admin.execute("UPDATE equipment SET name = name")
        deadline = time.monotonic() + 60  # an idle session tells it after ten seconds
        while register.changes(conn) == before:
            assert time.monotonic() < deadline
            home.admin.execute("SELECT pg_stat_force_next_flush()")
            time.sleep(0.05)


def test_the_inbox_is_bounded_by_bytes_and_takes_one_message_of_any_size():
    inbox = Inbox(100)
    content = rows.decode(rows.encode_events(0, ALPHA, []))
    for size in (150, 10, 60, 60, 40):
        inbox.put(Message(content, 0, 0, size))
        if size == 150:
            assert len(inbox.take(1)) == 1
    assert [message.bytes for message in inbox.take(1)] == [10, 60]
    inbox.put(Message(content, 0, 0, 100))
    assert inbox.backlog == 1
