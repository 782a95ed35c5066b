"""Signals to rows: one open warning, idempotent, cleared only when nothing stands."""

import math
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from watchkeep_analytics.event_lane import EventLane
from watchkeep_analytics.settings import AnalyticsSettings
from watchkeep_analytics.signals import Signal
from watchkeep_analytics.warnings import Named, Written, write
from watchkeep_core.clock import to_us
from watchkeep_core.service import Stop
from watchkeep_core.topics import partition_of

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def named(community: str, equipment: str) -> Named:
    return Named("1号梯", "Lift 1", community == "tape")


def signal(active: bool = True, ago_s: float = 10, **more) -> Signal:
    values: dict[str, Any] = {
        "community": "alpha",
        "equipment": "lift-1",
        "condition": "machine_temperature_high",
        "tier": "warning",
        "active": active,
        "detector": "limits",
        "version": "1",
        "event_us": to_us(NOW - timedelta(seconds=ago_s)),
        "source": "limit:1",
        "text": "limit_above",
        "evidence": {"actual": 95.0, "limit": {"value": 90.0}, "basis": "GB", "metric": "machine_temperature"},
    }
    return Signal(**(values | more))


@pytest.fixture
def put(home):
    def put(*signals: Signal) -> Written:
        with psycopg.connect(home.url) as conn, conn.transaction():
            return write(conn, signals, named, NOW)

    return put


def test_opens_repeats_and_clears(home, put):
    assert len(put(signal(ago_s=50)).opened) == 1
    assert put(signal(ago_s=40)).repeated == 1
    assert home.warnings() == [("lift-1", "machine_temperature_high", "warning", "open", 2)]
    assert put(signal(False, ago_s=30)).cleared == 1
    assert home.warnings()[0][3] == "cleared"
    assert len(put(signal(ago_s=20)).opened) == 1
    assert [row[3] for row in home.warnings()] == ["cleared", "open"]


def test_the_row_says_everything(home, put):
    series = home.series["alpha", "lift-1", "machine_temperature"]
    home.admin.execute(
        "INSERT INTO readings VALUES (%s, %s, 88, 0), (%s, %s, 95, 0)",
        [series, datetime.now(UTC) - timedelta(minutes=2), series, datetime.now(UTC) - timedelta(minutes=1)],
    )
    put(signal(series=series, event_us=to_us(datetime.now(UTC)), score=math.inf))
    row = home.admin.execute(
        "SELECT proposed_class, life_safety, replay, evidence, sentence_zh, sentence_en, series_id FROM warnings"
    ).fetchone()
    assert row[:3] == ("B", False, False)
    assert [reading[1] for reading in row[3]["readings"]] == [88, 95]
    assert row[3]["basis"] == "GB"
    assert row[4].startswith("1号梯")
    assert row[5].startswith("Lift 1")
    assert row[6] == series
    linked = home.admin.execute("SELECT count(*) FROM signals JOIN warnings USING (warning_id)").fetchone()
    assert linked == (1,)


def test_the_same_signals_again_change_nothing(home, put):
    story = [signal(ago_s=50), signal(False, ago_s=40), signal(ago_s=30)]
    for one in story:
        put(one)
    before = home.warnings()
    assert put(*story) == Written()
    assert (home.warnings(), home.count("signals")) == (before, 3)


def test_a_second_source_keeps_it_open(home, put):
    put(signal(ago_s=50), signal(ago_s=45, source="limit:2", tier="alarm"))
    assert home.warnings() == [("lift-1", "machine_temperature_high", "alarm", "open", 2)]
    put(signal(False, ago_s=40))
    assert home.warnings()[0][3] == "open"
    put(signal(False, ago_s=30, source="limit:2", tier="alarm"))
    assert home.warnings()[0][3] == "cleared"


def test_a_tier_never_falls(home, put):
    put(signal(ago_s=50, tier="alarm"))
    put(signal(ago_s=45, source="limit:2"))
    assert home.warnings()[0][2] == "alarm"


def test_notices_are_kept_and_open_nothing(home, put):
    put(signal(tier="notice"))
    assert (home.count("signals"), home.warnings()) == (1, [])


def test_what_is_over_for_long_opens_nothing_but_is_kept(home, put):
    written = put(signal(ago_s=4000), signal(False, ago_s=3000))
    assert (written.over, written.opened, home.warnings(), home.count("signals")) == (1, (), [], 2)


@pytest.mark.parametrize(
    ("changes", "ended_ago_s"),
    [({}, 100), ({"condition": "entrapment_off_zone"}, 3000), ({"community": "tape"}, 3000)],
    ids=["just over", "life safety", "recorded data"],
)
def test_what_is_over_and_still_opens(home, put, changes, ended_ago_s):
    put(signal(ago_s=4000, **changes), signal(False, ago_s=ended_ago_s, **changes))
    assert [row[3] for row in home.warnings()] == ["cleared"]


def test_a_beginning_that_comes_after_its_end_opens_nothing(home, put):
    put(signal(False, ago_s=30))
    written = put(signal(ago_s=40))
    assert (written.over, home.warnings()) == (1, [])


def test_an_end_that_comes_late_does_not_clear_what_began_since(home, put):
    put(signal(ago_s=20))
    put(signal(False, ago_s=60))
    assert home.warnings()[0][3] == "open"


def test_exactly_one_open_warning_whoever_writes(home):
    barrier = threading.Barrier(6)
    opened: list[int] = []

    def writer(number: int) -> None:
        with psycopg.connect(home.url) as conn:
            barrier.wait(timeout=60)
            for k in range(10):
                with conn.transaction():
                    found = write(conn, [signal(ago_s=100 * number + k, source=f"w{number}")], named, NOW)
                opened.append(len(found.opened))

    threads = [threading.Thread(target=writer, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(opened) == 1
    assert home.warnings() == [("lift-1", "machine_temperature_high", "warning", "open", 60)]


def test_recorded_data_is_marked(home, put):
    put(signal(community="tape"))
    assert home.admin.execute("SELECT replay FROM warnings").fetchone() == (True,)


def test_life_safety_is_class_a(home, put):
    put(replace(signal(), condition="entrapment", detector="events", text="event", tier="alarm"))
    assert home.admin.execute("SELECT proposed_class, life_safety FROM warnings").fetchone() == ("A", True)


@pytest.mark.parametrize("broken", [{"text": "no_such_text"}, {"evidence": {"expected": 5.0, "basis": "GB"}}])
def test_a_sentence_that_cannot_be_made_does_not_hold_the_warning_back(home, put, broken):
    written = put(signal(**broken))
    assert [one.condition for one, _ in written.failed] == ["machine_temperature_high"] * 2  # one for each language
    assert [one.condition for one in written.opened] == ["machine_temperature_high"]
    said = home.admin.execute("SELECT sentence_zh, sentence_en FROM warnings").fetchone()
    assert said == ("1号梯：曳引机温度过高。", "Lift 1: Traction machine too hot.")


UNWRITABLE = {"actual": object(), "limit": {"value": 1.0}, "basis": "GB"}


def test_what_cannot_be_written_does_not_keep_back_the_others(home):
    bad = signal(condition="power_loss", source="limit:2", evidence=UNWRITABLE)
    with psycopg.connect(home.url) as conn, conn.transaction():
        written = write(conn, [bad, signal()], named, NOW, apart=True)
    assert [one.condition for one, _ in written.failed] == ["power_loss"]
    assert home.warnings() == [("lift-1", "machine_temperature_high", "warning", "open", 1)]


def test_a_lane_tells_of_what_it_cannot_say_and_goes_on(home):
    values: dict[str, Any] = {"database_url": home.url, "mqtt_url": "mqtt://127.0.0.1:1", "mqtt_password": "x"}
    settings = AnalyticsSettings(**values)
    lane = EventLane(settings, Stop())
    with psycopg.connect(home.url, autocommit=True) as conn:
        lane.adopt(conn, partition_of("alpha"))
        for source in ("limit:2", "limit:3"):  # the second time it is known
            lane._pending = [signal(condition="power_loss", source=source, evidence=UNWRITABLE), signal(source=source)]
            lane.flush(conn)
            lane.flush(conn)
        lane._done[partition_of("alpha")] = 0
        lane.save(conn, partition_of("alpha"))
        again = EventLane(settings, Stop())
        again.adopt(conn, partition_of("alpha"))
    assert [row[1:3] for row in home.warnings()] == [
        ("machine_temperature_high", "warning"),
        ("detector_failure", "warning"),
    ]
    told = home.admin.execute("SELECT evidence FROM warnings WHERE condition = 'detector_failure'").fetchone()
    assert told is not None
    assert told[0]["actual"] == "limits"
    assert "not JSON serializable" in told[0]["error"]
    failures = again.failures(partition_of("alpha"))
    assert failures is not None
    (over,) = failures.over(to_us(datetime.now(UTC) + timedelta(hours=2)))
    assert (over.condition, over.active) == ("detector_failure", False)
