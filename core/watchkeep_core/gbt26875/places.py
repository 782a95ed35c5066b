"""The address of a component: zone 区号 and part 位号, two bytes each, low byte first; printed in several ways."""

import re
from typing import NamedTuple

_PAIR = re.compile(r"(?P<zone>[0-9]{1,5})[-./](?P<part>[0-9]{1,5})\Z")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}[ :]?){3}[0-9A-Fa-f]{2}\Z")


class Place(NamedTuple):
    """Of a component within its system."""

    zone: int
    """区号, often the loop 回路."""
    part: int
    """位号, the number within the zone."""

    def __str__(self) -> str:
        return f"{self.zone}-{self.part}"

    @property
    def hex(self) -> str:
        """The four bytes in the order of the standard, as makers' tools print them."""
        return (self.zone.to_bytes(2, "little") + self.part.to_bytes(2, "little")).hex()


NOWHERE = Place(0, 0)
"""Of what is not a component."""


def place_from(text: str) -> Place:
    """From `ZONE-PART` (also with . or /), four bytes in hex as sent, or one number; raises ValueError."""
    if found := _PAIR.match(text):
        zone, part = int(found["zone"]), int(found["part"])
        if zone > 0xFFFF or part > 0xFFFF:
            raise ValueError(f"{text!r}: zone and part are at most 65535")
        return Place(zone, part)
    if _HEX.match(text):
        raw = bytes.fromhex(text.replace(":", " "))
    elif text.isascii() and text.isdigit() and int(text) <= 0xFFFFFFFF:
        raw = int(text).to_bytes(4, "little")
    else:
        raise ValueError(f"{text!r} is no ZONE-PART, no four bytes in hex and no number")
    return Place(int.from_bytes(raw[:2], "little"), int.from_bytes(raw[2:], "little"))
