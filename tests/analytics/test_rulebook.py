"""The book of rules: bad rows are refused with their field, edits overlay what is shipped, a file goes out and back."""

import msgspec
import pytest

from tests.analytics.world import limit, point, registry
from watchkeep_analytics import rule_store
from watchkeep_analytics.rulebook import (
    Combination,
    LimitEdit,
    ParameterEdit,
    Rulebook,
    RuleError,
    convert,
    parse,
    shipped,
)

HOT = "elevator.machine_temperature.machine_temperature_high.above.warning"
DOOR = next(row for row in shipped() if row.id == "fire_door.open")

BAD = {
    'id = "A b"\n': "rule A b: Expected `str` matching regex",
    'id = "x"\nfors = 1\n': "rule x: Object contains unknown field `fors`",
    'id = "x"\nkind = "boat"\n': "rule x: kind: no equipment kind 'boat'",
    'id = "x"\ncondition = "sunk"\n': "rule x: condition: no condition 'sunk'",
    'id = "x"\ncondition = "ucm"\n': "rule x: condition: 'ucm' does not belong to kind 'fire_pump'",
    'id = "x"\nfor_s = -1\n': r"rule x: Expected `float` >= 0.0 - at `\$.for_s`",
    'id = "x"\nequipment = "p1"\n': "rule x: community: is needed where equipment is named",
    'id = "x"\nwhen = []\n': r"rule x: Expected `array` of length >= 1 - at `\$.when`",
    'id = "x"\nwhen = [{ metric = "depth", op = "above" }]\n': "rule x: when.metric: no metric 'depth'",
    'id = "x"\nwhen = [{ metric = "car_floor", op = "above" }]\n': "when.metric: 'car_floor' does not belong to kind",
    'id = "x"\nwhen = [{ metric = "pump_run_state", op = "equals", value = 9 }]\n': "when.value: 9 is no state of",
    'id = "x"\nwhen = [{ metric = "pump_vibration", op = "above", value = 5000 }]\n': "when.value: 5000 is outside",
    'id = "x"\nwhen = [{ metric = "pump_vibration", op = "above", value = 50, clear = 60 }]\n': "when.clear: 60 is on",
}

GOOD = {
    "kind": '"fire_pump"',
    "condition": '"pump_overload"',
    "tier": '"warning"',
    "when": '[{ metric = "pump_current_percent", op = "above", value = 50 }]',
    "basis": '"b"',
    "mark": '"CP"',
}


def rule(text: str) -> str:
    rest = "".join(
        f"{name} = {value}\n" for name, value in GOOD.items() if f"{name} =" not in f"\n{text}".split("[{")[0]
    )
    return f"[[rule]]\n{text}{rest}"


@pytest.mark.parametrize("text", BAD, ids=list(BAD.values()))
def test_bad_rules_are_refused_with_their_field(text):
    with pytest.raises(RuleError, match=BAD[text]):
        parse(rule(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[wish]]\n", r"\[\[wish\]\]: no such section"),
        ("x = [", "not a TOML file"),
        ('[[limit]]\nid = "no.such"\nbasis = "b"\nmark = "C"\n', "limit no.such: id: is no limit"),
        (f'[[limit]]\nid = "{HOT}"\nvalue = 999\nbasis = "b"\nmark = "C"\n', "value: 999 is outside -40 to 250"),
        (
            f'[[limit]]\nid = "{HOT}"\nvalue = 80\nbasis = "b"\nmark = "C"\n',
            "clear: 85 is on the wrong side of value 80",
        ),
        (
            '[[parameter]]\nid = "nothing"\nvalue = 1\nbasis = "b"\nmark = "C"\n',
            "parameter nothing: id: is no parameter",
        ),
        (rule('id = "x"\n') + rule('id = "x"\n'), "rule x: id: is there twice"),
    ],
)
def test_bad_files(text, message):
    with pytest.raises(RuleError, match=message):
        parse(text)


def test_the_shipped_book_names_a_basis_for_every_row():
    assert len(shipped()) > 50
    assert all(row.basis and row.mark for row in shipped())


def test_the_narrowest_row_counts():
    edits = [
        msgspec.structs.replace(DOOR, for_s=600.0),
        msgspec.structs.replace(DOOR, for_s=900.0, community="c1"),
        msgspec.structs.replace(DOOR, enabled=False, community="c1", equipment="E1"),
    ]
    book = Rulebook(edits)

    def waits(community: str, equipment: str) -> list[float]:
        return [row.for_s for row in book.of("fire_door", community, equipment) if isinstance(row, Combination)]

    assert waits("c2", "E1") == [600.0]
    assert waits("c1", "E2") == [900.0]
    assert waits("c1", "E1") == []


def test_an_edited_limit_keeps_the_figures_it_does_not_name():
    made = registry([point(11, "machine_temperature")], [])
    row = limit(1, 11, "above", 90.0, 85.0, for_s=120.0)
    made.update([], [row], Rulebook([LimitEdit(id=HOT, value=95.0, basis="cabinet", mark="CP")]))
    assert [(x.value, x.clear, x.for_s, x.basis) for x in made.limits] == [(95.0, 85.0, 120.0, "cabinet")]
    made.update([], [row], Rulebook([LimitEdit(id=HOT, enabled=False, basis="b", mark="CP")]))
    assert list(made.limits) == []
    made.update([], [row], Rulebook())
    assert list(made.limits) == [row]


def test_a_figure_set_by_a_manager_counts():
    made = registry([])
    assert made.figure("clock_skew_tolerance").value == 300
    made.update([], [], Rulebook([ParameterEdit(id="clock_skew_tolerance", value=60.0, basis="b", mark="CP")]))
    assert made.figure("clock_skew_tolerance").value == 60


def test_a_file_goes_out_and_back():
    narrow = msgspec.structs.replace(DOOR, for_s=900.0, community="c1", equipment="E1")
    edits = [LimitEdit(id=HOT, value=95.0, clear=80.0, basis="b", mark="CP"), narrow]
    book = Rulebook(edits)
    rows = parse(rule_store.export(book))
    assert rule_store.changes(book, rows) == []
    assert {change.id for change in rule_store.changes(Rulebook(), rows)} == {HOT, DOOR.id}


def test_what_is_shipped_takes_an_edit_back():
    book = Rulebook([msgspec.structs.replace(DOOR, for_s=900.0)])
    (change,) = rule_store.changes(book, [DOOR])
    assert (change.id, change.after) == (DOOR.id, None)
    assert change.before is not None
    assert change.before["for_s"] == 900.0


def test_an_id_keeps_its_section():
    raw = {"id": DOOR.id, "kind": "jockey_pump", "metric": "pump_run_state", "state": 1, "above": 5, "clear": 4}
    raw |= {"condition": "jockey_pump_cycling", "tier": "warning", "basis": "b", "mark": "CP"}
    with pytest.raises(RuleError, match="is one of section rule"):
        rule_store.changes(Rulebook(), [convert("starts", raw)])
