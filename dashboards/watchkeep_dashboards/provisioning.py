"""The file way: a tree that Grafana reads at start, without its API."""

import json
from pathlib import Path

from watchkeep_dashboards import alerts
from watchkeep_dashboards.errors import ExportFailed
from watchkeep_dashboards.packaged import NAMES, PACKAGE, Language, board


def export(folder: Path, language: Language, *, console: str = "") -> list[Path]:
    """Write Grafana's file provisioning tree, over an older one; returns the files. Raises ExportFailed.

    Organisation, playlists and service account cannot be given by file: `apply` makes them.
    """
    texts = {
        Path("datasources", "watchkeep.yaml"): (PACKAGE / "provisioning" / "datasource.yaml").read_text("utf-8"),
        Path("dashboards", "watchkeep.yaml"): (PACKAGE / "provisioning" / "dashboards.yaml").read_text("utf-8"),
        # JSON is YAML; written so, nobody can get its indentation wrong.
        Path("alerting", "watchkeep.yaml"): _json(alerts.provisioning()),
    }
    for name in NAMES:
        texts[Path("dashboards", "watchkeep", f"{name}.json")] = _json(board(name, language, console=console))
    try:
        for path, text in texts.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ExportFailed(f"cannot write {error.filename or folder}: {error.strerror}") from None
    return [folder / path for path in texts]


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
