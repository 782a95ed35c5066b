"""GB/T 26875.3-2011, how fire transmission devices speak: pure functions over bytes, for gateway and simulator."""

from watchkeep_core.gbt26875.dialect import Dialect
from watchkeep_core.gbt26875.errors import FrameError
from watchkeep_core.gbt26875.frames import (
    ACK,
    CONTROL,
    REFUSE,
    REQUEST,
    RESPONSE,
    SEND,
    Frame,
    FrameReader,
    Refused,
    address_from,
    address_text,
)
from watchkeep_core.gbt26875.objects import Object, Unit, decode_unit, encode_unit
from watchkeep_core.gbt26875.places import NOWHERE, Place, place_from

__all__ = [
    "ACK",
    "CONTROL",
    "NOWHERE",
    "REFUSE",
    "REQUEST",
    "RESPONSE",
    "SEND",
    "Dialect",
    "Frame",
    "FrameError",
    "FrameReader",
    "Object",
    "Place",
    "Refused",
    "Unit",
    "address_from",
    "address_text",
    "decode_unit",
    "encode_unit",
    "place_from",
]
