"""Contract of `apply`, `diff` and `prune`: on a loopback Grafana in the dialects of its versions, and on a real one.

The real one is at WATCHKEEP_TEST_GRAFANA_URL, with WATCHKEEP_TEST_GRAFANA_USER and …_PASSWORD of a server
administrator; an organisation of this test's own is made there and deleted.
"""

import json
import os
import stat
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from typer.testing import CliRunner

from tests.dashboards.grafana_server import ADMIN, PASSWORD, FakeGrafana, Organisation, serve
from watchkeep_cli.ports import free_port
from watchkeep_core.errors import SettingsError
from watchkeep_core.settings import load
from watchkeep_dashboards import alerts, apply, organisation, packaged
from watchkeep_dashboards.commands import app
from watchkeep_dashboards.errors import (
    GrafanaConflict,
    GrafanaForbidden,
    GrafanaLogin,
    GrafanaRefused,
    GrafanaUnreachable,
)
from watchkeep_dashboards.grafana import Grafana
from watchkeep_dashboards.playlists import playlists
from watchkeep_dashboards.settings import DashboardsSettings

DIALECTS: dict[str, dict[str, Any]] = {
    "10": {"plugin": "postgres", "versions_in_object": False, "same_title_conflicts": True},
    "11-12": {},
    "13": {"old_playlists": False, "adds_on_read": True},
}
CITY = 1 + 1 + len(packaged.NAMES) + 1 + len(alerts.RULES)  # data source, folder, boards, playlist, rules
COMMUNITY = len(packaged.OF_ONE_COMMUNITY) + 1


@pytest.fixture(params=DIALECTS)
def server(request, monkeypatch):
    with serve(FakeGrafana(**DIALECTS[request.param]), prefix="/grafana") as running:
        log_in(monkeypatch, running.url, ADMIN, PASSWORD)
        yield running


@pytest.fixture
def plain(monkeypatch):
    """One dialect is enough where the difference does not matter."""
    with serve(FakeGrafana()) as running:
        log_in(monkeypatch, running.url, ADMIN, PASSWORD)
        yield running


def log_in(monkeypatch, url, user="", password="", token="", **other):
    values = {"grafana_url": url, "grafana_user": user, "grafana_password": password, "grafana_token": token}
    for name, value in (values | {"database_password": "only-in-tests"} | other).items():
        monkeypatch.setenv(f"WATCHKEEP_DASHBOARDS_{name.upper()}", value)


def run(*arguments):
    """Exit code and the JSON of stdout. Raises what the command raised."""
    result = CliRunner().invoke(app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, json.loads(result.stdout)


def brief(changes):
    return [(change["action"], change["kind"], change["uid"]) for change in changes]


@pytest.mark.slow
def test_apply_makes_everything_and_a_second_apply_writes_nothing(server):
    code, first = run("apply")
    assert code == 0
    assert len(first["changes"]) == CITY + 1 + 2 * COMMUNITY  # one more folder, two communities
    assert {change["action"] for change in first["changes"]} == {"create"}
    before = len(server.writes())
    assert before == first["writes"] == len(first["changes"]) + 1  # and the organisation
    code, second = run("apply")
    assert (code, second["changes"], second["writes"]) == (0, [], 0)
    assert len(server.writes()) == before
    assert run("diff") == (0, [])
    assert server.organisations[1].things == {}  # nothing outside the organisation of the walls
    assert len(second["playlists"]) == 3
    assert all(url.startswith(f"{server.url}/playlists/play/") for url in second["playlists"].values())


@pytest.mark.slow
def test_what_is_made_fits_together(server):
    run("apply")
    wall = server.wall()
    (source,) = wall.of("datasource").values()
    assert source["secureJsonData"] == {"password": "only-in-tests"}
    boards = {uid: saves[-1]["dashboard"] for uid, saves in wall.of("dashboard").items()}
    assert len({board["title"] for board in boards.values()}) == len(boards)
    used = {item["datasource"]["type"] for board in boards.values() for item in board["panels"]}
    assert used == {source["type"]} == {server.plugin}
    lists = wall.of("playlist" if server.old_playlists else "playlist resource").values()
    items = [row["items"] if server.old_playlists else row["spec"]["items"] for row in lists]
    assert [len(shown) for shown in items] == [len(packaged.OF_THE_CITY), *2 * [len(packaged.OF_ONE_COMMUNITY)]]
    assert {item["value"] for shown in items for item in shown} <= boards.keys()
    own = boards[packaged.uid_of("water", "zh", "c2")]
    assert own["title"] == "红山苑 · 供水排水"
    variables = {item["name"]: item for item in own["templating"]["list"]}
    assert (variables["community"]["type"], variables["community"]["query"]) == ("constant", "c2")


@pytest.mark.slow
def test_drift_is_told_and_mended(server):
    run("apply")
    wall = server.wall()
    (saves,) = [saves for uid, saves in wall.of("dashboard").items() if uid == "watchkeep-fire-zh"]
    edited = json.loads(json.dumps(saves[-1]))
    edited["dashboard"]["panels"][0]["title"] = "changed by hand"
    saves.append(edited | {"message": "by hand"})
    wall.of("rule")["wk-lag"]["data"][2]["model"]["conditions"][0]["evaluator"]["params"] = [1]
    wall.of("folder")["watchkeep"]["title"] = "x"
    code, found = run("diff")
    assert code == 1
    assert sorted(brief(found)) == [
        ("update", "alert rule", "wk-lag"),
        ("update", "dashboard", "watchkeep-fire-zh"),
        ("update", "folder", "watchkeep"),
    ]
    differs = {change["uid"]: change["differs"] for change in found}
    assert "panels[0].title" in differs["watchkeep-fire-zh"]
    assert len(run("apply")[1]["changes"]) == 3
    assert run("diff") == (0, [])
    assert len(saves) == 3  # Grafana keeps what was there, version by version


@pytest.mark.slow
def test_prune_takes_only_what_is_ours_and_no_longer_wanted(server):
    run("apply")
    wall = server.wall()
    foreign = {"uid": "theirs", "title": "Theirs", "tags": ["watchkeep", "zh"], "panels": []}
    wall.of("dashboard")["theirs"] = [{"dashboard": foreign, "folderUid": "", "message": ""}]
    before = len(wall.of("dashboard"))
    server.communities = server.communities[:1]
    code, found = run("diff")
    assert (code, len(found)) == (1, COMMUNITY)
    assert {(change["action"], change["kind"]) for change in found} == {("delete", "dashboard"), ("delete", "playlist")}
    assert run("prune")[1] == found
    assert len(wall.of("dashboard")) == before  # without --yes it only says so
    assert run("prune", "--yes")[1] == found
    assert len(wall.of("dashboard")) == before - len(packaged.OF_ONE_COMMUNITY)
    assert "theirs" in wall.of("dashboard")
    assert run("diff") == (0, [])


def test_the_other_language_stands_beside(plain, monkeypatch):
    run("apply", "--city-only")
    monkeypatch.setenv("WATCHKEEP_DASHBOARDS_LANGUAGE", "en")
    _, answer = run("apply", "--city-only")
    assert len(answer["changes"]) == len(packaged.NAMES) + 1
    assert run("diff", "--city-only") == (0, [])
    monkeypatch.setenv("WATCHKEEP_DASHBOARDS_LANGUAGE", "zh")
    assert run("diff", "--city-only") == (0, [])


def test_only_the_named_communities(plain):
    run("apply", "--community", "c2")
    assert packaged.uid_of("fire", "zh", "c2") in plain.wall().of("dashboard")
    assert packaged.uid_of("fire", "zh", "c1") not in plain.wall().of("dashboard")
    with pytest.raises(SettingsError, match="c9 is no live community"):
        run("apply", "--community", "c9")


def test_links_lead_to_the_console_that_was_named(plain, monkeypatch):
    monkeypatch.setenv("WATCHKEEP_DASHBOARDS_CONSOLE_URL", "https://console.example/")
    run("apply", "--city-only")
    board = plain.wall().of("dashboard")["watchkeep-orders-zh"][-1]["dashboard"]
    (console,) = [item for item in board["templating"]["list"] if item["name"] == "console"]
    assert (console["type"], console["query"]) == ("constant", "https://console.example")


def test_the_password_goes_once_or_when_asked(plain):
    run("apply", "--city-only")
    _, answer = run("apply", "--city-only", "--renew-password")
    assert brief(answer["changes"]) == [("update", "datasource", "watchkeep")]
    plain.wall().of("datasource")["watchkeep"]["secureJsonData"] = {}
    assert run("diff", "--city-only")[1][0]["differs"] == ["password"]


def test_a_moved_database_is_drift_and_keeps_the_password(plain, monkeypatch):
    run("apply", "--city-only")
    monkeypatch.setenv("WATCHKEEP_DASHBOARDS_DATABASE_ADDRESS", "db.example:6543")
    assert run("diff", "--city-only")[1][0]["differs"] == ["url"]
    run("apply", "--city-only")
    source = plain.wall().of("datasource")["watchkeep"]
    assert (source["url"], source["secureJsonData"]) == ("db.example:6543", {"password": "only-in-tests"})


def test_a_token_of_the_service_account_is_enough_later(plain, monkeypatch, tmp_path):
    file = tmp_path / "token"
    run("apply", "--city-only", "--token-file", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (account,) = plain.wall().of("account").values()
    assert (account["role"], len(account["tokens"])) == ("Admin", 1)
    run("apply", "--city-only", "--token-file", str(file))  # it is there: nothing is made
    assert len(account["tokens"]) == 1
    log_in(monkeypatch, plain.url)
    monkeypatch.delenv("WATCHKEEP_DASHBOARDS_GRAFANA_TOKEN")
    monkeypatch.setenv("WATCHKEEP_DASHBOARDS_GRAFANA_TOKEN_FILE", str(file))
    assert run("diff", "--city-only") == (0, [])


def test_a_token_of_another_organisation_is_refused(plain, monkeypatch):
    plain.tokens["glsa_main"] = 1
    log_in(monkeypatch, plain.url, token="glsa_main")
    with pytest.raises(GrafanaConflict, match=r"of organisation 'Main Org\.', the walls are in 'Wall'"):
        run("apply")
    assert plain.writes() == []


def test_an_organisation_of_others_is_joined(plain):
    plain.organisations[5] = Organisation(5, "Wall")
    assert run("diff")[1][0]["kind"] == "organisation"
    run("apply", "--city-only")
    assert plain.organisations[5].members == {ADMIN}
    assert "watchkeep" in plain.organisations[5].of("datasource")


@pytest.mark.parametrize("where", ["", "Wall", "Main Org."])
def test_says_where_anonymous_viewers_land(plain, where):
    run("apply", "--city-only")
    plain.anonymous = where
    _, answer = run("apply", "--city-only")
    assert answer["anonymous"] == {"": "off", "Wall": "on"}.get(where, "on, but in organisation 'Main Org.'")
    assert ("org_name = Wall" in answer.get("grafana_ini", "")) == (where != "Wall")


def test_wrong_login(plain, monkeypatch):
    log_in(monkeypatch, plain.url, ADMIN, "wrong")
    with pytest.raises(GrafanaLogin, match="wrong token, user or password"):
        run("apply")
    assert plain.writes() == []


def test_missing_permission_names_it(plain):
    plain.server_admin = False
    with pytest.raises(GrafanaForbidden, match=r"may not POST /orgs: .*orgs:create"):
        run("apply")


def test_a_name_that_is_taken(plain):
    run("apply", "--city-only")
    source = plain.wall().of("datasource")
    source["other"] = source.pop("watchkeep") | {"uid": "other"}
    with pytest.raises(GrafanaConflict, match="same name already exists"):
        run("apply", "--city-only")


def test_a_board_of_others_with_our_title_is_not_written_over(monkeypatch):
    with serve(FakeGrafana(same_title_conflicts=True)) as server:
        log_in(monkeypatch, server.url, ADMIN, PASSWORD)
        run("apply", "--city-only")
        boards = server.wall().of("dashboard")
        boards["theirs"] = boards.pop("watchkeep-orders-zh")
        with pytest.raises(GrafanaConflict, match="same name in the folder"):
            run("apply", "--city-only")


def test_boards_from_files_are_left_to_the_files(plain, monkeypatch):
    run("apply", "--city-only")
    board = next(b for b in apply.of_the_city(load(DashboardsSettings), organisation.PLUGIN) if b.kind == "dashboard")
    with (
        Grafana(plain.url, (ADMIN, PASSWORD)) as login,
        pytest.raises(GrafanaConflict, match="use files or apply, not both"),
    ):
        board.update(login, {"meta": {"provisioned": True}, "dashboard": {}})


def test_refused_connection(monkeypatch):
    url = f"http://127.0.0.1:{free_port('127.0.0.1')}"
    log_in(monkeypatch, url, ADMIN, PASSWORD)
    with pytest.raises(GrafanaUnreachable, match=f"Grafana at {url} cannot be reached: .*refused"):
        run("apply")


def test_a_gateway_in_front_that_fails(plain):
    plain.broken = 502
    with pytest.raises(GrafanaUnreachable, match="502"):
        run("apply")


def test_no_postgresql_plug_in(plain):
    plain.plugin = "gone"
    with pytest.raises(GrafanaRefused, match="no PostgreSQL data source plug-in"):
        run("apply")


def test_a_database_that_grafana_cannot_ask(plain):
    plain.database_error = "db query error: pq: password authentication failed"
    with pytest.raises(GrafanaRefused, match="password authentication failed"):
        run("apply")
    assert len(plain.wall().of("dashboard")) == len(packaged.NAMES)  # what needs no question is there


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({}, "either grafana_token, or grafana_user"),
        ({"grafana_user": "a", "grafana_password": "b", "grafana_token": "c"}, "either grafana_token"),
        ({"grafana_url": "http://admin:admin@localhost:3000", "grafana_token": "c"}, "grafana_url"),
    ],
)
def test_settings_say_who_we_are(values, complaint):
    environ = {f"WATCHKEEP_DASHBOARDS_{name.upper()}": value for name, value in values.items()}
    environ = {"WATCHKEEP_DASHBOARDS_GRAFANA_URL": "http://g:3000"} | environ
    with pytest.raises(SettingsError, match=complaint):
        organisation.connect(load(DashboardsSettings, environ))


def test_the_data_source_is_that_of_the_files(monkeypatch):
    log_in(monkeypatch, "http://g:3000", token="t")
    (file,) = yaml.safe_load((packaged.PACKAGE / "provisioning" / "datasource.yaml").read_text("utf-8"))["datasources"]
    body = apply.datasource(load(DashboardsSettings), organisation.PLUGIN).body
    assert {key: file[key] for key in ("name", "uid", "type", "access", "user")} == {
        key: body[key] for key in ("name", "uid", "type", "access", "user")
    }
    fixed = body["jsonData"].keys() - {"database", "sslmode"}
    assert {key: file["jsonData"][key] for key in fixed} == {key: body["jsonData"][key] for key in fixed}


def test_uids_fit_grafana_for_the_longest_community():
    uids = {packaged.uid_of(name, "zh", community) for name in packaged.NAMES for community in ("c" * 64, "d" * 64)}
    assert len(uids) == 2 * len(packaged.NAMES)
    assert max(len(uid) for uid in uids) <= 40


@pytest.mark.slow
def test_a_real_grafana(monkeypatch):
    url = os.environ.get("WATCHKEEP_TEST_GRAFANA_URL")
    if not url:
        pytest.skip("WATCHKEEP_TEST_GRAFANA_URL is not set (Grafana is in no package registry)")
    user = os.environ.get("WATCHKEEP_TEST_GRAFANA_USER", "admin")
    password = os.environ["WATCHKEEP_TEST_GRAFANA_PASSWORD"]
    name = f"Wall test {os.getpid()}"
    log_in(monkeypatch, url, user, password, organisation=name)
    where = f"/orgs/name/{quote(name)}"
    with Grafana(url, (user, password)) as login:
        try:
            exercise(login, where)
        finally:
            if found := login.find(where):
                login.write("DELETE", f"/orgs/{found['id']}")


def exercise(login, where):
    """What `apply`, `diff` and `prune` must do, without a database behind the data source."""
    assert run("diff", "--city-only")[0] == 1
    assert len(run("apply", "--city-only")[1]["changes"]) == CITY
    assert run("apply", "--city-only")[1]["writes"] == 0
    assert run("diff", "--city-only") == (0, [])
    login.within(login.ask(where)["id"])
    fixed = packaged.board("fire", "zh", community=("c1", "x"))
    login.write("POST", "/dashboards/db", {"dashboard": fixed, "folderUid": "watchkeep", "message": "stranger"})
    assert brief(run("prune", "--city-only", "--yes")[1]) == [("delete", "dashboard", fixed["uid"])]
    assert run("diff", "--city-only") == (0, [])
    assert len(playlists(login)) == 1
