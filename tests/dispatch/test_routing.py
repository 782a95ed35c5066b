"""Routing as one table of cases, and its two laws as properties."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeep_core.vocabulary import load
from watchkeep_dispatch.coverage import coverage
from watchkeep_dispatch.duty_file import default_list
from watchkeep_dispatch.routing import QUALIFIERS, Duty, Facts, choose, match

WORDS = load()
NAME, ROWS = default_list()


def row(number: int, **columns: Any) -> Duty:
    fixed: dict[str, Any] = {"title": "t", "title_en": "t", "case_class": "C", "basis": "b", "mark": "CP"}
    parties = {"first_responder": "property_company", "responsible": "property_company", "supervising": "subdistrict"}
    return Duty(**(fixed | parties | {"row_no": number} | columns))


def facts(condition: str, kind: str = "elevator", **columns: Any) -> Facts:
    known = WORDS.conditions[condition]
    usual: dict[str, Any] = {
        "ownership": "owners_common",
        "handed_over": False,
        "in_warranty": False,
        "areas": ("city", "town"),
        "urban": True,
    }
    own = {"condition": condition, "domain": known.domain, "kind": kind, "kind_domain": WORDS.kinds[kind].domain}
    return Facts(**(usual | own | columns))


LAW = [
    row(1),
    row(2, domain="elevator"),
    row(3, kind="elevator"),
    row(4, condition="brake_fault"),
    row(5, condition="brake_fault", kind="elevator"),
    row(6, condition="brake_fault", in_warranty=True),
    row(7, condition="door_close_fail", area_id="city"),
    row(8, condition="door_close_fail", area_id="town"),
    row(9, domain="elevator", ownership="owners_common", handed_over=False, urban=True),
    row(10, domain="power"),
]


NIGHT = [row(1, condition="entrapment"), row(2, condition="entrapment", working_time=False), row(3, contracted=False)]


@pytest.mark.parametrize(
    ("given_facts", "winner"),
    [
        (facts("entrapment"), 1),
        (facts("entrapment", working_time=False), 2),
        (facts("entrapment", contracted=False), 1),  # the condition goes before any qualifier
        (facts("noise_high", contracted=False), 3),
    ],
)
def test_a_row_may_ask_for_working_time_and_for_a_contract(given_facts: Facts, winner: int) -> None:
    found = choose(NIGHT, given_facts).winner
    assert found is not None
    assert found.row_no == winner
    assert {gap.rows for gap in coverage(NIGHT, WORDS).no_owner} == {()}


@pytest.mark.parametrize(
    ("given_facts", "winner"),
    [
        (facts("planned_supply_interruption", "building"), 1),
        (facts("noise_high", "escalator", urban=False), 2),
        (facts("noise_high", "escalator"), 9),  # same domain, more qualifiers
        (facts("noise_high"), 3),  # kind beats any number of qualifiers
        (facts("brake_fault", "escalator"), 4),  # condition beats domain and qualifiers
        (facts("brake_fault", "escalator", in_warranty=True), 6),
        (facts("brake_fault"), 5),
        (facts("brake_fault", in_warranty=True), 5),  # kind before qualifiers
        (facts("door_close_fail"), 8),  # the deeper area
        (facts("door_close_fail", areas=("city", "centre")), 7),
        (facts("door_close_fail", areas=()), 3),
        (facts("power_loss", "escalator", urban=False), 10),  # the condition's domain before the equipment's
    ],
)
def test_the_most_specific_row_wins(given_facts: Facts, winner: int) -> None:
    choice = choose(LAW, given_facts)
    assert choice.winner is not None
    assert choice.winner.row_no == winner
    assert f"row {winner} " in choice.why
    assert choice.tied == ()


DEFAULTS = [
    # condition, kind, qualifiers → class, first responder, responsible; respond, arrive, finish in minutes
    ("entrapment", "elevator", {}, "A", "property_company", "lift_maintainer", 3, 30, 60),
    ("alarm_button", "elevator", {"urban": False}, "A", "property_company", "lift_maintainer", 3, 60, 60),
    ("ucm", "elevator", {}, "A", "property_company", "lift_maintainer", 5, 30, 1440),
    ("door_close_fail", "elevator", {}, "B", "property_company", "lift_maintainer", 15, 60, 1440),
    ("door_close_fail", "elevator", {"in_warranty": True}, "B", "property_company", "developer", 15, 60, 1440),
    ("fire_alarm", "smoke_detector", {}, "A", "control_room", "control_room", 1, 3, None),
    ("fire_pump_fault", "fire_pump", {}, "A", "property_company", "fire_maintainer", 3, 120, 1440),
    ("fire_fault", "smoke_detector", {}, "C", "property_company", "fire_maintainer", 240, 1440, 4320),
    ("fire_static_pressure_low", "hydrant_system", {}, "B", "property_company", "fire_maintainer", 30, 120, 1440),
    ("fire_tank_low", "fire_tank", {}, "B", "property_company", "property_company", 30, 60, 480),
    ("residual_current_high", "power_supply", {}, "B", "property_company", "property_company", 15, 60, 1440),
    ("duty_check_unanswered", "control_room", {}, "B", "property_company", "property_company", 10, None, 30),
    ("supply_pressure_loss", "supply_pump_set", {}, "A", "property_company", "property_company", 10, 30, 480),
    (
        "supply_pressure_loss",
        "supply_pump_set",
        {"handed_over": True},
        "A",
        "property_company",
        "utility_water",
        10,
        30,
        480,
    ),
    (
        "supply_pressure_loss",
        "supply_pump_set",
        {"in_warranty": True},
        "A",
        "property_company",
        "developer",
        10,
        30,
        480,
    ),
    (
        "supply_pressure_loss",
        "supply_pump_set",
        {"handed_over": True, "in_warranty": True},
        "A",
        "property_company",
        "utility_water",
        10,
        30,
        480,
    ),
    ("pipe_burst", "dma_meter", {}, "A", "property_company", "property_company", 10, 60, 1440),
    ("turbidity_high", "water_tank", {"handed_over": True}, "A", "property_company", "utility_water", 15, 30, 240),
    ("pump_overload", "fire_pump", {}, "B", "property_company", "fire_maintainer", 30, 120, 1440),
    ("sump_level_high", "sump", {}, "A", "property_company", "property_company", 5, 15, 120),
    ("sewage_overflow", "manhole", {"ownership": "municipal"}, "B", "property_company", "municipal", 30, 60, 240),
    ("hotline_life_risk", "household", {}, "A", "property_company", "property_company", None, None, 120),
    ("unlicensed_building", "building", {}, "C", "property_company", "urban_management", 1440, None, 21600),
    ("gateway_offline", "gateway", {}, "C", "property_company", "integrator", 240, 1440, 2880),
    ("drift_towards_limit", "elevator", {}, "C", "property_company", "lift_maintainer", 240, 2880, 7200),
    ("drift_towards_limit", "supply_pump", {}, "C", "property_company", "property_company", 240, 2880, 7200),
    ("power_loss", "elevator", {}, "B", "property_company", "property_company", 15, 60, 480),
]


@pytest.mark.parametrize("case", DEFAULTS, ids=lambda case: f"{case[0]}-{case[1]}-{'-'.join(case[2])}")
def test_the_default_list_decides(case) -> None:
    condition, kind, qualifiers, *expected = case
    won = choose(ROWS, facts(condition, kind, **qualifiers)).winner
    assert won is not None
    clocks = [clock and clock.amount.total_seconds() / 60 for clock in (won.respond, won.arrive, won.finish)]
    assert [won.case_class, won.first_responder, won.responsible, *clocks] == expected


def test_every_condition_that_can_become_a_case_has_rows_of_its_own() -> None:
    named = {duty.condition for duty in ROWS}
    assert {condition.id for condition in WORDS.conditions.values() if condition.opens_warning} <= named
    assert {duty.domain for duty in ROWS if duty.condition is None} == {*WORDS.domains, None}


def test_classes_of_the_default_list_do_not_fall_below_the_vocabulary() -> None:
    lower = {
        duty.condition
        for duty in ROWS
        if duty.condition and duty.case_class > WORDS.conditions[duty.condition].default_class
    }
    assert lower == set()


@pytest.mark.slow
def test_the_default_list_covers_everything() -> None:
    found = coverage(ROWS, WORDS)
    assert found.combinations > 10_000
    assert (found.no_owner, found.two_owners, found.no_deadline, found.by_catch_all) == ((), (), (), 0)


def test_coverage_finds_each_kind_of_gap() -> None:
    duty = next(row for row in ROWS if row.condition == "brake_fault")
    rival = replace(duty, row_no=9000, responsible="property_company")
    idle = replace(duty, condition="noise_high", respond=None, arrive=None, finish=None)
    found = coverage([duty, rival, idle], WORDS)
    assert {gap.condition for gap in found.two_owners} == {"brake_fault"}
    assert found.two_owners[0].rows == (duty.row_no, 9000)
    assert {gap.condition for gap in found.no_deadline} == {"noise_high"}
    assert "entrapment" in {gap.condition for gap in found.no_owner}


some = st.sampled_from
duties = st.builds(
    row,
    st.just(0),
    condition=some([None, "brake_fault", "noise_high"]),
    kind=some([None, "elevator", "escalator"]),
    domain=some([None, "elevator", "power"]),
    ownership=some([None, "owners_common", "property"]),
    handed_over=some([None, True, False]),
    in_warranty=some([None, True, False]),
    area_id=some([None, "city", "town"]),
    urban=some([None, True, False]),
)


@given(st.lists(duties, max_size=12), st.randoms(use_true_random=False), st.booleans(), st.booleans())
def test_most_specific_wins_and_the_order_of_rows_is_irrelevant(
    drawn: list[Duty], shuffler: random.Random, handed: bool, warranty: bool
) -> None:
    rows = [replace(duty, row_no=number) for number, duty in enumerate(drawn, 1)]
    about = facts("brake_fault", handed_over=handed, in_warranty=warranty)
    choice = choose(rows, about)
    shuffled = list(rows)
    shuffler.shuffle(shuffled)
    assert choose(shuffled, about) == choice
    matching = {duty.row_no for duty in rows if match(duty, about) is not None}
    assert {m.duty.row_no for m in choice.matches} == matching
    assert (choice.winner is None) == (not matching)
    for duty in rows:
        if duty.row_no in matching and choice.winner is not None:
            assert _columns(duty) <= _columns(choice.winner) or not _columns(choice.winner) < _columns(duty)
            assert (match(duty, about) or ()) <= choice.matches[0].specificity


def _columns(duty: Duty) -> set[str]:
    return {name for name in ("condition", "kind", "domain", *QUALIFIERS) if getattr(duty, name) is not None}
