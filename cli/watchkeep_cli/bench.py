"""`watchkeep bench NAME`: one contract for all parts, a table for people or JSON for scripts."""

import importlib
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from watchkeep_cli.acl import default_acl
from watchkeep_cli.broker import start_broker
from watchkeep_cli.postgres import start_postgres
from watchkeep_core import topics
from watchkeep_core.bench import Result
from watchkeep_core.broker import BrokerAddress
from watchkeep_core.commands import print_json
from watchkeep_core.schema.migrate import migrate, set_password

app = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON object for scripts.")]


@app.command()
def ingest(
    rows: Annotated[int, typer.Option(min=10_000, help="Readings per run.")] = 1_000_000,
    runs: Annotated[int, typer.Option(min=1, max=20, help="How often; the median counts.")] = 3,
    json: Json = False,
) -> None:
    """End-to-end rows/s from broker to committed rows, divided by bare COPY of the same rows on the same server."""
    run_bench: Callable[..., Result] = importlib.import_module("watchkeep_ingest.bench").run_bench
    password, database = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    community, gateway = "bench", "bench-gw"
    users = {f"ingest-{lane}-{pp}": password for lane in topics.LANES for pp in range(topics.PARTITIONS)}
    users |= {f"{community}/{gateway}": password}
    with (
        tempfile.TemporaryDirectory(prefix="watchkeep-bench-") as folder,
        start_postgres(Path(folder, "postgres")) as postgres,
        start_broker(Path(folder, "broker"), users, default_acl()) as broker,
    ):
        migrate(postgres.admin_url)
        set_password(postgres.admin_url, "watchkeep_ingest", database)
        show(
            run_bench(
                admin_url=postgres.admin_url,
                ingest_url=postgres.url("watchkeep_ingest", database),
                address=BrokerAddress.parse(broker.url),
                password=password,
                rows=rows,
                runs=runs,
            ),
            json=json,
        )


def show(result: Result, *, json: bool) -> None:
    """Print a result; the same figures either way."""
    if json:
        print_json(result)
        return
    table = Table("measure", "value", "unit", "goal", "met", title=f"bench {result.bench}")
    for measure in result.measures:
        met = "" if measure.met is None else ("yes" if measure.met else "NO")
        goal = "" if measure.goal is None else f"{measure.goal:,.4g}"
        table.add_row(measure.name, f"{measure.value:,.4g}", measure.unit, goal, met)
    console = Console()
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in result.machine.items()), style="dim")
    console.print(", ".join(f"{name} {value}" for name, value in result.versions.items()), style="dim")
