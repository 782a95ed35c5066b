"""Documentation cannot drift: what it shows is run."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import psycopg
import pytest

from tests import make_schema
from watchkeep_core import estate
from watchkeep_core.messages import json_schema
from watchkeep_gateway.config_file import read as read_config
from watchkeep_ingest.settings import IngestSettings

DOCS = Path(__file__).parents[2] / "docs"
STEPS = ("connect-an-elevator", "connect-a-fire-panel", "connect-a-pump-room")
FOR_PEOPLE = ("index", "quick-start", "responsibility-list", "faq", "comparison", "connect-a-device", *STEPS)
"""Pages that exist in both languages; the others are for engineers."""


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


def test_every_decision_is_in_the_index():
    listed = re.findall(
        r"^\| \[(\d{4})\]\((.*?)\) \| (.*) \|$", (DOCS / "adr" / "index.md").read_text("utf-8"), re.MULTILINE
    )
    there = sorted(path.name for path in DOCS.glob("adr/0*.md"))
    assert [name for _, name, _ in listed] == there
    for number, name, title in listed:
        assert name.startswith(number)
        assert title in (DOCS / "adr" / name).read_text("utf-8").splitlines()[0]


@pytest.mark.parametrize("path", sorted(DOCS.glob("adr/0*.md")), ids=lambda path: path.stem)
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


@pytest.mark.parametrize("suffix", ["", ".zh"])
def test_the_gateway_of_the_documentation_is_accepted(suffix, tmp_path):
    text = (DOCS / f"connect-a-device{suffix}.md").read_text("utf-8")
    example, *more = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    path = tmp_path / "gateway.toml"
    path.write_text(example, encoding="utf-8")
    assert read_config(path).ref.user == "harbour/gw-2"
    for tables in more:  # each is to be added to a file such as the first
        path.write_text(f'[gateway]\ncommunity = "harbour"\nid = "gw-2"\n{tables}', encoding="utf-8")
        assert read_config(path).ref.user == "harbour/gw-2", tables


@pytest.mark.parametrize("suffix", ["", ".zh"])
@pytest.mark.parametrize("page", STEPS)
def test_the_gateway_of_each_step_by_step_page_is_accepted(page, suffix, tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", (DOCS / f"{page}{suffix}.md").read_text("utf-8"), flags=re.DOTALL)
    (tmp_path / "gateway.toml").write_text(example, encoding="utf-8")
    config = read_config(tmp_path / "gateway.toml")
    assert config.ref.community == "harbour"


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


def test_the_settings_file_of_the_guide_has_settings_of_its_part():
    (example,) = re.findall(r"```toml\n(.*?)```", (DOCS / "deploy.md").read_text("utf-8"), flags=re.DOTALL)
    (table,) = tomllib.loads(example).values()
    assert set(table) <= set(IngestSettings.model_fields)


def _short(path: Path) -> str:
    return str(path.relative_to(DOCS.parent))


@pytest.mark.parametrize("path", sorted([*DOCS.parent.glob("*.md"), *DOCS.parent.glob("*/README.md")]), ids=_short)
def test_what_a_page_outside_the_site_links_to_is_there(path):
    text = path.read_text(encoding="utf-8")
    targets = re.findall(r'\]\(([^)#\s]+)|src="([^"]+)"', text)
    local = [one or other for one, other in targets if "://" not in (one or other)]
    assert [target for target in local if not (path.parent / target).exists()] == []
