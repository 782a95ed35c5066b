"""Secrets of the demo: made at the first start, kept in one file that only its owner may read."""

import json
import secrets
from pathlib import Path

from watchkeep_cli.broker_accounts import replace_private


class SecretStore:
    """Name → secret; a name asked for the first time gets a new random secret."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def get(self, name: str) -> str:
        if name not in self._known:
            self._known[name] = secrets.token_urlsafe(24)
            self._write()
        return self._known[name]

    def put(self, name: str, value: str) -> None:
        self._known[name] = value
        self._write()

    def pronounceable(self, name: str) -> str:
        """A secret that a person can type on a phone: 15 characters of consonant-vowel pairs, about 55 bits."""
        if name not in self._known:
            groups = ["".join(_syllable() for _ in range(2)) for _ in range(4)]
            self._known[name] = "-".join(groups)
            self._write()
        return self._known[name]

    def gateways(self) -> dict[str, str]:
        """Gateways that were enrolled at run time: user → secret."""
        return {
            name.removeprefix("gateway:"): value for name, value in self._known.items() if name.startswith("gateway:")
        }

    def _write(self) -> None:
        replace_private(self._path, json.dumps(self._known, indent=1))


def _syllable() -> str:
    return secrets.choice("bdfghjklmnprstvz") + secrets.choice("aeiou")
