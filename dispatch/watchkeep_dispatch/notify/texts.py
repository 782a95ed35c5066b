"""The catalogue of notification texts, in Chinese and English."""

import string
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec
from msgspec import Struct

from watchkeep_core.errors import PermanentError

Language = Literal["zh", "en"]


class TextError(PermanentError):
    """A text is missing or lacks a value."""


class Text(Struct, frozen=True, forbid_unknown_fields=True):
    """Title and body; braces hold the names of values."""

    title: str
    body: str

    def placeholders(self) -> frozenset[str]:
        """Names of the values that title and body need together."""
        parser = string.Formatter()
        return frozenset(name for text in (self.title, self.body) for _, name, _, _ in parser.parse(text) if name)


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of notification in both languages."""

    zh: Text
    en: Text


@cache
def catalogue() -> dict[str, Entry]:
    """All kinds of notifications."""
    return msgspec.toml.decode((files("watchkeep_dispatch.notify") / "texts.toml").read_bytes(), type=dict[str, Entry])


def render(kind: str, language: Language, values: Mapping[str, str]) -> Text:
    """The text with its values. Raises TextError that names what is missing."""
    try:
        entry = catalogue()[kind]
        text = entry.zh if language == "zh" else entry.en
        return Text(text.title.format_map(values), text.body.format_map(values))
    except KeyError as error:
        raise TextError(f"notification {kind!r}: {error.args[0]!r} is missing") from None
