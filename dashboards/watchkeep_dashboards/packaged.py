"""What the package carries: the committed dashboards and the files that tell Grafana to read them."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

from watchkeep_core.errors import PermanentError

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
NAMES = ("community-wall", "platform-health")

_PACKAGE = files("watchkeep_dashboards")


class ExportFailed(PermanentError):
    """The folder cannot be written."""


def path_of(name: str, language: Language) -> Path:
    """File of one dashboard, relative to the package."""
    return Path("json", language, f"{name}.json")


def text_of(name: str, language: Language) -> str:
    """Classic JSON of one dashboard, as committed."""
    return _PACKAGE.joinpath(*path_of(name, language).parts).read_text(encoding="utf-8")


def listing() -> list[dict[str, Any]]:
    """All dashboards in all languages, briefly."""
    boards = [(name, language, json.loads(text_of(name, language))) for name in NAMES for language in LANGUAGES]
    return [
        {
            "name": name,
            "language": language,
            "uid": board["uid"],
            "title": board["title"],
            "panels": len(board["panels"]),
        }
        for name, language, board in boards
    ]


def export(folder: Path, language: Language) -> list[Path]:
    """Write Grafana's file provisioning tree, over an older one; returns the files. Raises ExportFailed."""
    copies = {
        folder / "datasources" / "watchkeep.yaml": _PACKAGE / "provisioning" / "datasource.yaml",
        folder / "dashboards" / "watchkeep.yaml": _PACKAGE / "provisioning" / "dashboards.yaml",
    }
    for name in NAMES:
        copies[folder / "dashboards" / "watchkeep" / f"{name}.json"] = _PACKAGE / "json" / language / f"{name}.json"
    try:
        for path, source in copies.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.read_bytes())
    except OSError as error:
        raise ExportFailed(f"cannot write {error.filename or folder}: {error.strerror}") from None
    return list(copies)
