"""`watchkeep bench NAME`: one contract for all parts, a table for people or JSON for scripts."""

import importlib
import secrets
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from watchkeep_cli.acl import default_acl
from watchkeep_cli.broker import start_broker
from watchkeep_cli.postgres import start_postgres
from watchkeep_core.bench import Result
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
    module = importlib.import_module("watchkeep_ingest.bench")
    password, login = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    with (
        tempfile.TemporaryDirectory(prefix="watchkeep-bench-") as folder,
        start_postgres(Path(folder, "postgres")) as postgres,
        start_broker(Path(folder, "broker"), module.users(password), default_acl()) as broker,
    ):
        migrate(postgres.admin_url)
        set_password(postgres.admin_url, "watchkeep_ingest", login)
        url = postgres.url("watchkeep_ingest", login)
        result: Result = module.run_bench(
            postgres.admin_url, url, broker.address, password, rows=rows, sizes=(100,), runs=runs
        )
    show(result, json=json)


def show(result: Result, *, json: bool) -> None:
    """Print a result; the same figures either way."""
    if json:
        print_json(result)
        return
    table = Table("measure", "value", "unit", "goal", "met", title=f"bench {result.bench}")
    for measure in result.measures:
        met = "" if measure.met is None else ("yes" if measure.met else "NO")
        goal = "" if measure.goal is None else _figure(measure.goal)
        table.add_row(measure.name, _figure(measure.value), measure.unit, goal, met)
    console = Console()
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in result.machine.items()), style="dim")
    console.print(", ".join(f"{name} {value}" for name, value in result.versions.items()), style="dim")


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
