"""`watchkeep bench walls`: every panel's SQL over a city full of rollups, and what the walls cost the database."""

import itertools
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

from psycopg import Connection

from watchkeep_core import bench
from watchkeep_core.database import connect, queries
from watchkeep_core.schema.migrate import storage
from watchkeep_dashboards import packaged
from watchkeep_dashboards.macros import expand
from watchkeep_dashboards.seed import Size, seed

PANEL_GOAL_MS = 100.0
READINGS_GOAL = 100_000_000.0
CORE_GOAL_PERCENT = 5.0
SCREENS, PANELS, REFRESH_S = 6, 12, 30
"""The walls of issue 8: so many screens, of so many panels, asked anew so often."""
_ROUNDS = 5
_CONNECTIONS = 10
"""As many as the data source opens at most."""


@dataclass(frozen=True, slots=True)
class Question:
    """One panel's statement and how far it looks back."""

    board: str
    panel: str
    sql: str
    hours: int

    def of(self, community: str, now: datetime) -> bytes:
        """As PostgreSQL gets it from the wall of this community."""
        chosen = {"community": [community], "equipment": ["elevator-1"], "metric": ["machine_room_temperature"]}
        return expand(self.sql, now - timedelta(hours=self.hours), now, chosen).encode()


def questions(names: Sequence[str] = packaged.NAMES) -> list[Question]:
    """Every panel of these boards, in Chinese."""
    found = []
    for name in names:
        board = packaged.board(name, "zh")
        for panel in board["panels"]:
            span = panel.get("timeFrom") or board["time"]["from"].removeprefix("now-")
            hours = int(span[:-1]) * (24 if span.endswith("d") else 1)
            found.append(Question(name, panel["title"], panel["targets"][0]["rawSql"], hours))
    return found


def run_bench(admin_url: str, *, size: Size, runs: int) -> bench.Result:
    """Seed a migrated, empty database of a server on this machine and measure. Goals: issue 8."""
    began = time.monotonic()
    seed(admin_url, size)
    with connect(admin_url, "bench", autocommit=True) as conn:
        conn.execute("VACUUM ANALYZE")
        (worth,) = conn.execute(queries("watchkeep_dashboards", "sql/seed.sql")["worth"]).fetchone() or (0,)
    measures = [
        bench.at_least("readings' worth of rollups", "readings", READINGS_GOAL, [float(worth)]),
        bench.at_most("city seeded", "s", None, [time.monotonic() - began]),
        *measure(admin_url, size, runs),
    ]
    return bench.Result(
        bench="walls",
        machine=bench.machine() | {f"seeded {name}": value for name, value in asdict(size).items()},
        versions=bench.versions("psycopg") | {"storage": storage(admin_url)},
        measures=measures,
    )


def measure(admin_url: str, size: Size, runs: int) -> Iterator[bench.Measure]:
    """Each panel over all communities in turn, its first question not counted; the dearest in CPU time; all screens."""
    dearest = ("", 0.0)
    with _wall(admin_url) as conn:
        for question in questions():
            _ask(conn, question, "c0")
            before = _cpu_s(conn.info.backend_pid)
            took = [_ask(conn, question, f"c{run % size.communities}") for run in range(runs)]
            spent_ms = 1000 * (_cpu_s(conn.info.backend_pid) - before) / runs
            name = f"{question.board}: {question.panel}"
            dearest = max(dearest, (name, spent_ms), key=lambda pair: pair[1])
            yield bench.at_most(f"{name}: p95", "ms", PANEL_GOAL_MS, [quantiles(took, n=20)[-1]])
    yield bench.at_most(f"most CPU time of a panel ({dearest[0]})", "ms", None, [dearest[1]])
    yield _load(admin_url, size)


def _wall(admin_url: str) -> Connection[Any]:
    """With the rights of Grafana's login, whose password need not be known."""
    return connect(admin_url, "bench", autocommit=True, role="grafana_ro")


def _ask(conn: Connection[Any], question: Question, community: str) -> float:
    statement = question.of(community, datetime.now(UTC))
    began = time.perf_counter()
    conn.execute(statement).fetchall()
    return 1000 * (time.perf_counter() - began)


def _load(admin_url: str, size: Size) -> bench.Measure:
    """CPU time of the database's backends for one refresh of all screens, as a share of one core."""
    panels = list(itertools.islice(itertools.cycle(questions(packaged.OF_ONE_COMMUNITY)), SCREENS * PANELS))
    connections = [_wall(admin_url) for _ in range(_CONNECTIONS)]
    try:
        turn = itertools.cycle(connections)
        for _ in connections:
            _ask(next(turn), panels[0], "c0")  # a fresh backend first fills its caches
        shares = []
        for run in range(_ROUNDS):
            before = sum(_cpu_s(conn.info.backend_pid) for conn in connections)
            for number, question in enumerate(panels):
                _ask(next(turn), question, f"c{(run + number // PANELS) % size.communities}")
            spent = sum(_cpu_s(conn.info.backend_pid) for conn in connections) - before
            shares.append(100 * spent / REFRESH_S)
    finally:
        for conn in connections:
            conn.close()
    name = f"{SCREENS} screens of {PANELS} panels every {REFRESH_S} s: share of one core"
    return bench.at_most(name, "%", CORE_GOAL_PERCENT, shares)


def _cpu_s(pid: int) -> float:
    """User and system time of a process of this machine, in seconds (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
