"""The proxy that we ship: what it lets out and what it keeps inside, by a real Caddy between two stand-ins."""

import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.brokers import until
from watchkeep_cli.ports import free_port
from watchkeep_cli.tls import make

CADDYFILE = Path(__file__).parents[2] / "deploy" / "Caddyfile"
INSIDE = ("/metrics", "/metrics/", "//metrics", "/METRICS", "/%6detrics", "/x/../metrics", "/metrics?a=/grafana/",
          "/health", "/health/ready", "/health/live", "/grafana/metrics", "/grafana//metrics")  # fmt: skip
"""For the machines inside; however it is written."""


@contextmanager
def stand_in(name: str) -> Iterator[str]:
    """A server that says who it is, and its address."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(name.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


class Proxy:
    """Asks as a browser does, but with the path as it is given."""

    def __init__(self, port: int, trust: Path) -> None:
        self._port, self._context = port, ssl.create_default_context(cafile=str(trust))

    def get(self, path: str) -> tuple[int, str, HTTPResponse]:
        connection = HTTPSConnection("localhost", self._port, context=self._context, timeout=30)
        connection.putrequest("GET", path)
        connection.endheaders()
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text, answer

    def up(self) -> bool:
        try:
            return bool(self.get("/")[0])
        except OSError:
            return False


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    caddy = shutil.which("caddy")
    if not caddy:
        pytest.skip("caddy is not installed (Debian: apt-get install --no-install-recommends caddy)")
    folder, port = tmp_path_factory.mktemp("caddy"), free_port("127.0.0.1")
    make(folder / "tls", ["localhost"])
    with ExitStack() as stack:
        text = CADDYFILE.read_text(encoding="utf-8").replace("/run/tls/", f"{folder}/tls/")
        for name, place in (("console", "console:8080"), ("grafana", "grafana:3000")):
            assert place in text
            text = text.replace(place, stack.enter_context(stand_in(name)))
        config = folder / "Caddyfile"
        config.write_text(text, encoding="utf-8")
        environment = os.environ | {"WATCHKEEP_HOST": f"localhost:{port}", "HOME": str(folder)}
        environment |= {"XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
        command = [caddy, "run", "--adapter", "caddyfile", "--config", str(config)]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        stack.callback(process.wait, 30)
        stack.callback(process.terminate)
        found = Proxy(port, folder / "tls" / "ca.crt")
        until(found.up)
        yield found


@pytest.mark.parametrize(
    ("path", "who"), [("/", "console"), ("/api/v1/warnings", "console"), ("/m", "console"), ("/grafana/d/x", "grafana")]
)
def test_people_reach_the_console_and_the_walls(proxy: Proxy, path: str, who: str) -> None:
    status, text, answer = proxy.get(path)
    assert (status, text) == (200, who)
    assert answer.getheader("Strict-Transport-Security")


@pytest.mark.parametrize("path", INSIDE)
def test_what_is_for_the_machines_inside_is_not_there(proxy: Proxy, path: str) -> None:
    assert proxy.get(path)[0] == 404


def test_walls_are_found_without_the_last_slash_too(proxy: Proxy) -> None:
    status, _, answer = proxy.get("/grafana")
    assert (status, answer.getheader("Location")) == (302, "/grafana/")


def test_nobody_is_served_without_tls(proxy: Proxy) -> None:
    connection = HTTPConnection("localhost", proxy._port, timeout=30)
    connection.request("GET", "/")
    assert connection.getresponse().status == 400
    connection.close()
