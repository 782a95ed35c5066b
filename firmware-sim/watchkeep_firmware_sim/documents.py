"""Files that people write (TOML or JSON) → checked structs, with the field in every error."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from watchkeep_firmware_sim.errors import FleetError, MappingError

MAX_BYTES = 16 * 1024 * 1024
"""Far above a fleet of 10,000 devices (about 2 MB); stops a wrong file name from filling the memory."""

_PATH = re.compile(r"^(?P<problem>.*?)(?: - at `\$?\.?(?P<path>[^`]*)`)?\Z", re.DOTALL)

S = TypeVar("S", bound=msgspec.Struct)


def read(path: Path, kind: type[S], error: type[FleetError] | type[MappingError]) -> S:
    """Read one file; raises `error` with the file's name and the field."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise error(path.name, "", f"is larger than {MAX_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
    except OSError as reason:
        raise error(str(path), "", f"cannot be read: {reason.strerror}") from None
    except UnicodeDecodeError:
        raise error(path.name, "", "is not UTF-8") from None
    return parse(path.name, text, kind, error)


def parse(name: str, text: str, kind: type[S], error: type[FleetError] | type[MappingError]) -> S:
    """JSON when the name ends in .json, else TOML."""
    try:
        document: Any = json.loads(text) if name.endswith(".json") else tomllib.loads(text)
    except ValueError as reason:  # JSONDecodeError and TOMLDecodeError, which say line and column
        raise error(name, "", str(reason)) from None
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as reason:
        found = _PATH.match(str(reason))
        problem, field = (found["problem"], found["path"] or "") if found else (str(reason), "")
        raise error(name, field, problem) from None
