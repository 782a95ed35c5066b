"""What can go wrong in a gateway.

WatchkeepError
├── TransientError
│   └── SpoolClosed     the spool is stopping; what was handed over late was not kept
└── PermanentError
    ├── SettingsError
    │   └── ConfigError the configuration file is wrong; carries `file`, `field`
    └── SpoolFailed     the spool file cannot be used; the process must end and be started again
"""

from pathlib import Path

from watchkeep_core.errors import PermanentError, SettingsError, TransientError


class SpoolClosed(TransientError):
    """The spool is stopping: this delivery is not on disk."""


class SpoolFailed(PermanentError):
    """The spool file cannot be used any more; a restart sets a damaged one aside."""


class ConfigError(SettingsError):
    """The configuration file is wrong; `field` is the path of the field, empty when the file is no TOML."""

    def __init__(self, file: Path, field: str, problem: str) -> None:
        super().__init__(f"{file}: {field}: {problem}" if field else f"{file}: {problem}")
        self.file = file
        self.field = field
