"""The README says what there is."""

from pathlib import Path

import pytest
from prometheus_client import Counter

from watchkeep_core.vocabulary import load
from watchkeep_firmware_sim import fleet, metrics
from watchkeep_firmware_sim.scenario import scenarios
from watchkeep_firmware_sim.scenario_duties import expected
from watchkeep_firmware_sim.settings import SimSettings

FOLDER = Path(__file__).parents[2] / "firmware-sim"
README = (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("field", SimSettings.model_fields)
def test_every_setting_is_documented(field):
    assert f"`{field}`" in README


def test_every_metric_is_documented():
    counters = [value for value in vars(metrics).values() if isinstance(value, Counter)]
    names = {f"{counter._name}_total" for counter in counters}
    assert names == {word.strip("`") for word in README.split() if word.startswith("`watchkeep_sim_")}


def test_every_scenario_is_documented_with_what_it_should_lead_to():
    rows = {
        line.split("`")[1]: line for line in README.splitlines() if line.startswith("| `") and line.endswith(" s |")
    }
    assert rows.keys() == scenarios().keys()
    for name, scenario in scenarios().items():
        duty = expected(scenario.expects[0], scenario.kinds[0]) if scenario.expects else None
        class_and_party = f"{duty.case_class} {duty.party}" if duty else ""
        told = f"| {class_and_party} | {', '.join(scenario.expects) or 'nothing'} | {scenario.for_s:g} s |"
        assert rows[name].endswith(told), name
        assert ("⋯" in rows[name]) == bool(scenario.gradual_s), name


def test_the_example_fleet_is_valid():
    found = fleet.load(FOLDER / "fleet-example.toml", load())
    assert {device.transport for device in found.device} == {"mqtt", "modbus"}
    assert found.fault
