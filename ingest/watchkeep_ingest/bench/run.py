"""Which measures there are, in which order, and what they should reach (issue 4)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg

from watchkeep_core import bench, topics
from watchkeep_core.bench import at_least, at_most
from watchkeep_core.errors import SettingsError
from watchkeep_ingest.bench import lab, latency, node_red, scale, throughput
from watchkeep_ingest.bench.lab import Target

Values = dict[str, float | list[float]]
"""Measure → one value, or several, of one run."""

_MEASURES: dict[str, tuple[str, float | None, Callable[..., bench.Measure]]] = {
    "copy_rows_per_s": ("rows/s", None, at_least),
    "live_100_rows_per_s": ("rows/s", None, at_least),
    "live_100_of_copy": ("ratio", 0.75, at_least),
    "drain_100_rows_per_s": ("rows/s", None, at_least),
    "drain_100_of_copy": ("ratio", 0.85, at_least),
    "cpu_us_per_reading_100": ("µs", 2.0, at_most),
    "cpu_us_per_reading_1000": ("µs", 0.8, at_most),
    "paho_1_messages_per_s": ("messages/s", None, at_least),
    "live_1_messages_per_s": ("messages/s", None, at_least),
    "live_1_of_paho": ("ratio", 0.7, at_least),
    "reading_p50_ms": ("ms", None, at_most),
    "reading_p99_ms": ("ms", 500, at_most),
    "event_p50_ms": ("ms", None, at_most),
    "event_p99_ms": ("ms", 300, at_most),
    "readings_per_s": ("readings/s", None, at_least),
    "series_1k_rows_per_s": ("rows/s", None, at_least),
    "series_1m_rows_per_s": ("rows/s", None, at_least),
    "series_1k_copy_rows_per_s": ("rows/s", None, at_least),
    "series_1m_copy_rows_per_s": ("rows/s", None, at_least),
    "series_1m_of_1k_against_copy": ("ratio", 0.9, at_least),
    "series_1m_rss_mb": ("MB", None, at_most),
    "filled_with_rows": ("rows", None, at_least),
    "filled_rows_per_s": ("rows/s", None, at_least),
    "filled_of_empty": ("ratio", 0.9, at_least),
    "filled_copy_of_empty": ("ratio", None, at_least),
    "flood_rss_mb": ("MB", 300, at_most),
    "births_seconds": ("s", None, at_most),
    "births_rss_mb": ("MB", 300, at_most),
    "births_lost": ("births", 0, at_most),
    "node_red_100_rows_per_s": ("rows/s", None, at_least),
    "node_red_1_rows_per_s": ("rows/s", None, at_least),
    "live_100_of_node_red": ("ratio", 3.0, at_least),
    "live_1_of_node_red": ("ratio", 4.0, at_least),
    "node_red_100_out_of_order_rows_per_s": ("rows/s", None, at_least),
    "node_red_1_out_of_order_rows_per_s": ("rows/s", None, at_least),
    "live_100_of_node_red_out_of_order": ("ratio", None, at_least),
    "live_1_of_node_red_out_of_order": ("ratio", None, at_least),
}
"""Unit, goal and direction of each; those of issue 4."""

PAHO = "paho"


@dataclass(frozen=True, slots=True)
class Options:
    """How much of each."""

    rows: int
    fill: int


def users(password: str) -> dict[str, str]:
    """MQTT users the bench needs, all with one password."""
    names = [
        lab.USER,
        "paho",
        f"analytics-{lab.PARTITION}",
        *(f"ingest-{lane}-{lab.PARTITION}" for lane in topics.LANES),
    ]
    return dict.fromkeys(names, password)


def run_bench(
    target: Target,
    *,
    rows: int = 2_000_000,
    runs: int = 1,
    groups: Sequence[str] = ("throughput",),
    fill: int = 100_000_000,
    peer: str | None = None,
) -> bench.Result:
    """Measure the groups; the values are medians of `runs`. Raises SettingsError for a group or peer nobody knows."""
    unknown = [name for name in groups if name not in GROUPS]
    if unknown or peer not in (None, node_red.NAME):
        raise SettingsError(f"bench ingest: no group {unknown}" if unknown else f"bench ingest: no peer {peer!r}")
    lab.prepare(target)
    chosen = [GROUPS[name] for name in dict.fromkeys([*groups, *([peer] if peer else [])])]
    found: dict[str, list[float]] = {}
    for _ in range(runs):
        for group in chosen:
            for measure, value in group(target, Options(rows, fill)).items():
                found.setdefault(measure, []).extend(value if isinstance(value, list) else [value])
    measures = [_measure(name, values) for name, values in found.items()]
    return bench.Result(
        bench="ingest", machine=bench.machine(), versions=_versions(target.ingest_url), measures=measures
    )


def _measure(name: str, values: list[float]) -> bench.Measure:
    unit, goal, kind = _MEASURES[name]
    digits = 3 if unit in ("ratio", "µs") else 0 if unit.endswith("/s") else 1
    return kind(name, unit, goal, [round(value, digits) for value in values])


def _versions(url: str) -> dict[str, str]:
    with psycopg.connect(url) as conn:
        server = conn.info.parameter_status("server_version") or ""
    return {"postgresql": server, **bench.versions("paho-mqtt", "psycopg", "numpy", "msgspec")}


def _throughput(target: Target, options: Options) -> Values:
    """Rows/s at 100 readings per message, live and draining a filled queue, beside bare COPY."""
    rows = options.rows  # each beside a COPY of its own: on a shared machine a baseline of minutes ago says little
    before = throughput.bare_copy(target, rows)
    live = throughput.live(target, rows, 100)
    between = throughput.bare_copy(target, rows)
    drained = throughput.drain(target, rows, 100)
    after = throughput.bare_copy(target, rows)
    return {
        "copy_rows_per_s": [before, between, after],
        "live_100_rows_per_s": live["rate"],
        "live_100_of_copy": live["rate"] / ((before + between) / 2),
        "drain_100_rows_per_s": drained,
        "drain_100_of_copy": drained / ((between + after) / 2),
        "cpu_us_per_reading_100": live["cpu_us"],
    }


def _cpu(target: Target, options: Options) -> Values:
    """CPU of the worker per reading at 1,000 readings per message."""
    return {"cpu_us_per_reading_1000": throughput.live(target, options.rows, 1000)["cpu_us"]}


def _small(target: Target, options: Options) -> Values:
    """Messages/s with one reading each, beside a bare paho loop."""
    messages = max(10_000, options.rows // 20)
    bare = throughput.paho_loop(target, messages, 1)
    live = throughput.live(target, messages, 1)
    return {
        "paho_1_messages_per_s": bare["rate"],
        "live_1_messages_per_s": live["rate"],
        "live_1_of_paho": live["rate"] / bare["rate"],
    }


def _latency(target: Target, options: Options) -> Values:
    """Sensor to committed at 50,000 readings/s, and events meanwhile."""
    return {**latency.measure(target)}


def _series(target: Target, options: Options) -> Values:
    """Rows/s with a million series against a thousand, beside what bare COPY loses."""
    found = scale.series(target, options.rows)
    ratio = (found["many"] / found["few"]) / (found["bare_many"] / found["bare_few"])
    return {
        "series_1k_rows_per_s": found["few"],
        "series_1m_rows_per_s": found["many"],
        "series_1k_copy_rows_per_s": found["bare_few"],
        "series_1m_copy_rows_per_s": found["bare_many"],
        "series_1m_of_1k_against_copy": ratio,
        "series_1m_rss_mb": found["rss_mb"],
    }


def _filled(target: Target, options: Options) -> Values:
    """Rows/s into a table that holds many rows (--fill), in turns with an empty one on the same server."""
    pairs = scale.filled(target, options.rows, options.fill)
    return {
        "filled_with_rows": float(options.fill),
        "filled_rows_per_s": [each["filled"] for each in pairs],
        "filled_of_empty": [each["filled"] / each["empty"] for each in pairs],
        "filled_copy_of_empty": [each["bare_filled"] / each["bare_empty"] for each in pairs],
    }


def _births(target: Target, options: Options) -> Values:
    """Births of many gateways at once (one for 200 of --rows), none of whose 20 points is known."""
    found = scale.births(target, max(10, options.rows // 200))
    return {f"births_{name}": value for name, value in found.items()}


def _flood(target: Target, options: Options) -> Values:
    """Memory of a worker that gets more than it can store."""
    return {"flood_rss_mb": scale.flood(target)}


def peer_node_red(target: Target, options: Options) -> Values:
    """The peer: a Node-RED flow with one unnest insert per message, beside us."""
    ours = {100: throughput.live(target, options.rows, 100)["rate"], 1: throughput.live(target, 100_000, 1)["rate"]}
    found: Values = {}
    for order, connections in (("", 1), ("_out_of_order", 10)):
        for size, rows in ((100, options.rows // 5), (1, 20_000)):
            theirs = node_red.measure(target, rows, size, connections)
            found[f"node_red_{size}{order}_rows_per_s"] = theirs
            found[f"live_{size}_of_node_red{order}"] = ours[size] / theirs
    return found


GROUPS: dict[str, Callable[[Target, Options], Values]] = {
    "throughput": _throughput,
    "cpu": _cpu,
    "small": _small,
    "latency": _latency,
    "flood": _flood,
    "births": _births,
    "series": _series,
    "filled": _filled,
    node_red.NAME: peer_node_red,
}
DEFAULT = ("throughput", "cpu", "small", "latency", "flood", "series")
"""`filled` writes 10 GB, `node-red` needs npm."""
