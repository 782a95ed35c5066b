"""`watchkeep analytics …`."""

from pathlib import Path
from typing import Annotated

import typer

from watchkeep_analytics import rule_commands
from watchkeep_analytics import score as scoring
from watchkeep_analytics.service import run as serve
from watchkeep_analytics.settings import AnalyticsSettings
from watchkeep_core import logs
from watchkeep_core.commands import print_json
from watchkeep_core.service import Stop
from watchkeep_core.settings import load

app = typer.Typer(help="Turns readings into warnings that explain themselves.", no_args_is_help=True)


@app.command()
def run(
    database_url: Annotated[str | None, typer.Option(help="PostgreSQL URL of the login watchkeep_analytics.")] = None,
    mqtt_url: Annotated[str | None, typer.Option(help="Broker, mqtt://host:port.")] = None,
    health_port: Annotated[int | None, typer.Option(help="Port of /health and /metrics; 0 = none.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Judge everything that ingest commits, until SIGTERM."""
    settings = load(
        AnalyticsSettings, database_url=database_url, mqtt_url=mqtt_url, health_port=health_port, log_level=log_level
    )
    logs.configure("analytics", settings.log_level)
    serve(settings, Stop().install())


@app.command()
def score(
    file: Annotated[Path, typer.Argument(help="CSV with the columns timestamp and value.")],
    labels: Annotated[Path | None, typer.Option(help="Labelled windows, JSON as in NAB.")] = None,
) -> None:
    """Run the learned baseline over one recorded series and print what it would have warned of."""
    t_us, value = scoring.read_series(file)
    windows = scoring.read_windows(labels, file) if labels else []
    print_json({"file": file.name, "rows": len(t_us), **scoring.summary(scoring.detect(t_us, value), windows)})


app.add_typer(rule_commands.app, name="rules")
app.command("try")(rule_commands.try_)
app.command("backtest")(rule_commands.backtest)
