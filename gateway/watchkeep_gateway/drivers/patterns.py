"""Patterns of names with named parts: `{device}` stands for one level, `*` for any run of characters."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

_PART = re.compile(r"\{([a-z_]+)\}|\*")


@dataclass(frozen=True)
class Pattern:
    """A pattern such as `application/{app}/device/{device}/event/up`."""

    text: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(part.group(1) for part in _PART.finditer(self.text) if part.group(1))

    @property
    def literal(self) -> bool:
        """Whether it matches only itself."""
        return _PART.search(self.text) is None

    @property
    def topic_filter(self) -> str:
        """For SUBSCRIBE; a part must fill its level, see `topic_problem`."""
        return _PART.sub("+", self.text)

    @property
    def topic_prefix(self) -> str:
        """What all topics begin with."""
        return _PART.split(self.text)[0]

    def match(self, name: str) -> dict[str, str] | None:
        """The named parts, or None."""
        found = self._expression.fullmatch(name)
        return None if found is None else found.groupdict()

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        expression, at = "", 0
        for part in _PART.finditer(self.text):
            expression += re.escape(self.text[at : part.start()])
            expression += f"(?P<{part.group(1)}>[^/]+)" if part.group(1) else ".*"
            at = part.end()
        return re.compile(expression + re.escape(self.text[at:]), re.DOTALL)


def fill(template: str, parts: Mapping[str, str]) -> str:
    """`pump-{device}` with its parts put in. A part that is not there stays as it stands."""
    return _PART.sub(lambda part: parts.get(part.group(1) or "", part.group(0)), template)


def pattern_problem(text: str) -> str | None:
    """What is wrong with a pattern."""
    names = Pattern(text).names
    if len(set(names)) < len(names):
        return f"{text!r} names a part twice"
    if re.search(r"[{}]", _PART.sub("", text)):
        return f"{text!r}: a named part is written {{lower_case}}"
    return None


def topic_problem(text: str) -> str | None:
    """What is wrong with a pattern of topics."""
    if problem := pattern_problem(text):
        return problem
    levels = text.split("/")
    if any(("{" in level or "*" in level) and not re.fullmatch(r"\{[a-z_]+\}", level) for level in levels):
        return f"{text!r}: a named part must be a whole level, and * is not for topics"
    if not text or re.search(r"[+#\s]", text) or "{" in levels[0]:
        return f"{text!r} must begin with a fixed level and hold neither +, # nor blanks"
    if levels[0] in ("wk", "$share", "$SYS"):
        return f"{levels[0]}/ is not for devices"
    return None
