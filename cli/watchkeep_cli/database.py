"""`watchkeep db`: schema, logins and estate. The service logins are told their passwords by whoever runs this."""

from pathlib import Path
from typing import Annotated, ClassVar

import typer
from pydantic import SecretStr

from watchkeep_core import settings
from watchkeep_core.commands import print_json
from watchkeep_core.database import OWNER, SERVICE_LOGINS, connect
from watchkeep_core.errors import SettingsError
from watchkeep_core.estate import read_estate, save
from watchkeep_core.schema.migrate import migrate, pending, set_password, storage

app = typer.Typer(no_args_is_help=True)


class AdminSettings(settings.PartSettings):
    """The administrator's access; services never have it."""

    part: ClassVar[str] = "db"
    admin_url: SecretStr
    """libpq URL of a login that may create roles and the schema."""


AdminUrl = Annotated[
    str | None, typer.Option(help="Administrator's libpq URL [env WATCHKEEP_DB_ADMIN_URL].", show_default=False)
]


def admin(url: str | None) -> str:
    """The administrator's URL from the command line or the settings."""
    return settings.load(AdminSettings, admin_url=url).admin_url.get_secret_value()


@app.command("migrate")
def migrate_command(admin_url: AdminUrl = None) -> None:
    """Bring the database to the present schema; a second run changes nothing."""
    from watchkeep_dispatch.notify.jobs import install_jobs

    url = admin(admin_url)
    applied = migrate(url)
    install_jobs(url)
    print_json({"applied": applied, "storage": storage(url)})


@app.command()
def status(admin_url: AdminUrl = None) -> None:
    """Which storage the server offers, and which migrations are still to be applied."""
    url = admin(admin_url)
    print_json({"storage": storage(url), "pending": pending(url)})


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


@app.command("load-estate")
def load_estate(
    file: Annotated[Path, typer.Argument(help="Estate as TOML or JSON; docs/estate.md has the format.")],
    admin_url: AdminUrl = None,
) -> None:
    """Enter areas, organisations, communities, equipment and points; what is there already is updated."""
    estate = read_estate(file)
    with connect(admin(admin_url), "load-estate", role=OWNER) as conn:
        print_json(save(conn, estate))
