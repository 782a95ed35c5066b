"""Warnings judged in sets: the same outcome as one by one, in far fewer statements."""

from hypothesis import given
from hypothesis import strategies as st
from psycopg import Cursor

from tests.dispatch.conftest import NOW, World, standard_rules
from watchkeep_dispatch import rota
from watchkeep_dispatch.filing import claim, judge, judge_all
from watchkeep_dispatch.folding import causes_first, turns
from watchkeep_dispatch.verdicts import Waiting

SEEN = """
    SELECT w.equipment_id, w.condition, w.community_id, v.verdict, v.rule, x.role, c.condition, c.class, c.state,
           o.org_id
    FROM warnings w LEFT JOIN verdicts v USING (warning_id) LEFT JOIN case_warnings x USING (warning_id)
    LEFT JOIN cases c USING (case_id) LEFT JOIN orders o ON o.case_id = c.case_id AND o.closed_at IS NULL
    ORDER BY w.warning_id, v.verdict_id
"""
MIXED = (
    ("garden", "mains", "power_loss"),
    ("garden", "lift-1", "out_of_service"),  # folded into the mains' case
    ("garden", "gw", "gateway_offline"),
    ("garden", "lift-1", "sensor_silent"),
    ("garden", "lift-2", "door_cycling"),
    ("garden", "lift-2", "door_held_open"),  # a symptom of the same door
    ("garden", "lift-1", "entrapment"),
    ("garden", "lift-1", "alarm_button"),  # the same event
    ("lake", "pump", "supply_pressure_loss"),
    ("lake", "lift-1", "door_close_fail"),
)


def judged(world: World, *, together: bool) -> list[tuple[object, ...]]:
    world.forget()
    for community, equipment, condition in MIXED:
        life_safety = condition in ("entrapment", "alarm_button")
        world.warn(equipment, condition, community=community, life_safety=life_safety)
    rules = standard_rules()
    with world.connect() as conn:
        waiting = claim(conn, NOW, 100)
        if together:
            judge_all(conn, waiting, NOW, rules)
        else:
            for one in waiting:
                judge(conn, one, NOW, rules)
    assert world.value("SELECT count(*) FROM unjudged") == 0
    return world.rows(SEEN)


def test_a_set_comes_to_the_same_as_one_by_one(world: World) -> None:
    alone = judged(world, together=False)
    assert {row[3] for row in alone} == {"filed", "merged"}
    assert "topology" in {row[4] for row in alone}
    assert judged(world, together=True) == alone


def test_a_cause_of_the_same_set_comes_before_its_symptoms_which_are_not_even_filed(world: World) -> None:
    for equipment, condition in (("pump", "supply_pressure_deviation"), ("lift-1", "power_loss")):
        world.warn(equipment, condition)
    for equipment, condition in (("pump", "supply_pressure_loss"), ("mains", "power_loss")):
        world.warn(equipment, condition)
    with world.connect() as conn:
        outcomes = judge_all(conn, claim(conn, NOW, 100), NOW, standard_rules())
    assert [(one.verdict, one.rule) for one in outcomes] == [("merged", "topology")] * 2 + [("filed", "at_once")] * 2
    assert world.value("SELECT count(*) FROM orders") == 2


def test_what_explains_each_other_keeps_its_order() -> None:
    odd = [waiting(0, "a", "abnormal_reading"), waiting(1, "a", "abnormal_pattern"), waiting(2, "b", "fleet_outlier")]
    assert {one.warning_id for one in causes_first(odd, {})[:2]} == {0, 1}
    assert causes_first(odd, {})[2] == odd[2]


class Counting(Cursor):
    """Counts what is asked of the database."""

    asked = 0

    def execute(self, *args, **more):
        Counting.asked += 1
        return super().execute(*args, **more)


def statements(world: World, count: int) -> int:
    world.forget()
    for equipment in ("lift-1", "lift-2", "pump")[:count]:
        world.warn(equipment, "vibration_high")
    with world.connect() as conn:
        waiting = claim(conn, NOW, 100)
        assert len(waiting) == count
        conn.cursor_factory = Counting
        Counting.asked = 0
        judge_all(conn, waiting, NOW, standard_rules())
    return Counting.asked


def test_a_set_takes_as_many_statements_as_one_warning(world: World) -> None:
    assert statements(world, 3) == statements(world, 1) > 5


def test_orders_of_one_moment_go_round(world: World) -> None:
    with world.connect() as conn:
        rota.set_mode(conn, "lift-co", "round_robin", by=None)
        chosen = rota.pick_all(conn, [("lift-co", "garden", "lift-1", NOW)] * 4)
    assert len(set(chosen)) == 2
    assert chosen[0] != chosen[1]
    assert chosen[:2] == chosen[2:]


def waiting(number: int, equipment: str, condition: str = "door_close_fail") -> Waiting:
    return Waiting(number, "garden", equipment, condition, "C", False, "open", NOW, NOW)


@given(
    st.lists(st.sampled_from("abcde"), max_size=12),
    st.dictionaries(st.integers(0, 11), st.lists(st.sampled_from("abcde"), max_size=2)),
)
def test_a_set_never_holds_two_that_concern_each_other(places: list[str], above: dict[int, list[str]]) -> None:
    warnings = [waiting(number, place) for number, place in enumerate(places)]
    parents = {number: [("powered_by", parent) for parent in found] for number, found in above.items()}
    sets = list(turns(warnings, parents))
    assert sorted(one.warning_id for turn in sets for one in turn) == list(range(len(places)))
    when = {one.warning_id: n for n, turn in enumerate(sets) for one in turn}
    for first in warnings:
        for second in warnings[first.warning_id + 1 :]:
            up = {parent for _, parent in parents.get(first.warning_id, [])}
            down = {parent for _, parent in parents.get(second.warning_id, [])}
            same = first.equipment_id == second.equipment_id
            if same or first.equipment_id in down or second.equipment_id in up:
                assert when[first.warning_id] < when[second.warning_id], "in the order given"
