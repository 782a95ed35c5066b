"""The file way: a tree that Grafana reads at start, without its API."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from watchkeep_dashboards import alerts, contents
from watchkeep_dashboards.contents import COMMUNITIES_UID, FOLDER_UID, Community
from watchkeep_dashboards.errors import ExportFailed
from watchkeep_dashboards.packaged import NAMES, PACKAGE, Language, uid_of

_CITY = Path("dashboards", FOLDER_UID)
_COMMUNITIES = Path("dashboards", COMMUNITIES_UID)
_PLAYLISTS = Path("playlists")


def export(
    folder: Path, language: Language, *, console: str = "", communities: Sequence[Community] | None = None
) -> list[Path]:
    """Write Grafana's file provisioning tree, over an older one; returns the files. Raises ExportFailed.

    `communities`: boards and playlist of each as well; those of others go, as the walls of a community that left.
    None = none are written, none go. Organisation and service account cannot be given by file: `apply` makes them.
    """
    texts = {
        Path("datasources", "watchkeep.yaml"): _packaged("datasource.yaml"),
        _CITY.with_suffix(".yaml"): _packaged("dashboards.yaml"),
        # JSON is YAML; written so, nobody can get its indentation wrong.
        Path("alerting", "watchkeep.yaml"): _json(alerts.provisioning()),
        _PLAYLISTS / f"{uid_of('city', language)}.json": _playlist(
            uid_of("city", language), contents.city_playlist(language)
        ),
    }
    boards = contents.city_boards(language, console)
    texts |= {_CITY / f"{name}.json": _json(board) for name, board in zip(NAMES, boards, strict=True)}
    if communities is not None:
        texts[_COMMUNITIES.with_suffix(".yaml")] = _packaged("communities.yaml")
        for one in communities:
            texts |= _of_community(one, language, console)
    try:
        if communities is not None:
            _clear(folder, texts)
        for path, text in texts.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ExportFailed(f"cannot write {error.filename or folder}: {error.strerror}") from None
    return [folder / path for path in texts]


def _of_community(one: Community, language: Language, console: str) -> dict[Path, str]:
    boards = contents.community_boards(one, language, console)
    uid = uid_of("community", language, one.community_id)
    return {_COMMUNITIES / f"{board['uid']}.json": _json(board) for board in boards} | {
        _PLAYLISTS / f"{uid}.json": _playlist(uid, contents.community_playlist(one, language))
    }


def _clear(folder: Path, texts: Mapping[Path, str]) -> None:
    """Boards and playlists of communities that an older export wrote and this one does not."""
    for kind in (_COMMUNITIES, _PLAYLISTS):
        for path in (folder / kind).glob("wk-*.json"):
            if path.relative_to(folder) not in texts:
                path.unlink()


def _playlist(uid: str, spec: dict[str, object]) -> str:
    return _json(contents.playlist_resource(spec, {"name": uid}))


def _packaged(name: str) -> str:
    return (PACKAGE / "provisioning" / name).read_text("utf-8")


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
