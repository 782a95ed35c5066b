"""Silence while readings of others pour in faster than they are judged."""

from datetime import UTC, datetime, timedelta

import numpy as np
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


@pytest.mark.slow
def test_who_falls_silent_is_told_although_messages_always_wait(home, monkeypatch):
    seconds = 1000
    monkeypatch.setattr(data_lane, "steady_us", lambda: seconds * 1_000_000)
    inbox = Inbox(10_000)
    settings = AnalyticsSettings(
        database_url=home.url,
        mqtt_url="mqtt://127.0.0.1",
        mqtt_password=SecretStr("-"),
        partitions=(ALPHA,),
        poll_s=3600,
    )
    lane = DataLane(settings, inbox, Stop(), Connected())

    def put(payload: bytes) -> None:
        inbox.put(Message(rows.decode(payload), 0, seconds * 1_000_000))

    with connect(home.url, "test", autocommit=True) as conn:
        lane._done[ALPHA] = -1
        lane.refresh(conn)
        lane.adopt(conn, ALPHA)
        lane.tick(conn)
        put(_reading(home, datetime.now(UTC) - timedelta(seconds=1)))
        for _ in range(AT_ONCE):
            put(rows.encode_events(0, ALPHA, []))
        told: list[tuple[object, ...]] = []
        while not told and seconds < 3000:
            lane.listen(conn)
            assert inbox.backlog
            lane.tick(conn)
            lane.flush(conn)
            told = home.warnings()
            seconds += STEP_S
            for _ in range(AT_ONCE):
                put(rows.encode_events(0, ALPHA, []))
    assert [row[1] for row in told] == ["gateway_offline"]


def _reading(home, at: datetime) -> bytes:
    series = home.series["alpha", "lift-1", "machine_temperature"]
    columns = (np.array([series], np.int32), np.array([to_us(at)], np.int64), np.array([50.0]), np.zeros(1, np.uint8))
    return rows.encode_readings(0, ALPHA, *(column.tobytes() for column in columns))
