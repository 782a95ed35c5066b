"""Settings of ingest: the service and the verbs beside it read the same table."""

from datetime import timedelta
from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from watchkeep_core.errors import SettingsError
from watchkeep_core.settings import BrokerSettings, DatabaseSettings, variable
from watchkeep_core.storage.levels import Level
from watchkeep_core.topics import PARTITIONS


class IngestSettings(DatabaseSettings, BrokerSettings):
    """Part `ingest`."""

    part: ClassVar[str] = "ingest"

    mqtt_password: SecretStr | None = None
    """Secret of all sessions `ingest-{lane}-{pp}`; the service needs it, the other verbs do not."""
    partitions: str = "all"
    """Partitions this worker may take: `all` or a list such as `0,1,7`. It waits for those another worker holds."""
    workers: int = Field(default=1, ge=1, le=PARTITIONS)
    """Processes that share the partitions; each has `health_port` plus its number."""
    receive_maximum: int = Field(default=2000, ge=20, le=65_535)
    """Messages the broker may send one session ahead of our acks: the back-pressure. Wanted rate × commit time × 3."""
    linger_ms: float = Field(default=100.0, ge=0, le=10_000)
    """Least time between two data transactions; after a pause the first message goes at once. Events never wait."""
    batch_messages: int = Field(default=1000, ge=1, le=100_000)
    """Most messages of one session in one transaction: half of its window, so that the rest arrives meanwhile."""
    batch_bytes: int = Field(default=3 * 2**20, ge=2**18)
    """Most payload bytes in one transaction; 3 MiB of JSON are about 200,000 readings."""
    queue_bytes: int = Field(default=64 * 2**20, ge=2**20)
    """Memory a lane may take for messages that wait, decoded ones included; beyond, they stay with the broker."""
    stuck_s: float = Field(default=300.0, ge=3.0)
    """A writer that has given no sign for so many seconds is stuck, and the process ends with exit code 70. Longer than
    any batch takes, and than the 10 s between two tries of a batch that is held."""
    flood_readings_per_s: float = Field(default=20_000, ge=0)
    """Readings per second that one gateway may send for long (a minute's worth at once); what is beyond is parked until
    its flood is over. 0 = no limit. Events have none."""
    backlog_readings_per_s: float = Field(default=200_000, ge=0)
    """The same for messages whose newest reading is older than 2 min: what a gateway kept while it was offline. Less
    than half of what a worker stores, so that a gateway which lies about its stamps does not starve others."""
    unclaimed_cap: int = Field(default=2000, ge=0)
    """Points a gateway may register that no person has entered; readings of further ones are parked."""
    keep_raw_days: int = Field(default=90, ge=1)
    """Raw readings are dropped after so many days, by whole days; those of replay communities stay."""
    keep_minute_days: int = Field(default=365, ge=1)
    """The same for rollups to one minute, dropped by whole months (30 days on TimescaleDB)."""
    keep_hour_days: int = Field(default=1826, ge=1)
    """The same for rollups to one hour."""
    keep_batches_days: int = Field(default=30, ge=1)
    """The record of committed batches is deleted after so many days: analytics that was away for longer begins anew."""

    @field_validator("partitions")
    @classmethod
    def _partitions(cls, value: str) -> str:
        parse_partitions(value)
        return value

    @property
    def wanted_partitions(self) -> tuple[int, ...]:
        return parse_partitions(self.partitions)

    @property
    def keep(self) -> dict[Level, timedelta]:
        """How long each level of readings is kept."""
        days: dict[Level, int] = {
            "raw": self.keep_raw_days,
            "minute": self.keep_minute_days,
            "hour": self.keep_hour_days,
        }
        return {level: timedelta(days=number) for level, number in days.items()}

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
