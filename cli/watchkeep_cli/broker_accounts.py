"""The accounts file of our amqtt broker: hashed passwords and access rules, written here and read there."""

import asyncio
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from paho.mqtt.client import topic_matches_sub
from paho.mqtt.matcher import MQTTMatcher

from watchkeep_cli.acl import AclRule

_SCRYPT_N = 2**10
"""About 2 ms each: passwords here are made by machines, long and random, and 500 gateways log in at once."""


def hashes(users: Mapping[str, str]) -> dict[str, str]:
    """User → `salt:digest`, both hex."""
    found: dict[str, str] = {}
    for user, password in users.items():
        salt = secrets.token_bytes(16)
        found[user] = f"{salt.hex()}:{_digest(password, salt).hex()}"
    return found


def write(path: Path, hashed: Mapping[str, str], rules: Iterable[AclRule]) -> None:
    document = {"users": dict(hashed), "rules": [[rule.user_pattern, rule.access, rule.topic] for rule in rules]}
    replace_private(path, json.dumps(document))


def replace_private(path: Path, text: str) -> None:
    """Write in one step, so that a reader never sees half of it; for the owner only, or as the file before it was."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileNotFoundError):
        before = path.stat()
        os.chown(fresh, before.st_uid, before.st_gid)  # else the broker, which is not root, could not read it any more
        fresh.chmod(before.st_mode & 0o777)
    fresh.replace(path)


class Accounts:
    """The file as the broker uses it; read again, at the next login, when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = b""
        self._hashes: dict[str, str] = {}
        self._rules: list[AclRule] = []
        self._allowed: dict[tuple[str, str], MQTTMatcher] = {}
        self._refresh()

    async def knows(self, user: str | None, password: str | None) -> bool:
        """Whether this is a user with this password; an unknown user takes as long as a wrong password."""
        self._refresh()
        salt, digest = self._hashes.get(user or "", f"{'00' * 16}:").split(":")
        given = await asyncio.to_thread(_digest, password or "", bytes.fromhex(salt))
        return hmac.compare_digest(given, bytes.fromhex(digest))

    def allows(self, user: str, access: str, topic: str) -> bool:
        """Whether the user may `read` or `write` this topic."""
        matcher = self._allowed.get((user, access))
        if matcher is None:
            matcher = self._allowed[user, access] = self._matcher(user, access)
        found = matcher.iter_match(topic)  # type: ignore[no-untyped-call]  # paho left it untyped
        return next(found, None) is not None

    def _matcher(self, user: str, access: str) -> MQTTMatcher:
        matcher = MQTTMatcher()  # type: ignore[no-untyped-call]  # paho left it untyped
        for rule in self._rules:
            if access in rule.access and (rule.user_pattern == user or topic_matches_sub(rule.user_pattern, user)):
                matcher[rule.topic.replace("%u", user)] = True
        return matcher

    def _refresh(self) -> None:
        text = self._path.read_bytes()  # its time and inode can repeat within one tick of the clock
        if text == self._text:
            return
        document = json.loads(text)
        self._hashes = document["users"]
        self._rules = [AclRule(*fields) for fields in document["rules"]]
        self._allowed.clear()
        self._text = text


def _digest(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_SCRYPT_N, r=8, p=1)
