"""The peer: Node-RED, one well-written insert (unnest) per message, in its own folder outside this repository."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from psycopg import Connection

from watchkeep_core import topics
from watchkeep_core.database import OWNER, connect
from watchkeep_core.errors import SettingsError
from watchkeep_ingest.bench import lab
from watchkeep_ingest.bench.lab import Target
from watchkeep_ingest.bench.load import loading

NAME = "node-red"
PACKAGES = ("node-red@4", "pg@8")
HOME = Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "watchkeep" / "node-red"

_TABLE = """
DROP TABLE IF EXISTS peer_readings;
CREATE TABLE peer_readings (
    series_id integer NOT NULL, ts timestamptz NOT NULL, value float8 NOT NULL, quality smallint NOT NULL
);
CREATE INDEX ON peer_readings (series_id, ts);
GRANT SELECT, INSERT ON peer_readings TO watchkeep_ingest
"""

_FUNCTION = """
const d = msg.payload;
global.get('pool').query({
  name: 'insert',
  text: 'INSERT INTO peer_readings (series_id, ts, value, quality) SELECT s, to_timestamp(t / 1000.0), v, 0 '
      + 'FROM unnest($1::int[], $2::float8[], $3::float8[]) AS k (s, t, v)',
  values: [d.alias, d.dt_ms.map(x => d.t0 + x), d.value]
}).then(() => node.done(), error => { node.error(error); node.done(); });
"""

_SETTINGS = """
const { Pool } = require('pg');
module.exports = {
  flowFile: 'flows.json', credentialSecret: false, uiPort: 0, uiHost: '127.0.0.1',
  functionGlobalContext: { pool: new Pool({ connectionString: %s, max: %d }) }
};
"""


def measure(target: Target, rows: int, size: int, connections: int) -> float:
    """Rows/s while the publisher runs. It acknowledges messages before it stores them; nothing is checked.

    One connection stores messages in their order; more of them do not, and the server's cores share the work.
    """
    program = _install()
    with connect(target.admin_url, "bench", role=OWNER) as conn:
        for statement in _TABLE.split(";"):
            conn.execute(statement.encode())
    load = lab.encode_load(lab.new_epoch("peer"), rows, size)
    with _running(program, target, connections), connect(target.ingest_url, "bench", autocommit=True) as conn:
        before = _subscribed(target, conn)
        with lab.publishing(target, load):
            first = lab.wait_for(lambda: _count(conn) - before, lab.START_S)
            begin = time.perf_counter()
            lab.wait_for(lambda: _count(conn) - before >= rows, lab.STALL_S)
            return (rows - first) / (time.perf_counter() - begin)


def _subscribed(target: Target, conn: Connection) -> int:
    """Nothing tells when its subscription is granted: send until something arrives; returns how many rows did."""
    deadline = time.monotonic() + lab.START_S
    while not (found := _count(conn)) and time.monotonic() < deadline:
        with loading(target.mqtt, lab.USER, target.password) as load:
            load.send(lab.encode_load(lab.new_epoch("peer"), 1, 1))
        time.sleep(1.0)
    return found


def _count(conn: Connection) -> int:
    row = conn.execute("SELECT count(*) FROM peer_readings").fetchone()
    time.sleep(0.2)  # each look reads the whole table: more of them would hold the peer back
    return int(row[0]) if row else 0


def _install() -> Path:
    """Once, by npm. Raises SettingsError where there is none."""
    program = HOME / "node_modules" / "node-red" / "red.js"
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise SettingsError("--peer node-red: needs node and npm")
    if not all((HOME / "node_modules" / name.partition("@")[0]).exists() for name in PACKAGES):
        HOME.mkdir(parents=True, exist_ok=True)
        (HOME / "package.json").write_text('{"private": true}', encoding="utf-8")
        command = [npm, "install", "--no-audit", "--no-fund", *PACKAGES]
        done = subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SettingsError(f"--peer node-red: npm: {' '.join((done.stderr or done.stdout).split())[-300:]}")
    return program


@contextmanager
def _running(program: Path, target: Target, connections: int) -> Iterator[None]:
    """Ready when its session has subscribed."""
    folder = HOME / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    (folder / "flows.json").write_text(json.dumps(_flow(target)), encoding="utf-8")
    secret = {"broker": {"user": "paho", "password": target.password}}
    (folder / "flows_cred.json").write_text(json.dumps(secret), encoding="utf-8")
    settings = _SETTINGS % (json.dumps(target.ingest_url), connections)
    (folder / "settings.js").write_text(settings, encoding="utf-8")
    log = folder / "log.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            [shutil.which("node") or "node", str(program), "-u", str(folder), "-s", str(folder / "settings.js")],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        lab.wait_for(lambda: int("Connected to broker" in log.read_text(encoding="utf-8")), lab.START_S)
        yield
    finally:
        process.terminate()
        process.wait(15)


def _flow(target: Target) -> list[dict[str, Any]]:
    broker = {
        "id": "broker",
        "type": "mqtt-broker",
        "broker": target.mqtt.host,
        "port": str(target.mqtt.port),
        "clientid": "paho",
        "autoConnect": True,
        "usetls": False,
        "protocolVersion": "4",
        "keepalive": "60",
        "cleansession": True,
    }
    return [
        {"id": "tab", "type": "tab", "label": "peer"},
        broker,
        {
            "id": "in",
            "type": "mqtt in",
            "z": "tab",
            "topic": topics.ingest_filters("data", lab.PARTITION)[0],
            "qos": "1",
            "datatype": "json",
            "broker": "broker",
            "inputs": 0,
            "wires": [["insert"]],
        },
        {"id": "insert", "type": "function", "z": "tab", "func": _FUNCTION, "outputs": 0, "wires": []},
    ]
