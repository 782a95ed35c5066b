"""What can be wrong with what people give the simulator.

WatchkeepError
└── PermanentError
    ├── FleetError      the fleet file is wrong; carries `file` and `field`
    ├── MappingError    the replay mapping, or a series it names, is wrong; carries `file` and `field`
    ├── LedgerError     a ledger that is to be scored is wrong; carries `file` and `field`
    ├── ScenarioError   no such scenario, or it does not fit the equipment
    └── ScoreTooLow     the score does not reach what was required
"""

from watchkeep_core.errors import PermanentError


class _FileError(PermanentError):
    """One file is wrong at one field."""

    def __init__(self, file: str, field: str, problem: str) -> None:
        super().__init__(f"{file}: {field}: {problem}" if field else f"{file}: {problem}")
        self.file = file
        self.field = field


class FleetError(_FileError):
    """The fleet file is wrong."""


class MappingError(_FileError):
    """The mapping of a replay, or a series it names, is wrong."""


class ScenarioError(PermanentError):
    """No such scenario, or it does not fit the equipment."""


class LedgerError(_FileError):
    """A ledger that is to be scored is wrong."""


class ScoreTooLow(PermanentError):
    """The score does not reach what was required."""
