"""`watchkeep db`: schema, logins and estate. The service logins are told their passwords by whoever runs this."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from watchkeep_cli import storage as storage_verbs
from watchkeep_cli.admin import AdminUrl, admin
from watchkeep_cli.upgrade import upgrade
from watchkeep_core.commands import print_json
from watchkeep_core.database import OWNER, SERVICE_LOGINS, connect
from watchkeep_core.errors import SettingsError
from watchkeep_core.estate import read_estate, save
from watchkeep_core.schema.dictionary import page
from watchkeep_core.schema.migrate import set_password, storage

app = typer.Typer(no_args_is_help=True)
storage_verbs.register(app)


@app.command()
def migrate(
    backup_dir: Annotated[
        Path | None, typer.Option(help="Folder for a backup, made before anything is applied to a database in use.")
    ] = None,
    tools: storage_verbs.Tools = None,
    admin_url: AdminUrl = None,
) -> None:
    """Bring the database to the present schema; a second run changes nothing."""
    from watchkeep_dispatch.notify.jobs import install_jobs

    url = admin(admin_url)
    done = upgrade(url, backup_dir, datetime.now(UTC), tools)
    install_jobs(url)
    print_json({"applied": done.applied, "backup": done.backup and str(done.backup), "storage": storage(url)})


@app.command()
def password(
    login: Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICE_LOGINS)}.")],
    password_file: Annotated[Path, typer.Option(help="File that holds the new password.")],
    admin_url: AdminUrl = None,
) -> None:
    """Give a service login its password."""
    try:
        set_password(admin(admin_url), login, password_file.read_text(encoding="utf-8").strip())
    except (OSError, ValueError) as error:
        raise SettingsError(f"password: {error}") from None


@app.command()
def dictionary(admin_url: AdminUrl = None) -> None:
    """Print the data dictionary as Markdown: every table and view with its columns."""
    with connect(admin(admin_url), "dictionary") as conn:
        typer.echo(page(conn), nl=False)


@app.command("load-estate")
def load_estate(
    file: Annotated[Path, typer.Argument(help="Estate as TOML or JSON; docs/estate.md has the format.")],
    admin_url: AdminUrl = None,
) -> None:
    """Enter areas, organisations, communities, equipment and points; what is there already is updated."""
    estate = read_estate(file)
    with connect(admin(admin_url), "load-estate", role=OWNER) as conn:
        print_json(save(conn, estate))
