"""Settings: one typed table per part, read once from `WATCHKEEP_*` and a TOML file, refused early.

Order: the environment wins over the file, the file over the defaults. The file is named by
`WATCHKEEP_CONFIG`; it may hold tables of several parts (`[ingest]`), each part reads its own and `[shared]`.
A secret may be given as a file: `WATCHKEEP_…_FILE` holds a path whose content is the value.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from watchkeep_core.errors import SettingsError

PREFIX = "WATCHKEEP_"
CONFIG_VARIABLE = "WATCHKEEP_CONFIG"


class PartSettings(BaseSettings):
    """What every service has; a part adds its own fields and names its table of the file in `part`.

    Field `workers` of part `ingest` is read from WATCHKEEP_INGEST_WORKERS and from `workers` in `[ingest]`;
    the fields of this class from WATCHKEEP_MQTT_URL … and `[shared]`, and from the part's own names, which win.
    """

    part: ClassVar[str] = ""
    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    """debug, info, warning or error."""
    health_host: str = "127.0.0.1"
    """Address that `/health` and `/metrics` listen on."""
    health_port: int = Field(default=0, ge=0, le=65535)
    """Port of `/health` and `/metrics`; 0 = none is opened."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """`load` collects everything itself, so that each value is read from one place only."""
        return (init_settings,)


class DatabaseSettings(PartSettings):
    """A part that talks to the database."""

    database_url: SecretStr
    """libpq URL of the part's own login."""

    @field_validator("database_url")
    @classmethod
    def _is_a_url(cls, value: SecretStr) -> SecretStr:
        if (
            not value.get_secret_value().startswith(("postgresql://", "postgres://"))
            and "=" not in value.get_secret_value()
        ):
            raise ValueError("must be a libpq URL: postgresql://login@host:port/database")
        return value


class BrokerSettings(PartSettings):
    """A part that talks to the broker."""

    mqtt_url: str = "mqtt://127.0.0.1:1883"
    """Broker: mqtt://host:port or mqtts://host:port; of a cluster all servers, mqtts://one,two:8884,three."""
    mqtt_ca_file: Path | None = None
    """CA certificates for mqtts; absent = the system's."""


S = TypeVar("S", bound=PartSettings)


def load(kind: type[S], environ: Mapping[str, str] | None = None, **overrides: Any) -> S:
    """Read the settings of one part; `overrides` (command-line options that are not None) win.

    Raises SettingsError that names the field and where its value came from.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for source, found in (_from_file(kind, environ), _from_environment(kind, environ)):
        values |= found
        sources |= dict.fromkeys(found, source)
    given = {name: value for name, value in overrides.items() if value is not None}
    values |= given
    sources |= dict.fromkeys(given, "the command line")
    try:
        return kind(**values)
    except ValidationError as error:
        raise SettingsError(_explain(kind, error, sources)) from None


def variable(kind: type[PartSettings], field: str) -> str:
    """The environment variable that sets a field: WATCHKEEP_{PART}_{FIELD}."""
    part = f"{kind.part}_" if kind.part else ""
    return f"{PREFIX}{part}{field}".upper()


def describe(kind: type[PartSettings]) -> list[tuple[str, str, str]]:
    """Variable, default (empty = must be set) and meaning of each setting of a part, its own first."""
    shared = set(PartSettings.model_fields)
    rows = []
    for name, field in sorted(kind.model_fields.items(), key=lambda item: item[0] in shared):
        default = "" if field.is_required() else str(field.default)
        rows.append((variable(kind, name), default, " ".join((field.description or "").split())))
    return rows


def _from_environment(kind: type[PartSettings], environ: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    found: dict[str, Any] = {}
    for field in kind.model_fields:
        for name in (f"{PREFIX}{field}".upper(), variable(kind, field)):
            if name in environ:
                found[field] = environ[name]
            if f"{name}_FILE" in environ and f"{field}_file" not in kind.model_fields:
                found[field] = _secret_file(f"{name}_FILE", environ[f"{name}_FILE"])
    return "the environment", found


def _secret_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name}: cannot read {path}: {_why(error)}") from None


def _from_file(kind: type[PartSettings], environ: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    path = environ.get(CONFIG_VARIABLE)
    if not path:
        return "", {}
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{CONFIG_VARIABLE}: cannot read {path}: {_why(error)}") from None
    shared = {name: value for name, value in document.get("shared", {}).items() if name in kind.model_fields}
    own = document.get(kind.part, {}) if kind.part else {}
    if not isinstance(own, dict):
        raise SettingsError(f"{path}: {kind.part} must be a table")
    return path, shared | own


def _why(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _explain(kind: type[PartSettings], error: ValidationError, sources: Mapping[str, str]) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    top = field.split(".")[0]
    if top not in kind.model_fields:
        return f"{field}: no such setting of {kind.part or 'watchkeep'} (in {sources.get(top, 'the settings')})"
    reason = "must be set" if first["type"] == "missing" else first["msg"].removeprefix("Value error, ")
    where = f" (from {sources[top]})" if top in sources else ""
    return f"{field}: {reason}{where}; set it by {variable(kind, top)} or in [{kind.part or 'shared'}] of the file"
