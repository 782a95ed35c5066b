"""One narrow door to Grafana's HTTP API: grafana-client carries the requests, its errors become ours."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from grafana_client.api import GrafanaApi
from grafana_client.client import GrafanaException, GrafanaTimeoutError
from niquests.exceptions import RequestException

from watchkeep_dashboards.errors import (
    GrafanaConflict,
    GrafanaForbidden,
    GrafanaLogin,
    GrafanaRefused,
    GrafanaUnreachable,
)

Credential = str | tuple[str, str] | None


class Grafana:
    """Requests of one login in one organisation; what was written is counted."""

    def __init__(
        self,
        url: str,
        credential: Credential,
        *,
        timeout_s: float = 15.0,
        ca_file: Path | None = None,
    ) -> None:
        parts = urlsplit(url)
        prefix = parts.path.strip("/")
        self.url = url.rstrip("/")
        self.organisation_id = 0
        """0 = that of the login."""
        self.writes: list[tuple[str, str]] = []
        """Method and path of each request that could change something."""
        self.old_playlists: bool | None = None
        """Whether playlists are under /api; None = not asked yet."""
        self._client = GrafanaApi(
            credential,
            protocol=parts.scheme,
            host=parts.hostname,
            port=parts.port,
            url_path_prefix=f"{prefix}/" if prefix else "",
            verify=str(ca_file) if ca_file else True,
            timeout=timeout_s,
        ).client
        self._client.url = self.url  # paths say themselves whether they are of /api or of the newer /apis

    def __enter__(self) -> "Grafana":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.s.close()

    def within(self, organisation_id: int) -> None:
        """Ask and write in this organisation from now on (only a login with a password can change)."""
        self.organisation_id = organisation_id
        self._client.s.headers["X-Grafana-Org-Id"] = str(organisation_id)

    def find(self, path: str) -> Any:
        """GET; None when there is no such thing."""
        try:
            return self._send("GET", path)
        except GrafanaException as error:
            if error.status_code == 404:
                return None
            raise _explain(error, "GET", path) from None

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """GET, or a POST that only asks; what is not there is an error."""
        method = "GET" if body is None else "POST"
        try:
            return self._send(method, path, body)
        except GrafanaException as error:
            raise _explain(error, method, path) from None

    def write(self, method: str, path: str, body: Mapping[str, Any] | None = None, **headers: str) -> Any:
        """A request that changes something."""
        self.writes.append((method, path))
        try:
            return self._send(method, path, body, headers)
        except GrafanaException as error:
            raise _explain(error, method, path) from None

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        whole = path if path.startswith("/apis/") else f"/api{path}"
        named = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        try:
            return getattr(self._client, method)(whole, json=body, headers=named or None, accept_empty_json=True)
        except GrafanaTimeoutError:
            raise GrafanaUnreachable(f"Grafana at {self.url} does not answer") from None
        except RequestException as error:  # refused, unknown host, bad certificate: not one of grafana-client's own
            raise GrafanaUnreachable(f"Grafana at {self.url} cannot be reached: {_reason(error)}") from None


def _explain(error: GrafanaException, method: str, path: str) -> GrafanaRefused | GrafanaUnreachable:
    """Our error of an answer, with Grafana's own words."""
    where, said = f"{method} {path}", _said(error)
    match error.status_code:
        case 401:
            return GrafanaLogin(f"Grafana refuses the login (wrong token, user or password) at {where}: {said}")
        case 403:
            return GrafanaForbidden(f"Grafana's login may not {where}: {said}")
        case 409 | 412:
            return GrafanaConflict(f"something else has that name in Grafana at {where}: {said}")
        case int(status) if status >= 500 or status == 0:
            return GrafanaUnreachable(f"Grafana is not well: {status} at {where}: {said}")
    return GrafanaRefused(f"Grafana answers {error.status_code} at {where}: {said}")


def _said(error: GrafanaException) -> str:
    response = error.response
    text = str(response.get("message", response)) if isinstance(response, dict) else str(response or error.message)
    return " ".join(text.split())[:300]


def _reason(error: BaseException) -> str:
    """The innermost cause stands last in the libraries' long texts."""
    return str(error).rpartition(": ")[2].rstrip("')\"") or type(error).__name__
