"""Settings of the analytics service."""

from typing import ClassVar

from pydantic import Field, SecretStr

from watchkeep_core.settings import BrokerSettings, DatabaseSettings
from watchkeep_core.topics import PARTITIONS


class RulesSettings(DatabaseSettings):
    """What the verbs on rules need of the same settings."""

    part: ClassVar[str] = "analytics"


class AnalyticsSettings(DatabaseSettings, BrokerSettings):
    """Read from WATCHKEEP_ANALYTICS_*, and [analytics] of the file."""

    part: ClassVar[str] = "analytics"

    mqtt_password: SecretStr
    """Of the users `analytics-0` to `analytics-15`."""
    partitions: tuple[int, ...] = tuple(range(PARTITIONS))
    """Partitions to judge, as a JSON list; all workers that want the same share them."""
    workers: int = Field(default=1, ge=1, le=PARTITIONS)
    """Processes that judge telemetry; events have one more of their own."""
    refresh_s: float = Field(default=30.0, gt=0)
    """Points, limits and planned work are read again this often, and when an unknown series comes."""
    poll_s: float = Field(default=15.0, gt=0)
    """The database is asked this often for batches whose message did not come."""
    event_poll_s: float = Field(default=0.05, gt=0)
    """The database is asked this often for events."""
    alarm_budget: int = Field(default=2, ge=1)
    """Warnings of one learned detector on one point within 30 days; each beyond raises its bar there."""
    train_hour: int = Field(default=3, ge=-1, le=23)
    """Hour of the day, China's time, at which the models of equipment are trained; -1 = never here."""
    train_days: float = Field(default=28.0, gt=0)
    """Days of readings that they learn from."""
    tick_s: float = Field(default=1.0, gt=0)
    """Silence and pending delays are looked at this often."""
    save_s: float = Field(default=60.0, gt=0)
    """Detector states are saved this often, and at the end."""
    queue_bytes: int = Field(default=64 * 2**20, ge=2**20)
    """Bytes of rows messages that wait in memory; what does not fit is read from the database."""
    catch_up_h: float = Field(default=168.0, gt=0)
    """How far back a worker without a saved state reads, in hours before the newest row of each lane."""
    over_after_s: float = Field(default=300.0, ge=0)
    """What began and ended in one block of rows opens no warning when it ended longer ago than this."""
