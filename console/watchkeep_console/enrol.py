"""Gives a new gateway its broker user, and takes it away: through a folder that the supervisor watches, or by hand.

The console writes `<name>.request.json` (`{"user", "password"}`, or `{"user", "revoke": true}`, mode 0600) in one step;
the supervisor adds or removes the user at the broker and answers by `<name>.done`, or `<name>.failed`. The console
removes that then.
"""

import json
import os
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from watchkeep_core.topics import GatewayRef

Outcome = Literal["added", "pending", "failed", "by_hand"]
"""`added` = done, also of a revocation."""


class Enroller(Protocol):
    """The seam to whoever keeps the broker's users."""

    def enrol(self, source: GatewayRef, password: str) -> Outcome:
        """Make the broker know this user; `pending` = asked, not confirmed in time."""
        ...

    def revoke(self, source: GatewayRef) -> Outcome:
        """Make the broker forget this user and cut its connection."""
        ...


class ByHand:
    """No one to ask: the page shows the command."""

    def enrol(self, source: GatewayRef, password: str) -> Outcome:
        return "by_hand"

    def revoke(self, source: GatewayRef) -> Outcome:
        return "by_hand"


@dataclass(slots=True)
class MemoryEnroller:
    """The in-memory twin, for tests."""

    users: dict[str, str] = field(default_factory=dict)

    def enrol(self, source: GatewayRef, password: str) -> Outcome:
        self.users[source.user] = password
        return "added"

    def revoke(self, source: GatewayRef) -> Outcome:
        self.users.pop(source.user, None)
        return "added"


class FolderEnroller:
    """Asks the supervisor through a folder, and waits for its answer at most `wait_s` seconds."""

    def __init__(self, folder: Path, wait_s: float = 10.0) -> None:
        self._folder = folder
        self._wait_s = wait_s

    def enrol(self, source: GatewayRef, password: str) -> Outcome:
        return self._ask({"user": source.user, "password": password})

    def revoke(self, source: GatewayRef) -> Outcome:
        return self._ask({"user": source.user, "revoke": True})

    def _ask(self, wanted: dict[str, str | bool]) -> Outcome:
        name = secrets.token_hex(8)
        request = self._folder / f"{name}.request.json"
        _write_private(request, json.dumps(wanted))
        outcomes: dict[Path, Outcome] = {
            self._folder / f"{name}.done": "added",
            self._folder / f"{name}.failed": "failed",
        }
        deadline = time.monotonic() + self._wait_s
        while time.monotonic() < deadline:
            for path, outcome in outcomes.items():
                if path.exists():
                    path.unlink()  # it holds the password
                    return outcome
            time.sleep(0.05)  # a worker thread; there is no event to wait for
        return "pending"


def enroller(folder: Path | None) -> Enroller:
    return ByHand() if folder is None else FolderEnroller(folder)


def _write_private(path: Path, text: str) -> None:
    """In one step, so that the watcher never sees half of it."""
    fresh = path.with_suffix(".part")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)
