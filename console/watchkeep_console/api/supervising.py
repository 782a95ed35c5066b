"""What the routes of supervision share: who may, in what period, and dispatch's refusals as ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated

from fastapi import Query
from psycopg import Connection
from pydantic import BaseModel

from watchkeep_console.errors import Forbidden, Invalid
from watchkeep_console.identity import Session
from watchkeep_console.services import Services
from watchkeep_dispatch import scores
from watchkeep_dispatch.credit import CreditRefused
from watchkeep_dispatch.errors import DispatchError
from watchkeep_dispatch.indicators import By, Scope
from watchkeep_dispatch.notice_board import NoticeRefused
from watchkeep_dispatch.ranking import RankingRefused

SUPERVISORS = frozenset({"supervisor", "subdistrict_office", "city_office", "authority_officer"})
"""Who draws up, publishes and decides, in the area of the membership."""

Period = Annotated[str, Query(max_length=7, description="2026-11, 2026-H2 or 2026")]


class Made(BaseModel):
    id: int


@contextmanager
def asking(house: Services, current: Session) -> Iterator[Connection]:
    """A transaction as the person; dispatch's refusals become ours."""
    try:
        with house.identity.acting(current) as conn:
            yield conn
    except (RankingRefused, CreditRefused, NoticeRefused) as error:
        raise Invalid(error.field, str(error).partition(": ")[2]) from error
    except DispatchError as error:
        raise Invalid("request", str(error)) from error


def scope_of(house: Services, period: str, by: By, area: str | None, day: date | None) -> Scope:
    zone = house.rules.calendar.zone
    try:
        since, until = scores.span_of(period, zone)
    except DispatchError as error:
        raise Invalid("period", str(error)) from None
    as_of: datetime = scores.end_of_day(day, zone) if day else house.clock.now()
    return Scope(since=since, until=until, as_of=as_of, by=by, area=area)


def area_of(current: Session, wanted: str | None) -> str:
    """The area a supervisor acts for. Raises Forbidden; an API token never supervises."""
    mine = [
        item.scope_id for item in current.person.memberships if item.role in SUPERVISORS and item.scope_kind == "area"
    ]
    if current.person.scopes is not None or not mine or (wanted is not None and wanted not in mine):
        raise Forbidden("supervise")
    return wanted or mine[0]
