"""Binary COPY and rows messages: what numpy packs is what PostgreSQL and analytics read."""

from datetime import timedelta

import numpy as np
import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ingest.world import LIVE
from watchkeep_core import rows
from watchkeep_core.clock import EPOCH
from watchkeep_core.messages import Data
from watchkeep_ingest.columns import Columns, Portion, Readings, Rows
from watchkeep_ingest.register import AliasTable
from watchkeep_ingest.resolve import resolve
from watchkeep_ingest.streams import Stream

reading = st.tuples(
    st.integers(0, 2**31 - 1),
    st.integers(-(2**55), 2**57),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(0, 2),
)


def make(readings: list[tuple[int, int, float, int]]) -> Rows:
    series, time_us, value, quality = zip(*readings, strict=True) if readings else ((), (), (), ())
    return Rows(
        np.array(series, np.int32),
        np.array(time_us, np.int64),
        np.array(value, np.float64),
        np.array(quality, np.uint8),
        np.zeros(len(series), np.uint8),
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(reading, max_size=50))
def test_binary_copy_round_trip(postgres_url: str, readings: list[tuple[int, int, float, int]]):
    with psycopg.connect(postgres_url, options="-c timezone=UTC") as conn:
        conn.execute("CREATE TEMP TABLE t (series_id int, ts timestamptz, value float8, quality int2)")
        with conn.cursor() as cursor, cursor.copy("COPY t FROM STDIN (FORMAT binary)") as copy:
            copy.write(make(readings).to_copy())
        found = conn.execute("SELECT * FROM t").fetchall()
    wanted = [(series, EPOCH + timedelta(microseconds=us), value, quality) for series, us, value, quality in readings]
    assert found == wanted


@given(st.lists(reading, min_size=1, max_size=50))
def test_rows_messages_and_sorting(readings: list[tuple[int, int, float, int]]):
    decoded = rows.decode(make(readings).sorted().to_message(7, 3))
    assert isinstance(decoded, rows.Columns)
    columns = [
        np.frombuffer(decoded.series, "<i4").tolist(),
        np.frombuffer(decoded.time_us, "<i8").tolist(),
        np.frombuffer(decoded.value, "<f8").tolist(),
        np.frombuffer(decoded.quality, "u1").tolist(),
    ]
    assert list(zip(*columns, strict=True)) == sorted(readings, key=lambda row: row[:2])


aliases = st.lists(st.integers(0, 30), min_size=1, max_size=20)


@given(st.lists(aliases, min_size=1, max_size=6), st.sets(st.integers(0, 30)), st.randoms())
def test_every_reading_is_stored_quarantined_or_parked(messages: list[list[int]], known: set[int], random):
    received_us = 10**15
    stamps = {"now": 0, "old": -31 * 86_400_000, "ahead": 301_000, "absurd": 0}
    reasons = {"old": "too_old", "ahead": "in_future", "absurd": "impossible_value"}
    portions, kinds = [], []
    spread = random.choice([1, 10_000])  # aliases that are places in an array, and some that are sought
    streams = [Stream(10, LIVE, "data", epoch) for epoch in ("e", "f")]
    for seq, wanted in enumerate(messages):
        chosen = [random.choice(list(stamps)) for _ in wanted]
        kinds += list(zip(wanted, chosen, strict=True))
        t0 = received_us // 1000 - 31 * 86_400_000
        dt = [stamps[kind] + 31 * 86_400_000 for kind in chosen]
        value = [-2e100 if kind == "absurd" else float(seq) for kind in chosen]
        content = Data(floor=0, t0=t0, alias=[alias * spread for alias in wanted], dt_ms=dt, value=value)
        stream = streams[seq % 2]
        portions.append(Portion(stream, seq, received_us, Readings.of(content)))
    table = AliasTable.of({alias * spread: alias + 100 for alias in known})
    assert table.pairs() == {alias * spread: alias + 100 for alias in known}
    columns = Columns.of(portions)
    found = resolve(portions, columns, [table] * len(columns.streams), [False] * len(columns.streams))
    assert found.stored.series.tolist() == [alias + 100 for alias, kind in kinds if alias in known and kind == "now"]
    bad = [(alias + 100, reasons[kind]) for alias, kind in kinds if alias in known and kind != "now"]
    assert list(zip(found.quarantined.rows.series.tolist(), found.quarantined.reason, strict=True)) == bad
    parked = [alias for each in found.parked for alias in each.data.alias]
    assert parked == [alias * spread for alias, _ in kinds if alias not in known]
