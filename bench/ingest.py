"""Runs the ingest bench on an embedded PostgreSQL and a local broker: python bench/ingest.py [ROWS [RUNS]]."""

import json
import secrets
import sys
import tempfile
from pathlib import Path

from watchkeep_cli.acl import default_acl
from watchkeep_cli.broker import start_broker
from watchkeep_cli.postgres import start_postgres
from watchkeep_core.schema.migrate import migrate, set_password
from watchkeep_ingest.bench import run_bench, users


def main() -> None:
    rows, runs = (int(text) for text in (*sys.argv[1:], "1000000", "1")[:2])
    password = secrets.token_urlsafe(16)
    with tempfile.TemporaryDirectory() as folder, start_postgres(Path(folder, "postgres")) as server:
        migrate(server.admin_url)
        set_password(server.admin_url, "watchkeep_ingest", password)
        url = server.url("watchkeep_ingest", password)
        with start_broker(Path(folder, "broker"), users(password), default_acl()) as broker:
            result = run_bench(server.admin_url, url, broker.address, password, rows=rows, runs=runs)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
