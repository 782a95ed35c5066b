"""The service as it runs: a parent, the process of the events, workers that share the telemetry and hand it over."""

import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prometheus_client import Counter
from prometheus_client.parser import text_string_to_metric_families

from tests.analytics.test_service import ALPHA, HOT, SECRET, Ingest, eventually, opened
from watchkeep_analytics import gathering
from watchkeep_analytics.gathering import Place
from watchkeep_analytics.lanes import LOCK_SPACE
from watchkeep_cli.acl import default_acl
from watchkeep_cli.broker import RunningBroker, start_broker
from watchkeep_cli.ports import free_port
from watchkeep_core import topics


@pytest.fixture(scope="module")
def broker(tmp_path_factory) -> Iterator[RunningBroker]:
    users = {f"analytics-{pp}": SECRET for pp in range(topics.PARTITIONS)} | {f"ingest-data-{ALPHA}": SECRET}
    with start_broker(tmp_path_factory.mktemp("broker"), users, default_acl()) as running:
        yield running


@pytest.fixture
def ingest(home, broker) -> Iterator[Ingest]:
    made = Ingest(home, broker)
    yield made
    made.close()


@contextmanager
def running(home, broker, *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`watchkeep analytics run` and the port of its health; ended at the end."""
    port = free_port("127.0.0.1", 0)
    environ = os.environ | {
        "WATCHKEEP_ANALYTICS_DATABASE_URL": home.url,
        "WATCHKEEP_MQTT_URL": broker.url,
        "WATCHKEEP_ANALYTICS_MQTT_PASSWORD": SECRET,
        "WATCHKEEP_ANALYTICS_POLL_S": "0.2",
        "WATCHKEEP_HEALTH_PORT": str(port),
    }
    command = [sys.executable, "-m", "watchkeep_analytics", "run", *options]
    with subprocess.Popen(command, env=environ, text=True, stderr=subprocess.PIPE) as process:
        lines: list[str] = []
        stderr = process.stderr
        assert stderr is not None
        reader = threading.Thread(target=lambda: lines.extend(stderr))
        reader.start()
        try:
            yield process, port
        finally:
            process.terminate()
            try:
                process.wait(120)
            finally:
                process.kill()
                reader.join(60)
    assert process.returncode == 0, "".join(lines)


def answer(port: int, path: str) -> str:
    """ "" while it does not answer with 200."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as found:
            return str(found.read(), "utf-8")
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return ""


def shown(port: int) -> set[str]:
    """Processes whose metrics are on the page."""
    families = text_string_to_metric_families(answer(port, "/metrics"))
    return {sample.labels["process"] for family in families for sample in family.samples}


def holders(home) -> dict[int, int]:
    """Database session → partitions of telemetry it holds."""
    return dict(
        home.admin.execute(
            "SELECT pid, count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY pid",
            [LOCK_SPACE["data"]],
        ).fetchall()
    )


def children(parent: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(parent), "-f", "spawn_main"], capture_output=True, text=True, check=True)
    return [int(line) for line in found.stdout.split()]


@pytest.mark.slow
def test_workers_share_the_partitions_and_hand_them_over_when_one_is_killed(home, broker, ingest):
    with running(home, broker, "--workers", "2") as (parent, port):
        eventually(lambda: sorted(holders(home).values()) == [8, 8])
        eventually(lambda: answer(port, "/health"))
        ingest.readings(50.0, 120.0, ago_s=200)
        ingest.event(0, "entrapment")
        eventually(lambda: ("lift-1", "entrapment", "alarm", "open") in opened(home))
        eventually(lambda: shown(port) == {"parent", "event", "data-0", "data-1"})  # a busy one may miss its moment
        before = set(children(parent.pid))
        ours = set(holders(home))
        for pid in sorted(before)[1:]:  # the first is the resource tracker's or the events'; whoever it is comes back
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: sorted(holders(home).values()) == [8, 8] and not ours & set(holders(home)))
        ingest.readings(120.0, ago_s=100)
        eventually(lambda: HOT in opened(home))
    assert home.admin.execute("SELECT max(batch) FROM detector_states WHERE lane = 'data'").fetchone() == (1,)


def test_metrics_of_all_processes_are_one_page_and_red_when_one_is_gone():
    place, gone = Place("event"), Place("data-0")
    Counter("watchkeep_test_gathering", "Only here.").inc(3)
    own = place.serve({"database": lambda: True})
    port = free_port("127.0.0.1", 0)
    parent = gathering.serve("127.0.0.1", port, [place, gone])
    try:
        assert answer(port, "/health") == ""
        text = answer(port, "/metrics")
        assert 'watchkeep_test_gathering_total{process="event"} 3.0' in text
        assert 'watchkeep_test_gathering_total{process="parent"} 3.0' in text
        assert text.count("# TYPE watchkeep_test_gathering_total counter") == 1
        own.close()
        assert not place.healthy()
    finally:
        parent.close()
