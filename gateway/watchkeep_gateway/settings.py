"""Settings of the gateway process; what it reads from which device stands in the configuration file."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr

from watchkeep_core.settings import BrokerSettings


class GatewaySettings(BrokerSettings):
    """WATCHKEEP_GATEWAY_*, or `[gateway]` of the WATCHKEEP_CONFIG file."""

    part: ClassVar[str] = "gateway"

    config_file: Path
    """The technician's TOML file: community, gateway id, drivers, devices. A folder runs many gateways in one process:
    each subfolder is what `gateway enroll` wrote, NAME/gateway.toml and NAME/mqtt-password."""
    spool_dir: Path
    """Folder of the spool; made when missing. One gateway per folder; those of many gateways are below it, by NAME."""
    mqtt_password: SecretStr = SecretStr("")
    """Password of the MQTT user `community/gateway`; must be set, but for a folder of gateways."""
    mqtt_cert_file: Path | None = None
    """Our own certificate (PEM, with its chain), for a broker that asks for one; the password is needed as well."""
    mqtt_key_file: Path | None = None
    """Key of that certificate, without a passphrase."""
    batch_s: float = Field(default=1.0, ge=0, le=60)
    """Readings are gathered this long into one message, in seconds; events never wait for it."""
    batch_readings: int = Field(default=5000, ge=1, le=5000)
    """A message is closed early when it holds this many readings."""
    first_connect_jitter_s: float = Field(default=0.0, ge=0, le=300)
    """Up to this long is waited, at random, before the first connect: for fleets that get their power back together."""
    reconnect_jitter_s: float = Field(default=30.0, ge=0, le=600)
    """Up to this long is waited, at random, before each reconnect: thousands of gateways lose a broker together."""
    max_messages_per_s: float = Field(default=1000.0, gt=0)
    """Pace of the data lane, so that a backlog does not flood broker and database. Events are not held back by it."""
    resend_after_s: float = Field(default=60.0, gt=0)
    """Without progress of `ack` for this long everything unacknowledged is published again; doubles up to an hour."""
