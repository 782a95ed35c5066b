"""What the service reads from `WATCHKEEP_*` and the tables `[shared]` and `[dispatch]` of the file."""

from typing import ClassVar

from pydantic import Field, field_validator

from watchkeep_core.settings import DatabaseSettings
from watchkeep_dispatch.clocks import WorkCalendar


class WorkTimeSettings(DatabaseSettings):
    """Working hours, for whoever computes deadlines: dispatch and the console. Put them in `[shared]`."""

    work_hours: str = "08:30-12:00,13:30-17:30"
    """Working hours of a working day, local time; the same for dispatch and console."""
    timezone: str = "Asia/Shanghai"
    """Time zone of the working hours; the same for dispatch and console."""

    @field_validator("work_hours")
    @classmethod
    def _readable(cls, text: str) -> str:
        WorkCalendar.parse(text, "Asia/Shanghai")
        return text

    @field_validator("timezone")
    @classmethod
    def _known(cls, text: str) -> str:
        WorkCalendar.parse("00:00-01:00", text)
        return text

    def calendar(self) -> WorkCalendar:
        """The working hours as a calendar."""
        return WorkCalendar.parse(self.work_hours, self.timezone)


class DispatchSettings(WorkTimeSettings):
    """Settings of `watchkeep dispatch run`."""

    part: ClassVar[str] = "dispatch"

    auto_file_a_s: float = Field(default=0.0, ge=0, le=86_400)
    """Seconds a class-A warning waits for a duty officer before it files itself. DOMAIN §6 suggests 300 with a staffed
    desk. Life safety never waits."""
    auto_file_b_s: float = Field(default=0.0, ge=0, le=86_400)
    """The same for class B; suggested with a staffed desk: 1800."""
    auto_file_c_s: float = Field(default=0.0, ge=0, le=86_400)
    """The same for class C; suggested with a staffed desk: 1800."""
    reopen_within_s: float = Field(default=86_400.0, ge=0)
    """A closed case whose condition comes back within this many seconds is opened again; 0 = never."""
    flap_openings: int = Field(default=6, ge=2)
    """After so many warnings of the same within an hour the next one must stand ten minutes. Never class A."""
    storm_equipment: int = Field(default=40, ge=2)
    """So many pieces of equipment of one community warning within ten minutes are a storm: class B and C then wait up
    to a quarter of an hour."""
    fold_wait_s: float = Field(default=15.0, ge=0, le=600)
    """A possible symptom of other equipment (power, gateway, pump) waits so many s for its cause. Never class A."""
    poll_s: float = Field(default=1.0, gt=0, le=1.0)
    """Longest wait between two rounds when no notification wakes the service, in seconds."""
    notify_workers: int = Field(default=4, ge=1, le=64)
    """Notifications handed over at the same time."""
