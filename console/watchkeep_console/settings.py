"""Settings of the console: `WATCHKEEP_CONSOLE_*` and `[console]`."""

from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field, IPvAnyNetwork, SecretStr, ValidationInfo, field_validator

from watchkeep_core.vocabulary import load as load_vocabulary
from watchkeep_dispatch.settings import WorkTimeSettings

MIN_SECRET = 32
"""Characters: 128 bits when they are hexadecimal digits."""


class ConsoleSettings(WorkTimeSettings):
    part: ClassVar[str] = "console"

    host: str = "127.0.0.1"
    """Address that pages, API, health and metrics listen on."""
    port: int = Field(default=8080, ge=0, le=65535)
    """Port of all of them; 0 = any free one, which is then logged."""
    public_url: str = Field(default="", pattern=r"^$|^https?://[^/?#]+/?$")
    """Where people reach the console; with https the session cookie is marked Secure. Empty = http://host:port."""
    session_secret: SecretStr = Field(min_length=MIN_SECRET)
    """Keys hashes of sessions and API tokens, and encrypts second factors and webhook secrets: with another one all
    sessions and tokens end, and second factors must be reset. No default."""
    session_hours: float = Field(default=12, gt=0, le=24 * 30)
    """Longest life of a session, in hours."""
    idle_minutes: float = Field(default=30, gt=0, le=24 * 60)
    """A session unused for so long ends, in minutes."""
    totp_roles: frozenset[str] = frozenset()
    """Roles that must have a second factor, as a JSON list such as ["sys_admin", "sec_admin"]."""
    oidc_issuer: str = Field(default="", pattern=r"^$|^https?://[^?#]+$")
    """OpenID provider that people may log in by; empty = none. https, but for one on this machine."""
    oidc_client_id: str = Field(default="", validate_default=True)
    """This console as the provider knows it."""
    oidc_client_secret: SecretStr | None = None
    """Its secret at the provider; absent for a public client, which PKCE protects."""
    oidc_label: str = "OpenID"
    """What the button on the login page says."""
    requests_per_minute: int = Field(default=600, ge=10)
    """Most requests of one session or token to the API in a minute and process; beyond, 429."""
    webhook_networks: tuple[IPvAnyNetwork, ...] = ()
    """Private networks that webhooks may go to, as a JSON list; public addresses always may."""
    webhook_every_s: float = Field(default=2.0, ge=0, le=3600)
    """Messages to webhooks that are due are looked for this often, in seconds; 0 = this process hands over none."""
    pool_size: int = Field(default=8, ge=2, le=50)
    """Most connections to the database besides the one that listens."""
    trusted_proxy: str = ""
    """Addresses whose X-Forwarded-For is believed, separated by commas; empty = nobody's."""
    mqtt_url: str = ""
    """Broker as gateways reach it, shown by the wizard; empty = the page asks to fill it in."""
    mqtt_password: SecretStr | None = None
    """Password of the broker user `console`; kept for commands to gateways, not used yet."""
    enrol_dir: Path | None = None
    """Folder through which a supervisor adds broker users; absent = the page shows how to add one by hand."""

    @field_validator("session_secret")
    @classmethod
    def _not_trivial(cls, value: SecretStr) -> SecretStr:
        if len(set(value.get_secret_value())) < 8:
            raise ValueError("must be random, e.g. from: python -c 'import secrets; print(secrets.token_hex(32))'")
        return value

    @field_validator("totp_roles")
    @classmethod
    def _known_roles(cls, value: frozenset[str]) -> frozenset[str]:
        if unknown := value - set(load_vocabulary().roles):
            raise ValueError(f"no such role: {', '.join(sorted(unknown))}")
        return value

    @field_validator("oidc_client_id")
    @classmethod
    def _client_of_issuer(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("oidc_issuer") and not value:
            raise ValueError("must be set, as oidc_issuer is")
        return value

    @field_validator("oidc_issuer")
    @classmethod
    def _safe_issuer(cls, value: str) -> str:
        host = urlsplit(value).hostname
        if value.startswith("http://") and host not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError("must be https://")
        return value.rstrip("/")

    @property
    def secure_cookies(self) -> bool:
        return self.public_url.startswith("https://")
