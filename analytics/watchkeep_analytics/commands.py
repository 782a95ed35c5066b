"""`watchkeep analytics …`."""

from pathlib import Path
from typing import Annotated

import typer

from watchkeep_analytics import explanations, feedback_commands, rule_commands
from watchkeep_analytics import score as scoring
from watchkeep_analytics.feedback import FeedbackError
from watchkeep_analytics.models import commands as model_commands
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
    workers: Annotated[int | None, typer.Option(help="Processes that judge telemetry; events have their own.")] = None,
    health_port: Annotated[int | None, typer.Option(help="Port of /health and /metrics; 0 = none.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Judge everything that ingest commits, until SIGTERM."""
    settings = load(
        AnalyticsSettings,
        database_url=database_url,
        mqtt_url=mqtt_url,
        workers=workers,
        health_port=health_port,
        log_level=log_level,
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


@app.command()
def explain(
    warning: Annotated[int, typer.Argument(help="Number of the warning.", min=1)],
    svg: Annotated[Path | None, typer.Option(help="Write the chart to this file.")] = None,
    database_url: Annotated[str | None, typer.Option(help="PostgreSQL URL of the login watchkeep_analytics.")] = None,
) -> None:
    """Why a warning came: figures, peers, similar cases, one sentence; as stored, or made now where it is not yet."""
    with feedback_commands.connection(database_url) as conn:
        found = explanations.stored(conn, warning) or explanations.explain(conn, warning)
    if found is None:
        raise FeedbackError(f"warning {warning}: there is none")
    if svg is not None:
        if found.chart is None:
            raise FeedbackError(f"warning {warning}: it has no series to draw")
        svg.write_text(found.chart, encoding="utf-8")
    print_json(found.content)


app.add_typer(rule_commands.app, name="rules")
app.add_typer(feedback_commands.app, name="feedback")
app.command("try")(rule_commands.try_)
app.command("backtest")(rule_commands.backtest)
model_commands.register_verbs(app)
