"""`schema.sql`: what bootstrap and migrations add up to, as pg_dump sees it: to read, and for a test to compare."""

import re
import subprocess
from importlib.resources import files
from pathlib import Path

from watchkeep_core.database import DatabaseRefused, connect

_VOLATILE = re.compile(r"^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\(un)?restrict .*|)\n", re.MULTILINE)
_ROLES = re.compile(r"^(CREATE POLICY .*? TO )(\w+(?:, \w+)+)(?= USING| WITH CHECK|;)", re.MULTILINE)
"""pg_dump names them as they lie in pg_authid, and `ALTER ROLE` moves them there."""


def schema(admin_url: str, pg_dump: Path) -> str:
    """The schema as normalised SQL: without the tool's comments, session settings and yoyo's own tables.

    `pg_dump` must be of the server's major version. Raises DatabaseRefused.
    """
    command = [str(pg_dump), "--schema-only", "--no-tablespaces", "--exclude-table=*yoyo*", "--dbname", admin_url]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise DatabaseRefused(f"pg_dump: {result.stderr.strip()}")
    return _ROLES.sub(lambda m: m[1] + ", ".join(sorted(m[2].split(", "))), _VOLATILE.sub("", result.stdout))


def load(admin_url: str) -> None:
    """Build an empty database from `bootstrap.sql` and `schema.sql`."""
    folder = files("watchkeep_core.schema")
    with connect(admin_url, "load-schema") as conn:
        conn.execute("SET LOCAL check_function_bodies = off")  # pg_dump writes functions before the tables they read
        for name in ("bootstrap.sql", "schema.sql"):
            conn.execute((folder / name).read_bytes())
