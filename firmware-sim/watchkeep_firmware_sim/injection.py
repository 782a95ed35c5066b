"""Faults on demand: the message on `field/_sim/inject` that a running simulator obeys."""

from typing import Annotated

import msgspec
from msgspec import Meta

from watchkeep_core.errors import MessageError

TOPIC = "field/_sim/inject"


class Inject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let `scenario` happen to `equipment` (`community/equipment`) now."""

    scenario: Annotated[str, Meta(max_length=64)]
    equipment: Annotated[str, Meta(max_length=129)]
    for_s: Annotated[float, Meta(gt=0, le=31_536_000)] | None = None
    """Seconds of event time; absent = as long as the scenario usually lasts."""
    severity: Annotated[float, Meta(ge=0, le=1)] = 1
    """0 = just beyond the limit, 1 = all of it."""


_decoder = msgspec.json.Decoder(Inject)


def encode(inject: Inject) -> bytes:
    return msgspec.json.encode(inject)


def decode(payload: bytes) -> Inject:
    """Raises MessageError."""
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MessageError("bad_shape", str(error)) from None
