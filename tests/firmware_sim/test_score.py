"""Warnings and orders against ground truth: by hand, in the database, and on the command line."""

import json
from datetime import UTC, datetime, timedelta
from itertools import count

import psycopg
import pytest
from typer.testing import CliRunner

from watchkeep_core.errors import SettingsError
from watchkeep_core.estate import (
    Area,
    Building,
    Community,
    Contract,
    Equipment,
    Estate,
    Gateway,
    Handover,
    Link,
    Organisation,
    Warranty,
    save,
)
from watchkeep_firmware_sim import score_ledger, score_read
from watchkeep_firmware_sim.commands import app
from watchkeep_firmware_sim.errors import LedgerError, ScoreTooLow
from watchkeep_firmware_sim.score import Order, Site, Warning, score
from watchkeep_firmware_sim.score_ledger import Run, Truth
from watchkeep_firmware_sim.score_report import demand, parse_demands

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BEGIN = NOW - timedelta(hours=3)
LIFT, PROPERTY = "lift_maintainer", "property_company"
PARTIES = frozenset({LIFT, PROPERTY, "utility_water", "developer", "integrator"})
numbers = count(1)


def at(minutes):
    return BEGIN + timedelta(minutes=minutes)


def fault(scenario="elevator_door_fault", equipment="lift-1", expects=("door_close_fail", "door_held_open"), **more):
    fields = {
        "fault": next(numbers),
        "scenario": scenario,
        "community": "c1",
        "equipment": equipment,
        "kind": "elevator",
        "expects_any": list(expects),
        "begins": at(10),
        "ends": at(25),
        "recovered": at(25),
    }
    return Truth(**(fields | more))


def warn(condition="door_close_fail", equipment="lift-1", minutes=10.5, *, seen=None, **more):
    fields = {
        "warning_id": next(numbers),
        "community": "c1",
        "equipment": equipment,
        "condition": condition,
        "event_at": at(minutes),
        "detected_at": at(minutes if seen is None else seen),
        "verdict": "filed by at_once",
    }
    return Warning(**(fields | more))


def order(case, condition="door_close_fail", case_class="B", *roles):
    return Order(case_id=case, condition=condition, case_class=case_class, roles=frozenset(roles or {LIFT}))


def compare(faults, warnings=(), orders=(), sites=None, *, speed=1.0, hours=3.0):
    run = Run(begins=BEGIN, ends=BEGIN + timedelta(hours=hours), speed=speed, points={"c1": 80})
    known = {("c1", name): Site(parties=PARTIES) for name in ("lift-1", "lift-2", "mains-1", "tank-1")} | (sites or {})
    return score([run], faults, list(warnings), list(orders), known, NOW)


def whats(report):
    return [(finding.what, finding.condition) for finding in report.findings]


def test_a_warning_that_was_expected_is_a_hit_with_its_delay():
    report = compare([fault()], [warn(case_id=1)], [order(1)])
    assert (report.total.recall, report.precision, report.hits, whats(report)) == (1, 1, 1, [])
    assert report.total.delay_median_s == 30
    assert report.conditions[0].condition == "door_close_fail"


def test_a_fault_without_a_warning_is_missed():
    report = compare([fault(), fault(equipment="lift-2")], [warn(case_id=1)], [order(1)])
    assert report.total.recall == 0.5
    assert whats(report) == [("missed", "door_close_fail")]


def test_a_fault_that_still_goes_on_counts_neither_way():
    report = compare([fault(begins=NOW - timedelta(minutes=1), ends=NOW + timedelta(minutes=9))])
    assert (report.total.faults, report.total.pending, report.total.recall) == (0, 1, None)


def test_an_unexpected_warning_is_false_and_counted_per_point_day():
    report = compare([], [warn("noise_high"), warn("noise_high", "lift-2")])
    assert report.precision == 0
    assert report.false_per_1000_point_days == pytest.approx(2 / (80 * 3 / 24) * 1000)
    assert whats(report) == [("false", "noise_high")] * 2


@pytest.mark.parametrize(("minutes", "seen", "false"), [(4, 4, 1), (6, 6, 0), (39, 39, 0), (41, 41, 1), (-600, 12, 0)])
def test_a_warning_counts_while_its_fault_lasts_and_a_little_beyond(minutes, seen, false):
    report = compare([fault()], [warn(minutes=minutes, seen=seen, case_id=1)], [order(1)])
    assert report.total.false_warnings == false


def test_what_a_scenario_allows_is_a_symptom_not_a_hit():
    report = compare([fault(also=["door_cycling"])], [warn("door_cycling")])
    assert (report.symptoms, report.hits, report.total.false_warnings) == (1, 0, 0)
    assert whats(report) == [("missed", "door_close_fail")]


def test_a_star_allows_everything_at_this_equipment_only():
    anything = fault("sensor_impossible", expects=["sensor_impossible_value"], also=["*"])
    report = compare([anything], [warn("noise_high"), warn("noise_high", "lift-2")])
    assert (report.symptoms, report.total.false_warnings) == (1, 1)


def test_symptoms_of_a_parent_are_no_false_warnings_and_may_be_folded():
    power = fault("building_power_loss", "mains-1", ["power_loss"], kind="power_supply", also=["out_of_service"])
    below = {("c1", "lift-1"): Site(parents=frozenset({"mains-1"}), parties=PARTIES)}
    warnings = [
        warn("power_loss", "mains-1", case_id=1),
        warn("power_loss", "lift-1", case_id=1, role="symptom"),
        warn("out_of_service", "lift-1", case_id=2, role="cause"),
        warn("noise_high", "lift-1"),
    ]
    orders = [order(1, "power_loss", "B", PROPERTY), order(2, "out_of_service", "C")]
    report = compare([power], warnings, orders, below)
    assert (report.hits, report.symptoms, report.symptoms_folded) == (1, 2, 1)
    assert whats(report) == [("false", "noise_high")]


def test_what_another_fault_brought_about_need_not_be_found_but_may():
    power = fault("building_power_loss", "mains-1", ["power_loss"], kind="power_supply")
    child = fault("power_loss", "lift-1", ["power_loss"], cause=power.fault)
    report = compare(
        [power, child], [warn("power_loss", "mains-1", case_id=1)], [order(1, "power_loss", "B", PROPERTY)]
    )
    assert (report.total.faults, report.total.recall) == (1, 1)
    again = compare([power, child], [warn("power_loss", "lift-1")])
    assert (again.symptoms, again.total.recall) == (1, 0)


def test_the_same_warning_again_is_a_duplicate():
    warnings = [warn(minutes=11, case_id=1), warn(minutes=12, case_id=1), warn(minutes=13, case_id=1)]
    report = compare([fault()], warnings, [order(1)])
    assert report.total.duplicates == 2
    assert whats(report) == [("duplicate", "door_close_fail")]


def test_a_second_order_for_one_fault_is_one_too_many():
    warnings = [warn(case_id=1), warn("door_held_open", minutes=11, case_id=2)]
    report = compare([fault()], warnings, [order(1), order(2, "door_held_open", "C")])
    assert report.total.extra_orders == 1
    assert report.total.duplicates == 0


def test_a_hit_without_an_order_is_missing_one_unless_its_verdict_waits():
    missing = compare([fault()], [warn(verdict="suppressed by storm")])
    assert whats(missing) == [("missing_order", "door_close_fail")]
    assert "suppressed by storm" in missing.findings[0].detail
    waiting = compare([fault()], [warn(verdict=None)])
    assert (waiting.total.missing_orders, waiting.total.waiting_orders) == (0, 1)


def water(**site):
    truth = fault("tank_level_low", "tank-1", ["tank_level_low"], kind="water_tank")
    warnings = [warn("tank_level_low", "tank-1", case_id=1)]
    where = {("c1", "tank-1"): Site(**({"parties": PARTIES} | site))}
    return lambda *roles: compare([truth], warnings, [order(1, "tank_level_low", "B", *roles)], where)


@pytest.mark.parametrize(
    ("site", "right", "wrong"),
    [
        ({}, PROPERTY, "utility_water"),
        ({"handed_over": True}, "utility_water", PROPERTY),
        ({"ownership": "utility"}, "utility_water", PROPERTY),
        ({"in_warranty": True}, "developer", PROPERTY),
        ({"in_warranty": True, "handed_over": True}, "utility_water", "developer"),
        ({"handed_over": True, "parties": frozenset({PROPERTY})}, PROPERTY, LIFT),
    ],
)
def test_the_party_depends_on_hand_over_ownership_and_warranty(site, right, wrong):
    assert whats(water(**site)(right)) == []
    assert whats(water(**site)(wrong)) == [("wrong_party", "tank_level_low")]


def test_one_organisation_may_be_several_parties():
    assert whats(water()(LIFT, PROPERTY)) == []


@pytest.mark.parametrize(
    ("case_class", "also", "wrong"), [("B", [], 0), ("C", [], 1), ("A", [], 1), ("A", ["entrapment"], 0)]
)
def test_a_class_may_rise_only_to_that_of_something_allowed(case_class, also, wrong):
    report = compare([fault(also=also)], [warn(case_id=1)], [order(1, "door_close_fail", case_class)])
    assert report.total.wrong_class == wrong


def test_the_delay_of_a_growing_fault_counts_from_the_broken_limit():
    slow = fault(failed_at=at(20))
    assert compare([slow], [warn(minutes=18)]).total.delay_median_s == -120
    assert compare([slow], [warn(minutes=22)]).total.delay_p95_s == 120


def test_in_a_fast_run_event_time_counts():
    late = warn(minutes=11, seen=170)
    assert compare([fault()], [late]).total.delay_median_s == 9600
    assert compare([fault()], [late], speed=60.0).total.delay_median_s == 60


def test_the_later_of_two_faults_is_the_one_that_was_found():
    first, second = fault(ends=at(12), recovered=at(12)), fault(begins=at(14), ends=at(30), recovered=at(30))
    report = compare([first, second], [warn(minutes=15, case_id=1)], [order(1)])
    assert report.total.detected == 1
    assert report.total.delay_median_s == 60


# --- the ledger


def ledger(tmp_path, *lines, name="faults.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


RUN = {"what": "run", "t": BEGIN.isoformat(), "seed": 1, "speed": 1.0, "points": {"garden": 40}}
STARTS = {
    "what": "fault_start",
    "t": at(10).isoformat(),
    "fault": 1,
    "scenario": "tank_level_low",
    "community": "garden",
    "equipment": "tank-1",
    "kind": "water_tank",
    "expects_any": ["tank_level_low"],
    "also": [],
    "ends_at": at(40).isoformat(),
    "recovered_at": at(60).isoformat(),
    "failed_at": None,
    "duties": {"tank_level_low": {"class": "B", "party": PROPERTY, "handed_over": "utility_water"}},
}
STOPS = STARTS | {"what": "fault_stop", "t": at(40).isoformat(), "failed_at": at(12).isoformat()}
ENDS = {"what": "end", "t": at(120).isoformat(), "readings_sent": 5}


def test_a_ledger_is_read_back(tmp_path):
    lane = {"what": "lane", "gateway": "garden/g1", "kind": 3, "points": "of the load fleet"}
    runs, faults = score_ledger.read(ledger(tmp_path, RUN, STARTS, lane, STOPS, ENDS, RUN, STARTS), NOW)
    assert [run.ends for run in runs] == [at(120), NOW]
    assert runs[0].point_days() == pytest.approx(40 * 2 / 24)
    assert [(truth.run, truth.failed_at, truth.ends) for truth in faults] == [(0, at(12), at(40)), (1, None, at(40))]
    assert faults[0].duty("tank_level_low").handed_over == "utility_water"
    assert faults[0].duty("fire_alarm").party == "control_room"


def test_a_ledger_of_before_has_no_duties_and_is_read_all_the_same(tmp_path):
    old = {key: value for key, value in STARTS.items() if key in ("what", "t", "fault", "scenario", "community")}
    old |= {"equipment": "tank-1", "kind": "water_tank", "expects_any": ["tank_level_low"]}
    _, faults = score_ledger.read(ledger(tmp_path, RUN, old), NOW)
    assert faults[0].duty("tank_level_low").party == PROPERTY


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: is no beginning of a run"),
        ('{"what": "end", "t": "2026-11-22T00:00:00Z"}\n', "line 1: is no beginning of a run"),
        ('{"what": "run", "t": "2026-11-22T00:00:00Z"}\n{"what"\n', "faults.jsonl: line 2"),
        ('{"what": "run", "t": "yesterday"}\n', "line 1: .*datetime"),
    ],
)
def test_a_broken_ledger_is_refused_naming_the_line(tmp_path, text, problem):
    path = tmp_path / "faults.jsonl"
    path.write_text(text)
    with pytest.raises(LedgerError, match=problem):
        score_ledger.read(path, NOW)


def test_a_missing_ledger_is_one_clear_line(tmp_path):
    with pytest.raises(LedgerError, match="cannot be read"):
        score_ledger.read(tmp_path / "none.jsonl", NOW)


# --- the database


def estate():
    today = NOW.date()
    return Estate(
        areas=[Area(area_id="city", kind="city", name="市")],
        organisations=[
            Organisation(org_id="firm", kind="property_company", name="物业", area_id="city"),
            Organisation(org_id="water", kind="utility_water", name="水务", area_id="city"),
            Organisation(org_id="lifts", kind="lift_maintainer", name="电梯", area_id="city"),
            Organisation(org_id="builder", kind="developer", name="建设", area_id="city"),
        ],
        communities=[
            Community(
                community_id="garden",
                name="园",
                area_id="city",
                property_org_id="firm",
                buildings=[Building(building_id="b1", name="1号楼", storeys=6)],
                handovers=[Handover(domain="water", to_org_id="water", handed_over_on=today - timedelta(days=9))],
                contracts=[
                    Contract(
                        contract_id="k1",
                        kind="lift_maintainer",
                        provider_org_id="lifts",
                        since=today - timedelta(days=9),
                        until=today + timedelta(days=9),
                        equipment_kinds=["elevator"],
                    )
                ],
                gateways=[Gateway(gateway_id="g1", name="网关", equipment_id="gateway-1")],
                equipment=[
                    Equipment(equipment_id="gateway-1", kind="gateway", name="网关"),
                    Equipment(equipment_id="mains-1", kind="power_supply", name="配电"),
                    Equipment(
                        equipment_id="tank-1",
                        kind="water_tank",
                        name="水箱",
                        metrics=["water_level"],
                        gateway_id="g1",
                        links=[Link(relation="powered_by", to="mains-1")],
                        warranty=Warranty(developer_org_id="builder", valid_until=today + timedelta(days=9)),
                    ),
                    Equipment(equipment_id="lift-1", kind="elevator", name="电梯"),
                ],
            )
        ],
    )


@pytest.fixture
def world(database):
    """A community whose tank had one fault, found, with a case and an order to the water utility."""
    with psycopg.connect(database.admin_url, options="-c role=watchkeep_owner") as conn:
        save(conn, estate())
        warning = conn.execute(
            "INSERT INTO warnings (community_id, equipment_id, condition, tier, proposed_class, event_at, detected_at, "
            "last_seen_at, detector, version, evidence, sentence_zh, sentence_en) VALUES ('garden', 'tank-1', "
            "'tank_level_low', 'alarm', 'B', %(t)s, %(t)s, %(t)s, 'limits', '1', '{}', '低', 'low') "
            "RETURNING warning_id",
            {"t": at(13)},
        ).fetchone()
        case = conn.execute(
            "INSERT INTO cases (community_id, equipment_id, condition, source, class, state, title_zh, title_en, "
            "event_at, filed_at) VALUES ('garden', 'tank-1', 'tank_level_low', 'sensor', 'B', 'dispatched', '低', "
            "'low', %(t)s, %(t)s) RETURNING case_id",
            {"t": at(13)},
        ).fetchone()
        assert warning
        assert case
        keys = {"w": warning[0], "c": case[0], "t": at(14)}
        conn.execute("INSERT INTO case_warnings VALUES (%(w)s, %(c)s, 'cause')", keys)
        conn.execute(
            "INSERT INTO verdicts (warning_id, verdict, rule, reason, at) "
            "VALUES (%(w)s, 'filed', 'at_once', '-', %(t)s)",
            keys,
        )
        conn.execute(
            "INSERT INTO orders (case_id, community_id, equipment_id, org_id, state, dispatched_at) "
            "VALUES (%(c)s, 'garden', 'tank-1', 'water', 'dispatched', %(t)s)",
            keys,
        )
    return database


def test_the_database_tells_warnings_orders_and_who_is_who(world):
    with psycopg.connect(world.url("watchkeep_dispatch")) as conn, conn.transaction():
        warnings, orders, sites = score_read.read(conn, ["garden"], BEGIN, at(120))
    assert [(w.condition, w.role, w.verdict) for w in warnings] == [("tank_level_low", "cause", "filed by at_once")]
    assert [(o.case_class, o.roles) for o in orders] == [("B", frozenset({"utility_water"}))]
    tank, lift = sites["garden", "tank-1"], sites["garden", "lift-1"]
    assert (tank.handed_over, tank.in_warranty, tank.parents) == (True, True, frozenset({"mains-1", "gateway-1"}))
    assert (lift.handed_over, lift.in_warranty) == (False, False)
    assert lift.parties >= {"property_company", "utility_water", "lift_maintainer", "developer"}
    assert "lift_maintainer" not in tank.parties, "its contract is for lifts only"


def test_reading_cannot_write(world):
    with psycopg.connect(world.url("watchkeep_dispatch")) as conn, conn.transaction(force_rollback=True):
        score_read.read(conn, ["garden"], BEGIN, at(120))
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            conn.execute("UPDATE cases SET version = 2")


def run_score(world, path, *options):
    environ = {"WATCHKEEP_DATABASE_URL": world.url("watchkeep_dispatch"), "COLUMNS": "200"}
    return CliRunner().invoke(app, ["score", "--ledger", str(path), *options], env=environ)


def test_the_score_is_a_table_for_people_and_json_for_scripts(world, tmp_path):
    path = ledger(tmp_path, RUN, STARTS, STOPS, ENDS)
    told = json.loads(run_score(world, path, "--json", "--require", "recall=1,wrong_party=0").stdout)
    assert told["total"]["recall"] == 1
    assert told["precision"] == 1
    assert told["findings"] == []
    assert told["total"]["delay_median_s"] == 60
    table = run_score(world, path).stdout
    assert "tank_level_low" in table
    assert "100.0%" in table


def test_what_is_required_and_not_reached_fails(world, tmp_path):
    path = ledger(tmp_path, RUN, STARTS, STOPS, STARTS | {"fault": 2, "equipment": "lift-1"}, ENDS)
    result = run_score(world, path, "--require", "recall=0.9,delay_p95_s=120")
    assert isinstance(result.exception, ScoreTooLow)
    assert str(result.exception) == "recall is 0.5, required >= 0.9"
    assert "missed" in result.stdout, "the table comes first"


@pytest.mark.parametrize(
    ("text", "problem"), [("speed=1", "no figure 'speed'"), ("recall=high", "recall: 'high' is not a number")]
)
def test_a_demand_that_makes_no_sense_is_refused(text, problem):
    with pytest.raises(SettingsError, match=problem):
        parse_demands(text)


def test_a_figure_that_there_is_none_of_is_not_reached():
    report = compare([])
    with pytest.raises(ScoreTooLow, match="recall is unknown"):
        demand(report, parse_demands("recall=0.5"))
    demand(report, parse_demands("false_warnings=0,false_per_1000_point_days=1"))
