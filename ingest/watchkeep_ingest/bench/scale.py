"""Does it stay fast: with a million series, after a hundred million rows, and in memory under a flood."""

import time

from watchkeep_core import topics
from watchkeep_core.database import OWNER, connect
from watchkeep_core.topics import GatewayRef
from watchkeep_ingest.bench import lab, throughput
from watchkeep_ingest.bench.lab import Target
from watchkeep_ingest.bench.load import loading, packets, publish_packet

MANY = 1_000_000
FLEET = 200
"""Gateways that share the million points: 5,000 of each, the most a birth holds."""

_FLEET_SQL = """
INSERT INTO gateways (community_id, gateway_id)
    SELECT %(community)s, 'm' || n FROM generate_series(0, %(fleet)s - 1) AS n ON CONFLICT DO NOTHING;
INSERT INTO equipment (community_id, equipment_id, kind, name)
    SELECT %(community)s, 'many-' || n, 'unknown', '' FROM generate_series(0, %(fleet)s - 1) AS n
    ON CONFLICT DO NOTHING;
INSERT INTO points (community_id, equipment_id, metric, unit, gateway_id)
    SELECT %(community)s, 'many-' || n / %(points)s, 'm' || n %% %(points)s, 'x', 'm' || n / %(points)s
    FROM generate_series(0, %(many)s - 1) AS n ON CONFLICT DO NOTHING;
INSERT INTO aliases (community_id, gateway_id, epoch, alias, series_id)
    SELECT community_id, gateway_id, %(epoch)s, substr(metric, 2)::integer, series_id FROM points
    WHERE equipment_id LIKE 'many-%%';
"""


def series(target: Target, rows: int) -> dict[str, float]:
    """Live rows/s at a million series and at a thousand, beside what bare COPY loses."""
    bare_few = throughput.bare_copy(target, rows)
    few = throughput.live(target, rows, 100)["rate"]
    bare_few = (bare_few + throughput.bare_copy(target, rows)) / 2
    epoch = lab.new_epoch("many")
    points = MANY // FLEET
    row = {"community": lab.COMMUNITY, "fleet": FLEET, "points": points, "many": MANY, "epoch": epoch}
    with connect(target.admin_url, "bench", role=OWNER) as conn:
        cursor = conn.cursor()
        for statement in filter(str.strip, _FLEET_SQL.split(";")):
            cursor.execute(statement.encode(), row)
    fleet = [GatewayRef(lab.COMMUNITY, f"m{number}") for number in range(FLEET)]
    load = packets(fleet, epoch, rows, 100, points)
    bare_before = throughput.bare_copy(target, rows, FLEET, points)
    with lab.worker(target) as pid:
        start = throughput.before(target)
        warm = 2 * FLEET * 100  # readings: at its start a worker reads every gateway's aliases
        with lab.publishing(target, load):
            with connect(target.ingest_url, "bench", autocommit=True) as conn:
                lab.wait_for(lambda: lab.accounted(conn, "stored") - start >= warm, lab.START_S)
            many = lab.rate_until(target, "stored", start + warm, rows - warm)
        rss_mb = lab.memory_mb(pid)
    bare_many = (bare_before + throughput.bare_copy(target, rows, FLEET, points)) / 2
    return {"few": few, "many": many, "bare_few": bare_few, "bare_many": bare_many, "rss_mb": rss_mb}


_TURNS = 3


def filled(target: Target, rows: int, fill: int) -> list[dict[str, float]]:
    """Rows/s of draining a queue and of bare COPY, into an empty table and into one that holds `fill` rows.

    Two databases in turns, the first of each pair emptied before: between the beginning and the end of a fill of
    minutes the machine changes more than the table does.
    """
    turns: list[dict[str, float]] = []
    with lab.beside(target) as full:
        throughput.fill(full, fill)
        for _ in range(_TURNS):
            _empty(target)
            found = {"empty": throughput.drain(target, rows, 100), "filled": throughput.drain(full, rows, 100)}
            _empty(target)
            found |= {"bare_empty": throughput.bare_copy(target, rows), "bare_filled": throughput.bare_copy(full, rows)}
            turns.append(found)
    return turns


def _empty(target: Target) -> None:
    with connect(target.admin_url, "bench", role=OWNER, autocommit=True) as conn:
        conn.execute("TRUNCATE readings")
    with connect(target.admin_url, "bench", autocommit=True) as conn:
        conn.execute("CHECKPOINT")


_BORN_POINTS = 20
_BIRTHS_S = 900.0


def births(target: Target, count: int) -> dict[str, float]:
    """So many gateways, all points unknown, born at once: seconds until all are in, memory, births not processed."""
    epoch = lab.new_epoch("births")
    fleet = [GatewayRef(lab.COMMUNITY, f"{epoch}-{number}") for number in range(count)]  # new ones in each run
    load = [lab.birth_packet(source, epoch, n % 65_000 + 1, _BORN_POINTS) for n, source in enumerate(fleet)]
    with connect(target.admin_url, "bench", role=OWNER) as conn:
        names = [source.gateway for source in fleet]
        conn.execute(
            "INSERT INTO gateways (community_id, gateway_id) SELECT %s, unnest(%s::text[]) ON CONFLICT DO NOTHING",
            [lab.COMMUNITY, names],
        )
    ready = lab.new_epoch("ready")
    with lab.worker(target) as pid, connect(target.ingest_url, "bench", autocommit=True) as conn:
        lab.be_born(target, ready)
        before, begin = lab.accounted(conn, "processed"), time.perf_counter()
        with lab.publishing(target, load):
            lab.wait_for(lambda: lab.accounted(conn, "received") - before >= count, _BIRTHS_S)
        seconds = time.perf_counter() - begin
        lost = count - (lab.accounted(conn, "processed") - before)
        found = {"seconds": seconds, "rss_mb": lab.memory_mb(pid), "lost": float(lost)}
    with loading(target.mqtt, lab.USER, target.password) as gone:  # else each later worker is told of them again
        gone.send([publish_packet(topics.birth(source), b"", 1, retain=True) for source in fleet])
    return found


def flood(target: Target, seconds: float = 20.0) -> float:
    """Highest resident size in MB of a worker that gets 1,000-reading messages without bounds."""
    epoch = lab.new_epoch("flood")
    load = lab.encode_load(epoch, 4_000_000, 1000)
    with lab.worker(target) as pid:
        lab.be_born(target, epoch)
        with lab.publishing(target, load) as sender:
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline and sender.is_alive():
                sender.join(0.2)
        return lab.memory_mb(pid)
