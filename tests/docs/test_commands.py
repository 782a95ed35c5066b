"""Every command that a page shows exists, with the options it is shown with."""

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from watchkeep_cli.__main__ import build
from watchkeep_console.api.app import create_app

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("*/README.md")])
GENERATED = {"benchmarks.md", "data-dictionary.md"}


@cache
def command_line(part: str) -> Any:
    return typer.main.get_command(build([part]))


def shown(text: str) -> set[str]:
    """Lines of code blocks, and code in a sentence, that begin with `watchkeep`."""
    text = re.sub(r"\\\n\s*", " ", text)
    blocks = [line for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    inline = re.findall(r"`(watchkeep [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    found = {re.sub(r"\[[^\]]*\]", "", line).strip() for line in [*blocks, *inline]}  # [what may be left out]
    return {re.split(r"\s#|[|;&>]|…| ==| \.\.\.", line)[0].strip() for line in found if line.startswith("watchkeep ")}


def trouble(line: str) -> str | None:
    """What is wrong with a command as it is shown; capitals, … and | stand for what a reader fills in."""
    words = shlex.split(line)[1:]
    if not words or not re.fullmatch(r"[a-z-]+", words[0]):
        return None  # `watchkeep PART run`
    command = command_line(words[0])
    while (below := getattr(command, "commands", None)) and words and not words[0].startswith("-"):
        if words[0] not in below:
            return None if re.match(r"[A-Z]", words[0]) else f"no command {words[0]!r}"
        command, words = below[words[0]], words[1:]
    options = {name for parameter in command.params for name in [*parameter.opts, *parameter.secondary_opts]}
    wrong = [word for word in words if word.startswith("--") and word.partition("=")[0] not in {*options, "--help"}]
    return f"no option {', '.join(wrong)}" if wrong else None


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_are_as_shown(page):
    if page.name in GENERATED:
        pytest.skip("is generated")
    wrong = {line: why for line in shown(page.read_text(encoding="utf-8")) if (why := trouble(line))}
    assert wrong == {}


def test_requests_that_the_page_of_the_api_shows_are_those_of_the_contract():
    contract = [
        (method.upper(), re.compile(re.sub(r"\{\w+\}", "[^/]+", path)))
        for path, methods in create_app(None).openapi()["paths"].items()
        for method in methods
    ]
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    shown = {(method, f"/api/v1{path}") for method, path in re.findall(r"`(GET|POST|PUT|DELETE) (/[^\s`?]+)", text)}
    for command in re.sub(r"\\\n\s*", " ", text).splitlines():
        method = "POST" if " -d " in command else "GET"
        shown |= {(method, path) for path in re.findall(r"\$URL(/[^\s?\"]+)", command)}
    shown -= {("GET", "/api/v1/api/v1/openapi.json")}
    assert len(shown) > 15
    unknown = [
        one for one in shown if not any(one[0] == method and path.fullmatch(one[1]) for method, path in contract)
    ]
    assert unknown == []
