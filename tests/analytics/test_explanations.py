"""The stored explanation: figures, peers, the past, a chart that says what it shows."""

import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest
from psycopg.types.json import Jsonb
from typer.testing import CliRunner

from watchkeep_analytics import chart, explanations
from watchkeep_analytics.commands import app
from watchkeep_core.database import connect

AT = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
EVIDENCE = {
    "metric": "machine_temperature",
    "unit": "celsius",
    "actual": 88.0,
    "expected": {"value": 60.0, "low": 55.0, "high": 65.0},
    "driver": "sustained",
    "rarity": 8000.0,
    "since_us": round(AT.timestamp() * 1e6),
    "rule": "sustained",
    "basis": "own history",
    "mark": "C",
    "bar": 1.25,
}


@pytest.fixture
def conn(home):
    with connect(home.url, "test", autocommit=True) as made:
        yield made


@pytest.fixture
def peers(home):
    """Two more lifts with readings of the last hour; taken away afterwards, for the estate is shared."""
    admin, series = home.admin, [home.series["alpha", "lift-1", "machine_temperature"]]
    for number in (2, 3):
        admin.execute(
            "INSERT INTO equipment (community_id, equipment_id, kind, name) VALUES ('alpha', %s, 'elevator', '梯')",
            [f"lift-{number}"],
        )
        row = admin.execute(
            "INSERT INTO points (community_id, equipment_id, metric, unit) VALUES ('alpha', %s, 'machine_temperature',"
            " 'celsius') RETURNING series_id",
            [f"lift-{number}"],
        ).fetchone()
        series.append(row[0])
    for each, value in zip(series, (88.0, 60.0, 61.0), strict=True):
        rows = [(each, AT - timedelta(minutes=k), value) for k in range(30)]
        with admin.cursor() as cursor:
            cursor.executemany("INSERT INTO readings VALUES (%s, %s, %s, 0)", rows)
    yield series
    admin.execute("DELETE FROM readings")
    admin.execute("DELETE FROM points WHERE equipment_id IN ('lift-2', 'lift-3')")
    admin.execute("DELETE FROM equipment WHERE equipment_id IN ('lift-2', 'lift-3')")


def warn(home, evidence: dict[str, object], series: int | None = None, condition: str = "abnormal_reading") -> int:
    row = home.admin.execute(
        "INSERT INTO warnings (community_id, equipment_id, series_id, condition, tier, proposed_class, event_at,"
        " detected_at, last_seen_at, detector, version, evidence, sentence_zh, sentence_en)"
        " VALUES ('alpha', 'lift-1', %s, %s, 'warning', 'C', %s, now(), %s, 'baseline', '3', %s, '一号梯偏热。',"
        " 'Lift 1 runs hot.') RETURNING warning_id",
        [series, condition, AT, AT, Jsonb(evidence)],
    ).fetchone()
    return int(row[0])


def past_case(home, note: str) -> None:
    row = home.admin.execute(
        "INSERT INTO cases (community_id, equipment_id, condition, source, class, state, title_zh, title_en, event_at,"
        " filed_at, closed_at) VALUES ('alpha', 'lift-1', 'abnormal_reading', 'warning', 'C', 'closed', '甲', 'a', %s,"
        " %s, '2026-10-03T01:00Z') RETURNING case_id",
        [AT - timedelta(days=40), AT - timedelta(days=40)],
    ).fetchone()
    for action, text in (("finish", note), ("close", "ok")):
        home.admin.execute(
            "INSERT INTO transitions (case_id, action, to_state, at, note) VALUES (%s, %s, 'closed', now(), %s)",
            [row[0], action, text],
        )


def test_an_explanation_says_what_peers_do_and_what_helped_before(home, conn, peers):
    past_case(home, "更换轴承")
    number = warn(home, EVIDENCE, peers[0])
    assert explanations.waiting(conn) == [number]
    explanations.write(conn, number)
    assert explanations.waiting(conn) == []
    found = explanations.stored(conn, number)
    assert found is not None
    content = found.content
    assert (content["actual"], content["expected"]["high"], content["rarity"]) == (88.0, 65.0, 8000.0)
    assert set(content["component"]) == {"zh", "en"}
    assert content["peers"] == {
        "count": 2,
        "median": pytest.approx(60.5),
        "low": pytest.approx(60),
        "high": pytest.approx(61),
        "unit": "celsius",
        "alone": True,
    }
    assert [channel["value"] for channel in content["channels"]] == [88.0]
    assert (content["similar"][0]["fixed"], content["similar"][0]["same_equipment"]) == ("更换轴承", True)
    assert content["summary_zh"].startswith("一号梯偏热。同小区 2 台同类设备此时中位数为 60.5 °C，唯此一台不同。")
    assert content["summary_zh"].endswith("处置：更换轴承。")
    assert "only this one differs" in content["summary_en"]
    assert (content["rule"], content["basis"], content["bar"]) == ("sustained", "own history", 1.25)
    assert found.chart is not None
    ET.fromstring(found.chart)  # noqa: S314 - our own


def test_the_top_three_channels_are_the_strongest(home, conn):
    shares = {"machine_temperature": 0.1, "car_speed": 0.5, "door_open_time": 0.3, "car_floor": 0.05}
    contributions = [{"metric": metric, "share": share} for metric, share in shares.items()]
    number = warn(home, EVIDENCE | {"contributions": contributions})
    found = explanations.explain(conn, number)
    assert found is not None
    assert [c["metric"] for c in found.content["channels"]] == ["car_speed", "door_open_time", "machine_temperature"]


def test_an_event_without_figures_is_explained_as_well(home, conn):
    number = warn(home, {"actual": "entrapment", "driver": "device", "basis": "the device says so"}, None, "entrapment")
    explanations.write(conn, number)
    found = explanations.stored(conn, number)
    assert found is not None
    assert found.chart is None
    assert found.content["peers"] is None
    assert found.content["summary_zh"] == "一号梯偏热。"


def test_the_verb_prints_it_and_writes_the_chart(home, conn, peers, tmp_path):
    number = warn(home, EVIDENCE, peers[0])
    file = tmp_path / "chart.svg"
    called = CliRunner().invoke(app, ["explain", str(number), "--svg", str(file), "--database-url", home.url])
    assert called.exit_code == 0, called.exception
    assert json.loads(called.stdout)["warning_id"] == number
    assert file.read_text(encoding="utf-8").startswith("<svg")
    missing = CliRunner().invoke(app, ["explain", "999999", "--database-url", home.url])
    assert "warning 999999: there is none" in str(missing.exception)


def test_the_console_sees_the_explanation_with_its_warning_only(home, conn, peers):
    number = warn(home, EVIDENCE, peers[0])
    explanations.write(conn, number)
    with connect(home.database.url("watchkeep_console"), "test") as stranger:
        assert stranger.execute("SELECT count(*) FROM warning_explanations").fetchone() == (0,)


def test_a_chart_keeps_the_spike_draws_what_is_there_and_escapes_its_title():
    points = [(float(k), 50.0) for k in range(5000)]
    points[2500] = (2500.0, 120.0)
    marks = chart.Marks(at_s=4990.0, low=45.0, high=55.0, limit=110.0)
    drawn = chart.draw(points, marks, "<T> & Co", "°C")
    assert drawn is not None
    tree = ET.fromstring(drawn)  # noqa: S314 - our own
    names = [element.tag.rpartition("}")[2] for element in tree]
    assert names.count("rect") == 2  # ground and band
    assert names.count("line") == 2  # limit and moment
    course = next(element for element in tree if element.tag.endswith("polyline")).attrib["points"].split()
    assert len(course) <= 300
    heights = [float(point.split(",")[1]) for point in course]
    limit_y = min(float(e.attrib["y1"]) for e in tree if e.tag.endswith("line") and "stroke-dasharray" in e.attrib)
    assert min(heights) < limit_y
    assert len(drawn) < 8_000
    plain = chart.draw(points[:3], chart.Marks(3.0, None, None, None), "t", "")
    assert plain is not None
    assert plain.count("<rect") == 1
    assert chart.draw(points[:1], marks, "t", "") is None
