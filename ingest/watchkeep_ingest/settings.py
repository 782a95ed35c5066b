"""Settings of ingest: the service and the verbs beside it read the same table."""

from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from watchkeep_core.errors import SettingsError
from watchkeep_core.settings import BrokerSettings, DatabaseSettings, variable
from watchkeep_core.topics import PARTITIONS


class IngestSettings(DatabaseSettings, BrokerSettings):
    """Part `ingest`."""

    part: ClassVar[str] = "ingest"

    mqtt_password: SecretStr | None = None
    """Secret of all sessions `ingest-{lane}-{pp}`; the service needs it, the other verbs do not."""
    partitions: str = "all"
    """Partitions this worker may take: `all` or a list such as `0,1,7`. It waits for those another worker holds."""
    receive_maximum: int = Field(default=2000, ge=20, le=65_535)
    """Messages the broker may send one session ahead of our acks: the back-pressure. Wanted rate × commit time × 3."""
    linger_ms: float = Field(default=100.0, ge=0, le=10_000)
    """Least time between two data transactions; after a pause the first message goes at once. Events never wait."""
    batch_messages: int = Field(default=1000, ge=1, le=100_000)
    """Most messages in one transaction: half of a session's window, so that the other half arrives meanwhile."""
    batch_bytes: int = Field(default=4 * 2**20, ge=2**18)
    """Most payload bytes in one transaction; 4 MiB of JSON are about 200,000 readings."""
    queue_bytes: int = Field(default=64 * 2**20, ge=2**20)
    """Payload bytes a lane may hold in memory; beyond, messages stay with the broker."""
    unclaimed_cap: int = Field(default=2000, ge=0)
    """Points a gateway may register that no person has entered; readings of further ones are parked."""

    @field_validator("partitions")
    @classmethod
    def _partitions(cls, value: str) -> str:
        parse_partitions(value)
        return value

    @property
    def wanted_partitions(self) -> tuple[int, ...]:
        return parse_partitions(self.partitions)

    def session_password(self) -> str:
        """Raises SettingsError when it is missing."""
        if self.mqtt_password is None:
            name = variable(type(self), "mqtt_password")
            raise SettingsError(f"mqtt_password: must be set; set it by {name} or in [ingest] of the file")
        return self.mqtt_password.get_secret_value()


def parse_partitions(value: str) -> tuple[int, ...]:
    """`all` or comma-separated numbers, ascending without doubles. Raises ValueError."""
    if value.strip() == "all":
        return tuple(range(PARTITIONS))
    texts = [text.strip() for text in value.split(",")]
    if not all(text.isascii() and text.isdigit() and int(text) < PARTITIONS for text in texts):
        raise ValueError(f"must be 'all' or numbers from 0 to {PARTITIONS - 1} with commas between")
    return tuple(sorted({int(text) for text in texts}))
