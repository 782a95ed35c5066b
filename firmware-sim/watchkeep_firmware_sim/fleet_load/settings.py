"""Where the database of `compare` and `--register` is."""

from typing import ClassVar

from watchkeep_core.settings import DatabaseSettings


class FleetDatabase(DatabaseSettings):
    """Read from WATCHKEEP_SIM_DATABASE_URL, or WATCHKEEP_DATABASE_URL."""

    part: ClassVar[str] = "sim"
