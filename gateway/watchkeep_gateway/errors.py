"""What can go wrong in a gateway.

WatchkeepError
├── TransientError
│   └── SpoolClosed     the spool is stopping; what was handed over late was not kept
└── PermanentError
    ├── SettingsError
    │   └── ConfigError the configuration file is wrong; carries `file`, `mistakes`
    ├── SpoolFailed     the spool file cannot be used; the process must end and be started again
    └── LineDead        the thread of a broker's line has ended; likewise
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from watchkeep_core.errors import PermanentError, SettingsError, TransientError


class SpoolClosed(TransientError):
    """The spool is stopping: this delivery is not on disk."""


class SpoolFailed(PermanentError):
    """The spool file cannot be used any more; a restart sets a damaged one aside."""


class LineDead(PermanentError):
    """The thread of a line to a broker has ended without being told to: nothing will come over it again."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One of a configuration file; line from 1, 0 = none; an empty `field` = the file as a whole."""

    line: int
    field: str
    text: str


class ConfigError(SettingsError):
    """The configuration file is wrong: all of its mistakes, one per line as FILE:LINE: FIELD: what is wrong."""

    def __init__(self, file: Path, mistakes: Sequence[Mistake]) -> None:
        lines = [_line(file, mistake) for mistake in mistakes]
        head = [] if len(lines) == 1 else [f"{file}: {len(lines)} mistakes"]
        super().__init__("\n".join(head + lines))
        self.file = file
        self.mistakes = tuple(mistakes)


def _line(file: Path, mistake: Mistake) -> str:
    place = f"{file}:{mistake.line}" if mistake.line else str(file)
    return ": ".join(part for part in (place, mistake.field, mistake.text) if part)
