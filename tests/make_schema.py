"""Write schema.sql anew from the migrations, and docs/messages.schema.json from the messages: `make schema`."""

import tempfile
from pathlib import Path

import msgspec

from tests import servers
from watchkeep_cli.postgres import start_postgres
from watchkeep_core.messages import json_schema
from watchkeep_core.schema import dump
from watchkeep_core.schema.migrate import migrate


def main() -> None:
    root = Path(__file__).parents[1]
    schema = msgspec.json.format(msgspec.json.encode(json_schema(), order="sorted"), indent=2)
    (root / "docs" / "messages.schema.json").write_bytes(schema + b"\n")
    target = root / "core" / "watchkeep_core" / "schema" / "schema.sql"
    with tempfile.TemporaryDirectory() as folder, start_postgres(Path(folder)) as server:
        migrate(server.admin_url)
        target.write_text(dump.schema(server.admin_url, servers.embedded_binary("pg_dump")), encoding="utf-8")


if __name__ == "__main__":
    main()
