"""What people see of ingest at one look: workers, gateways with what is held back and why, clocks that are off."""

from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.sql import SQL

from watchkeep_core.database import queries
from watchkeep_ingest.keeper import LOCK_SPACE
from watchkeep_ingest.parking import RATE_LIMIT


def status(conn: Connection[Any], *, community: str | None, at_most: int) -> dict[str, Any]:
    """`flooding`: telemetry of the gateway is parked because it is too much."""
    row = {"community": community, "at_most": at_most, "space": LOCK_SPACE}
    with conn.cursor(row_factory=dict_row) as cursor:
        gateways = cursor.execute(_sql("list_gateways"), row).fetchall()
        for gateway in gateways:
            gateway["flooding"] = RATE_LIMIT in gateway["parked"]
        return {
            "workers": cursor.execute(_sql("list_workers"), row).fetchall(),
            "gateways": gateways,
            "device_clocks": cursor.execute(_sql("list_device_clocks"), row).fetchall(),
        }


def _sql(name: str) -> SQL:
    return queries("watchkeep_ingest", "sql/overview.sql")[name]
