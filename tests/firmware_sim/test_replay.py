"""Recorded series: read honestly, played in order."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from watchkeep_core.vocabulary import load
from watchkeep_firmware_sim.errors import MappingError
from watchkeep_firmware_sim.replay import player
from watchkeep_firmware_sim.replay.mapping import Mapping
from watchkeep_firmware_sim.replay.mapping import load as load_mapping
from watchkeep_firmware_sim.replay.series import Sample, read_all

SERIES = {
    "file": "a.csv",
    "equipment": "m1",
    "kind": "elevator",
    "time_column": "timestamp",
    "column": [{"column": "value", "metric": "machine_room_temperature"}],
}
PUMP = {
    "file": "runs/*.csv",
    "equipment": "p1",
    "kind": "supply_pump",
    "delimiter": ";",
    "time_column": "datetime",
    "column": [
        {"column": "Current", "metric": "fire_current"},
        {"column": "Pressure", "metric": "discharge_pressure", "scale": 100},
    ],
}
EXAMPLES = Path(__file__).parents[2] / "firmware-sim"


def mapped(tmp_path, *series, **more) -> Mapping:
    path = tmp_path / "mapping.json"
    path.write_text(json.dumps({"series": list(series), **more}))
    return load_mapping(path, load())


def ms(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc, arg-type]


def test_bad_rows_are_skipped_and_counted(tmp_path):
    (tmp_path / "a.csv").write_text(
        "timestamp,value,label\n"
        "2014-01-01 00:05:00,212,0\n"
        "2014-01-01 00:00:00,32,0\n"
        "yesterday,1,0\n"
        "2014-01-01 00:10:00,nan,0\n"
        "2014-01-01 00:15:00,warm,0\n"
        "2014-01-01 00:20:00,,0\n"
        "2014-01-01 00:25:00\n"
    )
    celsius = {"column": "value", "metric": "machine_room_temperature", "scale": 1 / 1.8, "offset": -32 / 1.8}
    samples, (report,) = read_all(mapped(tmp_path, SERIES | {"column": [celsius]}), tmp_path)
    topic, metric = "field/replay/replay-gw/m1", "machine_room_temperature"
    assert samples == [
        Sample(ms(2014, 1, 1), topic, metric, 0.0),
        Sample(ms(2014, 1, 1, 0, 5), topic, metric, 100.0),
    ]
    assert (report.rows, report.values) == (7, 2)
    assert dict(report.skipped) == {"bad_time": 1, "bad_value": 2, "missing_value": 2}
    assert report.columns_unused == ["label"]


def test_several_files_several_columns_one_time_line(tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "0.csv").write_text(
        "datetime;Current;Pressure;anomaly\n2020-03-09 10:00:02;1.5;0.38;0.0\n2020-03-09 10:00:00;1.4;-0.27;1.0\n"
    )
    (tmp_path / "runs" / "1.csv").write_text("datetime;Current;Pressure;anomaly\n2020-03-09 10:00:01;1.6;0.4;0.0\n")
    samples, reports = read_all(mapped(tmp_path, PUMP, community="c9", gateway="g9"), tmp_path)
    assert [(sample.t_ms - ms(2020, 3, 9, 10), sample.metric, sample.value) for sample in samples] == [
        (0, "fire_current", 1.4),
        (0, "discharge_pressure", -27.0),
        (1000, "fire_current", 1.6),
        (1000, "discharge_pressure", 40.0),
        (2000, "fire_current", 1.5),
        (2000, "discharge_pressure", 38.0),
    ]
    assert {sample.topic for sample in samples} == {"field/c9/g9/p1"}
    assert [report.columns_unused for report in reports] == [["anomaly"], ["anomaly"]]


def test_other_stamps_other_zones_and_a_span(tmp_path):
    (tmp_path / "a.csv").write_text("\ufeffDATETIME, L_T1\n06/01/14 00,1\n06/01/14 01,2\n06/01/14 02,3\n")
    tank = {"column": "L_T1", "metric": "water_level", "equipment": "t1", "kind": "water_tank"}
    series = SERIES | {"time_column": "DATETIME", "time_format": "%d/%m/%y %H", "utc_offset_h": 8, "column": [tank]}
    span = {"start": "2014-01-05T17:00:00", "until": "2014-01-05T18:00:00Z"}
    samples, (report,) = read_all(mapped(tmp_path, series, **span), tmp_path)
    assert samples == [Sample(ms(2014, 1, 5, 17), "field/replay/replay-gw/t1", "water_level", 2.0)]
    assert dict(report.skipped) == {"out_of_span": 2}


def test_no_topic_runs_ahead_of_another():
    samples = [Sample(t, f"topic-{t % 3}", "m", float(t)) for t in range(10_000)]
    done = list(player.batches(samples, float("inf")))
    assert sorted(reading for batch in done for reading in batch.readings) == [
        (s.t_ms, s.metric, s.value) for s in samples
    ]
    newest = -1
    for window in (done[i : i + 3] for i in range(0, len(done), 3)):
        assert min(batch.readings[0][0] for batch in window) > newest
        newest = max(batch.last_ms for batch in window)
    assert max(len(batch.readings) for batch in done) <= player.MAX_BATCH


def test_a_window_of_time_ends_a_batch():
    samples = [Sample(t, "topic", "m", 0.0) for t in (0, 400, 999, 1000, 1500, 9000)]
    assert [[r[0] for r in batch.readings] for batch in player.batches(samples, 1000)] == [
        [0, 400, 999],
        [1000, 1500],
        [9000],
    ]


BAD = {
    "metric": (SERIES | {"column": [{"column": "value", "metric": "warmth"}]}, r"series\[0\]\.column\[0\]\.metric"),
    "foreign metric": (SERIES | {"kind": "sump"}, "does not belong to kind 'sump'"),
    "kind": (SERIES | {"kind": "spaceship"}, r"series\[0\]\.column\[0\]\.kind: no kind 'spaceship'"),
    "no columns": (SERIES | {"column": []}, "column"),
    "outside": (SERIES | {"file": "../secret.csv"}, r"series\[0\]\.file: must stay within"),
    "absolute": (SERIES | {"file": "/a.csv"}, r"series\[0\]\.file: must stay within"),
    "delimiter": (SERIES | {"delimiter": "--"}, "delimiter"),
    "scale": (
        SERIES | {"column": [{"column": "value", "metric": "machine_temperature", "scale": 0}]},
        r"series\[0\]\.column\[0\]\.scale",
    ),
    "unknown field": (SERIES | {"files": "b.csv"}, "files"),
}


@pytest.mark.parametrize(("series", "problem"), BAD.values(), ids=BAD.keys())
def test_a_wrong_mapping_is_refused_naming_the_field(tmp_path, series, problem):
    with pytest.raises(MappingError, match=problem):
        mapped(tmp_path, series)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("time,value\n1,2\n", "a.csv: timestamp: no such column; there are: time, value"),
        ("", "no such column"),
        (None, r"series\[0\]\.file: no file 'a.csv'"),
    ],
)
def test_a_file_that_is_not_as_mapped_is_refused(tmp_path, content, problem):
    mapping = mapped(tmp_path, SERIES)
    if content is not None:
        (tmp_path / "a.csv").write_text(content)
    with pytest.raises(MappingError, match=problem):
        read_all(mapping, tmp_path)


@pytest.mark.parametrize("name", ["replay-nab.toml", "replay-skab.toml"])
def test_the_examples_are_valid(name):
    assert load_mapping(EXAMPLES / name, load()).series


@pytest.mark.slow
@pytest.mark.parametrize("name", ["replay-nab.toml", "replay-skab.toml"])
def test_real_recordings_are_within_physics_and_their_limits_mean_something(name, recorded_data):
    mapping = load_mapping(EXAMPLES / name, load())
    samples, reports = read_all(mapping, recorded_data)
    assert not [report for report in reports if report.skipped]
    kinds = {series.equipment: series.kind for series in mapping.series}
    broken = 0
    for sample in samples:
        row = load().metrics[sample.metric]
        assert row.min <= sample.value <= row.max
        kind = kinds.get(sample.topic.rsplit("/", 1)[1], "supply_pump")
        for limit in load().limits_for(kind, sample.metric):
            broken += not limit.when and (
                sample.value > limit.value if limit.side == "above" else sample.value < limit.value
            )
    assert broken == {"replay-nab.toml": 414 + 62, "replay-skab.toml": 0}[name]
