"""The wire contract: what is encoded comes back equal, what is wrong is refused with its field."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeep_core import messages as m
from watchkeep_core.errors import MessageError

ids = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)
seqs = st.integers(0, 2**63 - 1)
finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def data(draw):
    size = draw(st.integers(1, 50))

    def column(values):
        return draw(st.lists(values, min_size=size, max_size=size))

    return m.Data(
        floor=draw(seqs),
        t0=draw(st.integers(2**32, 2**42)),
        alias=column(st.integers(0, 2**31 - 1)),
        dt_ms=column(st.integers(-(2**31), 2**31)),
        value=column(finite),
        quality=draw(st.none() | st.lists(st.integers(0, 2), min_size=size, max_size=size)),
    )


points = st.builds(
    m.Point,
    alias=st.integers(0, 2**31 - 1),
    metric=ids,
    unit=texts.map(lambda text: text[:32]),
    period_s=st.none() | st.floats(0.1, 86400),
)
births = st.builds(
    m.Birth,
    software=texts,
    data_epoch=ids,
    event_epoch=ids,
    clock=st.builds(m.ClockState, synchronised=st.booleans(), offset_ms=st.none() | finite, source=texts),
    equipment=st.dictionaries(ids, st.lists(points, max_size=5), max_size=5).filter(
        lambda found: (
            len(aliases := [point.alias for points in found.values() for point in points]) == len(set(aliases))
        )
    ),
)
events = st.builds(
    m.Event,
    floor=seqs,
    t=st.integers(0, 2**42),
    equipment=ids,
    condition=ids,
    active=st.booleans(),
    raw_code=texts,
    profile=texts,
    attributes=st.dictionaries(texts, texts | finite | st.booleans() | st.none(), max_size=5),
)
states = st.builds(m.State, online=st.booleans(), t=st.none() | st.integers(0, 2**42))
acks = st.builds(m.Ack, epoch=ids, seq=st.integers(-1, 2**63 - 1))
commands = st.builds(
    m.Cmd, action=st.sampled_from(["rebirth", "resend", "configuration"]), seq=st.none() | seqs, version=texts
)


@given(data() | births | events | states | acks | commands)
def test_what_is_encoded_comes_back_equal(message):
    assert m.decode(type(message), m.encode(message)) == message


def good_data(**changes):
    return {"floor": 0, "t0": 1_700_000_000_000, "alias": [1, 2], "dt_ms": [0, 5], "value": [1.5, 2]} | changes


@pytest.mark.parametrize(
    ("kind", "payload", "reason", "names"),
    [
        (m.Data, b"\xff\xfe", "undecodable", ""),
        (m.Data, b"{", "undecodable", ""),
        (m.Data, b"[" * 100_000, "bad_shape", "object"),
        (m.Data, b'{"x":' * 30_000, "too_deep", ""),
        (m.Data, b" " * (m.MAX_PAYLOAD_BYTES + 1), "too_large", "bytes"),
        (m.Data, json.dumps(good_data(value=[1])).encode(), "bad_shape", "value"),
        (m.Data, json.dumps(good_data(quality=[0])).encode(), "bad_shape", "quality"),
        (m.Data, json.dumps(good_data(quality=[0, 3])).encode(), "bad_shape", "quality"),
        (m.Data, json.dumps(good_data(alias=[], dt_ms=[], value=[])).encode(), "bad_shape", "alias"),
        (m.Data, json.dumps(good_data(value=[True, 1])).encode(), "bad_shape", "value"),
        (m.Data, json.dumps(good_data(value=["1", 1])).encode(), "bad_shape", "value"),
        (m.Data, json.dumps(good_data(value=[float("nan"), 1])).encode(), "undecodable", ""),
        (m.Data, b'{"floor":0,"t0":1,"alias":[1],"dt_ms":[0],"value":[1e999]}', "bad_shape", "value"),
        (m.Data, json.dumps(good_data(alias=[1, 2**31])).encode(), "bad_shape", "alias"),
        (m.Data, json.dumps(good_data(t0=-1)).encode(), "bad_shape", "t0"),
        (m.Data, json.dumps(good_data(t0=253_402_300_799_999, dt_ms=[0, 5])).encode(), "bad_shape", "t0"),
        (m.Data, json.dumps(good_data(floor=2**63)).encode(), "bad_shape", "floor"),
        (
            m.Event,
            b'{"floor":0,"t":1,"equipment":"a","condition":"b","active":true,"raw_code":"\\u0000"}',
            "bad_text",
            "",
        ),
        (m.Event, b'{"floor":0,"t":1,"equipment":"a/b","condition":"b","active":true}', "bad_shape", "equipment"),
        (m.Event, b'{"floor":0,"t":1,"equipment":"a","condition":"b"}', "bad_shape", "active"),
        (
            m.Birth,
            b'{"software":"x","data_epoch":"e","event_epoch":"f","clock":{"synchronised":true},'
            b'"equipment":{"a":[[1,"m","kPa"]],"b":[[1,"m","kPa"]]}}',
            "bad_shape",
            "alias 1",
        ),
    ],
)
def test_what_is_wrong_is_refused_with_its_field(kind, payload, reason, names):
    with pytest.raises(MessageError) as refused:
        m.decode(kind, payload)
    assert refused.value.reason == reason
    assert names in refused.value.detail


@given(st.binary(max_size=300))
def test_no_bytes_get_anything_but_a_message_or_a_message_error(payload):
    for kind in m.MESSAGES:
        try:
            decoded = m.decode(kind, payload)
        except MessageError:
            continue
        assert isinstance(decoded, kind)


def test_an_unknown_field_of_a_newer_gateway_is_ignored():
    assert m.decode(m.State, b'{"online":true,"mood":"good"}') == m.State(online=True)


def test_a_birth_of_5000_points_fits_one_packet():
    declared = [
        m.PointDeclaration(
            alias=i, equipment=f"elevator-{i // 12:03d}", metric="machine_room_temperature", unit="celsius"
        )
        for i in range(5000)
    ]
    birth = m.Birth(
        software="watchkeep 0.1.0",
        data_epoch="e" * 32,
        event_epoch="f" * 32,
        clock=m.ClockState(synchronised=True),
        equipment=m.declare(declared),
    )
    assert len(m.encode(birth)) <= m.MAX_PAYLOAD_BYTES


def test_the_json_schema_describes_every_message():
    schema = m.json_schema()
    assert {kind.__name__ for kind in m.MESSAGES} <= set(schema["$defs"])
    msgspec.json.encode(schema)
