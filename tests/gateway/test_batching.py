"""Payloads: every one of them is a message that ingest takes, and no reading is lost or changed in between."""

from hypothesis import given
from hypothesis import strategies as st

from watchkeep_core.messages import Data, Event, decode
from watchkeep_gateway.batching import MAX_BYTES, Columns, data_payloads, event_payload, with_floor
from watchkeep_gateway.values import DeviceEvent, Reading

readings = st.lists(
    st.tuples(
        st.integers(0, 2**31 - 1),
        st.builds(
            Reading,
            st.just("e"),
            st.just("m"),
            st.integers(0, 4_000_000_000_000),
            st.floats(allow_nan=False, allow_infinity=False),
            st.integers(0, 2),
        ),
    ),
    max_size=60,
)


def columns(given_readings: list[tuple[int, Reading]]) -> Columns:
    rows = [(alias, one.t_ms, one.value, one.quality) for alias, one in given_readings]
    return Columns(*zip(*rows, strict=True)) if rows else Columns((), (), (), ())


@given(readings, st.integers(1, 20), st.integers(0, 2**63 - 1))
def test_round_trip(given_readings: list[tuple[int, Reading]], limit: int, floor: int) -> None:
    found = []
    for payload in data_payloads(columns(given_readings), limit):
        message = decode(Data, with_floor(payload.body, floor))
        assert message.floor == floor
        assert payload.readings == len(message.value) <= limit
        quality = message.quality or [0] * len(message.value)
        found += [
            (alias, message.t0 + dt, value, q)
            for alias, dt, value, q in zip(message.alias, message.dt_ms, message.value, quality, strict=True)
        ]
    wanted = [(alias, one.t_ms, one.value, one.quality) for alias, one in given_readings]
    assert sorted(found) == sorted(wanted)


def test_a_payload_stays_under_the_packet_limit() -> None:
    wide = [(2**31 - 1, Reading("e", "m", n * 400_000, -1.2345678901234567e-300 * (n + 1), 1)) for n in range(5000)]
    payloads = list(data_payloads(columns(wide)))
    assert len(payloads) == 2
    assert sum(payload.readings for payload in payloads) == 5000
    assert all(len(payload.body) <= MAX_BYTES for payload in payloads)


def test_one_message_holds_5000_readings() -> None:
    usual = [(n % 2500, Reading("e", "m", 1_700_000_000_000 + n, 21.5)) for n in range(5000)]
    assert [payload.readings for payload in data_payloads(columns(usual))] == [5000]


def test_event() -> None:
    event = DeviceEvent(5, "lift-1", "ucm", True, "12", "java_gateway", {"floor": 3.0, "note": "停"})
    assert decode(Event, with_floor(event_payload(event).body, 7)) == Event(
        floor=7,
        t=5,
        equipment="lift-1",
        condition="ucm",
        active=True,
        raw_code="12",
        profile="java_gateway",
        attributes={"floor": 3.0, "note": "停"},
    )
