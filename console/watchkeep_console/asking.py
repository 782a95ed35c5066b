"""A transaction as the person who asks, in which dispatch's refusals become the console's."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import Connection

from watchkeep_console.errors import Invalid
from watchkeep_console.identity import Session
from watchkeep_console.services import Services
from watchkeep_console.work import refusal
from watchkeep_dispatch.errors import DispatchError, DutyListError


@contextmanager
def asking(house: Services, session: Session) -> Iterator[Connection]:
    """Raises ConsoleError: Invalid with the field where dispatch names one."""
    try:
        with house.identity.acting(session) as conn:
            yield conn
    except DutyListError as error:
        raise Invalid("list", str(error)) from error
    except DispatchError as error:
        field = getattr(error, "field", None)
        if isinstance(field, str):
            raise Invalid(field, str(error).removeprefix(f"{field}: ")) from error
        raise refusal(error) from error
