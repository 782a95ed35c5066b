"""`watchkeep bench storage`: COPY and direct compress, bytes per row, rollups, and a year of ten series for a chart."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
from psycopg import Connection, sql

from watchkeep_core.bench import Measure, Result, at_least, at_most, machine, versions
from watchkeep_core.clock import to_us
from watchkeep_core.database import OWNER, connect
from watchkeep_core.service import Stop
from watchkeep_core.storage.backends import Backend, backend_of
from watchkeep_core.storage.enrolment import enrol
from watchkeep_core.storage.rollups import Budget
from watchkeep_core.storage.series import MOST_POINTS, read_series
from watchkeep_ingest.bench.lab import scratch_database
from watchkeep_ingest.columns import Rows

_BATCH = 100_000
_SERIES = 1000
_YEAR_SERIES = 10
_COMMUNITY = "wide"
_COPY = "COPY readings (series_id, ts, value, quality) FROM STDIN (FORMAT binary)"
_DAY_US = 86_400_000_000
_PAUSE = """SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs
WHERE proc_name = 'refresh_rollups'"""
"""What is measured calls it, and two at a time get in each other's way."""
_DIRECT = "SET LOCAL timescaledb.enable_direct_compress_copy = {}"


def run_bench(admin_url: str, *, rows: int, runs: int) -> Result:
    """In a database of its own on that server, dropped at the end. `rows` of each COPY measure."""
    with scratch_database(admin_url) as url, connect(url, "bench", autocommit=True, role=OWNER) as conn:
        backend = backend_of(conn)
        if backend.name == "timescaledb-community":
            conn.execute(_PAUSE)
        _estate(conn)
        measures = [
            *_copies(conn, backend, rows, runs),
            *_sizes(conn, backend),
            *_rollups(conn, url, backend, runs),
            *_year(conn, url, backend, runs),
        ]
        found = versions("psycopg", "numpy") | {"storage": f"{backend.name}: {backend.why}"}
    return Result(bench="storage", machine=machine(), versions=found, measures=measures)


def _estate(conn: Connection) -> None:
    """1,000 points of one second, ten of five minutes, and a person who sees them."""
    conn.execute("INSERT INTO areas (area_id, kind, name, path) VALUES ('a', 'city', 'a', '{a}')")
    conn.execute("INSERT INTO communities (community_id, name, area_id) VALUES (%s, 'b', 'a')", [_COMMUNITY])
    conn.execute(
        "INSERT INTO equipment (community_id, equipment_id, kind, name) VALUES (%s, 'e', 'elevator', 'e')", [_COMMUNITY]
    )
    conn.execute(
        "INSERT INTO points (community_id, equipment_id, metric, unit, period_s)"
        " SELECT %s, 'e', 'm' || n, 'x', CASE WHEN n <= %s THEN 1 ELSE 300 END"
        " FROM generate_series(1, %s) AS n ORDER BY n",
        [_COMMUNITY, _SERIES, _SERIES + _YEAR_SERIES],
    )
    conn.execute("INSERT INTO people (login, name) VALUES ('bench', 'b')")
    conn.execute(
        "INSERT INTO memberships (person_id, role, scope_kind, scope_id) SELECT person_id, 'x', 'area', 'a' FROM people"
    )


def _readings(first: int, series: int, start: datetime, step_s: float, count: int, seed: int) -> Rows:
    """As sensors send: steps of 0.1 around a slow curve, stamps a few ms beside the beat; sorted."""
    random = np.random.default_rng(seed)
    beat = np.arange(count, dtype=np.int64) * int(step_s * 1_000_000)
    jitter = random.integers(0, 8, (series, count)) * 1000
    drift = 20 + 5 * np.sin(np.arange(count) * step_s / 3600)
    noise = random.integers(-2, 3, (series, count)) / 10
    return Rows(
        np.repeat(np.arange(first, first + series, dtype=np.int32), count),
        (to_us(start) + beat + jitter).reshape(-1),
        np.round(drift + noise, 1).reshape(-1),
        np.zeros(series * count, np.uint8),
        np.zeros(series * count, np.uint8),
    )


def _copy(conn: Connection, backend: Backend, found: Rows, *, direct: bool = False) -> float:
    """Seconds of one transaction; encoding is not in it."""
    days = {datetime.fromtimestamp(day * 86_400, UTC).date() for day in np.unique(found.time_us // _DAY_US).tolist()}
    with conn.transaction():
        backend.make_ahead(conn, sorted(days))
    payload = found.to_copy()
    start_s = time.perf_counter()
    with conn.transaction():
        if backend.name == "timescaledb-community":
            conn.execute(sql.SQL(_DIRECT).format(sql.Literal("on" if direct else "off")))
        with conn.cursor() as cursor, cursor.copy(_COPY) as copy:
            copy.write(payload)
    return time.perf_counter() - start_s


def _copies(conn: Connection, backend: Backend, rows: int, runs: int) -> list[Measure]:
    """Row path and direct compress in turns, 100 rows per series and batch, each into days of its own."""
    batches = max(1, rows // _BATCH)
    rates: dict[bool, list[float]] = {False: [], True: []}
    ways = (False, True) if backend.name == "timescaledb-community" else (False,)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for run in range(runs):
        for direct in ways:
            day = today - timedelta(days=10 + 2 * run + direct)
            seconds = sum(
                _copy(conn, backend, _readings(1, _SERIES, day + timedelta(seconds=100 * n), 1, 100, n), direct=direct)
                for n in range(batches)
            )
            rates[direct].append(batches * _BATCH / seconds)
    found = [at_least("COPY into the indexed table, batches of 100,000", "rows/s", None, rates[False])]
    if True in ways:
        found.append(at_least("COPY with direct compress, 100 rows per series and batch", "rows/s", None, rates[True]))
        ratios = [fast / slow for fast, slow in zip(rates[True], rates[False], strict=True)]
        found.append(at_least("direct compress ÷ row path", "×", 3.0, ratios))
    return found


def _sizes(conn: Connection, backend: Backend) -> list[Measure]:
    """Bytes per row of whole parts, indexes included: as rows, as compressed later, as directly compressed."""
    parts = conn.execute("SELECT part FROM storage_parts('raw') ORDER BY since DESC").fetchall()
    as_rows = [_bytes_per_row(conn, part) for (part,) in parts if not _is_compressed(conn, backend, part)]
    found = [at_most("bytes per row, indexes included", "bytes", None, as_rows)]
    if backend.name != "timescaledb-community":
        return found
    direct = [_bytes_per_row(conn, part) for (part,) in parts if _is_compressed(conn, backend, part)]
    found.append(at_most("bytes per row, directly compressed", "bytes", None, direct))
    later = [part for (part,) in parts if not _is_compressed(conn, backend, part)]
    for part in later:
        conn.execute("SELECT compress_chunk(%s::regclass)", [part])
    found.append(at_most("bytes per row, compressed later", "bytes", 10.0, [_bytes_per_row(conn, p) for p in later]))
    return found


def _bytes_per_row(conn: Connection, part: str) -> float:
    rows = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.SQL(part))).fetchone()
    row = conn.execute("SELECT pg_total_relation_size(%s::regclass)", [part]).fetchone()
    size = 0 if row is None else row[0]
    if backend_of(conn).name == "timescaledb-community":
        row = conn.execute(
            "SELECT total_bytes FROM chunks_detailed_size('readings')"
            " WHERE format('%%I.%%I', chunk_schema, chunk_name) = %s",
            [part],
        ).fetchone()
        size = size if row is None else row[0]
    return float(size) / max(1, 0 if rows is None else rows[0])


def _is_compressed(conn: Connection, backend: Backend, part: str) -> bool:
    if backend.name != "timescaledb-community":
        return False
    row = conn.execute(
        "SELECT is_compressed FROM timescaledb_information.chunks"
        " WHERE format('%%I.%%I', chunk_schema, chunk_name) = %s",
        [part],
    ).fetchone()
    return bool(row and row[0])


def _rollups(conn: Connection, url: str, backend: Backend, runs: int) -> list[Measure]:
    """Readings per second that become minutes: 1,000 series of one second."""
    with connect(url, "bench", autocommit=True, role="watchkeep_ingest") as ingest:
        enrol(ingest, [], wide_marks=backend.name == "timescaledb-community")
    minutes, rates = 5, []
    refresh = _refresher(conn, url, backend)
    refresh()
    for run in range(runs):
        now = datetime.now(UTC)
        start = now - timedelta(hours=3 + run)
        found = _readings(1, _SERIES, start, 1, 60 * minutes, run)
        _copy(conn, backend, found)
        if backend.name != "timescaledb-community":
            conn.execute(
                "INSERT INTO rollup_dirty (series_id, hour) SELECT DISTINCT series_id, date_trunc('hour', ts, 'UTC')"
                " FROM readings WHERE ts >= %s AND ts < %s",
                [start, start + timedelta(minutes=minutes, seconds=1)],
            )
        start_s = time.perf_counter()
        refresh()
        rates.append(len(found) / (time.perf_counter() - start_s))
    return [at_least("late readings rolled up to minutes and hours", "rows/s", None, rates)]


def _refresher(conn: Connection, url: str, backend: Backend) -> Callable[[], None]:
    def refresh() -> None:
        if backend.name == "timescaledb-community":
            conn.execute("CALL refresh_rollups(0, '{}')")
            return
        with connect(url, "bench", autocommit=True, role="watchkeep_ingest") as ingest:
            backend.seal(ingest, datetime.now(UTC))
            while not backend.roll(ingest, Budget(Stop(), 600)).complete:
                pass

    return refresh


def _year(conn: Connection, url: str, backend: Backend, runs: int) -> list[Measure]:
    """A chart of ten series over a year, asked by a person under row-level security."""
    until = datetime.now(UTC)
    since = until - timedelta(days=365)
    # 105,120 readings of each, in COPYs that touch 73 days at most
    for part in range(5):
        start = since + part * timedelta(days=73)
        _copy(conn, backend, _readings(_SERIES + 1, _YEAR_SERIES, start, 300, 73 * 288, part))
    if backend.name != "timescaledb-community":
        conn.execute(
            "INSERT INTO rollup_dirty (series_id, hour, hours) SELECT s, since, 24"
            " FROM storage_parts('raw'), generate_series(%s::integer, %s::integer) AS s",
            [_SERIES + 1, _SERIES + _YEAR_SERIES],
        )
        _refresher(conn, url, backend)()
    else:
        conn.execute(
            "CALL refresh_continuous_aggregate('readings_hour', %s::timestamptz, %s::timestamptz)", [since, until]
        )
    took = []
    series = list(range(_SERIES + 1, _SERIES + 1 + _YEAR_SERIES))
    with connect(url, "bench", autocommit=True, role=OWNER) as owner:
        person = owner.execute("SELECT person_id::text FROM people").fetchone()
    with connect(url, "bench", autocommit=True, role="watchkeep_console") as console:
        for _ in range(max(3, runs)):
            with console.transaction():
                console.execute("SELECT set_config('watchkeep.person_id', %s, true)", person)
                start_s = time.perf_counter()
                found = read_series(console, series, since, until, MOST_POINTS)
                took.append((time.perf_counter() - start_s) * 1000)
    buckets = sum(len(each) for each in found.values())
    return [
        at_most("1 year of 10 series for a chart", "ms", 1000.0, took),
        at_least("buckets of it", "buckets", None, [float(buckets)]),
    ]
