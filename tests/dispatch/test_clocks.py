"""Deadlines around lunch, nights, holidays and make-up days."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeep_core import settings
from watchkeep_core.errors import SettingsError
from watchkeep_dispatch.clocks import DEFAULT_CALENDAR, WorkCalendar
from watchkeep_dispatch.settings import WorkTimeSettings
from watchkeep_dispatch.workdays import SpecialDays, is_workday

CHINA = ZoneInfo("Asia/Shanghai")


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CHINA)


@pytest.mark.parametrize(
    ("kind", "start", "amount", "due"),
    [
        ("urgent_hours", "2026-09-30T23:50", timedelta(minutes=30), "2026-10-01T00:20"),
        ("natural_days", "2026-09-30T23:50", timedelta(days=15), "2026-10-15T23:50"),
        # working hours: lunch, night, weekend
        ("working_hours", "2026-11-23T11:00", timedelta(hours=2), "2026-11-23T14:30"),
        (
            "working_hours",
            "2026-11-23T11:00",
            timedelta(hours=1),
            "2026-11-23T12:00",
        ),  # exactly at the end, not after lunch
        ("working_hours", "2026-11-23T12:10", timedelta(hours=1), "2026-11-23T14:30"),
        ("working_hours", "2026-11-23T17:00", timedelta(hours=1), "2026-11-24T09:00"),
        ("working_hours", "2026-11-20T17:00", timedelta(hours=4), "2026-11-23T12:00"),  # Friday → Monday
        ("working_hours", "2026-11-21T10:00", timedelta(hours=4), "2026-11-23T14:00"),  # from a Saturday
        # National Day 2026: 1–7 October off, Saturday 10 October and Sunday 20 September worked
        ("working_hours", "2026-09-30T17:00", timedelta(hours=1), "2026-10-08T09:00"),
        ("working_hours", "2026-10-09T17:00", timedelta(hours=1), "2026-10-10T09:00"),  # the make-up Saturday counts
        ("working_days", "2026-09-30T10:00", timedelta(days=1), "2026-10-08T17:30"),
        ("working_days", "2026-10-09T10:00", timedelta(days=2), "2026-10-12T17:30"),  # Sat 10 (make-up), Mon 12
        ("working_days", "2026-11-20T10:00", timedelta(days=5), "2026-11-27T17:30"),
        ("working_days", "2026-11-21T10:00", timedelta(days=1), "2026-11-23T17:30"),
        # Spring Festival 2026: 15–23 February off, Saturday 14 and 28 February worked
        ("working_days", "2026-02-13T10:00", timedelta(days=2), "2026-02-24T17:30"),
    ],
)
def test_deadlines(kind: str, start: str, amount: timedelta, due: str) -> None:
    assert DEFAULT_CALENDAR.deadline(local(start).astimezone(UTC), amount, kind) == local(due)


@pytest.mark.parametrize(
    ("moment", "works"),
    [
        (datetime(2026, 11, 23, 2, 0, tzinfo=UTC), True),  # Monday 10:00 in China
        (datetime(2026, 11, 23, 4, 30, tzinfo=UTC), False),  # noon
        (datetime(2026, 11, 23, 14, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 22, 2, 0, tzinfo=UTC), False),  # Sunday
        (datetime(2026, 10, 1, 2, 0, tzinfo=UTC), False),  # National Day
    ],
)
def test_working_time(moment: datetime, works: bool) -> None:
    assert DEFAULT_CALENDAR.works(moment) is works


def test_years_without_a_published_plan_know_the_feast_days() -> None:
    assert [is_workday(date(2031, 10, day)) for day in (1, 4, 5, 8)] == [False, False, False, True]
    assert [is_workday(date(2027, 2, day)) for day in (5, 8, 10, 11)] == [False, False, False, True]  # by the moon


def test_a_file_goes_before_every_other_source(tmp_path: Path) -> None:
    file = tmp_path / "days.toml"
    file.write_text("off = [2027-02-11, 2026-11-24]\nworked = [2027-02-07]\n", encoding="utf-8")
    found = settings.load(WorkTimeSettings, {}, database_url="postgresql://x@y/z", holiday_file=str(file)).calendar()
    day = timedelta(days=1)
    assert found.deadline(local("2026-11-23T10:00"), day, "working_days") == local("2026-11-25T17:30")
    assert found.deadline(local("2027-02-04T10:00"), day, "working_days") == local("2027-02-07T17:30")
    assert found.deadline(local("2027-02-07T18:00"), day, "working_days") == local("2027-02-12T17:30")
    assert found.yellow(local("2026-11-20T10:00"), local("2026-11-25T17:30")) == local("2026-11-23T17:30")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("off = 2027-02-11", "off: expected a list"),
        ("off = [2027-02-11T10:00:00]", "off: expected a list"),
        ("of = []", "of: expected"),
        ("off = [2027-02-11]\nworked = [2027-02-11]", "2027-02-11 stands in both"),
        ("off = [2027-02-31]", "days.toml: "),
        (None, "No such file"),
    ],
)
def test_a_wrong_file_of_holidays_is_refused(tmp_path: Path, text: str | None, problem: str) -> None:
    file = tmp_path / "days.toml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=f"holiday_file: .*{problem}"):
        settings.load(WorkTimeSettings, {}, database_url="postgresql://x@y/z", holiday_file=str(file))
    assert SpecialDays().is_workday(date(2026, 11, 23))


@pytest.mark.parametrize(
    ("start", "due", "yellow"),
    [
        ("2026-11-23T10:00", "2026-11-23T10:20", "2026-11-23T10:15"),  # 75 % of a short one
        ("2026-11-20T10:00", "2026-11-24T17:30", "2026-11-23T17:30"),
        ("2026-11-18T10:00", "2026-11-23T17:30", "2026-11-20T17:30"),  # the working day before a Monday is Friday
        ("2026-10-09T10:00", "2026-10-12T17:30", "2026-10-10T17:30"),  # … or a make-up Saturday
    ],
)
def test_yellow_cards(start: str, due: str, yellow: str) -> None:
    assert DEFAULT_CALENDAR.yellow(local(start), local(due)) == local(yellow)


@given(st.integers(0, 1000 * 24 * 60), st.integers(1, 40 * 60))
def test_working_hours_add_up(start: int, minutes: int) -> None:
    """In two steps one gets to the same moment, and that moment is within working hours."""
    begin = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=start)
    due = DEFAULT_CALENDAR.deadline(begin, timedelta(minutes=minutes), "working_hours")
    half = DEFAULT_CALENDAR.deadline(begin, timedelta(minutes=minutes / 2), "working_hours")
    assert abs(DEFAULT_CALENDAR.deadline(half, timedelta(minutes=minutes / 2), "working_hours") - due) < timedelta(
        seconds=1
    )
    assert due > begin
    at = due.astimezone(CHINA)
    assert is_workday(at.date())
    assert any(opens <= at.time() <= closes for opens, closes in DEFAULT_CALENDAR.hours)


@pytest.mark.parametrize("hours", ["", "8-12", "08:30-08:30", "08:30-12:00,11:00-13:00", "25:00-26:00"])
def test_wrong_hours_are_refused(hours: str) -> None:
    with pytest.raises(ValueError, match=r"hours|hour must be"):
        WorkCalendar.parse(hours, "Asia/Shanghai")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="fortnights"):
        DEFAULT_CALENDAR.deadline(local("2026-11-23T10:00"), timedelta(1), "fortnights")
