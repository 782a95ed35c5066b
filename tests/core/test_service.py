"""Health and metrics of a service."""

import json
import socket
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, Counter

from watchkeep_core.errors import SettingsError
from watchkeep_core.service import HealthServer


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_health_names_what_is_missing_and_metrics_are_served():
    registry = CollectorRegistry()
    Counter("watchkeep_test_things", "things", registry=registry).inc(3)
    there = {"broker": True, "database": False}
    server = HealthServer(
        "127.0.0.1", 0, {"broker": lambda: there["broker"], "database": lambda: there["database"]}, registry
    )
    mute = socket.create_connection(("127.0.0.1", server.port))  # and says nothing: nobody has to wait for it
    try:
        assert get(server.port, "/health/live")[0] == 200
        status, body = get(server.port, "/health")
        assert (status, json.loads(body)["missing"]) == (503, ["database"])
        there["database"] = True
        assert get(server.port, "/health/ready")[0] == 200
        assert b"watchkeep_test_things_total 3.0" in get(server.port, "/metrics")[1]
        assert get(server.port, "/etc/passwd")[0] == 404
        with pytest.raises(SettingsError, match="health_port"):
            HealthServer("127.0.0.1", server.port, {}, registry)
    finally:
        mute.close()
        server.close()
