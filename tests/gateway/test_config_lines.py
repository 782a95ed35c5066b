"""Lines of fields in a TOML file: every kind of table, and anything that tomli_w can write."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from watchkeep_gateway.tables import Path
from watchkeep_gateway.toml_lines import Lines, _child, locate

TEXT = '''# a comment with [brackets] and "quotes"
top = 1
inline = { a = 1, b = { "c d" = [1, 2] } }
list = [
  "one # not a comment", # a comment, with a comma
  { x = 1 }, { x = 2, y = """
several lines
"quoted" ] } #""" },
  \'\'\'raw ''"\'\'\',
]
dotted.key."with.dot" = 1979-05-27T07:32:00Z

[table.sub]
v = -1.5e3

[[many]]
name = 'a\\b'
[many.inner]
z = 1
[[many.rows]]
k = 1
[[many.rows]]
k = 2

[[many]]
name = "b\\"] # x"
rows = [{ k = 3 }]
[table] # after its sub-table
w = true
'''

PLACES: list[tuple[Path, int]] = [
    (("top",), 2),
    (("inline", "b", "c d"), 3),
    (("list",), 4),
    (("list", 0), 5),
    (("list", 1, "x"), 6),
    (("list", 2, "x"), 6),
    (("list", 2, "y"), 6),
    (("list", 3), 9),
    (("dotted", "key", "with.dot"), 11),
    (("table", "sub", "v"), 14),
    (("many", 0), 16),
    (("many", 0, "name"), 17),
    (("many", 0, "inner", "z"), 19),
    (("many", 0, "rows", 0, "k"), 21),
    (("many", 0, "rows", 1, "k"), 23),
    (("many", 1), 25),
    (("many", 1, "rows", 0, "k"), 27),
    (("table",), 28),
    (("table", "w"), 29),
    (("many", 1, "missing"), 25),
    (("missing",), 1),
    (("list", 9), 4),
]


@pytest.mark.parametrize(("path", "line"), PLACES, ids=[str(path) for path, _ in PLACES])
def test_places(path: Path, line: int) -> None:
    assert tomllib.loads(TEXT)["many"][1]["name"] == 'b"] # x'
    assert locate(TEXT).of(path) == line


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    yield path, value
    for step, inner in steps:
        yield from leaves(inner, (*path, step))


values = st.recursive(
    st.integers(-9, 9) | st.text(max_size=6) | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=4), values, max_size=5), st.booleans())
def test_each_field_is_found_on_a_line_with_its_key(document: dict[str, Any], multiline: bool) -> None:
    text = tomli_w.dumps(document, multiline_strings=multiline)
    assert tomllib.loads(text) == tomllib.loads(tomli_w.dumps(document))
    lines = locate(text)
    rows = text.split("\n")
    for path, value in leaves(tomllib.loads(text)):
        assert found(lines, path), path
        if path and isinstance(path[-1], str) and not isinstance(value, dict):
            quoted = tomli_w.dumps({path[-1]: 0}).removesuffix(" = 0\n")
            assert quoted in rows[lines.of(path) - 1]


def found(lines: Lines, path: Path) -> bool:
    """Really there, not the table around it."""
    node: Any = lines._root
    for step in path:
        inner = _child(node, step)
        if inner is None:
            return False
        node = inner
    return True
