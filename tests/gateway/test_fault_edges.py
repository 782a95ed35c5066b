"""Faults that are read again and again become one event each when they begin and end."""

from hypothesis import given
from hypothesis import strategies as st

from watchkeep_core import vocabulary
from watchkeep_gateway.codes import CodeReader
from watchkeep_gateway.fault_edges import Fault, FaultEdges, reader_of

A, B = Fault("ucm", "5"), Fault("overspeed", "11", "java_gateway")


def edges(*sources: str, memory: str | None = None) -> FaultEdges:
    made = FaultEdges("lift", frozenset(sources))
    made.recall(memory)
    return made


def told(found: FaultEdges, **said: list[Fault]) -> list[tuple[str, bool]]:
    return [(event.condition, event.active) for event in found.take(said, 1)]


def test_two_registers_of_one_lift() -> None:
    lift = edges("one", "two")
    assert told(lift, one=[A]) == [("ucm", True)]
    assert told(lift, two=[A, B]) == [("overspeed", True)]
    assert told(lift, one=[]) == []  # the second still says so
    assert told(lift, two=[]) == [("ucm", False), ("overspeed", False)]
    assert lift.memory() is None


def test_after_a_restart_nothing_is_cleared_before_every_source_was_heard() -> None:
    before = edges("one", "two")
    before.take({"one": [A], "two": [B]}, 1)
    after = edges("one", "two", memory=before.memory())
    assert told(after, one=[]) == []
    assert told(after, two=[B]) == [("ucm", False)]
    (event,) = after.take({"two": []}, 7)
    assert (event.raw_code, event.profile, event.t_ms, event.active) == ("11", "java_gateway", 7, False)


@given(st.lists(st.tuples(st.sampled_from("xy"), st.lists(st.sampled_from([A, B]), max_size=2), st.booleans())))
def test_events_alternate_whatever_is_said_and_however_often_it_restarts(
    steps: list[tuple[str, list[Fault], bool]],
) -> None:
    found, active = edges("x", "y"), set[str]()
    found.take({"x": [], "y": []}, 0)
    for source, faults, restart in steps:
        if restart:
            found = edges("x", "y", memory=found.memory())
        for event in found.take({source: faults}, 1):
            assert event.active is (event.condition not in active)
            active ^= {event.condition}
        assert active >= {fault.condition for fault in faults}
        assert active == set(found.raised)


def test_codes_are_read_by_the_profile_of_the_equipment() -> None:
    read = reader_of(CodeReader(vocabulary.load(), {"lift": "java_gateway"}))
    assert read("lift", "11") == Fault("overspeed", "11", "java_gateway")
    assert read("lift", "8") == Fault("door_open_running", "8", "java_gateway")
    assert read("lift", "0") is None
    assert read("lift", "77") == Fault("unknown_code", "77", "java_gateway")
