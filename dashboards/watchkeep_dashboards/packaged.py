"""What the package carries: the committed boards, and how one is fitted to a console and a community."""

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

from watchkeep_core.errors import PermanentError

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
NAMES = (
    "city-overview",
    "community-wall",
    "elevators",
    "fire",
    "water",
    "orders",
    "companies",
    "sensors",
    "equipment",
    "platform-health",
)
OF_ONE_COMMUNITY = ("community-wall", "elevators", "fire", "water", "orders", "sensors")
"""Boards that a community's own playlist shows: its id stands in them, as Grafana's playlists drop variables."""
OF_THE_CITY = ("city-overview", "orders", "companies", "sensors")
"""Boards of the city's playlist."""
CONSOLE = "console"
"""Name of the constant that holds the console's address."""
DATASOURCE_UID = "watchkeep"

PACKAGE = files("watchkeep_dashboards")


class NoSuchBoard(PermanentError):
    """The name of a board is not one of NAMES."""


def path_of(name: str, language: Language) -> Path:
    """File of one board, relative to the package."""
    return Path("json", language, f"{name}.json")


def text_of(name: str, language: Language) -> str:
    """Classic JSON of one board, as committed."""
    return PACKAGE.joinpath(*path_of(name, language).parts).read_text(encoding="utf-8")


def uid_of(name: str, language: Language, community: str = "") -> str:
    """Uid of a board, or of its copy for one community: at most 40 characters, Grafana's limit."""
    if not community:
        return f"watchkeep-{name}-{language}"
    digest = hashlib.sha256(community.encode()).hexdigest()[:10]
    return f"wk-{name}-{language}-{digest}"


def constant(name: str, value: str) -> dict[str, Any]:
    """A variable that nobody can change from the address bar."""
    return {
        "current": {"selected": False, "text": value, "value": value},
        "hide": 2,
        "name": name,
        "query": value,
        "skipUrlSync": True,
        "type": "constant",
    }


def board(
    name: str, language: Language, *, console: str = "", community: tuple[str, str] | None = None
) -> dict[str, Any]:
    """One board as a document; `console` is the console's address, `community` the id and name it is fixed to."""
    if name not in NAMES:
        raise NoSuchBoard(f"no board {name!r}; there are: {', '.join(NAMES)}")
    document: dict[str, Any] = json.loads(text_of(name, language))
    fixed = {CONSOLE: console.rstrip("/")} if console else {}
    if community:
        fixed["community"], title = community
        document["uid"] = uid_of(name, language, community[0])
        document["title"] = f"{title} · {document['title']}"
    variables = document["templating"]["list"]
    document["templating"]["list"] = [
        constant(item["name"], fixed[item["name"]]) if item["name"] in fixed else item for item in variables
    ]
    return document


def listing() -> list[dict[str, Any]]:
    """All boards in all languages, briefly."""
    boards = [(name, language, board(name, language)) for name in NAMES for language in LANGUAGES]
    return [
        {
            "name": name,
            "language": language,
            "uid": document["uid"],
            "title": document["title"],
            "panels": len(document["panels"]),
        }
        for name, language, document in boards
    ]
