"""Vendor codes to canonical conditions: the same number means different things in different profiles (DOMAIN §3.2)."""

from collections.abc import Iterator, Mapping

from watchkeep_core.messages import AttributeValue
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_core.vocabulary_rows import Profile
from watchkeep_gateway.config import Config
from watchkeep_gateway.values import DeviceEvent

UNKNOWN_CODE = "unknown_code"
"""Condition of a code that the profile does not list, or of equipment without a profile; the raw code is kept."""


class CodeReader:
    """Pure: which conditions are active is told by the caller."""

    def __init__(self, vocabulary: Vocabulary, profiles: Mapping[str, str]) -> None:
        """`profiles`: equipment → profile."""
        self._vocabulary = vocabulary
        self._profiles = profiles

    @classmethod
    def of(cls, config: Config, vocabulary: Vocabulary) -> "CodeReader":
        return cls(vocabulary, {device.equipment: device.vendor_profile for device in config.device})

    def read(
        self,
        equipment: str,
        raw: str,
        active: bool,
        t_ms: int,
        raised: Mapping[str, str],
        attributes: Mapping[str, AttributeValue],
    ) -> list[DeviceEvent]:
        """What a code says; a code for "no fault" clears what codes had `raised` (condition → raw code)."""
        profile = self._profiles.get(equipment, "")
        condition = self.condition_of(profile, raw)
        if condition:
            return [DeviceEvent(t_ms, equipment, condition, active, raw, profile, attributes)]
        if not active:  # "no fault" has ended: nothing is known of what began
            return []
        return [DeviceEvent(t_ms, equipment, known, False, raw, profile, attributes) for known in sorted(raised)]

    def profile_of(self, equipment: str) -> Profile | None:
        """None = it has none."""
        return self._vocabulary.profiles.get(self._profiles.get(equipment, ""))

    @property
    def vocabulary(self) -> Vocabulary:
        return self._vocabulary

    def condition_of(self, profile: str, raw: str) -> str:
        """Condition id; "" = no fault. Numbers are found with and without a leading zero."""
        if not profile:
            return UNKNOWN_CODE
        for code in _spellings(raw):
            condition = self._vocabulary.condition_of(profile, code)
            if condition is not None:
                return condition
        return UNKNOWN_CODE


def _spellings(raw: str) -> Iterator[str]:
    yield raw
    if raw.isascii() and raw.isdigit():
        yield raw.zfill(2)
        yield raw.lstrip("0") or "0"
