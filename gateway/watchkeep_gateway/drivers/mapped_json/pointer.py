"""JSON pointers (RFC 6901), and the leaves of a document; pure."""

from collections.abc import Iterator
from typing import Any

MAX_LEAVES = 200
MAX_DEPTH = 6


class Missing:
    """Nothing stands where a pointer points."""


MISSING = Missing()


def pointer_problem(text: str) -> str | None:
    if text and not text.startswith("/"):
        return f"{text!r}: a JSON pointer begins with / (or is empty, for the whole payload)"
    return None


def steps_of(text: str) -> tuple[str, ...]:
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:])


def find(document: Any, steps: tuple[str, ...]) -> Any:
    """The value, or MISSING."""
    for step in steps:
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list) and step.isascii() and step.isdigit() and int(step) < len(document):
            document = document[int(step)]
        else:
            return MISSING
    return document


def leaves(document: Any, above: str = "", depth: int = 0) -> Iterator[str]:
    """Pointers of all values that are neither object nor list; bounded in number and depth by the caller's wish."""
    if isinstance(document, dict) and depth < MAX_DEPTH:
        for name, value in document.items():
            yield from leaves(value, f"{above}/{name.replace('~', '~0').replace('/', '~1')}", depth + 1)
    elif not isinstance(document, dict | list):
        yield above
