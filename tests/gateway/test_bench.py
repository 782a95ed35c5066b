"""`watchkeep bench gateway` measures what it says: the same registers three times, the last by the real command."""

import os
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.gateway.test_spool import stored
from watchkeep_cli.acl import default_acl
from watchkeep_cli.bench_gateway import server_side
from watchkeep_cli.broker import mosquitto_installed, start_broker
from watchkeep_cli.ports import free_port
from watchkeep_core.messages import Data
from watchkeep_gateway.bench import REF, Database, Target, drain, polling, run_bench, users
from watchkeep_gateway.config import points
from watchkeep_gateway.config_file import read
from watchkeep_gateway.spool_reader import status

PASSWORD = "only-in-tests"


def test_the_gateway_is_configured_to_read_what_the_others_read(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(polling._toml(5020, 50), encoding="utf-8")
    config = read(file)
    assert len(points(config)) == 5_000
    assert config.modbus == tuple(polling._table(unit, 5020) for unit in range(1, 51))


@pytest.mark.slow
def test_bench(tmp_path: Path) -> None:
    with start_broker(tmp_path, users(PASSWORD), default_acl()) as broker:
        target = Target(broker.address, PASSWORD, lambda: free_port("127.0.0.1"), no_ingest)
        result = run_bench(target, points=200, seconds=0.5, runs=1, backlog=0, groups=["polling"])
    found = {measure.name: measure for measure in result.measures}
    for name in ("bare_points_per_s", "driver_points_per_s", "gateway_points_per_s"):
        assert found[name].value > 1_000
    assert 20 < found["gateway_rss_mb_200_points"].value < 200
    assert found["gateway_rate_of_bare"].goal == 0.8


def test_a_backlog_is_what_a_gateway_would_hold(tmp_path: Path) -> None:
    assert drain.fill(tmp_path, 12_345) == 12_000
    lane = status(tmp_path)["lanes"]["data"]
    assert (lane["messages"], lane["readings"]) == (12, 12_000)
    now_ms = time.time_ns() // 1_000_000
    bodies = [body for _, body in stored(tmp_path, "data") if isinstance(body, Data)]
    assert all(len(body.alias) == len(set(body.alias)) == 1000 for body in bodies)
    assert now_ms - 10_000 < min(body.t0 for body in bodies) < max(body.t0 for body in bodies) < now_ms


@pytest.mark.slow
@pytest.mark.skipif(not mosquitto_installed(), reason="needs Mosquitto")
def test_drain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paced: a burst of 50 messages, then 50 a second."""
    monkeypatch.setenv("WATCHKEEP_GATEWAY_MAX_MESSAGES_PER_S", "50")
    if os.access("/dev/shm", os.W_OK):
        monkeypatch.setattr(tempfile, "tempdir", "/dev/shm")  # a database is made there in a third of the time
    with start_broker(tmp_path, users(PASSWORD), default_acl()) as broker:
        ingest = server_side(broker.address, PASSWORD, REF)
        target = Target(broker.address, PASSWORD, lambda: free_port("127.0.0.1"), ingest)
        result = run_bench(target, points=0, seconds=0, runs=0, backlog=100_000, groups=["drain"])
    found = {measure.name: measure for measure in result.measures}
    assert found["drain_readings_per_s_of_100000"].value > 1_000
    assert found["drain_live_events"].value >= 1
    assert 0 < found["drain_live_event_worst_s"].value < 60
    assert 20 < found["drain_rss_mb"].value < 200


def no_ingest() -> AbstractContextManager[Database]:
    raise AssertionError("polling needs none")
