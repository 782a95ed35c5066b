"""Models through the command line, against a real database: trained, listed, taken over, excluded, rolled back."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.analytics.test_models import METRICS, pump
from watchkeep_analytics import register
from watchkeep_analytics.commands import app
from watchkeep_analytics.engine import Engine
from watchkeep_analytics.models import store
from watchkeep_analytics.models.fitted import ModelError
from watchkeep_analytics.models.nightly import train_all
from watchkeep_analytics.suppression import Modes
from watchkeep_core import estate as e
from watchkeep_core.database import OWNER, connect

DAYS = 8
END = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def rooms(database):
    """A pump with nine days of readings, a sensor box without relations, and a valve that has just been put in."""
    metrics = {"pump-1": METRICS, "loose": ("pump_flow", "bearing_temperature"), "new": METRICS}
    equipment = [
        e.Equipment(equipment_id=name, kind="supply_pump", name=name, metrics=list(mine), gateway_id="g1")
        for name, mine in metrics.items()
    ]
    community = e.Community(
        community_id="alpha",
        name="alpha",
        area_id="city",
        mode="live",
        gateways=[e.Gateway(gateway_id="g1")],
        equipment=equipment,
    )
    estate = e.Estate(areas=[e.Area(area_id="city", kind="city", name="荣成市")], communities=[community])
    with connect(database.admin_url, "test", role=OWNER) as conn:
        e.save(conn, estate)
        conn.execute(
            "SELECT make_reading_partitions(ARRAY(SELECT d::date FROM generate_series(%s::date, %s::date, '1 day') d))",
            [END - timedelta(days=DAYS + 1), END + timedelta(days=1)],
        )
    with connect(database.admin_url, "test", autocommit=True) as conn:
        series = {(i, m): s for i, m, s in conn.execute("SELECT equipment_id, metric, series_id FROM points")}
        values, alone = pump(DAYS * 288), np.random.default_rng(3).normal(size=(DAYS * 288, 2)) + 40
        with conn.cursor() as cursor, cursor.copy("COPY readings (series_id, ts, value, quality) FROM STDIN") as copy:
            for item, rows in (("pump-1", values), ("loose", alone), ("new", values[-288:])):
                for k, row in enumerate(rows):
                    at = END - timedelta(minutes=5 * (len(rows) - k))
                    for metric, value in zip(metrics[item], row, strict=True):
                        copy.write_row((series[item, metric], at, float(value), 0))
    return database


def call(rooms, *words: str):
    result = CliRunner().invoke(app, [*words, "--database-url", rooms.url("watchkeep_analytics")])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.slow
def test_the_life_of_a_model(rooms):
    train = ("train", "--days", str(DAYS))
    assert call(rooms, *train, "--dry-run")["trained"] == 1
    assert call(rooms, "models") == []
    told = call(rooms, *train)
    assert told["trained"] == 1
    reasons = " / ".join(sorted(row["why"] for row in told["refused"]))
    assert "usable rows are too few" in reasons
    assert "no channel is explained by the others" in reasons
    states = {row["equipment_id"]: row["state"] for row in call(rooms, "models")}
    assert states == {"pump-1": "active", "loose": "refused", "new": "refused"}
    with connect(rooms.url("watchkeep_analytics"), "test") as conn:
        first = store.active(conn, ["alpha"], {})
        assert store.active(conn, ["alpha"], first)["alpha", "pump-1"] is first["alpha", "pump-1"]
        assert first["alpha", "pump-1"].fitted.channels == METRICS
        assert store.trained_lately(conn)
        engine = Engine(Modes())
        engine.update(register.points(conn, ["alpha"]), [])
        engine.learn(first)
    number = next(n for n, item in enumerate(engine.registry.equipment) if item.id == "pump-1")
    assert engine.registry.models == {number: first["alpha", "pump-1"]}
    engine.load(engine.save())  # with a model in force, states still go round
    assert "equipment" not in engine.lost
    call(rooms, *train, "--equipment", "pump-1")
    back = ("rollback", "alpha", "pump-1", "--by", "Wang", "--why", "it warned all night")
    assert call(rooms, *back) == {"before": 2, "after": 1}
    with connect(rooms.url("watchkeep_analytics"), "test") as conn:
        assert store.active(conn, ["alpha"], first)["alpha", "pump-1"].version == 1
    assert call(rooms, *back) == {"before": 1, "after": None}
    with pytest.raises(ModelError, match="no model is in force"):
        call(rooms, *back)
    with connect(rooms.admin_url, "test") as conn:
        audited = conn.execute("SELECT action, detail ->> 'by' FROM audit_entries ORDER BY audit_id").fetchall()
    assert audited == [("models.activate", None)] * 2 + [("models.rollback", "Wang")] * 2


@pytest.mark.slow
def test_planned_work_tests_and_warnings_teach_nothing(rooms):
    """All but a day and a half is taken away: too little is left."""
    with connect(rooms.admin_url, "test", autocommit=True) as conn:
        conn.execute(
            "INSERT INTO maintenance_windows (community_id, equipment_id, during, reason)"
            " VALUES ('alpha', NULL, tstzrange(%s, %s), 'overhaul')",
            [END - timedelta(days=20), END - timedelta(days=2)],
        )
        conn.execute(
            "INSERT INTO warnings (community_id, equipment_id, condition, tier, proposed_class, event_at, detected_at,"
            " last_seen_at, detector, version, evidence, sentence_zh, sentence_en) VALUES ('alpha', 'pump-1',"
            " 'pump_vibration_high', 'warning', 'B', %(at)s, %(at)s, %(at)s, 'limits', '1', '{}', '', '')",
            {"at": END - timedelta(hours=12)},
        )
        for number, (active, hours) in enumerate(((True, 30), (False, 24))):  # six hours of a test that was announced
            conn.execute(
                "INSERT INTO events (community_id, gateway_id, epoch, seq, equipment_id, condition, active, ts,"
                " received_at, trusted) VALUES ('alpha', 'g1', 'e', %s, 'pump-1', 'fire_test_mode', %s, %s, %s, true)",
                [number, active, *[END - timedelta(hours=hours)] * 2],
            )
    told = call(rooms, "train", "--days", str(DAYS), "--equipment", "pump-1")
    assert told["trained"] == 0
    (refused,) = told["refused"]
    rows = int(refused["why"].split()[0])
    with connect(rooms.admin_url, "test", autocommit=True) as conn:
        conn.execute(
            "INSERT INTO detection_feedback (community_id, equipment_id, condition, detector, said, warning_id, factor,"
            " reason, said_by) SELECT community_id, equipment_id, condition, detector, 'false_alarm', warning_id, 1.25,"
            " 'it was a test', 'Wang' FROM warnings"
        )
    (again,) = call(rooms, "train", "--days", str(DAYS), "--equipment", "pump-1")["refused"]
    assert int(again["why"].split()[0]) > rows + 11 * 12
    assert 25 * 12 <= rows <= 27 * 12  # between an hour after the one and an hour before the other, without the test


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed.*")
@pytest.mark.filterwarnings("ignore:Creating scratch directories:UserWarning")  # on a busy machine
def test_dask_trains_the_same(rooms):
    pytest.importorskip("distributed")
    words = ("train", "--days", str(DAYS), "--equipment", "pump-1", "--backend", "dask", "--jobs", "1")
    assert call(rooms, *words)["trained"] == 1


@pytest.mark.slow
def test_the_night_trains_once(rooms):
    found = train_all(rooms.url("watchkeep_analytics"), DAYS)
    assert found is not None
    assert (found["equipment"], found["trained"]) == (3, 1)
    assert train_all(rooms.url("watchkeep_analytics"), DAYS) is None


def test_what_cannot_be_is_said(rooms):
    with pytest.raises(ModelError, match="community 'beta'"):
        call(rooms, "train", "--community", "beta")
    with pytest.raises(ModelError, match="only with --backend dask"):
        call(rooms, "train", "--cluster", "tcp://127.0.0.1:1")
