"""Decisions without I/O: ranges, batch limits, the ledger's verdicts, skew."""

import json
import threading
import time
from collections.abc import Callable
from unittest.mock import ANY

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from watchkeep_core import topics
from watchkeep_core.errors import MessageError
from watchkeep_core.messages import PointDeclaration
from watchkeep_core.topics import GatewayRef
from watchkeep_ingest import streams
from watchkeep_ingest.births import Born, rounds
from watchkeep_ingest.incoming import Decoded, Incoming, Problem, decode
from watchkeep_ingest.intake import Intake, Limits
from watchkeep_ingest.ledger import MAX_RANGES, Entry
from watchkeep_ingest.seq_ranges import SeqRanges
from watchkeep_ingest.status import Note

spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6)), max_size=20)


@given(spans, st.integers(0, 50))
def test_ranges_are_the_set_of_their_members(added: list[tuple[int, int]], probe: int):
    ranges, members = SeqRanges(), set[int]()
    for start, length in added:
        ranges.add(start, start + length)
        members |= set(range(start, start + length))
    assert [seq for seq in range(60) if seq in ranges] == sorted(members)
    assert ranges.upper == max(members, default=-1) + 1
    runs = sum(1 for seq in members if seq - 1 not in members)
    assert len(ranges) == runs
    assert str(SeqRanges.parse(str(ranges))) == str(ranges) == str(SeqRanges.of(members))
    more = sum(1 for seq in members | {probe} if seq - 1 not in members | {probe})
    assert ranges.is_apart(probe) == (more > runs)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(spans)
def test_ranges_and_postgresql_agree(postgres_url: str, added: list[tuple[int, int]]):
    ranges = SeqRanges()
    for start, length in added:
        ranges.add(start, start + length)
    texts = [f"[{start},{start + length})" for start, length in added]
    with psycopg.connect(postgres_url) as conn:
        row = conn.execute(
            "SELECT coalesce(range_agg(r), '{}')::text FROM unnest(%s::int8range[]) AS r", [texts]
        ).fetchone()
    assert row == (str(ranges),)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=60))
def test_each_seq_is_new_once(messages: list[tuple[int, int]]):
    entry, seen = Entry(), set[int]()
    for seq, floor in messages:
        verdict = entry.judge(seq, min(floor, seq))
        assert (verdict == "new") == (seq not in seen)
        seen.add(seq)
    assert sorted(entry.added) == sorted(seen)
    assert all(seq in entry.known for seq in range(entry.floor))


@given(st.lists(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1), max_size=8))
def test_a_batch_is_judged_as_its_messages_one_by_one(batches: list[list[tuple[int, int]]]):
    alone, together = Entry(), Entry()
    for batch in batches:
        # every other batch is a run, which has a way of its own
        seqs = [seq for seq, _ in batch] if len(batch) % 2 else [batch[0][0] + n for n in range(len(batch))]
        floors = [min(floor, seq) for seq, (_, floor) in zip(seqs, batch, strict=True)]
        verdicts = [alone.judge(seq, floor) for seq, floor in zip(seqs, floors, strict=True)]
        found = together.judge_all(seqs, floors)
        assert found == {place: verdict for place, verdict in enumerate(verdicts) if verdict != "new"}
        for entry in (alone, together):  # the next batch finds the ledger as this one leaves it
            entry.stored_upper = entry.known.upper
    for name in ("added", "floor", "recovered"):
        assert getattr(alone, name) == getattr(together, name)
    assert (str(alone.received), str(alone.known)) == (str(together.received), str(together.known))


@given(
    st.text("0159", max_size=21) | st.text(max_size=3),
    st.sampled_from(["data", "event", "birth"]),
    st.text("e/ö", max_size=3),
)
def test_a_remembered_stream_is_parsed_as_any_topic(seq: str, kind: str, epoch: str):
    def parsed(parse: Callable[[str], object]) -> object:
        try:
            return parse(f"wk/1/{topics.partition_of('alpha')}/alpha/g1/{kind}/{epoch}/{seq}")
        except MessageError as error:
            return str(error)

    expected = parsed(topics.parse_up)
    for _ in range(2):
        assert parsed(lambda topic: streams.parse(topic)[0]) == expected


def test_an_epoch_with_a_thousand_gaps_goes_on_at_its_end():
    entry = Entry()
    for seq in range(0, 2 * MAX_RANGES, 2):
        assert entry.judge(seq, 0) == "new"
    assert entry.judge(2 * MAX_RANGES, 0) == "too_many_ranges"
    assert entry.judge(2 * MAX_RANGES - 1, 0) == "new"
    assert entry.judge(2 * MAX_RANGES, 0) == "new"


gateways = st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"))


@given(st.lists(st.tuples(gateways, st.lists(st.sampled_from("pqrst"), max_size=3)), max_size=12))
def test_births_of_one_round_do_not_depend_on_each_other(births: list[tuple[tuple[str, str], list[str]]]):
    born = [
        Born(GatewayRef(*names), "e", [PointDeclaration(n, each, "m", "x") for n, each in enumerate(equipment)])
        for names, equipment in births
    ]
    found = rounds(born)
    assert [birth for some in found for birth in some] == born
    for some in found:
        assert len({birth.source for birth in some}) == len(some)
        named = [{(birth.source.community, point.equipment) for point in birth.declared} for birth in some]
        assert len(set[tuple[str, str]]().union(*named)) == sum(map(len, named))


LIMITS = Limits(linger_s=0.1, messages=10, size_bytes=1000)


def test_after_a_pause_nobody_waits_and_under_load_batches_are_spaced():
    assert LIMITS.wait_s(1, 10, since_last_s=5.0) == 0.0
    assert abs(LIMITS.wait_s(1, 10, since_last_s=0.03) - 0.07) < 1e-9
    assert LIMITS.wait_s(10, 10, since_last_s=0.0) == 0.0
    assert LIMITS.wait_s(1, 1000, since_last_s=0.0) == 0.0
    assert Limits(0.0, 10, 1000).wait_s(1, 1, since_last_s=0.0) == 0.0


def item(size: int = 10, partition: int = 0) -> Incoming:
    return Incoming("data", partition, "t", b"x" * size, 0, 0, len)


def test_batches_keep_order_and_limits():
    intake = Intake(10**6, Limits(0.0, 3, 10**6))
    sent = [item(n) for n in range(1, 8)]
    for each in sent:
        assert intake.put(each, 0.0)
    batches = [list(intake.take(0.0)) for _ in range(4)]
    assert [len(batch) for batch in batches] == [3, 3, 1, 0]
    assert [each.incoming for batch in batches for each in batch] == sent


def test_a_batch_takes_half_a_window_of_every_session():
    intake = Intake(10**6, Limits(60.0, 3, 10**6))
    sent = [item(n, n % 2) for n in range(1, 11)]
    for each in sent:
        assert intake.put(each, 0.0)
    assert [each.incoming for each in intake.take(0.0)] == sent[:6]


def test_what_waits_is_decoded_ahead_once():
    intake = Intake(10**6, Limits(0.0, 100, 10**6))
    for size in range(1, 6):
        intake.put(item(size), 0.0)
    intake.decode_ahead(0.0)
    intake.put(item(6), 0.0)
    assert len(intake.take(0.0)) == 6
    intake.decode_ahead(0.0)
    assert intake.take(0.0) == []


def test_a_full_queue_refuses_after_the_wait_and_takes_again_when_there_is_room():
    intake = Intake(20_000, Limits(0.0, 100, 10**6))
    assert intake.put(item(4500), 0.0)
    assert not intake.put(item(4500), 0.01)
    outcome: list[bool] = []
    waiting = threading.Thread(target=lambda: outcome.append(intake.put(item(4500), 30.0)))
    waiting.start()
    assert len(intake.take(1.0)) == 1
    waiting.join(60)
    assert outcome == [True]


def test_a_lane_is_loaded_for_a_moment_after_a_batch_that_was_half_full():
    intake = Intake(10**6, Limits(0.0, 4, 10**6))
    for count, loaded in ((1, False), (2, True)):
        for size in range(1, count + 1):
            intake.put(item(size), 0.0)
        intake.take(0.0)
        assert intake.is_loaded(time.monotonic()) is loaded
    assert not intake.is_loaded(time.monotonic() + 60)


def test_one_oversized_message_passes_an_empty_queue():
    assert Intake(100, LIMITS).put(item(5000), 0.0)


characters = st.characters()  # lone surrogates too
scalars = st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(characters, max_size=9)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
)
GOOD: dict[str, dict[str, object]] = {
    "data/e/7": {"floor": 0, "t0": 10**12, "alias": [1, 2], "dt_ms": [0, 1], "value": [1.5, 2], "quality": [0, 2]},
    "event/e/7": {"floor": 0, "t": 10**12, "equipment": "a", "condition": "b", "active": True, "attributes": {"x": 1}},
    "birth": {
        "software": "s",
        "data_epoch": "e",
        "event_epoch": "e",
        "clock": {"synchronised": True},
        "equipment": {"a": [[1, "m", "kPa", 2.0]]},
    },
    "state": {"online": True, "t": 10**12},
}


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_whatever_a_message_says_it_has_a_content_or_a_problem(tail: str, more: st.DataObject):
    """An exception would end the process, and again when the broker delivers the message to the next."""
    content = dict(GOOD[tail])
    field = more.draw(st.sampled_from(sorted(content)))
    places = content[field]
    if isinstance(places, list) and more.draw(st.booleans()):
        content[field] = [more.draw(anything), *places[1:]]
    else:
        content[field] = more.draw(anything)
    source = GatewayRef("c", "g")
    found = decode(Incoming("data", 0, f"{source.root}/{tail}", json.dumps(content).encode(), 0, 0, len))
    assert (found.content is None) == (found.problem is not None) or found.problem == Problem("bad_floor", ANY)


def test_close_wakes_the_taker():
    intake = Intake(1000, LIMITS)
    taken: list[list[Decoded]] = []
    taker = threading.Thread(target=lambda: taken.append(list(intake.take(60.0))))
    taker.start()
    start = time.monotonic()
    intake.close()
    taker.join(60)
    assert taken == [[]]
    assert time.monotonic() - start < 30


S = 1_000_000


def test_skew_is_learnt_from_live_messages_and_not_from_a_backlog():
    behind = 3600 * S  # the gateway's clock is an hour slow
    note = Note(0, -behind)
    for second in range(1, 100):
        note = note.then(second * S, second * S - behind)
    assert note.skew_ms is not None
    assert abs(note.skew_ms - 3_600_000) < 1
    live = Note(0, 0).then(S, S)
    backlog = live.then(1001 * S, 2 * S)  # silent for 1000 s, then it catches up, 100 s of stamps per second
    for second in range(1, 10):
        backlog = backlog.then((1001 + second) * S, (2 + 100 * second) * S)
    assert backlog.skew_ms is not None
    assert abs(backlog.skew_ms) < 120_000
    assert live.then(5 * S, None).received_us == 5 * S


def test_one_impossible_stamp_does_not_end_the_learning():
    note = Note(0, 0).then(S, S).then(2 * S, 10**10 * S)
    for second in range(3, 60):
        note = note.then(second * S, (second - 2) * S)
    assert note.skew_ms is not None
    assert abs(note.skew_ms - 2_000) < 50


def test_after_our_own_clock_was_set_back_the_skew_is_learnt_anew():
    note = Note(0, 0)
    for second in range(1, 50):
        note = note.then((600 + second) * S, second * S)  # ours was ten minutes ahead
    assert note.skew_ms is not None
    assert abs(note.skew_ms - 600_000) < 1
    for second in range(50, 53):
        note = note.then(second * S, second * S)
    assert note.skew_ms == 0
