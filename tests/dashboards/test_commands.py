"""`watchkeep dashboards`: list and export, without the generator."""

import json
import re
import subprocess
import sys

import pytest
import yaml
from typer.testing import CliRunner

from tests.dashboards import boards
from watchkeep_core.errors import SettingsError
from watchkeep_dashboards import alerts
from watchkeep_dashboards.commands import app
from watchkeep_dashboards.contents import Community
from watchkeep_dashboards.errors import ExportFailed
from watchkeep_dashboards.packaged import NAMES, OF_ONE_COMMUNITY, board, uid_of
from watchkeep_dashboards.provisioning import export

RUN = """
import json, sys
from watchkeep_dashboards.commands import app
app(sys.argv[1:], standalone_mode=False)
loaded = [name for name in sys.modules if name.startswith(("grafana", "psycopg"))]
sys.exit(f"the generator's libraries were imported: {loaded}" if loaded else 0)
"""


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-c", RUN, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_list_names_every_dashboard_without_importing_the_generator():
    result = run("list")
    assert result.returncode == 0, result.stderr
    rows = json.loads(result.stdout)
    assert {(row["name"], row["language"]) for row in rows} == set(boards.ALL)
    assert all(row["panels"] >= 5 and row["title"] for row in rows)


def test_export_writes_a_provisioning_tree(tmp_path):
    result = run("export", tmp_path / "grafana", "--language", "en")
    assert result.returncode == 0, result.stderr
    written = sorted(str(path.relative_to(tmp_path / "grafana")) for path in (tmp_path / "grafana").rglob("*.*"))
    assert written == [
        "alerting/watchkeep.yaml",
        "dashboards/watchkeep.yaml",
        *sorted(f"dashboards/watchkeep/{name}.json" for name in NAMES),
        "datasources/watchkeep.yaml",
        "playlists/watchkeep-city-en.json",
    ]
    assert sorted(json.loads(result.stdout)) == sorted(str(tmp_path / "grafana" / path) for path in written)
    for name in NAMES:
        exported = (tmp_path / "grafana" / "dashboards" / "watchkeep" / f"{name}.json").read_text()
        assert json.loads(exported) == boards.board(name, "en")


def test_export_of_communities_is_whole_and_forgets_who_left(tmp_path):
    """The boards that `apply` makes, a provider for their folder, a playlist of them for the newer API."""
    both = [Community("c1", "碧海园"), Community("c2", "红山苑")]
    export(tmp_path, "zh", communities=both)
    folder = tmp_path / "dashboards/watchkeep-communities"
    assert len(list(folder.iterdir())) == 2 * len(OF_ONE_COMMUNITY)
    water = json.loads((folder / f"{uid_of('water', 'zh', 'c2')}.json").read_text())
    assert water == board("water", "zh", community=("c2", "红山苑"))
    (provider,) = yaml.safe_load(folder.with_suffix(".yaml").read_text())["providers"]
    assert provider["options"]["path"].replace("${WATCHKEEP_GRAFANA_PROVISIONING}", str(tmp_path)) == str(folder)
    export(tmp_path, "zh", communities=both[:1])
    boards_left = {path.stem for path in folder.iterdir()}
    assert boards_left == {uid_of(name, "zh", "c1") for name in OF_ONE_COMMUNITY}
    lists = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "playlists").iterdir()}
    assert lists.keys() == {"watchkeep-city-zh", uid_of("community", "zh", "c1")}
    assert all(found["metadata"]["name"] == stem for stem, found in lists.items())
    shown = {item["value"] for item in lists[uid_of("community", "zh", "c1")]["spec"]["items"]}
    assert shown == boards_left
    export(tmp_path, "zh")  # of the city alone: the others stay
    assert len(list(folder.iterdir())) == len(OF_ONE_COMMUNITY)


def test_export_asks_the_database_for_communities(city, tmp_path, monkeypatch):
    monkeypatch.setenv("WATCHKEEP_DATABASE_URL", city.url("grafana_ro"))
    result = CliRunner().invoke(app, ["export", str(tmp_path), "--communities"])
    assert result.exit_code == 0, result.output
    own = json.loads((tmp_path / f"dashboards/watchkeep-communities/{uid_of('fire', 'zh', 'c1')}.json").read_text())
    assert own["title"].endswith(" · 消防")
    with pytest.raises(SettingsError, match="c9 is no live community"):
        CliRunner().invoke(app, ["export", str(tmp_path), "--community", "c9"], catch_exceptions=False)


@pytest.mark.slow
def test_export_is_chinese_by_default_and_refuses_other_languages(tmp_path):
    assert run("export", tmp_path).returncode == 0
    assert "小区预警大屏" in (tmp_path / "dashboards/watchkeep/community-wall.json").read_text(encoding="utf-8")
    assert run("export", tmp_path, "--language", "fr").returncode != 0


def test_the_data_source_is_read_only_and_holds_no_secret(tmp_path):
    export(tmp_path, "zh")
    (source,) = yaml.safe_load((tmp_path / "datasources/watchkeep.yaml").read_text())["datasources"]
    assert (source["uid"], source["type"]) == ("watchkeep", "grafana-postgresql-datasource")
    assert source["user"] == "grafana_ro"
    assert source["secureJsonData"] == {"password": "${WATCHKEEP_GRAFANA_DB_PASSWORD}"}
    assert source["jsonData"]["database"] == "${WATCHKEEP_GRAFANA_DB_NAME}"  # without it Grafana runs no query
    assert 0 < source["jsonData"]["maxOpenConns"] < 20  # the connection limit of grafana_ro


def test_the_provider_points_at_the_exported_json(tmp_path):
    export(tmp_path, "zh")
    (provider,) = yaml.safe_load((tmp_path / "dashboards/watchkeep.yaml").read_text())["providers"]
    seen = provider["options"]["path"].replace("${WATCHKEEP_GRAFANA_PROVISIONING}", str(tmp_path))
    assert seen == str(tmp_path / "dashboards/watchkeep")


def test_every_variable_is_explained_at_the_head_of_its_file(tmp_path):
    for path in export(tmp_path, "zh"):
        if path.suffix == ".yaml" and path.parent.name != "alerting":
            text = path.read_text()
            comments = "".join(line for line in text.splitlines() if line.lstrip().startswith("#"))
            names = re.findall(r"\$\{(\w+)\}", text)
            assert names
            assert all(name.startswith("WATCHKEEP_GRAFANA_") and name in comments for name in names)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ExportFailed, match=r"cannot write .*file"):
        export(tmp_path / "file", "zh")


def test_alert_rules_hold_nothing_that_grafana_would_replace(tmp_path):
    export(tmp_path, "zh")
    text = (tmp_path / "alerting/watchkeep.yaml").read_text()
    assert "$" not in text
    (group,) = yaml.safe_load(text)["groups"]
    assert [rule["uid"] for rule in group["rules"]] == [rule.uid for rule in alerts.RULES]


def test_the_console_is_put_into_exported_boards(tmp_path):
    export(tmp_path, "zh", console="https://console.example/")
    fire = json.loads((tmp_path / "dashboards/watchkeep/fire.json").read_text())
    assert [v["query"] for v in fire["templating"]["list"] if v["name"] == "console"] == ["https://console.example"]
