"""The services as processes: up, red while a server is away, green again without hands, gone after SIGTERM."""

import json
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.system.demo import until
from tests.system.house import PARTS, House, missing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

RECOVERY_S = 170.0
"""The back-off of a session grows to 60 s while its broker is away."""


def test_up_survives_the_loss_of_each_server_and_stops_in_time():
    with tempfile.TemporaryDirectory(prefix="watchkeep-up-") as folder, ExitStack() as stack:
        house = House(Path(folder), stack)
        with house.up() as up:
            until(house.green, 120)

            house.postgres.stop()
            until(lambda: all(missing(port) for port in house.health.values()), 120)
            house.start_postgres()
            until(house.green, RECOVERY_S)

            house.broker.stop()
            until(lambda: missing(house.health["ingest"]) and missing(house.health["analytics"]), 120)
            assert missing(house.health["dispatch"]) == []
            house.start_broker()
            until(house.green, RECOVERY_S)

            with psycopg.connect(house.postgres.admin_url) as conn:
                names = conn.execute("SELECT DISTINCT application_name FROM pg_stat_activity").fetchall()
            for part in PARTS:
                assert any(name.startswith(f"watchkeep-{part}") for (name,) in names if name), (
                    f"{part} is not connected"
                )
            up.send_signal(signal.SIGTERM)
            assert up.wait(120) == 0
        for log in Path(folder, "logs").glob("*.log"):
            for line in log.read_text().splitlines():
                json.loads(line)  # every line of a service is structured
