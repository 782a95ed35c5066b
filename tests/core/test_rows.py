"""The rows message: what ingest writes, analytics reads."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeep_core import rows
from watchkeep_core.errors import MessageError

readings = st.lists(
    st.tuples(
        st.integers(0, 2**31 - 1),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.integers(0, 2),
    ),
    max_size=50,
)


@given(st.integers(0, 2**62), st.integers(0, 15), readings)
def test_readings_come_back(batch, partition, table):
    columns = [array(code, [row[i] for row in table]) for i, code in enumerate("iqdB")]
    decoded = rows.decode(rows.encode_readings(batch, partition, *(column.tobytes() for column in columns)))
    assert isinstance(decoded, rows.Columns)
    assert (decoded.batch, decoded.partition, decoded.size) == (batch, partition, len(table))
    for code, sent, got in zip("iqdB", columns, decoded[3:], strict=True):
        assert array(code, bytes(got)) == sent


def test_events_come_back():
    event = rows.CommittedEvent(
        event_id=1,
        community="c",
        equipment="e",
        condition="x",
        active=True,
        t_us=5,
        received_us=6,
        attributes={"a": 1.5},
    )
    assert rows.decode(rows.encode_events(7, 3, [event])) == rows.Events(7, 3, [event])


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused(payload):
    with pytest.raises(MessageError, match="bad_rows"):
        rows.decode(payload)


def test_columns_of_unequal_length_are_a_mistake_of_ours():
    with pytest.raises(ValueError, match="unequal"):
        rows.encode_readings(0, 0, b"", b"12345678", b"", b"")
