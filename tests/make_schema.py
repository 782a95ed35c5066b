"""Write anew what is generated: schema, data dictionary, message schema, settings, metrics, acl: `make schema`."""

import tempfile
from pathlib import Path

import msgspec

from tests import metrics_table, servers
from watchkeep_cli.acl import site_acl
from watchkeep_cli.broker import mosquitto_acl
from watchkeep_cli.postgres import start_postgres
from watchkeep_cli.settings_table import table
from watchkeep_core.database import connect
from watchkeep_core.messages import json_schema
from watchkeep_core.schema import dictionary, dump
from watchkeep_core.schema.migrate import migrate


def operate(text: str) -> str:
    """docs/operate.md with its table of settings as the code has them."""
    return _between(text, "settings", table())


def runbook(text: str) -> str:
    """docs/runbook.md with its table of metrics as the code has them."""
    return _between(text, "metrics", f"{metrics_table.table()}\n")


def _between(text: str, name: str, fresh: str) -> str:
    """The page with what stands between the comments of that name replaced."""
    before, _, rest = text.partition(f"<!-- {name}:")
    heading, _, rest = rest.partition("\n")
    _, _, after = rest.partition(f"<!-- end of {name} -->")
    return f"{before}<!-- {name}:{heading}\n\n{fresh}\n<!-- end of {name} -->{after}"


def deployed_acl() -> str:
    """deploy/mosquitto.acl: the rules of a production broker, without those of the simulator."""
    return "# Who may read and write which topic; written by `make schema`.\n" + mosquitto_acl(site_acl())


def main() -> None:
    root = Path(__file__).parents[1]
    schema = msgspec.json.format(msgspec.json.encode(json_schema(), order="sorted"), indent=2)
    (root / "docs" / "messages.schema.json").write_bytes(schema + b"\n")
    (root / "deploy" / "mosquitto.acl").write_text(deployed_acl(), encoding="utf-8")
    for name, fresh in (("operate", operate), ("runbook", runbook)):
        page = root / "docs" / f"{name}.md"
        page.write_text(fresh(page.read_text(encoding="utf-8")), encoding="utf-8")
    target = root / "core" / "watchkeep_core" / "schema" / "schema.sql"
    with tempfile.TemporaryDirectory() as folder, start_postgres(Path(folder)) as server:
        migrate(server.admin_url)
        with connect(server.admin_url, "dictionary") as conn:
            (root / "docs" / "data-dictionary.md").write_text(dictionary.page(conn), encoding="utf-8")
        target.write_text(dump.schema(server.admin_url, servers.embedded_binary("pg_dump")), encoding="utf-8")


if __name__ == "__main__":
    main()
