"""The configuration file: each mistake is refused with the file, the field and what is wrong."""

import re
from pathlib import Path

import pytest

from watchkeep_gateway.config import Config, points, report_rules
from watchkeep_gateway.config_file import read
from watchkeep_gateway.errors import ConfigError
from watchkeep_gateway.report import Rule

GOOD = """
[gateway]
community = "c1"
id = "g1"

[[mqtt_bridge]]

[[device]]
equipment = "pump-1"
kind = "supply_pump"

[[modbus_tcp]]
name = "pump-room"
host = "10.0.0.5"
equipment = "pump-1"
registers = [{ metric = "total_running_time", address = 10, type = "uint32" }]
"""

EXAMPLE = Path(__file__).parents[2] / "gateway" / "gateway.example.toml"


RTU = """
[[modbus_rtu]]
name = "serial"
line = "/dev/ttyUSB0"
equipment = "pump-1"
registers = [{ metric = "pump_flow", address = 10 }]
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "gateway.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_good(tmp_path: Path) -> None:
    config = read(write(tmp_path, GOOD))
    assert config.ref.user == "c1/g1"
    assert config.own_equipment == "g1"
    assert config.bridge_topic(config.mqtt_bridge[0]) == "field/c1/g1"
    assert points(config) == {("pump-1", "total_running_time", "h"): 10.0}


def test_the_heartbeat_is_the_period_of_a_point_that_is_sent_by_exception(tmp_path: Path) -> None:
    text = GOOD.replace("address = 10", "deadband = 1, heartbeat_s = 90, address = 10")
    text = text.replace(
        'kind = "supply_pump"',
        'kind = "supply_pump"\nmetrics = ["pump_flow", "pump_frequency"]\n'
        'report = [{ metric = "pump_flow", deadband_percent = 2 }]',
    )
    config = read(write(tmp_path, text))
    assert points(config) == {
        ("pump-1", "total_running_time", "h"): 90.0,
        ("pump-1", "pump_flow", "m3_per_h"): 60.0,
        ("pump-1", "pump_frequency", "Hz"): 60.0,
    }
    assert report_rules(config) == {
        ("pump-1", "total_running_time"): Rule(90.0, 1.0),
        ("pump-1", "pump_flow"): Rule(60.0, 0.0, 2.0),
    }


def test_the_example_is_right() -> None:
    config: Config = read(EXAMPLE)
    assert config.mqtt_bridge
    assert config.modbus_tcp
    assert config.modbus_rtu


BAD = [
    ('id = "g1"', 'id = "g 1"', "gateway.id", "matching regex"),
    ('id = "g1"', "", "gateway.id", "is missing"),
    ('id = "g1"', 'id = "g1"\nport = 3', "gateway.port", "no field here"),
    ('id = "g1"', 'id = "g1"\nequipmnt = "g"', "gateway.equipmnt", "did you mean 'equipment'?"),
    ("[[mqtt_bridge]]", "[spool]\nmax_bytes = 10", "spool.max_bytes", ">= 1000000"),
    ("[[mqtt_bridge]]", '[[mqtt_bridge]]\nundeclared = "maybe"', "mqtt_bridge[0].undeclared", "maybe"),
    ("[[mqtt_bridge]]", '[[mqtt_bridge]]\ntopic = "a/#"', "mqtt_bridge[0].topic", "without wildcards"),
    ("[[mqtt_bridge]]", '[[mqtt_bridge]]\ntopic = "wk/1"', "mqtt_bridge[0].topic", "own"),
    ("[[mqtt_bridge]]", '[[mqtt_bridge]]\nuser = "x"', "mqtt_bridge[0].url", "needed"),
    ("[[mqtt_bridge]]", '[[mqtt_bridge]]\nurl = "http://x"', "mqtt_bridge[0].url", "must begin with mqtt"),
    ("[[mqtt_bridge]]", '[[mqtt_bridge]]\nurl = "mqtt://x"', "mqtt_bridge[0].user", "needed"),
    ("[[mqtt_bridge]]", "[[mqtt_bridge]]\n[[mqtt_bridge]]", "mqtt_bridge[1].name", "twice"),
    ('kind = "supply_pump"', 'kind = "pmup"', "device[0].kind", "no kind"),
    ('kind = "supply_pump"', 'kind = "supply_pump"\nvendor_profile = "x"', "device[0].vendor_profile", "java_gateway"),
    ('kind = "supply_pump"', 'kind = "supply_pump"\nmetrics = ["x"]', "device[0].metrics[0]", "no metric"),
    ('kind = "supply_pump"', 'kind = "supply_pump"\nmetrics = ["car_floor"]', "device[0].metrics[0]", "supply_pump"),
    (
        "[[modbus_tcp]]",
        '[[device]]\nequipment = "pump-1"\nkind = "supply_pump"\n[[modbus_tcp]]',
        "device[1].equipment",
        "twice",
    ),
    ('host = "10.0.0.5"', 'host = "10.0.0.5"\nport = 70000', "modbus_tcp[0].port", "<= 65535"),
    ('host = "10.0.0.5"', 'host = "10.0.0.5"\nport = "502"', "modbus_tcp[0].port", "int"),
    ('equipment = "pump-1"\nreg', 'equipment = "pump-2"\nreg', "modbus_tcp[0].registers[0].equipment", "pump-2"),
    ("address = 10", "address = 65535", "modbus_tcp[0].registers[0].address", "last register"),
    ("address = 10", "address = 10, scale = 0", "modbus_tcp[0].registers[0].scale", "0"),
    ("address = 10", 'address = 10, kind = "coil"', "modbus_tcp[0].registers[0].type", "coil"),
    ('type = "uint32"', 'type = "bit"', "modbus_tcp[0].registers[0].bit", "needed"),
    ('type = "uint32"', 'type = "uint32", bit = 3', "modbus_tcp[0].registers[0].bit", "only there"),
    ('"total_running_time"', '"running"', "modbus_tcp[0].registers[0].metric", "no metric of the vocabulary"),
    (
        'type = "uint32" }]',
        'type = "uint32" }, { metric = "total_running_time", address = 1 }]',
        "modbus_tcp[0].registers[1].metric",
        "twice",
    ),
]


REGISTER = "modbus_tcp[0].registers[0]"
BAD += [
    ("address = 10", "address = 10, unit = 'MPa'", f"{REGISTER}.unit", "cannot become h; known are h, s, min, day"),
    ("address = 10", "address = 10, map = { 1 = 2 }, scale = 2", f"{REGISTER}.map", "not together with scale"),
    ("address = 10", "address = 10, map = { x = 2 }", f"{REGISTER}.map.x", "no whole number"),
    ("address = 10", "address = 10, map = { 1 = 'on' }", f"{REGISTER}.map.1", "has no states"),
    ('type = "uint32"', 'type = "string"', f"{REGISTER}.map", "needed with type string"),
    ('type = "uint32"', 'type = "string", map = { a = 1 }', f"{REGISTER}.length", "needed with type string"),
    ('type = "uint32"', "length = 2", f"{REGISTER}.length", "only there"),
    ('type = "uint32"', 'type = "bit", bit = 12, width = 5', f"{REGISTER}.width", "16 at most"),
    ('type = "uint32"', 'type = "unit32"', f"{REGISTER}.type", "did you mean 'uint32'?"),
    ("address = 10", "address = 10, order = 'ACBD'", f"{REGISTER}.order", "none of ABCD, CDAB, BADC, DCBA"),
    ("address = 10", "address = 10, heartbeat_s = 5", f"{REGISTER}.heartbeat_s", "shorter than period_s, 10"),
    ("address = 10", "address = 10, deadband = 1, deadband_percent = 1", f"{REGISTER}.deadband_percent", "either"),
    ("address = 10", "address = 10, deadband = -1", f"{REGISTER}.deadband", ">= 0"),
    ('"total_running_time", address', '"phase_loss", deadband = 1, address', f"{REGISTER}.deadband", "is a state"),
    (
        '"total_running_time", address',
        '"phase_loss", map = { 5 = 7 }, address',
        f"{REGISTER}.map.5",
        "phase_loss: 0 no, 1 yes",
    ),
    (
        '"total_running_time", address',
        '"pump_run_state", map = { 5 = "runing" }, address',
        f"{REGISTER}.map.5",
        "did you mean 'running'?",
    ),
    ("registers = [{", "events = [{ address = 1 }]\nregisters = [{", "modbus_tcp[0].events[0]", "vendor_profile"),
    (
        "registers = [{",
        "events = [{ address = 1, bit = 0, type = 'bit', condition = 'pump_fualt' }]\nregisters = [{",
        "modbus_tcp[0].events[0].condition",
        "did you mean 'pump_fault'?",
    ),
    (
        "registers = [{",
        "events = [{ address = 1, condition = 'pump_fault' }]\nregisters = [{",
        "modbus_tcp[0].events[0].condition",
        "must be bit",
    ),
    ("[[modbus_tcp]]", RTU.replace("serial", "pump-room") + "[[modbus_tcp]]", "modbus_rtu[0].name", "there twice"),
    ("[[modbus_tcp]]", RTU + "unit = 248\n[[modbus_tcp]]", "modbus_rtu[0].unit", "1 to 247"),
    (
        "[[modbus_tcp]]",
        RTU + RTU.replace("serial", "two").replace("pump_flow", "pump_frequency") + "parity = 'odd'\n[[modbus_tcp]]",
        "modbus_rtu[1].parity",
        "'serial' on the same line has 'none'",
    ),
    (
        'kind = "supply_pump"',
        'kind = "supply_pump"\nreport = [{ metric = "total_running_time", heartbeat_s = 5 }]',
        "device[0].report[0].heartbeat_s",
        "shorter than the 10 s at which it is read",
    ),
    (
        'kind = "supply_pump"',
        'kind = "supply_pump"\nreport = [{ metric = "pump_flwo" }]',
        "device[0].report[0].metric",
        "did you mean 'pump_flow'?",
    ),
]


@pytest.mark.parametrize(("old", "new", "field", "problem"), BAD, ids=[row[2] + " " + row[3] for row in BAD])
def test_a_mistake_names_file_and_field(tmp_path: Path, old: str, new: str, field: str, problem: str) -> None:
    assert old in GOOD
    file = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ConfigError, match=re.escape(problem)) as caught:
        read(file)
    (mistake,) = (one for one in caught.value.mistakes if one.field == field)
    assert problem in mistake.text
    assert f"{file}:{mistake.line}: {field}: {mistake.text}" in str(caught.value).split("\n")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[gateway\n", ".toml:1: "),
        ("[gateway]\nid = 1\nid = 2\n", ".toml:3: "),
        ("[gateway]\ncommunity = 'c1'\nid = 'g1'", "at least one driver"),
        ("", "gateway: is missing"),
        ("gateway = 3", ".toml:1: gateway: must be a table"),
        ("[[device]]\n[[device]]\nkind = 'pump'", ".toml:2: device[1].equipment: is missing"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(problem)):
        read(write(tmp_path, text))


MANY = """[gateway]
community = "c 1"
id = "g1"

[[device]]
equipment = "pump-1"
kind = "supply_pmup"

[[device]]
equipment = "pump-2"
kind = "supply_pump"
metrics = "pump_flow"

[[modbus_tcp]]
name = "one"
host = "10.0.0.5"
perod_s = 3
registers = [
  { metric = "pump_flow" },
  { metric = "pump_flow", equipment = "pump-2", address = 1 },
  # what follows stands on its own line
  { metric = "pump_flwo", address = 70_000 },
]
"""


def test_all_mistakes_are_told_at_once_each_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(write(tmp_path, MANY))
    told = [(mistake.line, mistake.field) for mistake in caught.value.mistakes]
    assert told == [
        (2, "gateway.community"),
        (7, "device[0].kind"),
        (12, "device[1].metrics"),
        (17, "modbus_tcp[0].perod_s"),
        (19, "modbus_tcp[0].registers[0].address"),
        (22, "modbus_tcp[0].registers[2].address"),
    ]
    assert "did you mean 'supply_pump'?" in str(caught.value)
    assert "did you mean 'period_s'?" in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'gateway.toml'}: 6 mistakes\n")


def test_what_is_checked_beside_a_broken_neighbour_keeps_its_place(tmp_path: Path) -> None:
    """Registers[0] cannot be read at all; the second is well formed and wrong."""
    text = GOOD.replace("[{ metric", '[{ address = 1 },\n{ metric = "pmup_flow", address = 3 },\n{ metric')
    with pytest.raises(ConfigError) as caught:
        read(write(tmp_path, text))
    told = [(mistake.field, mistake.text) for mistake in caught.value.mistakes]
    assert told[0] == ("modbus_tcp[0].registers[0].metric", "is missing")
    assert told[1][0] == "modbus_tcp[0].registers[1].metric"
    assert "did you mean 'pump_flow'?" in told[1][1]


def test_a_file_of_a_windows_editor(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert read(file).ref.user == "c1/g1"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("g1", "g 1").replace("\n", "\r\n").encode())
    with pytest.raises(ConfigError, match=r"toml:4: gateway\.id: "):
        read(file)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read(tmp_path / "none.toml")
