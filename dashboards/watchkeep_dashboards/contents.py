"""What stands in a Grafana: the boards and the playlist of the city, and those of each live community."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from watchkeep_core.errors import SettingsError
from watchkeep_dashboards.packaged import NAMES, OF_ONE_COMMUNITY, OF_THE_CITY, Language, board, uid_of

FOLDER_UID, FOLDER_TITLE = "watchkeep", "Watchkeep"
COMMUNITIES_UID, COMMUNITIES_TITLE = "watchkeep-communities", "Watchkeep 小区 / communities"


class Community(NamedTuple):
    """A live community, with its name in the boards' language."""

    community_id: str
    name: str


def live_communities(language: Language) -> str:
    """The statement that tells which communities have boards of their own: id and name of each."""
    return f"SELECT community_id, name_{language} FROM wall.community WHERE mode = 'live' ORDER BY community_id"  # noqa: S608


def chosen(rows: Iterable[Sequence[str]], only: Sequence[str]) -> list[Community]:
    """What `live_communities` told, or those named in `only`. Raises SettingsError for one that is not there."""
    found = [Community(*row) for row in rows]
    if unknown := set(only) - {one.community_id for one in found}:
        raise SettingsError(f"--community: {', '.join(sorted(unknown))} is no live community")
    return [one for one in found if not only or one.community_id in only]


def city_boards(language: Language, console: str = "") -> list[dict[str, Any]]:
    """All boards, of no community in particular."""
    return [board(name, language, console=console) for name in NAMES]


def community_boards(community: Community, language: Language, console: str = "") -> list[dict[str, Any]]:
    """The boards of one community."""
    return [board(name, language, console=console, community=community) for name in OF_ONE_COMMUNITY]


def city_playlist(language: Language) -> dict[str, Any]:
    """The playlist of the city: `spec` of Grafana's newer API."""
    what = {"zh": "全市", "en": "city"}[language]
    return _playlist(playlist_title(language, what), [uid_of(name, language) for name in OF_THE_CITY])


def community_playlist(community: Community, language: Language) -> dict[str, Any]:
    """The playlist of one community, likewise."""
    title = playlist_title(language, f"{community.name} ({community.community_id})")
    return _playlist(title, [uid_of(name, language, community.community_id) for name in OF_ONE_COMMUNITY])


def playlist_title(language: Language, what: str = "") -> str:
    """Name of a playlist of ours: `prune` knows them by its beginning."""
    return f"Watchkeep {language} · {what}"


def playlist_resource(spec: dict[str, Any], metadata: dict[str, str]) -> dict[str, Any]:
    """A playlist as a document of Grafana's newer API."""
    return {"apiVersion": "playlist.grafana.app/v1", "kind": "Playlist", "metadata": metadata, "spec": spec}


def _playlist(title: str, uids: Sequence[str]) -> dict[str, Any]:
    return {
        "title": title,
        "interval": "30s",
        "items": [{"type": "dashboard_by_uid", "value": uid} for uid in uids],
    }
