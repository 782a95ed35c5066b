"""The command line, what may be imported, and that the README says what the code does."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.gateway.conftest import BRIDGE, make_spool
from tests.gateway.modbus_peer import simulator
from tests.gateway.test_spool import put, reading
from watchkeep_core.settings import variable
from watchkeep_gateway.commands import app
from watchkeep_gateway.errors import ConfigError, SpoolFailed
from watchkeep_gateway.metrics import Metrics
from watchkeep_gateway.settings import GatewaySettings
from watchkeep_gateway.values import Delivery, Readings

README = (Path(__file__).parents[2] / "gateway" / "README.md").read_text(encoding="utf-8")

IMPORTS = """
import importlib, pkgutil, sys, watchkeep_gateway
for module in pkgutil.walk_packages(watchkeep_gateway.__path__, "watchkeep_gateway."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(*sorted(sys.modules))
"""


def invoke(*arguments: str) -> Any:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_nothing_heavy_is_imported() -> None:
    answer = subprocess.run([sys.executable, "-c", IMPORTS], check=True, capture_output=True, text=True)
    loaded = set(answer.stdout.split())
    assert "watchkeep_gateway.drivers.modbus.driver" in loaded
    assert not loaded & {"numpy", "psycopg", "psycopg_pool", "sklearn", "scipy", "watchkeep_core.database"}


def test_check(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(BRIDGE, encoding="utf-8")
    found = invoke("check", str(file))
    assert (found["ok"], found["mqtt_user"], found["devices"], found["points"]) == (True, "c1/g1", 2, 1)
    assert found["bridges"] == ["field/c1/g1"]
    file.write_text(BRIDGE.replace("elevator", "elevatr"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"device\[0\]\.kind"):
        invoke("check", str(file))


def test_one_line_and_no_trace_for_a_mistake(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "watchkeep_gateway", "check", str(tmp_path / "none.toml")]
    answer = subprocess.run(command, check=False, capture_output=True, text=True)
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr == f"watchkeep: {tmp_path}/none.toml: cannot read it: No such file or directory\n"


def test_status_and_rejected(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    put(spool, 0)
    spool.put(Delivery(Readings.of([reading(0, "no_such_metric")]))).result(60)
    found = invoke("status", "--json", "--spool-dir", str(tmp_path))  # while the gateway runs
    spool.close()
    assert found["lanes"]["data"]["messages"] == 1
    assert found["lanes"]["data"]["oldest_s"] >= 0
    assert found["rejected_kept"] == 1
    (kept,) = invoke("rejected", "--spool-dir", str(tmp_path))
    assert kept["reason"] == "unknown_metric"
    with pytest.raises(SpoolFailed, match="no spool at"):
        invoke("status", "--spool-dir", str(tmp_path / "none"))


def test_probe(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    table = """
[gateway]
community = "c1"
id = "g1"
[[device]]
equipment = "pump-1"
kind = "supply_pump"
[[modbus_tcp]]
name = "{name}"
host = "127.0.0.1"
port = {port}
unit = {unit}
equipment = "pump-1"
timeout_s = 0.3
registers = [{{ metric = "{metric}", address = 4, type = "float32" }}]
"""
    with simulator(1) as port:
        text = table.format(name="good", port=port, unit=1, metric="total_running_time")
        text += (
            table.split("[[modbus_tcp]]")[1]
            .join(["[[modbus_tcp]]", ""])
            .format(name="dead", port=1, unit=1, metric="phase_loss")
        )
        file.write_text(text, encoding="utf-8")
        failed = CliRunner().invoke(app, ["probe", str(file), "--json"])
        people = CliRunner().invoke(app, ["probe", str(file)], env={"COLUMNS": "80"})
    good, dead = json.loads(failed.stdout)
    assert good["ok"]
    assert good["values"] == [
        {
            "equipment": "pump-1",
            "metric": "total_running_time",
            "value": 41.5,
            "unit": "h",
            "registers": [0x4226, 0],
            "at": "holding 4",
            "meaning": "",
            "why": "",
        }
    ]
    assert (dead["name"], dead["ok"], dead["why"]) == ("dead", False, "no connection to 127.0.0.1:1")
    assert failed.exit_code == people.exit_code == 1
    for word in ("total_running_time", "41.5", "4226 0000", "holding 4", "no connection to 127.0.0.1:1"):
        assert word in people.stdout


def test_the_readme_has_every_setting() -> None:
    documented = set(re.findall(r"`(WATCHKEEP_[A-Z_]+)`", README))
    for field in GatewaySettings.model_fields:
        assert variable(GatewaySettings, field) in documented, field
    known = {variable(GatewaySettings, field) for field in GatewaySettings.model_fields}
    assert (
        not {name for name in documented if name.startswith("WATCHKEEP_GATEWAY_")}
        - known
        - {"WATCHKEEP_GATEWAY_MQTT_PASSWORD_FILE"}
    )


def test_the_readme_has_every_metric(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    metrics = Metrics()
    metrics.watch_spool(lambda: spool.lanes, lambda _: 0)
    names = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in metrics.registry.collect()
        if family.name.startswith("watchkeep_")
    }
    spool.close()
    assert set(re.findall(r"`(watchkeep_gateway_[a-z_]+)", README)) == names
