"""A loopback server that behaves as Grafana's documented HTTP API: organisations by header, uids, versions, conflicts.

Not a Grafana: what it answers is read from the documentation of versions 10 to 13. The same tests run against a real
one when WATCHKEEP_TEST_GRAFANA_URL is set.
"""

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

ADMIN, PASSWORD = "root", "s3cret"


class Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass
class Organisation:
    id: int
    name: str
    members: set[str] = field(default_factory=set)
    things: dict[str, dict[str, Any]] = field(default_factory=dict)

    def of(self, kind: str) -> dict[str, Any]:
        return self.things.setdefault(kind, {})


@dataclass
class FakeGrafana:
    """State and dialect; `requests` keeps method and path of what came in."""

    url: str = ""
    plugin: str = "grafana-postgresql-datasource"
    old_playlists: bool = True
    versions_in_object: bool = True
    adds_on_read: bool = False
    """As versions that migrate boards: what is read back has more in it than what was saved."""
    same_title_conflicts: bool = False
    anonymous: str = ""
    """Name of the organisation that visitors without login land in; empty = they are refused."""
    server_admin: bool = True
    database_error: str = ""
    communities: list[tuple[str, str]] = field(default_factory=lambda: [("c1", "碧海园"), ("c2", "红山苑")])
    organisations: dict[int, Organisation] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    broken: int = 0
    """Status to answer everything with."""

    def __post_init__(self) -> None:
        self.organisations[1] = Organisation(1, "Main Org.", {ADMIN})

    def wall(self) -> Organisation:
        (found,) = [org for org in self.organisations.values() if org.name == "Wall"]
        return found

    def writes(self) -> list[tuple[str, str]]:
        return [(method, path) for method, path in self.requests if method != "GET" and path != "/api/ds/query"]

    def answer(self, method: str, url: str, headers: Any, body: Any) -> Any:
        path, query = urlsplit(url).path, parse_qs(urlsplit(url).query)
        self.requests.append((method, path))
        if self.broken:
            raise Refused(self.broken, "<html>bad gateway</html>")
        for verb, pattern, handler in ROUTES:
            if verb == method and (found := re.fullmatch(pattern, path)):
                org = self._organisation(headers, path)
                return handler(self, org, [unquote(part) for part in found.groups()], body, query)
        raise Refused(404, "Not found")

    def _organisation(self, headers: Any, path: str) -> Organisation:
        kind, _, credential = headers.get("Authorization", "").partition(" ")
        if kind == "Bearer" and credential in self.tokens:
            return self.organisations[self.tokens[credential]]
        if kind == "Basic" and base64.b64decode(credential).decode() == f"{ADMIN}:{PASSWORD}":
            wanted = int(headers.get("X-Grafana-Org-Id", 1))
            if ADMIN not in self.organisations[wanted].members:
                raise Refused(401, "user is not a member of the organization")
            return self.organisations[wanted]
        if not kind and self.anonymous:
            if path != "/api/org":
                raise Refused(403, "Access denied")
            return next(org for org in self.organisations.values() if org.name == self.anonymous)
        raise Refused(401, "Invalid username or password")


Handler = Callable[[FakeGrafana, Organisation, list[str], Any, dict[str, list[str]]], Any]
ROUTES: list[tuple[str, str, Handler]] = []


def route(verb: str, pattern: str) -> Callable[[Handler], Handler]:
    def keep(handler: Handler) -> Handler:
        ROUTES.append((verb, pattern, handler))
        return handler

    return keep


def known(things: dict[str, Any], uid: str, what: str) -> Any:
    if uid not in things:
        raise Refused(404, f"{what} not found")
    return things[uid]


@contextmanager
def serve(grafana: FakeGrafana, prefix: str = "") -> Iterator[FakeGrafana]:
    """On a free port of 127.0.0.1 while the block runs, below `prefix` if there is one."""

    class Requests(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, answer = 200, None
            try:
                path = self.path.removeprefix(prefix)
                answer = grafana.answer(self.command, path, self.headers, json.loads(body) if body else None)
            except Refused as error:
                status, answer = error.status, {"message": error.message}
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = do  # named by http.server

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    grafana.url = f"http://127.0.0.1:{server.server_address[1]}{prefix}"
    try:
        yield grafana
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
