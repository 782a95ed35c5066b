"""The committed dashboards, as the tests look at them."""

import json
from collections.abc import Iterator
from typing import Any

from watchkeep_dashboards.packaged import LANGUAGES, NAMES, text_of

ALL = [(name, language) for name in NAMES for language in LANGUAGES]


def board(name: str, language: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text_of(name, language))  # type: ignore[arg-type]  # from LANGUAGES
    return document


def statements(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Where it stands, and each SQL of a dashboard: panels and variables."""
    for panel in document["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["rawSql"]
    for variable in asked(document):
        yield f"variable {variable['name']}", variable["query"]
    for annotation in document.get("annotations", {}).get("list", []):
        yield f"annotation {annotation['name']}", annotation["target"]["rawSql"]


def asked(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Variables whose values a statement gives."""
    return [variable for variable in document["templating"]["list"] if variable["type"] == "query"]


def hours(document: dict[str, Any], panel: dict[str, Any]) -> int:
    """How far back a panel looks."""
    span = panel.get("timeFrom") or document["time"]["from"].removeprefix("now-")
    return int(span[:-1]) * (24 if span.endswith("d") else 1)


def named_columns(panel: dict[str, Any]) -> set[str]:
    """Columns (or lines) that a panel says by name how to show."""
    matchers = [override["matcher"] for override in panel["fieldConfig"]["overrides"]]
    return {matcher["options"] for matcher in matchers if matcher["id"] == "byName"}
