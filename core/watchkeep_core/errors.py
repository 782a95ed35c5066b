"""The error tree every part hangs its own errors on.

WatchkeepError
├── TransientError      trying again later can help
│   └── …               e.g. mqtt.BrokerUnreachable, database.DatabaseUnavailable
└── PermanentError      trying again changes nothing
    ├── SettingsError   a setting is missing or wrong
    ├── MessageError    a message cannot be understood; carries the dead letter's reason
    └── …
"""


class WatchkeepError(Exception):
    """Anything Watchkeep itself raises; its text is one line fit for an operator."""


class TransientError(WatchkeepError):
    """Trying again later can help."""


class PermanentError(WatchkeepError):
    """Trying again changes nothing."""


class SettingsError(PermanentError):
    """A setting is missing or wrong; the text names the field."""


class MessageError(PermanentError):
    """A message cannot be understood.

    `reason` is a short slug (`undecodable`, `too_large` …) under which dead letters are counted;
    the text says which field and why.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
