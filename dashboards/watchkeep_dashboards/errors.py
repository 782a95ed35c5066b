"""What can go wrong between us and Grafana.

WatchkeepError
├── TransientError
│   └── GrafanaUnreachable    refused connection, unknown host, no answer in time, 5xx
└── PermanentError
    ├── ExportFailed          the folder cannot be written
    ├── NoSuchBoard           (packaged)
    └── GrafanaRefused        Grafana answered no; the text says what is missing
        ├── GrafanaLogin      401: token or password
        ├── GrafanaForbidden  403: the right is missing
        └── GrafanaConflict   409, 412: something else has that name
"""

from watchkeep_core.errors import PermanentError, TransientError


class ExportFailed(PermanentError):
    """The folder cannot be written."""


class GrafanaUnreachable(TransientError):
    """Grafana cannot be reached, or is not well."""


class GrafanaRefused(PermanentError):
    """Grafana answered, but would not."""


class GrafanaLogin(GrafanaRefused):
    """Token or password is wrong."""


class GrafanaForbidden(GrafanaRefused):
    """The login may not do this."""


class GrafanaConflict(GrafanaRefused):
    """Something that is not ours has the name."""
