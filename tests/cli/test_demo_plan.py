"""What the demo promises to let fail can be seen in the time that its plan says, played in virtual time."""

import shlex
from datetime import date

import pytest

from tests.docs.test_commands import trouble
from watchkeep_analytics.detectors.silence import PERIODS, SHORTEST_S
from watchkeep_cli.bench_demo import _score_measures
from watchkeep_cli.demo.crowd import Crowd, totals
from watchkeep_cli.demo.estate import demo_estate
from watchkeep_cli.demo.field import FAULTS, write_fleet
from watchkeep_core.errors import SettingsError
from watchkeep_core.vocabulary import load
from watchkeep_firmware_sim.fleet import load as load_fleet
from watchkeep_firmware_sim.score import Finding, Report
from watchkeep_firmware_sim.score_rows import Row
from watchkeep_firmware_sim.simulation import DeviceEvent, FaultNote, Simulation

START = 1_795_000_000.0
JUDGED_S = 10.0
"""From the reading to the order, with the batch that a gateway sends together."""


@pytest.fixture(scope="module")
def seen_at(tmp_path_factory):
    """Fault's equipment → seconds after the start when nobody has an excuse any more not to see it."""
    path = tmp_path_factory.mktemp("demo") / "fleet.toml"
    write_fleet(path, demo_estate(date(2026, 11, 22)), {"harbour": 1, "orchard": 2})
    words, ends = load(), START + max(fault.order_by_s for fault in FAULTS)
    outputs = list(Simulation(load_fleet(path, words), words, START).run_to(ends))
    events = [output for output in outputs if isinstance(output, DeviceEvent)]
    found = {}
    for note in (output for output in outputs if isinstance(output, FaultNote) and output.begins):
        moments = [event.t_ms / 1000 for event in events if event.device is note.device]
        moments += [note.fault.qualified_at] if note.fault.qualified_at else []
        if note.fault.scenario.silent:
            periods = [period for name in note.device.metrics if (period := words.metrics[name].period_s) > 0]
            moments.append(note.fault.begins + max(PERIODS * min(periods), SHORTEST_S))
        found[note.device.name] = min(moments, default=float("inf")) - START
    return found


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.scenario)
def test_each_planned_fault_shows_in_time_for_its_order(fault, seen_at):
    assert seen_at[fault.equipment] + JUDGED_S < fault.order_by_s


def test_all_of_it_happens_in_the_three_minutes_that_the_pages_promise(seen_at):
    assert max(fault.order_by_s for fault in FAULTS) <= 180
    assert len(seen_at) == len(FAULTS) == 7


def test_the_bench_asks_for_those_faults_whose_order_was_due():
    late = max(FAULTS, key=lambda fault: fault.order_by_s)
    missed = Finding(what="missed", equipment=late.equipment, condition="any", detail="")
    row = Row(condition="total", faults=7, detected=6)
    report = Report(
        total=row,
        precision=None,
        warnings=0,
        hits=0,
        symptoms=0,
        symptoms_folded=0,
        point_days=0.0,
        false_per_1000_point_days=None,
        conditions=[],
        findings=[missed],
    )
    for seconds, due, share in ((late.order_by_s, 7, 6 / 7), (late.order_by_s - 1, 6, 1.0), (20.0, 0, 1.0)):
        measures = {measure.name: measure for measure in _score_measures(report, seconds)}
        assert measures["planned faults with an order due by the end"].value == due
        assert measures["planned faults found"].value == pytest.approx(share)


@pytest.mark.parametrize(
    ("points", "rate", "names"), [(499, 1, "--points"), (1_000_001, 1, "--points"), (500, 0, "--rate")]
)
def test_a_crowd_that_cannot_be_is_refused(points, rate, names):
    with pytest.raises(SettingsError, match=names):
        Crowd(points, rate)


def test_a_crowd_is_let_in_by_the_communities_it_has(tmp_path):
    crowd = Crowd(12_000, 100.0)
    assert crowd.communities == ["crowd-01", "crowd-02", "crowd-03"]
    assert {rule.topic.split("/")[3] for rule in crowd.rules()} == set(crowd.communities)
    words = crowd.arguments("ledger")
    assert trouble(shlex.join(["watchkeep", *words])) is None
    assert words[words.index("--communities") + 1] == "3"
    log = tmp_path / "crowd.log"
    log.write_text('{"event": "started"}\n')
    assert totals(log) is None
    log.write_text('{"event": "started"}\n{\n  "readings": 5\n}\n')
    assert totals(log) == {"readings": 5}
