"""The things we keep in Grafana, each with how it is read, compared and written."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from watchkeep_dashboards.errors import GrafanaConflict
from watchkeep_dashboards.grafana import Grafana

_MUTE = {"X_Disable_Provenance": "true"}
"""Without it people could not even pause a rule in Grafana's pages."""


class Resource(Protocol):
    """One thing that shall be there."""

    @property
    def kind(self) -> str: ...

    @property
    def uid(self) -> str: ...

    @property
    def title(self) -> str: ...

    def read(self, grafana: Grafana) -> Any: ...

    def drift(self, grafana: Grafana, found: Any) -> list[str]: ...

    def create(self, grafana: Grafana) -> None: ...

    def update(self, grafana: Grafana, found: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Document:
    """A thing that is one body below one path; keys that Grafana adds are no drift."""

    body: Mapping[str, Any]
    kind: str
    path: str
    on_update: Mapping[str, Any] = field(default_factory=dict)
    """What an update says beside the body."""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def uid(self) -> str:
        return str(self.body["uid"])

    @property
    def title(self) -> str:
        return str(self.body["title"])

    def read(self, grafana: Grafana) -> Any:
        return grafana.find(f"{self.path}/{self.uid}")

    def drift(self, grafana: Grafana, found: Any) -> list[str]:
        return list(differences(self.body, found, exactly=False))

    def create(self, grafana: Grafana) -> None:
        grafana.write("POST", self.path, dict(self.body), **self.headers)

    def update(self, grafana: Grafana, found: Any) -> None:
        grafana.write("PUT", f"{self.path}/{self.uid}", {**self.body, **self.on_update}, **self.headers)


def folder(uid: str, title: str) -> Document:
    """A folder of boards and alert rules."""
    return Document({"uid": uid, "title": title}, "folder", "/folders", on_update={"overwrite": True})


def alert_rule(body: Mapping[str, Any]) -> Document:
    """A rule that people may still edit."""
    return Document(body, "alert rule", "/v1/provisioning/alert-rules", headers=_MUTE)


@dataclass(frozen=True, slots=True)
class Datasource(Document):
    """The read-only login of PostgreSQL. Its password cannot be read back, so it is sent at birth and when asked to."""

    kind: str = "datasource"
    path: str = "/datasources/uid"
    password: str = ""
    renew: bool = False

    @property
    def title(self) -> str:
        return str(self.body["name"])

    def drift(self, grafana: Grafana, found: Any) -> list[str]:
        changes = list(differences(self.body, found, exactly=False))
        if self.renew or not found.get("secureJsonFields", {}).get("password"):
            changes.append("password")
        return changes

    def create(self, grafana: Grafana) -> None:
        grafana.write("POST", "/datasources", self._whole())

    def update(self, grafana: Grafana, found: Any) -> None:
        body = self._whole() if "password" in self.drift(grafana, found) else dict(self.body)
        grafana.write("PUT", f"{self.path}/{self.uid}", body)

    def _whole(self) -> dict[str, Any]:
        return {**self.body, "secureJsonData": {"password": self.password}}


@dataclass(frozen=True, slots=True)
class Board(Document):
    """A dashboard. What Grafana adds by itself is no drift, and neither is a migration of what we saved last."""

    kind: str = "dashboard"
    path: str = "/dashboards/uid"
    folder_uid: str = ""

    @property
    def mark(self) -> str:
        """The message each of our saves carries: says which content it was."""
        return "watchkeep " + hashlib.sha256(json.dumps(self.body, sort_keys=True).encode()).hexdigest()[:12]

    def drift(self, grafana: Grafana, found: Any) -> list[str]:
        moved = [] if found["meta"].get("folderUid", self.folder_uid) == self.folder_uid else ["folder"]
        changes = list(differences(_bare(self.body), _bare(found["dashboard"]), exactly=True))
        if changes and self._last_message(grafana) == self.mark:
            changes = []
        return moved + changes

    def create(self, grafana: Grafana) -> None:
        self._save(grafana, overwrite=False)  # a stranger's board of that title is not written over

    def update(self, grafana: Grafana, found: Any) -> None:
        if found["meta"].get("provisioned"):
            raise GrafanaConflict(
                f"dashboard {self.uid} was provisioned from a file in Grafana: use files or apply, not both"
            )
        self._save(grafana, overwrite=True)

    def _save(self, grafana: Grafana, *, overwrite: bool) -> None:
        body = {"dashboard": self.body, "folderUid": self.folder_uid, "overwrite": overwrite, "message": self.mark}
        grafana.write("POST", "/dashboards/db", body)

    def _last_message(self, grafana: Grafana) -> str:
        """Grafana 10 answers a list, later ones an object around it."""
        answer = grafana.find(f"{self.path}/{self.uid}/versions?limit=1") or []
        versions = answer.get("versions", []) if isinstance(answer, dict) else answer
        return str(versions[0].get("message", "")) if versions else ""


def differences(wanted: Any, found: Any, *, exactly: bool, at: str = "") -> Iterator[str]:
    """Paths at which they differ. Not `exactly`: keys that Grafana added to an object are no difference."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        keys = {**wanted, **found} if exactly else wanted
        for key in keys:
            yield from differences(
                wanted.get(key), found.get(key), exactly=exactly, at=f"{at}.{key}" if at else str(key)
            )
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for place, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from differences(one, other, exactly=exactly, at=f"{at}[{place}]")
    elif wanted != found and not (_empty(wanted) and _empty(found)):
        yield at


def _empty(value: Any) -> bool:
    return value is None or value is False or value in ("", [], {})


def _bare(board: Mapping[str, Any]) -> dict[str, Any]:
    """Without what Grafana numbers itself."""
    own = {key: value for key, value in board.items() if key not in ("id", "version", "iteration")}
    own["panels"] = [
        {key: value for key, value in panel.items() if key != "pluginVersion"} for panel in board.get("panels", [])
    ]
    return own
