"""The declared table is complete and means what people expect."""

from pathlib import Path

import pytest

from watchkeep_core.vocabulary import load
from watchkeep_dispatch import work_order
from watchkeep_dispatch.acting import ORDER_ENDS
from watchkeep_dispatch.actions import _GUARDS
from watchkeep_dispatch.lifecycle import (
    FINAL,
    GUARDS,
    NOTES,
    RANKS,
    STATES,
    TRANSITIONS,
    allowed_actions,
    markdown,
    mermaid,
    next_state,
    rank,
)
from watchkeep_dispatch.lifecycle_page import page


def test_the_table_uses_known_words_only() -> None:
    roles = set(load().roles) | {"system"}
    assert len({row.action for row in TRANSITIONS}) == len(TRANSITIONS)
    for row in TRANSITIONS:
        assert {*row.from_states, row.to} <= set(STATES)
        assert set(row.actors) <= roles, row.action
        assert set(row.guards) <= set(GUARDS)
    assert set(_GUARDS) == set(GUARDS) == {guard for row in TRANSITIONS for guard in row.guards}
    assert set(ORDER_ENDS) <= set(STATES)


def test_every_state_can_be_reached_and_left() -> None:
    reached, frontier = set(), ["filed"]
    while frontier:
        state = frontier.pop()
        reached.add(state)
        frontier += [row.to for row in TRANSITIONS if state in row.from_states and row.to not in reached]
    assert reached == set(STATES)
    left = {state for row in TRANSITIONS for state in row.from_states}
    assert set(STATES) - left == {"not_filed", "merged"}
    assert set(FINAL) == {"closed", "not_filed", "merged"}


def test_every_action_of_people_is_a_function() -> None:
    names = {"return": "return_order"}
    people = {row.action for row in TRANSITIONS if set(row.actors) != {"system"}} - {"file", "dispatch"}
    for action in people:
        assert callable(getattr(work_order, names.get(action, action)))


@pytest.mark.parametrize(
    ("action", "state", "to"),
    [
        ("file", None, "filed"),
        ("file", "filed", None),
        ("accept", "dispatched", "accepted"),
        ("accept", "accepted", None),
        ("finish", "dispatched", None),
        ("finish", "rework", "resolved"),
        ("close", "resolved", None),  # never without verification
        ("verify", "on_site", None),
        ("return", "on_site", None),
        ("strike", "ledger", "closed"),
        ("no such action", "filed", None),
    ],
)
def test_next_state(action: str, state: str | None, to: str | None) -> None:
    assert next_state(action, state) == to


def test_allowed_actions() -> None:
    assert allowed_actions("dispatched", "technician") == ("accept", "arrive", "return")
    assert allowed_actions("resolved", "verifier") == ("rework", "verify")
    assert allowed_actions("resolved", "technician") == ()
    assert allowed_actions("closed", "city_office") == ()


def test_the_page_is_in_step_with_the_tables() -> None:
    written = (Path(__file__).parents[2] / "docs" / "lifecycle.md").read_text(encoding="utf-8")
    assert written == page(), "write it anew: watchkeep dispatch lifecycle --format page > docs/lifecycle.md"
    assert all(f"| {note} |" in written for note in NOTES)


def test_a_superior_stands_above_those_who_work() -> None:
    assert set(RANKS) <= set(load().roles)
    assert rank(["technician", "nobody"]) == 1
    assert rank([]) == rank(["auditor"]) == 0
    assert all(rank([role]) > rank(["technician"]) for role in RANKS if role != "technician")


def test_documents_come_from_the_table() -> None:
    assert markdown().count("\n") == len(TRANSITIONS) + 2
    diagram = mermaid()
    assert diagram.startswith("stateDiagram-v2\n")
    arrows = sum(len(row.from_states) or 1 for row in TRANSITIONS) + len(FINAL)
    assert diagram.count(" --> ") == arrows
