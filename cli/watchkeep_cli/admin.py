"""The administrator's access to the database, as all verbs of `watchkeep db` take it."""

from typing import Annotated, ClassVar

import typer
from pydantic import SecretStr

from watchkeep_core import settings


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
