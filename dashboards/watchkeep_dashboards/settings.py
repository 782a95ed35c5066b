"""Settings of `watchkeep dashboards apply`, `diff` and `prune`, and of `export` with communities."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from watchkeep_core.settings import DatabaseSettings, PartSettings


class DashboardsSettings(PartSettings):
    """Where Grafana is, who we are there, and how Grafana reaches the database."""

    part: ClassVar[str] = "dashboards"

    grafana_url: str = Field(pattern=r"^https?://[^/?#@]+(/[^?#]*)?$")
    """Grafana's root, with its sub-path if it has one; no login in it."""
    grafana_user: str = ""
    """A server administrator, with `grafana_password`: needed to make the organisation and its service account."""
    grafana_password: SecretStr = SecretStr("")
    """Password of `grafana_user`."""
    grafana_token: SecretStr = SecretStr("")
    """Token of an Admin service account of the organisation, instead of user and password."""
    grafana_ca_file: Path | None = None
    """CA certificates for https; absent = the system's."""
    grafana_timeout_s: float = Field(default=15.0, gt=0, le=300)
    """Longest wait for one answer, in seconds."""
    organisation: str = Field(default="Wall", min_length=1)
    """Organisation of the walls: it holds nothing but the boards, and anonymous viewers see it only."""
    language: Literal["zh", "en"] = "zh"
    """Language of titles, columns and states."""
    console_url: str = Field(default="http://127.0.0.1:8080", pattern=r"^https?://[^?#]+$")
    """Address of the console as the walls' viewers reach it: where links lead."""
    database_address: str = "127.0.0.1:5432"
    """host:port of PostgreSQL as Grafana reaches it."""
    database_name: str = "watchkeep"
    """Database."""
    database_sslmode: Literal["disable", "require", "verify-ca", "verify-full"] = "require"
    """How Grafana guards its connection to PostgreSQL."""
    database_password: SecretStr = SecretStr("")
    """Password of grafana_ro; sent when the data source is made, and again with `--renew-password`."""


class ExportSettings(DatabaseSettings):
    """Of `export --communities`: WATCHKEEP_DATABASE_URL; the login of Grafana is enough."""

    part: ClassVar[str] = "dashboards_export"
