"""On which line of a TOML file a field stands: tomllib tells values only.

Reads files that tomllib has accepted, so that nothing is checked a second time here.
"""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field

from watchkeep_gateway.tables import Path

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\r\n]+")
_STRINGS = (
    re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}', re.DOTALL),
    re.compile(r"'''(?:[^']|'(?!''))*'{3,5}", re.DOTALL),
    re.compile(r'"((?:[^"\\\n]|\\.)*)"'),
    re.compile(r"'([^'\n]*)'"),
)


@dataclass(slots=True)
class _Node:
    """A value that begins on `line`; a table's line is that of its first header or key."""

    line: int
    children: "_Children" = None


_Children = dict[str, _Node] | list[_Node] | None


@dataclass(slots=True)
class Lines:
    """Built by `locate`."""

    _root: _Node = field(default_factory=lambda: _Node(1, {}))

    def of(self, path: Path) -> int:
        """Line (from 1) of a field; of the nearest table around it when the field is not there."""
        node = self._root
        for step in path:
            inner = _child(node, step)
            if inner is None:
                break
            node = inner
        return node.line


def locate(text: str) -> Lines:
    """Where everything stands in `text`, which must be valid TOML."""
    lines = Lines()
    _Reader(text, lines._root).read()
    return lines


class _Reader:
    def __init__(self, text: str, root: _Node) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0
        self._root = root

    def read(self) -> None:
        table = self._root
        while self._skip_blank() < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> _Node:
        line, array = self._line_now(), self._text.startswith("[[", self._at)
        self._at += 2 if array else 1
        steps = self._key()
        self._at += 2 if array else 1
        *above, last = steps
        parent = self._descend(self._root, above, line)
        siblings = _table_of(parent)
        if not array:
            node = siblings.setdefault(last, _Node(line, {}))
            node.line = line
            return node
        elements = siblings.setdefault(last, _Node(line, [])).children
        node = _Node(line, {})
        if isinstance(elements, list):
            elements.append(node)
        return node

    def _pair(self, table: _Node) -> None:
        line = self._line_now()
        *above, last = self._key()
        self._at += 1  # the =
        _table_of(self._descend(table, above, line))[last] = _Node(line, self._value())

    def _descend(self, node: _Node, steps: list[str], line: int) -> _Node:
        for step in steps:
            node = _table_of(node).setdefault(step, _Node(line, {}))
        return node

    def _key(self) -> list[str]:
        steps = []
        while True:
            self._skip_blank()
            if self._text[self._at] in "\"'":
                steps.append(self._string())
            elif bare := _BARE.match(self._text, self._at):
                steps.append(bare[0])
                self._at = bare.end()
            self._skip_blank()
            if not self._text.startswith(".", self._at):
                return steps
            self._at += 1

    def _value(self) -> _Children:
        self._skip_blank()
        opening = self._text[self._at]
        if opening == "{":
            inner = _Node(0, {})
            self._members("}", lambda: self._pair(inner))
            return inner.children
        if opening == "[":
            elements: list[_Node] = []
            self._members("]", lambda: elements.append(_Node(self._line_now(), self._value())))
            return elements
        if opening in "\"'":
            self._string()
        elif scalar := _SCALAR.match(self._text, self._at):
            self._at = scalar.end()
        return None

    def _members(self, closing: str, read: Callable[[], None]) -> None:
        self._at += 1
        while self._text[self._skip_blank()] != closing:
            if self._text[self._at] == ",":
                self._at += 1
            else:
                read()
        self._at += 1

    def _string(self) -> str:
        for pattern in _STRINGS:
            if found := pattern.match(self._text, self._at):
                self._at = found.end()
                return _unescaped(found[0])
        raise ValueError(f"no string at {self._at}")

    def _skip_blank(self) -> int:
        if blank := _BLANK.match(self._text, self._at):
            self._at = blank.end()
        return self._at

    def _line_now(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line


def _child(node: _Node, step: str | int) -> _Node | None:
    children = node.children
    if isinstance(children, dict):
        return children.get(step) if isinstance(step, str) else None
    if isinstance(children, list) and isinstance(step, int) and step < len(children):
        return children[step]
    return None


def _table_of(node: _Node) -> dict[str, _Node]:
    """Of an array of tables: its last one, as in a header."""
    children = node.children
    if isinstance(children, list):
        return _table_of(children[-1])
    if children is None:
        children = node.children = {}
    return children


def _unescaped(quoted: str) -> str:
    """A key as tomllib reads it."""
    key: str = tomllib.loads(f"x = {quoted}")["x"]
    return key
