"""Refusals in the words of the reader; what has no text of its own is told as it came."""

from watchkeep_console.errors import ConsoleError
from watchkeep_console.texts import Words, catalogue
from watchkeep_dispatch.errors import GuardFailed, RotaError, VisitPlanError


def told(t: Words, error: ConsoleError) -> str:
    """By dispatch's condition where it refused, else by the code; a case that has moved on is to be looked at anew."""
    match error.__cause__:
        case GuardFailed(guard=name):
            key = f"guard.{name}"
        case RotaError(field=name):
            key = f"rota_refused.{name}"
        case VisitPlanError(field=name):
            key = f"plan_refused.{name}"
        case _:
            key = f"refused.{error.code}"
    if key in catalogue():
        return t(key)
    return t("app.stale") if error.status == 409 else str(error)
