"""What the service reads from `WATCHKEEP_*` and the tables `[shared]` and `[dispatch]` of the file."""

from ipaddress import ip_network
from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from watchkeep_core.settings import DatabaseSettings
from watchkeep_dispatch.clocks import WorkCalendar
from watchkeep_dispatch.notify.timing import hours, span
from watchkeep_dispatch.workdays import NO_SPECIAL_DAYS, SpecialDays


class WorkTimeSettings(DatabaseSettings):
    """Working hours, for whoever computes deadlines: dispatch and the console. Put them in `[shared]`."""

    work_hours: str = "08:30-12:00,13:30-17:30"
    """Working hours of a working day, local time; the same for dispatch and console."""
    timezone: str = "Asia/Shanghai"
    """Time zone of the working hours; the same for dispatch and console."""

    holiday_file: Path | None = None
    """TOML with `off = [2027-02-05, …]` and `worked = […]`: holidays and make-up days, before the built-in list."""

    @field_validator("holiday_file")
    @classmethod
    def _dates(cls, file: Path | None) -> Path | None:
        if file is not None:
            SpecialDays.read(file)
        return file

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
        special = SpecialDays.read(self.holiday_file) if self.holiday_file else NO_SPECIAL_DAYS
        return WorkCalendar.parse(self.work_hours, self.timezone, special)


class NotifySettings(WorkTimeSettings):
    """How people are told."""

    public_url: str = Field(default="", pattern=r"^$|^https?://[^/?#]+/?$")
    """Where people reach the console, such as https://watchkeep.example; notifications then link to their case. The
    console's setting of the same name: put it in `[shared]`."""
    notify_workers: int = Field(default=4, ge=1, le=64)
    """Hand-overs at the same time; as many again are kept for life safety alone."""
    notify_deadline_s: float = Field(default=8.0, ge=1, le=25)
    """Longest time one hand-over may take, in seconds, whatever the other side does."""
    notify_allow: str = ""
    """Networks inside the house that channels may reach, such as 10.1.2.0/24,127.0.0.1/32 (an SMS gateway, a mail
    server, a proxy). Without it only public addresses: a channel's URL is somebody's input."""
    notify_sms_url: SecretStr = SecretStr("")
    """apprise URL of the site's SMS service with {to} for the phone number."""
    notify_voice_url: SecretStr = SecretStr("")
    """The same for a service that calls and reads the text aloud."""
    notify_mail_url: SecretStr = SecretStr("")
    """The same for mail, {to} = the address: mailtos://user:password@smtp.example?to={to}."""
    quiet_hours: str = "22:00-07:00"
    """Local hours in which people are not disturbed; empty = none. Life safety and class A always go out."""
    digest_at: str = "08:30,17:30"
    """Local times of the digest of what can wait (closed, dismissed, merged …); empty = at once."""
    remind_every_s: float = Field(default=300.0, ge=0, le=86_400)
    """Seconds between reminders of class A until somebody responds; 0 = never."""
    fallback_life_safety_s: float = Field(default=60.0, ge=5, le=86_400)
    """Life safety unread for so many seconds goes to the person's next channel too."""
    fallback_a_s: float = Field(default=300.0, ge=5, le=86_400)
    """The same for class A."""
    fallback_s: float = Field(default=1800.0, ge=5, le=86_400)
    """The same for all else that asks somebody to act."""

    @field_validator("notify_allow")
    @classmethod
    def _networks(cls, text: str) -> str:
        for part in filter(None, (part.strip() for part in text.split(","))):
            ip_network(part)
        return text

    @field_validator("quiet_hours")
    @classmethod
    def _a_span(cls, text: str) -> str:
        span(text)
        return text

    @field_validator("digest_at")
    @classmethod
    def _times(cls, text: str) -> str:
        hours(text)
        return text


class DispatchSettings(NotifySettings):
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
    to five minutes."""
    fold_wait_s: float = Field(default=15.0, ge=0, le=600)
    """A possible symptom of other equipment (power, gateway, pump) waits so many s for its cause. Never class A."""
    poll_s: float = Field(default=1.0, gt=0, le=1.0)
    """Longest wait between two rounds when no notification wakes the service, in seconds."""
