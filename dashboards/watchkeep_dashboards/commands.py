"""`watchkeep dashboards …`: list and export the Grafana dashboards; build them anew."""

from pathlib import Path
from typing import Annotated

import typer

from watchkeep_core.commands import print_json
from watchkeep_core.errors import PermanentError
from watchkeep_dashboards import packaged
from watchkeep_dashboards.packaged import Language

app = typer.Typer(help="Grafana dashboards as code, in Chinese and English.", no_args_is_help=True)


@app.command("list")
def list_dashboards() -> None:
    """List the dashboards: name, language, uid, title, number of panels."""
    print_json(packaged.listing())


@app.command()
def export(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Folder to write; Grafana's provisioning folder, or one to copy there."),
    ],
    language: Annotated[Language, typer.Option(help="Language of titles, columns and states.")] = "zh",
) -> None:
    """Write data source, provider and dashboards as files that Grafana reads at start.

    Addresses and the password are not in them: Grafana puts in WATCHKEEP_GRAFANA_… from its own environment; the
    head of each .yaml file says which.
    """
    print_json([str(path) for path in packaged.export(folder, language)])


@app.command()
def generate() -> None:
    """For developers: build the committed JSON of the package anew from the Python functions."""
    try:
        from watchkeep_dashboards.generate import generate as build
    except ModuleNotFoundError as error:
        raise PermanentError(f"{error.name} is not installed: pip install 'watchkeep[dashboards]'") from None
    for path, text in build().items():
        (Path(__file__).parent / path).write_text(text, encoding="utf-8")
    print_json(packaged.listing())
