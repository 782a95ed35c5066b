"""Playlists: boards one after the other on a screen.

Grafana 10 to 12 keep them under /api; a later one may have nothing but the newer /apis.
"""

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from watchkeep_dashboards.contents import playlist_resource
from watchkeep_dashboards.errors import GrafanaRefused
from watchkeep_dashboards.grafana import Grafana
from watchkeep_dashboards.resources import differences


@dataclass(frozen=True, slots=True)
class Known:
    """A playlist as Grafana has it, whichever way it tells."""

    uid: str
    name: str
    interval: str
    items: list[dict[str, Any]]
    version: str = ""


@dataclass(frozen=True, slots=True)
class Playlist:
    """Under /api Grafana chooses the uid, so the name tells which one it is."""

    spec: dict[str, Any]
    kind: str = "playlist"

    @property
    def uid(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        return str(self.spec["title"])

    def read(self, grafana: Grafana) -> Known | None:
        return next((_whole(grafana, known) for known in playlists(grafana) if known.name == self.title), None)

    def drift(self, grafana: Grafana, found: Known) -> list[str]:
        known = {"title": found.name, "interval": found.interval, "items": found.items}
        return list(differences(self.spec, known, exactly=True))

    def create(self, grafana: Grafana) -> None:
        if _old(grafana):
            grafana.write("POST", "/playlists", self._body())
        else:
            grafana.write("POST", _root(grafana), playlist_resource(self.spec, {"generateName": "watchkeep-"}))

    def update(self, grafana: Grafana, found: Known) -> None:
        if _old(grafana):
            grafana.write("PUT", f"/playlists/{quote(found.uid)}", self._body())
        else:
            metadata = {"name": found.uid, "resourceVersion": found.version}
            grafana.write("PUT", f"{_root(grafana)}/{quote(found.uid)}", playlist_resource(self.spec, metadata))

    def _body(self) -> dict[str, Any]:
        return {"name": self.title, "interval": self.spec["interval"], "items": self.spec["items"]}


def playlists(grafana: Grafana) -> list[Known]:
    """All playlists of the organisation; under /api without their items."""
    if _old(grafana):
        rows = grafana.ask("/playlists?limit=1000") or []
        return [Known(row["uid"], row["name"], row["interval"], []) for row in rows]
    return [
        Known(
            one["metadata"]["name"],
            one["spec"]["title"],
            one["spec"]["interval"],
            _plain(one["spec"].get("items")),
            one["metadata"].get("resourceVersion", ""),
        )
        for one in grafana.ask(_root(grafana)).get("items", [])
    ]


def delete(grafana: Grafana, uid: str) -> None:
    """One playlist less."""
    grafana.write("DELETE", f"/playlists/{quote(uid)}" if _old(grafana) else f"{_root(grafana)}/{quote(uid)}")


def _whole(grafana: Grafana, known: Known) -> Known:
    if not _old(grafana):
        return known
    found = grafana.ask(f"/playlists/{quote(known.uid)}")
    return replace(known, items=_plain(found.get("items")))


def _plain(items: Any) -> list[dict[str, Any]]:
    return [{"type": item["type"], "value": item["value"]} for item in items or []]


def _old(grafana: Grafana) -> bool:
    """Is there the older way? Asked once; the answer is kept with the connection."""
    if grafana.old_playlists is None:
        grafana.old_playlists = grafana.find("/playlists?limit=1") is not None
        if not grafana.old_playlists and grafana.find(_root(grafana)) is None:
            raise GrafanaRefused("Grafana knows neither /api/playlists nor /apis/playlist.grafana.app/v1")
    return grafana.old_playlists


def _root(grafana: Grafana) -> str:
    number = grafana.organisation_id or 1
    namespace = "default" if number == 1 else f"org-{number}"
    return f"/apis/playlist.grafana.app/v1/namespaces/{namespace}/playlists"
