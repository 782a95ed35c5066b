"""Reading the technician's TOML file: refused with every mistake in it, each with line, field and what is wrong."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path as File
from typing import Any

from watchkeep_core import vocabulary
from watchkeep_gateway.config import DRIVERS, Config, problems
from watchkeep_gateway.document import Reader
from watchkeep_gateway.errors import ConfigError, Mistake
from watchkeep_gateway.tables import Declared, Path, Problem
from watchkeep_gateway.toml_lines import locate

_STAND_IN = {"community": "c", "id": "g"}
"""For [gateway] where that is wrong, so that the rest is checked all the same."""


def read(file: File) -> Config:
    """Read and check a file. Raises ConfigError, which tells all that is wrong."""
    try:
        text = file.read_text(encoding="utf-8-sig")  # some editors put a mark in front
        document = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(file, [Mistake(0, "", f"cannot read it: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        raise ConfigError(file, [Mistake(0, "", f"must be UTF-8: {error}")]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(file, [_syntax(str(error), text)]) from None
    config, found = check(document)
    if found or config is None:
        lines = locate(text)
        mistakes = sorted(
            {Mistake(lines.of(problem.path), dotted(problem.path), problem.text) for problem in found},
            key=lambda mistake: (mistake.line, mistake.field),
        )
        raise ConfigError(file, mistakes)
    return config


def check(document: Mapping[str, Any]) -> tuple[Config | None, list[Problem]]:
    """The configuration, and everything that is wrong with it; its paths are those of the document."""
    reader = Reader()
    config = reader.read(document, Config)
    found = list(reader.problems)
    whole = config or (reader := Reader()).read({**document, "gateway": _STAND_IN}, Config)
    if whole is not None:
        profiles = {device.equipment: device.vendor_profile for device in whole.device}
        declared = Declared(_kinds(document, whole), profiles)
        found += [Problem(reader.original(path), text) for path, text in problems(whole, declared)]
    if not any(document.get(field) for field in DRIVERS):
        names = ", ".join(f"[[{field}]]" for field in DRIVERS)
        found.append(Problem((), f"at least one driver is needed: {names}"))
    return config, found


def dotted(path: Path) -> str:
    """`device[0].kind`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _kinds(document: Mapping[str, Any], config: Config) -> dict[str, str | None]:
    """Equipment → kind; [[device]] tables with a mistake declare theirs all the same: one mistake is told once."""
    tables = document.get("device", [])
    raw = [table.get("equipment") for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []
    found: dict[str, str | None] = {equipment: None for equipment in raw if isinstance(equipment, str)}
    known = vocabulary.load().kinds
    return found | {device.equipment: device.kind for device in config.device if device.kind in known}


def _syntax(why: str, text: str) -> Mistake:
    """tomllib tells the line at the end of its sentence."""
    if found := re.search(r" \(at line (\d+), column (\d+)\)$", why):
        return Mistake(int(found[1]), "", f"{why[: found.start()]} (column {found[2]})")
    return Mistake(text.count("\n") + 1, "", why.removesuffix(" (at end of document)"))
