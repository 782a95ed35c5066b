"""`watchkeep bench demo`: the whole demo with a crowd beside it: whether it holds, what people wait for meanwhile."""

import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

import httpx
import numpy as np

from watchkeep_cli.demo.crowd import Crowd, totals
from watchkeep_cli.demo.field import FAULTS
from watchkeep_cli.demo.runner import Demo, Options
from watchkeep_core import bench, logs
from watchkeep_core.database import connect
from watchkeep_core.errors import TransientError
from watchkeep_core.service import Stop
from watchkeep_firmware_sim import score_ledger, score_read
from watchkeep_firmware_sim.fleet_load import records
from watchkeep_firmware_sim.fleet_load.compare import compare
from watchkeep_firmware_sim.fleet_load.comparison import Comparison
from watchkeep_firmware_sim.score import Report, score

GOAL_PAGE_MS = 300.0
HOLDS = 0.98
"""Share of the wanted rate that must be stored."""
EVERY_S = 0.25
"""Between the end of one look and the next."""
LOOKS = {
    "officer": ("/", "/api/v1/warnings", "/api/v1/cases", "/equipment"),
    "technician": ("/m", "/api/v1/orders"),
    "city": ("/api/v1/warnings", "/supervise"),
}
"""Login → what that person opens, in turn."""

Waits = Mapping[str, list[float]]
"""What was opened → seconds each time."""


class DemoDidNotHold(TransientError):
    """The measurement is void."""


def run_bench(say: Callable[[str], None], *, points: int, rate: float, seconds: float) -> bench.Result:
    """Real processes on this machine: database, broker, services, gateways, fleet with planned faults, the crowd."""
    logs.configure("bench", "error")
    with tempfile.TemporaryDirectory(prefix="watchkeep-bench-") as folder:
        options = Options(Path(folder), port=0, crowd=Crowd(points, rate))
        with Demo(options, say) as demo:
            with _people(demo) as waits:
                say(f"{seconds:g} s of {rate:g} readings/s from {points:,} points")
                _watch(demo, seconds)
            demo.drain(Stop())
            report = _score(demo)
            for finding in report.findings:
                say(f"{finding.what}: {finding.equipment} {finding.condition}: {finding.detail}")
            measures = [*_people_measures(waits), *_fleet_measures(demo, rate), *_score_measures(report, seconds)]
    return bench.Result(bench="demo", machine=bench.machine(), versions=bench.versions("psycopg"), measures=measures)


def _watch(demo: Demo, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        demo.watch()
        time.sleep(0.5)


@contextmanager
def _people(demo: Demo) -> Iterator[Waits]:
    """One after another they open a page, as long as the body lasts; at its end whoever fails raises DemoDidNotHold."""
    waits: defaultdict[str, list[float]] = defaultdict(list)
    ended, failed = threading.Event(), list[str]()

    def look() -> None:
        turns = cycle([(login, path) for login, paths in LOOKS.items() for path in paths])
        with httpx.Client(base_url=demo.console_url, timeout=30) as http:
            cookies = {login: _session(http, login, demo.password) for login in LOOKS}
            for login, path in turns:
                began = time.monotonic()
                answer = http.get(path, headers={"cookie": cookies[login]})
                waits[path].append(time.monotonic() - began)
                if answer.status_code != httpx.codes.OK:
                    failed.append(f"{login} {path}: {answer.status_code}")
                if ended.wait(EVERY_S):
                    return

    thread = threading.Thread(target=look, name="people")
    thread.start()
    try:
        yield waits
    finally:
        ended.set()
        thread.join()
    if failed or not waits:
        raise DemoDidNotHold("; ".join(failed[:3]) or "no page was answered")


def _session(http: httpx.Client, login: str, password: str) -> str:
    answer = http.post("/api/v1/session", json={"login": login, "password": password})
    answer.raise_for_status()
    return "; ".join(f"{name}={value}" for name, value in answer.cookies.items())


def _people_measures(waits: Waits) -> list[bench.Measure]:
    every = [one for times in waits.values() for one in times]
    return [
        bench.at_most("page or answer: p95", "ms", GOAL_PAGE_MS, [_percentile(every, 95)]),
        bench.at_most("page or answer: p50", "ms", None, [_percentile(every, 50)]),
        bench.at_least("pages and answers", "requests", None, [float(len(every))]),
        *(bench.at_most(f"{path}: p95", "ms", None, [_percentile(times, 95)]) for path, times in sorted(waits.items())),
    ]


def _fleet_measures(demo: Demo, rate: float) -> list[bench.Measure]:
    """What the crowd sent against what the database has."""
    folder = demo.options.directory
    found = totals(folder / "logs" / "crowd.log")
    if found is None:
        raise DemoDidNotHold("the crowd did not come to its end")
    if found["ack_lag_ms_p99"] is None:
        raise DemoDidNotHold("no message of the crowd was acknowledged")
    with connect(demo.admin_url, "bench") as conn:
        same = compare(conn, records.read(folder / "crowd-ledger"))
    report = demo.report()
    return [
        bench.at_least("readings sent", "1/s", HOLDS * rate, [float(found["readings_per_s"])]),
        bench.at_most("publish to ack after commit: p99", "ms", None, [float(found["ack_lag_ms_p99"])]),
        bench.at_most("missing, there twice, never sent or altered", "readings", 0.0, [_differing(same)]),
        bench.at_most("messages given up", "messages", 0.0, [float(same.undelivered)]),
        bench.at_most("services restarted", "times", 0.0, [float(report["restarts"])]),
    ]


def _differing(same: Comparison) -> float:
    return float(same.missing + same.duplicates + same.extra + same.altered_series)


def _score_measures(report: Report, seconds: float) -> list[bench.Measure]:
    """`watchkeep sim score` of the planned faults; found must be those whose order was due within so many seconds."""
    total = report.total
    due = {fault.equipment for fault in FAULTS if fault.order_by_s <= seconds}
    missed = {finding.equipment for finding in report.findings if finding.what == "missed"}
    found = len(due - missed) / len(due) if due else 1.0
    return [
        bench.at_least("planned faults with an order due by the end", "faults", None, [float(len(due))]),
        bench.at_least("planned faults found", "share", 1.0, [found]),
        bench.at_most("time to the warning, median", "s", None, [total.delay_median_s or 0.0]),
        bench.at_most("false warnings", "warnings", 0.0, [float(total.false_warnings)]),
        bench.at_most("orders missing", "orders", 0.0, [float(total.missing_orders)]),
        bench.at_most("orders at a wrong party", "orders", 0.0, [float(total.wrong_party)]),
        bench.at_most("orders of a wrong class", "orders", 0.0, [float(total.wrong_class)]),
    ]


def _score(demo: Demo) -> Report:
    now = datetime.now(UTC)
    runs, faults = score_ledger.read(demo.options.directory / "faults.jsonl", now)
    communities = {name for run in runs for name in run.points} | {fault.community for fault in faults}
    begins, ends = min(run.begins for run in runs), max(run.ends for run in runs)
    with connect(demo.admin_url, "bench") as conn, conn.transaction():
        return score(runs, faults, *score_read.read(conn, communities, begins, ends), now)


def _percentile(times: list[float], percent: int) -> float:
    """In milliseconds."""
    return round(1000 * float(np.percentile(times, percent)), 1)
