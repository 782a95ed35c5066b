"""What the console refuses, each with the status and field that the API reports (RFC 9457).

WatchkeepError
└── PermanentError
    └── ConsoleError          carries `status`, `code`, `field`
        ├── NotLoggedIn       401
        │   ├── CodeNeeded    the password is right, the second factor is missing; carries a ticket
        │   └── StepDue       403: logged in, but a password or second factor must be set first
        ├── Forbidden         403: inside one's scope, but not one's business
        ├── NotFound          404: unknown, or outside one's scope; nobody can tell which
        ├── Conflict          409: somebody was faster; carries the present version
        │   └── PreconditionFailed  412: the same, for a request with `If-Match`
        ├── Invalid           422: names the field
        └── TooMany           429: try again after `retry_after_s`
"""

from watchkeep_core.errors import PermanentError


class ConsoleError(PermanentError):
    """A request is refused; `code` is a stable word for programs, the text is for people."""

    status = 400

    def __init__(self, code: str, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.field = field


class NotLoggedIn(ConsoleError):
    """No session, or one that has ended."""

    status = 401

    def __init__(self, detail: str = "log in first") -> None:
        super().__init__("not_logged_in", detail)


class CodeNeeded(NotLoggedIn):
    """The first factor is right; `ticket` stands for it while the code is typed in."""

    def __init__(self, ticket: str) -> None:
        super().__init__("the code of the authenticator app is needed, in `code`")
        self.code = "code_needed"
        self.field = "code"
        self.ticket = ticket


class StepDue(NotLoggedIn):
    """The session opens nothing but the own account until `step` (`password` or `totp`) is done."""

    status = 403

    def __init__(self, step: str) -> None:
        super().__init__(f"set your {'own password' if step == 'password' else 'second factor'} first")
        self.code = f"{step}_due"
        self.step = step


class Forbidden(ConsoleError):
    """The person may see the thing, but not do this to it."""

    status = 403

    def __init__(self, permission: str) -> None:
        super().__init__("forbidden", f"needs the permission {permission}")


class NotFound(ConsoleError):
    """Unknown, or outside the person's scope: the answer is the same."""

    status = 404

    def __init__(self, kind: str, key: object) -> None:
        super().__init__("not_found", f"no {kind} {key}")


class Conflict(ConsoleError):
    """The thing has moved on since it was read."""

    status = 409

    def __init__(self, code: str, detail: str, field: str | None = None, version: int | None = None) -> None:
        super().__init__(code, detail, field)
        self.version = version


class PreconditionFailed(Conflict):
    """The thing is no longer the one whose ETag was sent."""

    status = 412

    def __init__(self, detail: str, version: int | None = None) -> None:
        super().__init__("stale", detail, "If-Match", version)


class Invalid(ConsoleError):
    """A field cannot be accepted."""

    status = 422

    def __init__(self, field: str, detail: str) -> None:
        super().__init__("invalid", detail, field)


class TooMany(ConsoleError):
    """Asked too often."""

    status = 429

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("too_many", f"too many attempts, try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s
