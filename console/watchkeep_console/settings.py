"""Settings of the console: `WATCHKEEP_CONSOLE_*` and `[console]`."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

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
    """Keys the hashes of session and API tokens; changing it ends all sessions. No default."""
    session_hours: float = Field(default=12, gt=0, le=24 * 30)
    """Longest life of a session, in hours."""
    idle_minutes: float = Field(default=30, gt=0, le=24 * 60)
    """A session unused for so long ends, in minutes."""
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

    @property
    def secure_cookies(self) -> bool:
        return self.public_url.startswith("https://")
