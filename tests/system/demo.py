"""A running demo for system tests: started as a newcomer would, looked at from outside."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg

READY_S = 300.0
"""From the command to the console's first answer, on a loaded machine."""


class RunningDemo:
    """One `watchkeep demo` process and its data directory."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.directory = directory
        command = [sys.executable, "-m", "watchkeep_cli", "demo", "--data", str(directory), "--port", "0", *arguments]
        # As in a shell that has read the `env` of a demo that is gone.
        stale = {"WATCHKEEP_INGEST_DATABASE_URL": "postgresql://127.0.0.1:1/gone", "WATCHKEEP_LOG_LEVEL": "error"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | stale
        )

    def environment(self) -> dict[str, str]:
        """What `. DIR/env` sets."""
        lines = (self.directory / "env").read_text().splitlines()
        pairs = (line.removeprefix("export ").split("=", 1) for line in lines)
        return {name: value.strip("'") for name, value in pairs}

    def secret(self, name: str) -> str:
        return str(json.loads((self.directory / "secrets.json").read_text())[name])

    def run(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Another verb of `watchkeep` against this demo."""
        return subprocess.run(
            [sys.executable, "-m", "watchkeep_cli", *arguments],
            env=os.environ | self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.environment()["WATCHKEEP_DB_ADMIN_URL"]) as conn:
            return conn.execute(statement).fetchall()

    @contextmanager
    def api(self, login: str) -> Iterator[httpx.Client]:
        """A client with this person's session."""
        with httpx.Client(base_url=self.environment()["WATCHKEEP_DEMO_URL"], timeout=60) as client:
            answer = client.post("/api/v1/session", json={"login": login, "password": self.secret("demo")})
            answer.raise_for_status()
            client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
            yield client

    def stop(self) -> tuple[int, str, str]:
        """Ctrl-C; exit code, stdout, stderr."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=170)
        return self.process.returncode, out, err


@contextmanager
def running(*arguments: str, directory: Path | None = None) -> Iterator[RunningDemo]:
    """A demo whose services are all ready; stopped at the end. Not in pytest's folder: see `postgres_url`."""
    with tempfile.TemporaryDirectory(prefix="watchkeep-demo-") as fresh:
        demo = RunningDemo(directory or Path(fresh), *arguments)
        try:
            until(lambda: (demo.directory / "ready").exists() or demo.process.poll() is not None, READY_S)
            if demo.process.poll() is not None:
                raise AssertionError(f"the demo ended: {demo.process.communicate()[1]}")
            yield demo
        finally:
            if demo.process.poll() is None:
                demo.stop()
            for pipe in (demo.process.stdout, demo.process.stderr):
                if pipe is not None:
                    pipe.close()


def until(condition: Callable[[], object], timeout_s: float, poll_s: float = 0.2) -> Any:
    """Wait for something true and return it. Fails after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(poll_s)
    raise AssertionError(f"not within {timeout_s} s")
