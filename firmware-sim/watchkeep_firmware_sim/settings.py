"""Settings of the simulator and of its replay."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr

from watchkeep_core.settings import BrokerSettings, DatabaseSettings


class SimSettings(BrokerSettings):
    """Read from WATCHKEEP_SIM_* and from `[sim]`."""

    part: ClassVar[str] = "sim"

    mqtt_user: str = "sim"
    """Of `run`; needs to write `field/#` and to read `field/_sim/inject`."""
    inject_user: str = "sim-inject"
    """Of `inject`; needs to write `field/_sim/inject`. Our brokers end an older connection of the same user."""
    replay_user: str = "sim-replay"
    """Of `replay`; needs to write `field/#`."""
    mqtt_password: SecretStr
    """Of all three."""
    fleet: Path | None = None
    """The fleet file of `run`."""
    ledger: Path | None = None
    """Where `run` appends what it did to whom, one JSON object per line; absent = nowhere."""
    speed: float | None = Field(default=None, ge=0, le=1_000_000)
    """Event time over wall time. `run`: above 0, default 1. `replay`: 0 = as fast as the broker acknowledges."""
    for_s: float | None = Field(default=None, gt=0)
    """`run` ends after this many seconds of wall time; absent = at SIGTERM."""
    outstanding: int = Field(default=200, ge=1, le=400)
    """Messages without the broker's acknowledgement; then the sender waits."""
    mapping: Path | None = None
    """The mapping file of `replay`."""
    data: Path | None = None
    """The folder that the mapping's file names are relative to."""


class ScoreSettings(DatabaseSettings):
    """Of `score`: WATCHKEEP_DATABASE_URL, a login that may read warnings, cases, orders and the register."""

    part: ClassVar[str] = "sim_score"
