"""`watchkeep dashboards`: list and export, without the generator."""

import json
import re
import subprocess
import sys

import pytest
import yaml

from tests.dashboards import boards
from watchkeep_dashboards import alerts
from watchkeep_dashboards.errors import ExportFailed
from watchkeep_dashboards.packaged import NAMES
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
    ]
    assert sorted(json.loads(result.stdout)) == sorted(str(tmp_path / "grafana" / path) for path in written)
    for name in NAMES:
        exported = (tmp_path / "grafana" / "dashboards" / "watchkeep" / f"{name}.json").read_text()
        assert json.loads(exported) == boards.board(name, "en")


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
    board = json.loads((tmp_path / "dashboards/watchkeep/fire.json").read_text())
    assert [v["query"] for v in board["templating"]["list"] if v["name"] == "console"] == ["https://console.example"]
