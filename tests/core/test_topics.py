"""Topics are built and parsed in one place, and agree."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeep_core import topics as t
from watchkeep_core.errors import MessageError

ids = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
sources = st.builds(t.GatewayRef, ids, ids)


@given(sources, st.sampled_from(t.LANES), ids, st.integers(0, t.MAX_SEQ))
def test_a_message_topic_comes_back_whole(source, lane, epoch, seq):
    parsed = t.parse_up(t.message(source, lane, epoch, seq))
    assert (parsed.source, parsed.kind, parsed.lane, parsed.epoch, parsed.seq) == (source, "message", lane, epoch, seq)


@given(sources)
def test_birth_and_state_come_back(source):
    assert t.parse_up(t.birth(source)).kind == "birth"
    assert t.parse_up(t.state(source)).kind == "state"


def test_partitions_are_fixed_for_ever():
    assert t.partition_of("harbour") == zlib.crc32(b"harbour") % 16
    assert [t.partition_of(name) for name in ("c1", "c2", "yaxin")] == [
        zlib.crc32(n) % 16 for n in (b"c1", b"c2", b"yaxin")
    ]


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "wk/1",
        "wk/2/0/c/g/birth",
        "wk/1/0/c/g/data/e/",
        "wk/1/0/c/g/data/e/-1",
        "wk/1/0/c/g/data/e/01",
        "wk/1/0/c/g/data/e/٣",
        "wk/1/0/c/g/data/e/9223372036854775808",
        "wk/1/0/c/g/other/e/1",
        "wk/1/0/c/g/ack/data",
        "wk/1/99/c/g/birth",
        "wk/1/0/c+/g/birth",
    ],
)
def test_anything_else_is_refused(topic):
    good = topic.replace("/0/c/", f"/{t.partition_of('c')}/c/")
    with pytest.raises(MessageError):
        t.parse_up(good)


def test_the_partition_must_be_the_communitys():
    wrong = (t.partition_of("c1") + 1) % 16
    with pytest.raises(MessageError, match="belongs to partition"):
        t.parse_up(f"wk/1/{wrong}/c1/g/birth")
