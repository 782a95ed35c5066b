"""The configuration file: each mistake is refused with the file, the field and what is wrong."""

import re
from pathlib import Path

import pytest

from watchkeep_gateway.config import Config, points
from watchkeep_gateway.config_file import read
from watchkeep_gateway.errors import ConfigError

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


def test_the_example_is_right() -> None:
    config: Config = read(EXAMPLE)
    assert config.mqtt_bridge
    assert config.modbus_tcp


BAD = [
    ('id = "g1"', 'id = "g 1"', "gateway.id", "matching regex"),
    ('id = "g1"', "", "gateway", "missing required field `id`"),
    ('id = "g1"', 'id = "g1"\nport = 3', "gateway", "unknown field `port`"),
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
    ("address = 10", "address = 65535", "modbus_tcp[0].registers[0].address", "second word"),
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


@pytest.mark.parametrize(("old", "new", "field", "problem"), BAD, ids=[row[2] + " " + row[3] for row in BAD])
def test_a_mistake_names_file_and_field(tmp_path: Path, old: str, new: str, field: str, problem: str) -> None:
    assert old in GOOD
    file = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ConfigError, match=re.escape(problem)) as caught:
        read(file)
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{file}: {field}: ")


@pytest.mark.parametrize(
    ("text", "problem"),
    [("[gateway\n", "line 1"), ("[gateway]\ncommunity = 'c1'\nid = 'g1'", "at least one driver"), ("", "`gateway`")],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(problem)):
        read(write(tmp_path, text))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read(tmp_path / "none.toml")
