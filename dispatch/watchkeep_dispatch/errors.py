"""What dispatch refuses, as one tree; the console maps it to answers.

DispatchError (PermanentError)
├── NoSuchCase          not there, or not visible to this person (404)
├── NotWaiting          the warning has been judged already (409)
├── Suppressed          a rule holds the warning back (409)
├── NotAllowed          the state or the person's roles do not allow the action (409 or 403)
├── StaleVersion        somebody else was faster (409)
├── GuardFailed         a condition of the action is not met (422)
├── KeyReused           an idempotency key came with another request (422)
├── DutyListError       a responsibility list is wrong
├── FieldRefused        what is entered is not acceptable; the field is named (422)
├── VisitPlanError      a plan of preventive work is wrong
└── JobsMissing         the schema of the job queue is not installed
ChannelUnavailable (TransientError)   a notification did not get out; trying again can help
ChannelRefused (PermanentError)       its target is wrong
"""

from watchkeep_core.errors import PermanentError, TransientError


class DispatchError(PermanentError):
    """Base of what dispatch refuses."""


class NoSuchCase(DispatchError):
    """The case is not there, or the person may not see it."""

    def __init__(self, what: str, id: int) -> None:
        super().__init__(f"{what} {id} is not there")
        self.id = id


class NotWaiting(DispatchError):
    """The warning does not wait for a verdict."""

    def __init__(self, warning_id: int) -> None:
        super().__init__(f"warning {warning_id} does not wait for a verdict")


class Suppressed(DispatchError):
    """The warning is held back; `rule` says by what."""

    def __init__(self, warning_id: int, rule: str) -> None:
        super().__init__(f"warning {warning_id} is suppressed by {rule}")
        self.rule = rule


class NotAllowed(DispatchError):
    """The state or the person's roles do not allow the action; `role_missing` tells which of the two."""

    def __init__(self, action: str, state: str, *, role_missing: bool) -> None:
        why = "none of your roles may do that" if role_missing else f"not possible in state {state}"
        super().__init__(f"{action}: {why}")
        self.action = action
        self.state = state
        self.role_missing = role_missing


class StaleVersion(DispatchError):
    """The case has changed since it was read."""

    def __init__(self, case_id: int, expected: int, found: int) -> None:
        super().__init__(f"case {case_id} has changed: version {found}, not {expected}")
        self.case_id = case_id
        self.expected = expected
        self.found = found


class GuardFailed(DispatchError):
    """A condition of the action is not met; `guard` is its name in the life cycle's table."""

    def __init__(self, guard: str, detail: str) -> None:
        super().__init__(f"{guard}: {detail}")
        self.guard = guard


class KeyReused(DispatchError):
    """The idempotency key already belongs to another request."""


class DutyListError(DispatchError):
    """A responsibility list is wrong; the text names the row and the column."""


class FieldRefused(DispatchError):
    """Something is not acceptable; `field` says what of it."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field


class QuietRefused(FieldRefused):
    """A silence or planned work."""


class RotaError(FieldRefused):
    """A rota, a certificate or an assignment."""


class VisitPlanError(DispatchError):
    """A plan of preventive work is wrong; the text names the plan, `field` what of it."""

    def __init__(self, why: str, field: str = "plan") -> None:
        super().__init__(why)
        self.field = field


class JobsMissing(DispatchError):
    """Schema `jobs` is not installed in this database."""


class ChannelUnavailable(TransientError):
    """A notification did not get out."""


class ChannelRefused(PermanentError):
    """A notification's target is wrong."""
