"""The fleet file: what is wrong is named."""

import json

import pytest

from watchkeep_core.vocabulary import load
from watchkeep_firmware_sim.errors import FleetError
from watchkeep_firmware_sim.fleet import load as load_fleet

DEVICE = {
    "community": "c1",
    "gateway": "g1",
    "equipment": "sump-1",
    "kind": "sump",
    "metrics": ["water_level"],
    "period_s": 10,
}
POLLED = DEVICE | {"transport": "modbus", "unit_id": 3}
LISTENER = {"community": "c1", "gateway": "g1", "port": 5020}


def test_a_fleet_is_the_same_in_toml_and_json(tmp_path):
    toml, as_json = tmp_path / "fleet.toml", tmp_path / "fleet.json"
    toml.write_text(
        'seed = 7\n[[device]]\ncommunity = "c1"\ngateway = "g1"\nequipment = "sump-1"\nkind = "sump"\n'
        'metrics = ["water_level"]\nperiod_s = 10\n'
        '[[fault]]\nequipment = "c1/sump-1"\nscenario = "sump_high"\nat_s = 5\n'
    )
    fault = {"equipment": "c1/sump-1", "scenario": "sump_high", "at_s": 5}
    as_json.write_text(json.dumps({"seed": 7, "device": [DEVICE], "fault": [fault]}))
    fleet = load_fleet(toml, load())
    assert fleet == load_fleet(as_json, load())
    assert (fleet.points(), fleet.readings_per_s()) == (1, 0.1)
    assert fleet.device[0].topic == "field/c1/g1/sump-1"


BAD = {
    "no seed": ({"device": [DEVICE]}, "seed"),
    "no device": ({"seed": 1, "device": []}, "device"),
    "unknown field": ({"seed": 1, "device": [DEVICE | {"colour": "red"}]}, "colour"),
    "id": ({"seed": 1, "device": [DEVICE | {"equipment": "a/b"}]}, r"device\[0\]\.equipment"),
    "period": ({"seed": 1, "device": [DEVICE | {"period_s": 0}]}, "period_s"),
    "kind": ({"seed": 1, "device": [DEVICE | {"kind": "spaceship"}]}, r"device\[0\]\.kind: no kind 'spaceship'"),
    "metric": (
        {"seed": 1, "device": [DEVICE | {"metrics": ["warmth"]}]},
        r"device\[0\]\.metrics: no metric 'warmth'",
    ),
    "foreign metric": (
        {"seed": 1, "device": [DEVICE | {"metrics": ["car_status"]}]},
        r"device\[0\]\.metrics: 'car_status' does not belong to kind 'sump'",
    ),
    "metric twice": (
        {"seed": 1, "device": [DEVICE | {"metrics": ["water_level"] * 2}]},
        r"device\[0\]\.metrics: one of them is there twice",
    ),
    "profile": ({"seed": 1, "device": [DEVICE | {"vendor_profile": "acme"}]}, r"device\[0\]\.vendor_profile"),
    "twice": ({"seed": 1, "device": [DEVICE, DEVICE]}, r"device\[0\]\.equipment: c1/sump-1 is there 2 times"),
    "no unit": ({"seed": 1, "device": [DEVICE | {"transport": "modbus"}]}, r"device\[0\]\.unit_id: is needed"),
    "odd unit": ({"seed": 1, "device": [DEVICE | {"unit_id": 3}]}, r"device\[0\]\.unit_id: has no meaning"),
    "unit range": ({"seed": 1, "device": [POLLED | {"unit_id": 248}]}, "unit_id"),
    "no listener": ({"seed": 1, "device": [POLLED]}, r"device\[0\]\.gateway: no \[\[modbus\]\] listener for c1/g1"),
    "unit twice": (
        {"seed": 1, "device": [POLLED, POLLED | {"equipment": "sump-2"}], "modbus": [LISTENER]},
        r"device\[1\]\.unit_id: 3 is used twice in c1/g1",
    ),
    "port twice": (
        {"seed": 1, "device": [POLLED], "modbus": [LISTENER, LISTENER | {"gateway": "g2"}]},
        r"modbus\[0\]\.port: 127\.0\.0\.1:5020 is used twice",
    ),
    "fault at nothing": (
        {"seed": 1, "device": [DEVICE], "fault": [{"equipment": "c1/x", "scenario": "sump_high", "at_s": 1}]},
        r"fault\[0\]\.equipment: no device 'c1/x'",
    ),
    "fault that does not fit": (
        {"seed": 1, "device": [DEVICE], "fault": [{"equipment": "c1/sump-1", "scenario": "fire_alarm", "at_s": 1}]},
        r"fault\[0\]\.scenario: fire_alarm happens to",
    ),
    "unknown scenario": (
        {"seed": 1, "device": [DEVICE], "fault": [{"equipment": "c1/sump-1", "scenario": "flood", "at_s": 1}]},
        r"fault\[0\]\.scenario: no scenario 'flood'",
    ),
}


@pytest.mark.parametrize(("document", "problem"), BAD.values(), ids=BAD.keys())
def test_a_wrong_fleet_is_refused_naming_the_field(tmp_path, document, problem):
    path = tmp_path / "fleet.json"
    path.write_text(json.dumps(document))
    with pytest.raises(FleetError, match=problem) as caught:
        load_fleet(path, load())
    assert caught.value.file == "fleet.json"


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [("fleet.toml", b"seed = \n", "line 1"), ("fleet.json", b"{", "line 1"), ("fleet.toml", b"\xff", "is not UTF-8")],
)
def test_what_is_no_document_is_refused(tmp_path, name, content, problem):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FleetError, match=problem):
        load_fleet(path, load())


def test_a_missing_file_is_one_clear_line(tmp_path):
    with pytest.raises(FleetError, match="cannot be read: No such file"):
        load_fleet(tmp_path / "none.toml", load())
