"""The catalogue of notification texts, in Chinese and English."""

import string
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec
from msgspec import Struct

from watchkeep_core.errors import PermanentError

Language = Literal["zh", "en"]


DIGEST_LINES = 20
"""More titles than these are counted only."""
_CLOCKS = {
    "响应": "respond",
    "到场": "arrive",
    "完成": "finish",
    "核查": "verify",
    "派单": "dispatch",
    "回访": "call back",
}
_EVIDENCE = frozenset({"order_dispatched", "case_copied", "class_raised", "same_event", "rework", "reminder", "red"})
"""Kinds that carry the sentence of what was measured."""


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


def compose(
    kind: str,
    language: Language,
    words: Mapping[str, str],
    *,
    title_en: str = "",
    community_en: str = "",
    evidence: str = "",
    link: str = "",
) -> Text:
    """The text for one channel: in its language, with the sentence of the detector and the way to the case.

    `words` are the values as they were announced, in Chinese. Raises TextError.
    """
    if language == "en":
        clock = words.get("clock", "")
        english = {"title": title_en, "community": community_en, "clock": _CLOCKS.get(clock, clock)}
        words = {**words, **{name: value for name, value in english.items() if value}}
    text = render(kind, language, words)
    lines = [text.body]
    if evidence and kind in _EVIDENCE:
        lines.append(f"依据：{evidence}" if language == "zh" else f"Evidence: {evidence}")
    if link:
        lines.append(link)
    return Text(text.title, "\n".join(lines))


def digest(texts: Sequence[Text], language: Language) -> Text:
    """Several messages as one."""
    lines = [f"· {text.title}" for text in texts[:DIGEST_LINES]]
    more = len(texts) - DIGEST_LINES
    if more > 0:
        lines.append(f"…… 另有 {more} 条" if language == "zh" else f"… and {more} more")
    return render("digest", language, {"count": str(len(texts)), "lines": "\n".join(lines)})
