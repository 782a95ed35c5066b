"""Write core/watchkeep_core/schema/schema.sql anew from the migrations: `make schema`."""

import tempfile
from pathlib import Path

from tests import servers
from watchkeep_cli.postgres import start_postgres
from watchkeep_core.schema import dump
from watchkeep_core.schema.migrate import migrate


def main() -> None:
    target = Path(__file__).parents[1] / "core" / "watchkeep_core" / "schema" / "schema.sql"
    with tempfile.TemporaryDirectory() as folder, start_postgres(Path(folder)) as server:
        migrate(server.admin_url)
        target.write_text(dump.schema(server.admin_url, servers.embedded_binary("pg_dump")), encoding="utf-8")


if __name__ == "__main__":
    main()
