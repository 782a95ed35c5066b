"""`watchkeep bench NAME`: one contract for all parts, a table for people or JSON for scripts."""

import importlib
import secrets
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from watchkeep_cli import bench_all, bench_console
from watchkeep_cli.acl import LOAD_USER, AclRule, default_acl, load_acl
from watchkeep_cli.bench_gateway import server_side
from watchkeep_cli.bench_page import page
from watchkeep_cli.bench_servers import database, folder, login, server
from watchkeep_cli.broker import start_broker
from watchkeep_cli.ports import free_port
from watchkeep_cli.postgres import start_postgres
from watchkeep_core.bench import Result
from watchkeep_core.commands import print_json
from watchkeep_core.database import queries
from watchkeep_core.errors import SettingsError

app = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON object for scripts.")]


@app.command()
def ingest(
    rows: Annotated[int, typer.Option(min=10_000, help="Readings per run.")] = 2_000_000,
    runs: Annotated[int, typer.Option(min=1, max=20, help="How often; the median counts.")] = 3,
    only: Annotated[list[str] | None, typer.Option(help="These groups only: see --list.")] = None,
    fill: Annotated[
        int, typer.Option(min=0, help="Group `filled`: rows that are in before it measures.")
    ] = 100_000_000,
    peer: Annotated[str | None, typer.Option(help="Also measure this peer: node-red (npm fetches it).")] = None,
    groups: Annotated[bool, typer.Option("--list", help="List the groups and what they measure.")] = False,
    json: Json = False,
) -> None:
    """End-to-end rows/s from broker to committed rows and what belongs to it, each beside the bare limit."""
    module = importlib.import_module("watchkeep_ingest.bench")
    if groups:
        for name, group in module.GROUPS.items():
            typer.echo(f"{name}: {group.__doc__}")
        return
    password = secrets.token_urlsafe(24)
    rules = [AclRule(module.USER, "readwrite", "wk/1/#"), AclRule(module.PAHO, "read", "wk/1/#")]
    with (
        folder() as place,
        server() as postgres,
        start_broker(place / "broker", module.users(password), [*default_acl(), *rules]) as broker,
    ):
        target = module.Target(postgres.admin_url, login(postgres, "ingest"), broker.address, password)
        wanted = only or list(module.DEFAULT)
        result: Result = module.run_bench(target, rows=rows, runs=runs, groups=wanted, fill=fill, peer=peer)
    show(result, json=json)


@app.command()
def dispatch(
    burst: Annotated[int, typer.Option(min=100, max=40_000, help="Warnings at once.")] = 10_000,
    seconds: Annotated[int, typer.Option(min=1, max=300, help="How long 100 warnings a second come in.")] = 20,
    crossings: Annotated[int, typer.Option(min=100, help="Threshold crossings on 50 pieces of equipment.")] = 100_000,
    json: Json = False,
) -> None:
    """From warnings to orders and notifications: a burst, a steady stream, a storm; life safety among them."""
    module = importlib.import_module("watchkeep_dispatch.bench")
    jobs = importlib.import_module("watchkeep_dispatch.notify.jobs")
    with server() as postgres:
        jobs.install_jobs(postgres.admin_url)
        target = module.Target(postgres.admin_url, login(postgres, "dispatch"), login(postgres, "analytics"))
        result: Result = module.run_bench(target, burst=burst, seconds=seconds, crossings=crossings)
    show(result, json=json)


@app.command()
def detect(
    data: Annotated[
        Path | None, typer.Option(envvar="WATCHKEEP_TEST_DATA", help="Folder with nab, skab and batadal.")
    ] = None,
    pieces: Annotated[int, typer.Option(min=7, help="Fleet: pieces of equipment.")] = 1_000,
    days: Annotated[int, typer.Option(min=21, max=365, help="Fleet: days; two weeks of them are warm-up.")] = 45,
    seed: Annotated[int, typer.Option(help="Of the fleet, its faults, and the half-splits.")] = 20_261_122,
    only: Annotated[list[str] | None, typer.Option(help="Only nab, skab, batadal, fleet, rules, cost, events.")] = None,
    json: Json = False,
) -> None:
    """Warnings against labels: NAB, SKAB, BATADAL by their own rules; a simulated fleet; cost; delay of events."""
    module = importlib.import_module("watchkeep_analytics.bench")
    made = importlib.import_module("watchkeep_cli.bench_detect")
    if unknown := set(only or ()) - set(module.GROUPS):
        raise SettingsError(f"only: {', '.join(sorted(unknown))} is none of {', '.join(module.GROUPS)}")
    wanted = only or list(module.GROUPS)
    fleets = made.fleets(pieces, days, seed) if "fleet" in wanted else []
    rules = made.every_rule(seed) if "rules" in wanted else {}
    with made.servers() if "events" in wanted else nullcontext() as target:
        result: Result = module.run_bench(
            data, fleets, made.learnt(), every_rule=rules, seed=seed, groups=wanted, say=_say, target=target
        )
    show(result, json=json)


def _say(text: str) -> None:
    typer.echo(text, err=True)


@app.command()
def orders(
    count: Annotated[int, typer.Option("--orders", min=10_000, help="Orders in the database.")] = 1_000_000,
    runs: Annotated[int, typer.Option(min=5, help="How often each query is asked; its 95th percentile counts.")] = 40,
    json: Json = False,
) -> None:
    """Lists and indicators over a million orders, as people under row-level security."""
    module = importlib.import_module("watchkeep_dispatch.bench_orders")
    lists = queries("watchkeep_console", "sql/reads.sql")
    with server() as postgres:
        target = module.Target(postgres.admin_url, login(postgres, "console"), lists)
        result: Result = module.run_bench(target, orders=count, runs=runs)
    show(result, json=json)


@app.command()
def faults(json: Json = False) -> None:
    """Every fault of the simulator at every kind of equipment: one order, at the right party, of the right class."""
    module = importlib.import_module("watchkeep_cli.bench_faults")
    result: Result = module.run_bench(_say)
    show(result, json=json)


@app.command()
def walls(
    communities: Annotated[int, typer.Option(min=1, help="Live communities.")] = 12,
    lifts: Annotated[
        int, typer.Option(min=2, help="Lifts of each; 100 other pieces of equipment come with them.")
    ] = 16,
    days: Annotated[int, typer.Option(min=2, help="Of rollups.")] = 29,
    orders: Annotated[int, typer.Option(min=100, help="Orders of the last 60 days.")] = 50_000,
    runs: Annotated[int, typer.Option(min=5, help="How often each panel is asked; its 95th percentile counts.")] = 24,
    admin_url: Annotated[
        str | None,
        typer.Option(
            help="Administrator's libpq URL of a server on this machine to measure; absent = an embedded one."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Every panel of every Grafana board over 100 million readings' worth of rollups; what six screens cost."""
    module = importlib.import_module("watchkeep_dashboards.bench")
    size = module.Size(communities, lifts, days, raw_hours=26, orders=orders, open=orders // 100, batches=3600)
    with database(admin_url) as url:
        result: Result = module.run_bench(url, size=size, runs=runs)
    show(result, json=json)


@app.command()
def gateway(
    points: Annotated[int, typer.Option(min=100, help="Points of the gateway, each a float32 register pair.")] = 5_000,
    seconds: Annotated[float, typer.Option(min=1, help="Of each measure of polling.")] = 7.0,
    runs: Annotated[int, typer.Option(min=1, max=20, help="How often polling is measured; the median counts.")] = 3,
    backlog: Annotated[int, typer.Option(min=100_000, help="Readings on the spool that is drained.")] = 10_000_000,
    only: Annotated[list[str] | None, typer.Option(help="These groups only: polling, drain.")] = None,
    json: Json = False,
) -> None:
    """Polling against a bare pymodbus loop; a backlog drained into a real database while events come in; memory."""
    module = importlib.import_module("watchkeep_gateway.bench")
    if unknown := set(only or ()) - set(module.GROUPS):
        raise SettingsError(f"only: {', '.join(sorted(unknown))} is none of {', '.join(module.GROUPS)}")
    password = secrets.token_urlsafe(24)
    with (
        folder() as place,
        start_broker(place / "broker", module.users(password), default_acl()) as broker,
    ):
        ingest = server_side(broker.address, password, module.REF)
        target = module.Target(broker.address, password, lambda: free_port("127.0.0.1"), ingest)
        result: Result = module.run_bench(
            target, points=points, seconds=seconds, runs=runs, backlog=backlog, groups=only or module.GROUPS
        )
    show(result, json=json)


@app.command()
def console(
    boards: Annotated[int, typer.Option(min=1, help="Open boards: pages, each with its WebSocket and a person.")] = 50,
    clients: Annotated[int, typer.Option(min=1, help="Clients that read and look.")] = 20,
    rate: Annotated[float, typer.Option(min=1, help="Readings/s that come in meanwhile.")] = 20_000,
    seconds: Annotated[float, typer.Option(min=2, help="How long it is measured.")] = 60.0,
    json: Json = False,
) -> None:
    """What people wait for while 50 boards are open, 20 clients look and 20,000 readings/s are stored."""
    module = importlib.import_module("watchkeep_console.bench")
    with folder() as place, bench_console.scene(place, rate=rate, points=20_000) as made:
        result: Result = module.run_bench(module.Target(**made), boards=boards, clients=clients, seconds=seconds)
    show(result, json=json)


@app.command()
def demo(
    points: Annotated[int, typer.Option(help="Of the crowd beside the demo's own equipment.")] = 100_000,
    rate: Annotated[float, typer.Option(min=1, help="Readings/s of the crowd.")] = 10_000,
    seconds: Annotated[float, typer.Option(min=20, help="How long it is measured.")] = 300.0,
    json: Json = False,
) -> None:
    """The whole demo with a crowd beside it: whether it holds, what people wait for, and the score of its faults."""
    module = importlib.import_module("watchkeep_cli.bench_demo")
    result: Result = module.run_bench(_say, points=points, rate=rate, seconds=seconds)
    show(result, json=json)


@app.command()
def sim(
    seconds: Annotated[float, typer.Option(min=1, help="Of each measure.")] = 5.0,
    runs: Annotated[int, typer.Option(min=1, max=20, help="How often; the median counts.")] = 3,
    json: Json = False,
) -> None:
    """Readings that one core makes, encodes and publishes for a load run; memory at 1,000,000 points."""
    module = importlib.import_module("watchkeep_firmware_sim.fleet_load.bench")
    password = secrets.token_urlsafe(24)
    with (
        folder() as place,
        start_broker(place, {LOAD_USER: password}, load_acl(module.communities())) as broker,
    ):
        result: Result = module.run_bench(module.Login(broker.address, password), seconds=seconds, runs=runs)
    show(result, json=json)


@app.command()
def storage(
    rows: Annotated[int, typer.Option(min=100_000, help="Readings per COPY measure and run.")] = 2_000_000,
    runs: Annotated[int, typer.Option(min=1, max=20, help="How often; the median counts.")] = 3,
    admin_url: Annotated[
        str | None, typer.Option(help="Administrator's libpq URL of a server to measure; absent = an embedded one.")
    ] = None,
    json: Json = False,
) -> None:
    """COPY against direct compress, bytes per row, rollups per second, and a year of ten series for a chart."""
    module = importlib.import_module("watchkeep_ingest.storage_bench")
    if admin_url is not None:
        show(module.run_bench(admin_url, rows=rows, runs=runs), json=json)
        return
    with folder() as place, start_postgres(place / "postgres") as postgres:
        show(module.run_bench(postgres.admin_url, rows=rows, runs=runs), json=json)


@app.command(name="all")
def run_all(
    out: Annotated[
        Path, typer.Option(help="Folder of the runs; each bench is compared with its newest run of this size there.")
    ] = Path(".watchkeep/bench"),
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes: shows that each bench runs.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="These benches only.")] = None,
) -> None:
    """Every bench: one JSON and one page of all, beside the run before. Hours at full size; minutes with --quick."""
    options = bench_all.QUICK if quick else bench_all.BENCHES
    size: bench_all.Size = "quick" if quick else "all"
    if unknown := set(only or ()) - set(options):
        raise SettingsError(f"only: {', '.join(sorted(unknown))} is none of {', '.join(options)}")
    before, path = bench_all.last(out, size), bench_all.fresh(out, size)
    results, failed = list[Result](), dict[str, str]()
    for name, ended in bench_all.run(only or list(options), options):
        if isinstance(ended, Result):
            results.append(ended)
            bench_all.save(results, path)
        else:
            failed[name] = ended
    if results:
        compared = bench_all.compare(results, before)
        bench_all.show(compared)
        path.with_suffix(".md").write_text(bench_all.page(results, compared), encoding="utf-8")
        typer.echo(f"written to {path} and {path.with_suffix('.md').name}", err=True)
    if failed:
        raise bench_all.BenchFailed("; ".join(f"{name}: {why}" for name, why in failed.items()))


@app.command(name="page")
def print_page(
    files: Annotated[list[Path], typer.Argument(help="What --json printed, in the order of the page.")],
) -> None:
    """The page of all results in Markdown: bench/results/*.json > docs/benchmarks.md."""
    typer.echo(page(files), nl=False)


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
