"""A lane that is behind: messages wait whenever it looks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg
import pytest
from pydantic import SecretStr

from watchkeep_analytics import data_lane
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
        self.inbox = Inbox(10_000)
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
        self.inbox.put(Message(rows.decode(payload), 0, self.seconds * 1_000_000))

    def pour(self, count: int = AT_ONCE) -> None:
        """Messages that tell nothing."""
        for _ in range(count):
            self.put(rows.encode_events(0, ALPHA, []))

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
