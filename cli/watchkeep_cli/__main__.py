"""`watchkeep`: one group of commands per part, and what spans all parts."""

import importlib
import sys
from collections.abc import Sequence

import typer

from watchkeep_cli import local
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
    "tls": "Certificates for tests and trials.",
    "deploy": "A site of its own: secrets, certificates, database.",
    "bench": "Measures speed as ratios; prints JSON or a table.",
}
MODULES = {
    "sim": "watchkeep_firmware_sim.commands",
    "db": "watchkeep_cli.database",
    "audit": "watchkeep_cli.audit",
    "tls": "watchkeep_cli.tls",
    "deploy": "watchkeep_cli.deploy",
    "bench": "watchkeep_cli.bench",
}
EXTRAS = {"db": "dispatch", "audit": "database", "bench": "all", "tls": "tls", "deploy": "dispatch,tls"}
_TAKES_ANYTHING = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


class MissingPart(PermanentError):
    """A part whose extra is not installed."""


def build(arguments: Sequence[str]) -> typer.Typer:
    """The command line for these arguments: only the part that they name is imported.

    So a gateway's process does not carry numpy and the web server, and a part that is not installed is told only when
    it is wanted.
    """
    app = typer.Typer(
        name="watchkeep",
        help="Watches elevators, fire systems and water supply; sees every warning through to a verified repair.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    wanted = next((argument for argument in arguments if not argument.startswith("-")), None)
    local.register(app)
    for part, summary in PARTS.items():
        if part == wanted:
            app.add_typer(_load(part), name=part, help=summary)
        else:
            app.command(part, help=summary, context_settings=_TAKES_ANYTHING)(_not_called)
    return app


def _load(part: str) -> typer.Typer:
    try:
        module = importlib.import_module(MODULES.get(part, f"watchkeep_{part}.commands"))
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("watchkeep"):
            raise
        extra = EXTRAS.get(part, part)
        raise MissingPart(f"{part} needs {error.name}: pip install 'watchkeep[{extra}]'") from None
    group: typer.Typer = module.app
    if part == "gateway":  # accounts are made where the broker is, by what the part itself must not import
        importlib.import_module("watchkeep_cli.gateway_accounts").register(group)
    return group


def _not_called() -> None:
    """Stands in the list of commands for a part that is loaded when it is named."""


def main() -> None:
    run_app(lambda: build(sys.argv[1:])())


if __name__ == "__main__":
    main()
