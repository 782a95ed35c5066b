"""The console's own words in both languages; words of the field come from the vocabulary."""

import tomllib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any, Literal, Protocol
from zoneinfo import ZoneInfo

from watchkeep_core.vocabulary import Vocabulary, load

Language = Literal["zh", "en"]
ZONE = ZoneInfo("Asia/Shanghai")
"""Zone of lists that hold several communities; a page about one community names its own."""
LANGUAGES: tuple[Language, ...] = ("zh", "en")


class _Named(Protocol):
    @property
    def zh(self) -> str: ...
    @property
    def en(self) -> str: ...


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """`section.key` → language → text, from all files of the folder `catalogue`."""
    folder = resources.files("watchkeep_console") / "catalogue"
    return {
        f"{section}.{key}": languages
        for file in sorted(folder.iterdir(), key=lambda entry: entry.name)
        for section, entries in tomllib.loads(file.read_text(encoding="utf-8")).items()
        for key, languages in entries.items()
    }


class Words:
    """Everything a page says, in one language."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language
        self._vocabulary: Vocabulary = load()

    def __call__(self, key: str, **values: object) -> str:
        """A text of the catalogue. Raises KeyError for one that is not there."""
        return catalogue()[key][self.language].format(**values)

    def of(self, item: _Named) -> str:
        return item.en if self.language == "en" else item.zh

    def condition(self, key: str) -> str:
        return self._term(self._vocabulary.conditions, key)

    def metric(self, key: str) -> str:
        return self._term(self._vocabulary.metrics, key)

    def kind(self, key: str | None) -> str:
        return self._term(self._vocabulary.kinds, key or "")

    def party(self, key: str) -> str:
        return self._term(self._vocabulary.parties, key)

    def role(self, key: str) -> str:
        return self._term(self._vocabulary.roles, key)

    def class_name(self, key: str) -> str:
        return self._term(self._vocabulary.classes, key)

    def unit(self, key: str) -> str:
        found = self._vocabulary.units.get(key)
        return found.symbol if found else key

    def source(self, key: str) -> str:
        known = self._vocabulary.case_sources
        return self._term(known, key) if key in known else self.maybe("source", key)

    def maybe(self, section: str, key: str) -> str:
        """A text of the catalogue, or the bare key: for states that a newer part may know."""
        found = catalogue().get(f"{section}.{key}")
        return found[self.language] if found else key

    def value(self, metric: str, value: float) -> str:
        """A reading as people say it: the state's name, or the number with its unit."""
        known = self._vocabulary.metrics.get(metric)
        if known and known.states and int(value) in known.states:
            return self.of(known.states[int(value)])
        unit = self.unit(known.unit) if known else ""
        shown = f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.5g}"
        return f"{shown} {unit}".strip()

    def name(self, zh: str | None, en: str) -> str:
        """A name of the register: the English one where there is one and it is asked for."""
        return en if self.language == "en" and en else zh or ""

    def level(self, level: int | None) -> str:
        """A storey: B1 below ground, 3F above; nothing for None."""
        return "" if level is None else f"B{-level}" if level < 0 else f"{level}F"

    def local(self, moment: datetime | None, zone: ZoneInfo = ZONE) -> str:
        """Month, day, hour, minute in the zone; a dash for None."""
        return moment.astimezone(zone).strftime("%m-%d %H:%M") if moment else "–"

    def full(self, moment: datetime | None, zone: ZoneInfo = ZONE) -> str:
        """As `local`, with year and seconds."""
        return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") if moment else "–"

    def _term(self, known: Mapping[str, Any], key: str) -> str:
        return self.of(known[key]) if key in known else key


@cache
def words(language: str) -> Words:
    """Chinese unless English is asked for."""
    return Words("en" if language == "en" else "zh")
