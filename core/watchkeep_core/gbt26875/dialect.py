"""How the devices of one maker speak: a profile of the vocabulary, and the time zone that their clocks show."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Literal

from watchkeep_core.gbt26875.times import decode_time, encode_time
from watchkeep_core.vocabulary_fire import STANDARD_COMPONENT, ComponentField, FireProfile

CHINA = timezone(timedelta(hours=8), "UTC+8")
"""Devices show local time, and all of China has one."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The standard's, unless said otherwise."""

    bit0: Literal["normal", "test", "ignore"] = "normal"
    """What bit 0 = 1 of a system or component status means."""
    component: tuple[ComponentField, ...] = STANDARD_COMPONENT
    """Fields of one object of type 2, its time left out."""
    bcd_time: bool = False
    zone: tzinfo = CHINA

    @classmethod
    def of(cls, profile: FireProfile, zone: tzinfo = CHINA) -> "Dialect":
        return cls(profile.bit0, profile.component, profile.bcd_time, zone)

    def time(self, label: bytes) -> datetime | None:
        return decode_time(label, self.zone, self.bcd_time)

    def label(self, moment: datetime | None) -> bytes:
        """Raises ValueError outside the years 2000 to 2099."""
        return encode_time(moment, self.zone, self.bcd_time)

    def in_test(self, status: int, of_device: bool = False) -> bool:
        """Whether bit 0 tells of a test; with any other bit set it does not (see `fire.profiles` of the vocabulary).

        Of the device's own status 1 always means normal: the sources agree.
        """
        if self.bit0 == "ignore" or status & ~1:
            return False
        return (status & 1 == 1) == (self.bit0 == "test" and not of_device)
