"""Documentation cannot drift: what it shows is run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import psycopg
import pytest

from tests import make_schema
from watchkeep_core import estate
from watchkeep_core.messages import json_schema
from watchkeep_gateway.config_file import read as read_config

DOCS = Path(__file__).parents[2] / "docs"


def test_the_published_json_schema_is_the_code():
    committed = msgspec.json.decode((DOCS / "messages.schema.json").read_bytes())
    assert committed == json_schema(), "run `make schema`"


def test_every_setting_is_documented_as_the_code_has_it():
    text = (DOCS / "operate.md").read_text(encoding="utf-8")
    assert make_schema.operate(text) == text, "run `make schema`"


def test_the_broker_of_production_has_the_rules_of_the_code():
    acl = (DOCS.parent / "deploy" / "mosquitto.acl").read_text(encoding="utf-8")
    assert acl == make_schema.deployed_acl(), "run `make schema`"
    assert "user sim" not in acl


def test_the_estate_of_the_documentation_loads(database, tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", (DOCS / "estate.md").read_text(), flags=re.DOTALL)
    path = tmp_path / "estate.toml"
    path.write_text(example)
    with psycopg.connect(database.admin_url) as conn:
        assert estate.save(conn, estate.read_estate(path)).points == 3


@pytest.mark.parametrize("path", sorted(DOCS.glob("adr/*.md")), ids=lambda path: path.stem)
def test_an_adr_has_its_four_sections(path):
    text = path.read_text()
    for section in ("Status:", "## Context", "## Decision", "## Consequences"):
        assert section in text


def test_every_file_of_the_architecture_page_is_there():
    root = DOCS.parent
    named = re.findall(r"`((?:core|gateway|ingest|analytics|dispatch|console|firmware-sim|cli)/[^` ]+)`",
                       (DOCS / "architecture.md").read_text())  # fmt: skip
    assert len(named) > 60
    missing = []
    for path in named:
        part, _, rest = path.partition("/")
        package = root / part / f"watchkeep_{part.replace('-', '_')}"
        if not (package / rest).exists() and "watchkeep_" not in rest:
            missing.append(path)
    assert missing == []


def test_the_gateway_of_the_documentation_is_accepted(tmp_path):
    text = (DOCS / "connect-a-device.md").read_text()
    example, *more = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    path = tmp_path / "gateway.toml"
    path.write_text(example)
    assert read_config(path).ref.user == "harbour/gw-2"
    for tables in more:  # each is to be added to a file such as the first
        path.write_text(f'[gateway]\ncommunity = "harbour"\nid = "gw-2"\n{tables}')
        assert read_config(path).ref.user == "harbour/gw-2", tables


FOR_PEOPLE = ("index", "responsibility-list", "faq", "comparison", "connect-a-device")
"""Pages that exist in both languages; the others are for engineers."""


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_asks_nobody_else(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=DOCS.parent, env=environment, capture_output=True, text=True, check=False)
    assert (built.returncode, built.stderr.strip()) == (0, "")
    loaded = {
        address
        for page in (tmp_path / "site").rglob("*.html")
        for address in re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?://[^"]*)', page.read_text("utf-8"))
        if not address.startswith("https://github.com/watchkeep/")
    }
    assert loaded == set()


@pytest.mark.parametrize("name", FOR_PEOPLE)
def test_a_page_for_people_is_there_in_both_languages(name):
    english, chinese = ((DOCS / f"{name}{suffix}.md").read_text(encoding="utf-8") for suffix in ("", ".zh"))
    blocks = [re.findall(r"```.*?\n(.*?)```", text, flags=re.DOTALL) for text in (english, chinese)]
    assert len(blocks[0]) == len(blocks[1])
    shape = [[line.count("|") for line in text.splitlines() if line.startswith("|")] for text in (english, chinese)]
    assert shape[0] == shape[1]
    assert len(re.findall(r"[\u4e00-\u9fff]", chinese)) > 0.2 * len(chinese.split())
