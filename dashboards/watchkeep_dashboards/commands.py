"""`watchkeep dashboards …`: boards as code, into Grafana by its API or as files."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from watchkeep_core.commands import print_json
from watchkeep_core.errors import PermanentError
from watchkeep_core.settings import load
from watchkeep_dashboards import packaged
from watchkeep_dashboards.contents import Community, chosen, live_communities
from watchkeep_dashboards.packaged import Language
from watchkeep_dashboards.provisioning import export as export_tree
from watchkeep_dashboards.settings import DashboardsSettings, ExportSettings

app = typer.Typer(help="Grafana dashboards as code, in Chinese and English.", no_args_is_help=True)

Only = Annotated[
    list[str] | None, typer.Option("--community", help="Boards and playlist of these only; none = of every live one.")
]
CityOnly = Annotated[bool, typer.Option("--city-only", help="No boards of single communities.")]


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
    console_url: Annotated[
        str, typer.Option(envvar="WATCHKEEP_DASHBOARDS_CONSOLE_URL", help="Where links lead: the console's address.")
    ] = "",
    communities: Annotated[
        bool, typer.Option("--communities", help="Boards and playlist of every live community too; asks the database.")
    ] = False,
    community: Annotated[list[str] | None, typer.Option(help="Likewise, of this one only; repeatable.")] = None,
) -> None:
    """Write data source, provider, dashboards, alert rules and playlists as files that Grafana reads at start.

    Grafana reads playlists from no file: post them to its API. Addresses and the password are not in the files:
    Grafana puts in WATCHKEEP_GRAFANA_… from its own environment; the head of each .yaml file says which.
    Communities are asked from WATCHKEEP_DATABASE_URL, with the login grafana_ro.
    """
    there = _live(language, community or ()) if communities or community else None
    print_json([str(path) for path in export_tree(folder, language, console=console_url, communities=there)])


@app.command("apply")
def apply_all(
    community: Only = None,
    city_only: CityOnly = False,
    renew_password: Annotated[bool, typer.Option(help="Send the password of grafana_ro again.")] = False,
    token_file: Annotated[
        Path | None, typer.Option(help="New file for a token of the service account, which later applies can use.")
    ] = None,
) -> None:
    """Make Grafana so: organisation, data source, folders, dashboards, playlists, alert rules. Twice writes nothing.

    Needs WATCHKEEP_DASHBOARDS_GRAFANA_URL and a login: see `watchkeep settings`.
    """
    apply, organisation = _api()
    settings = load(DashboardsSettings)
    with organisation.connect(settings) as grafana:
        if not organisation.enter(grafana, settings):
            organisation.make(grafana, settings)
        plugin = organisation.plugin(grafana)
        done = apply.write(grafana, [apply.datasource(settings, plugin, renew=renew_password)])
        done += apply.write(grafana, apply.of_the_city(settings, plugin))
        if not city_only:
            there = apply.communities(grafana, settings, community or ())
            done += apply.write(grafana, apply.of_communities(settings, plugin, there))
        if token_file and not token_file.exists():
            organisation.token_to(grafana, token_file)
        seen = organisation.anonymous(grafana, settings)
        answer = {
            "organisation": settings.organisation,
            "changes": done,
            "writes": len(grafana.writes),
            "playlists": apply.addresses(grafana, settings),
            "anonymous": seen,
        }
    if seen != "on":
        answer["grafana_ini"] = organisation.INI.format(name=settings.organisation)
    print_json(answer)


@app.command()
def diff(community: Only = None, city_only: CityOnly = False) -> None:
    """Say what `apply` and `prune` would change; exit code 1 when there is anything."""
    apply, organisation = _api()
    settings = load(DashboardsSettings)
    with organisation.connect(settings) as grafana:
        if organisation.enter(grafana, settings):
            found = apply.drift(grafana, settings, None if city_only else community or ())
        else:
            found = [apply.Change("organisation", settings.organisation, settings.organisation, "create")]
    print_json(found)
    raise typer.Exit(1 if found else 0)


@app.command()
def prune(
    community: Only = None,
    city_only: CityOnly = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it they are only listed.")] = False,
) -> None:
    """Delete dashboards, playlists and alert rules of ours that are no longer wanted: of a community that left."""
    apply, organisation = _api()
    settings = load(DashboardsSettings)
    with organisation.connect(settings) as grafana:
        if not organisation.enter(grafana, settings):
            raise PermanentError(f"Grafana has no organisation {settings.organisation!r}: nothing to prune")
        wanted = apply.everything(grafana, settings, None if city_only else community or ())
        found = apply.strangers(grafana, settings, wanted)
        if yes:
            for change in found:
                apply.delete(grafana, change)
    print_json(found)


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


def _live(language: Language, only: Sequence[str]) -> list[Community]:
    """Live communities, asked from the database; the library for that is loaded only here."""
    from watchkeep_core.database import connect

    with connect(load(ExportSettings).database_url.get_secret_value(), "dashboards") as conn:
        return chosen(conn.execute(live_communities(language).encode()).fetchall(), only)


def _api() -> tuple[Any, Any]:
    """The modules that need grafana-client, which no other command does."""
    try:
        return import_module("watchkeep_dashboards.apply"), import_module("watchkeep_dashboards.organisation")
    except ModuleNotFoundError as error:
        raise PermanentError(f"{error.name} is not installed: pip install 'watchkeep[dashboards]'") from None
