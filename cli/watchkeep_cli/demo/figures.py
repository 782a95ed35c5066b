"""What the demo reports: counts and latencies, read from the database and from the services' metrics."""

import urllib.error
import urllib.request
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_core.database import queries


def scrape(port: int, timeout_s: float = 2.0) -> dict[str, float]:
    """Sum of each sample name over its labels; empty when the service does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=timeout_s) as answer:
            text = answer.read().decode("utf-8")
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return {}
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def healthy(port: int, timeout_s: float = 2.0) -> bool:
    """Does the service answer /health with 200."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=timeout_s) as answer:
            ok: bool = answer.status == 200
            return ok
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def total(ports: Iterable[int], name: str) -> int:
    """One sample summed over services."""
    return int(sum(scrape(port).get(name, 0.0) for port in ports))


def sent_and_spooled(port: int) -> tuple[float, float, float]:
    """Readings and events put on the gateway's spool so far, messages still on it (1 when it does not answer)."""
    metrics = scrape(port)
    return (
        metrics.get("watchkeep_gateway_readings_total", 0.0),
        metrics.get("watchkeep_gateway_events_total", 0.0),
        metrics.get("watchkeep_gateway_spool_messages", 1.0),
    )


def counts(conn: Connection) -> dict[str, int]:
    """stored, open_warnings, open_orders … as of now."""
    return _one(conn, "counts", {})


def since(conn: Connection, start: datetime) -> dict[str, Any]:
    """Warnings, orders and latencies (p50 and p99, in ms) since `start`; a latency is None without a sample."""
    return _one(conn, "since", {"start": start})


def _one(conn: Connection, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(queries("watchkeep_cli", "figures.sql")[name], parameters).fetchone()
    conn.rollback()
    return row or {}
