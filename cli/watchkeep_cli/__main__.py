"""`watchkeep`: one group of commands per part, and what spans all parts."""

import importlib

import typer

from watchkeep_core.commands import run_app
from watchkeep_core.errors import PermanentError

PARTS = {
    "gateway": "Reads field devices and keeps every reading until the database has it.",
    "ingest": "Turns messages into committed rows, exactly once.",
    "analytics": "Turns readings into warnings that explain themselves.",
    "dispatch": "Turns warnings into cases and orders by the responsibility list.",
    "console": "REST API and web pages.",
    "dashboards": "Grafana as code.",
    "sim": "Simulated fleets with faults; replay of recorded data.",
    "db": "Schema, logins and estate of the database.",
    "audit": "The append-only, hash-chained audit trail.",
    "bench": "Measures speed as ratios and prints JSON or a table.",
}
MODULES = {
    "sim": "watchkeep_firmware_sim.commands",
    "db": "watchkeep_cli.database",
    "audit": "watchkeep_cli.audit",
    "bench": "watchkeep_cli.bench",
}


class MissingPart(PermanentError):
    """A part whose extra is not installed."""


def build() -> typer.Typer:
    """All groups; a part whose dependencies are not installed says which extra to install."""
    app = typer.Typer(
        name="watchkeep",
        help="Watches elevators, fire systems and water supply; sees every warning through to a verified repair.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for part, summary in PARTS.items():
        app.add_typer(_group(part), name=part, help=summary)
    from watchkeep_cli import local  # here: the gateway's box has none of its dependencies

    local.register(app)
    return app


def _group(part: str) -> typer.Typer:
    try:
        module = importlib.import_module(MODULES.get(part, f"watchkeep_{part}.commands"))
    except ModuleNotFoundError as error:
        return _missing(part, error.name or "a package")
    group: typer.Typer = module.app
    return group


def _missing(part: str, package: str) -> typer.Typer:
    group = typer.Typer(invoke_without_command=True)

    @group.callback()
    def explain() -> None:
        raise MissingPart(f"{part} needs {package}, which is not installed: pip install 'watchkeep[{part}]'")

    return group


def main() -> None:
    run_app(build())


if __name__ == "__main__":
    main()
